//! Which metrics format a client wants, by its `Accept` header, and whether it accepts gzip, by `Accept-Encoding`.

use actix_web::{HttpRequest, http::header::HeaderName};
use sentinel_actors::adapters::prometheus::Format;

/// All lines of this header, as one list.
pub fn all(request: &HttpRequest, header: &HeaderName) -> String {
    request.headers().get_all(header).filter_map(|value| value.to_str().ok()).collect::<Vec<_>>().join(",")
}

/// OpenMetrics if the header names it, in the version that is served, and prefers nothing else. Otherwise the text format,
/// whatever the header says: metrics in another format are better than none.
pub fn format(accept: &str) -> Format {
    let (mut open, mut text, mut anything) = (None::<f32>, None::<f32>, None::<f32>);
    for entry in accept.split(',') {
        let mut parts = entry.split(';').map(str::trim);
        let media = parts.next().unwrap_or_default().to_ascii_lowercase();
        let (mut quality, mut version) = (1.0, "");
        for (name, value) in parts.filter_map(|part| part.split_once('=')) {
            match (name.trim().to_ascii_lowercase().as_str(), value.trim().trim_matches('"')) {
                ("q", value) => quality = weight(value),
                ("version", value) => version = value,
                _ => {}
            }
        }
        let best = match (media.as_str(), version) {
            ("application/openmetrics-text", "" | "1.0.0") => &mut open,
            ("text/plain", "" | "0.0.4") => &mut text,
            ("text/*" | "*/*", _) => &mut anything,
            _ => continue,
        };
        *best = Some(best.map_or(quality, |best| best.max(quality)));
    }
    let open = open.unwrap_or(0.0);
    if open > 0.0 && open >= text.or(anything).unwrap_or(0.0) { Format::OpenMetrics } else { Format::Text }
}

/// A quality value; 0 if it is not a number from 0 to 1.
fn weight(quality: &str) -> f32 {
    quality.parse::<f32>().ok().filter(|q| (0.0..=1.0).contains(q)).unwrap_or(0.0)
}

/// Whether the client accepts gzip and does not prefer the plain text. A client that refuses both gets the plain text: an
/// answer that it may not understand is better than none.
pub fn takes_gzip(accept_encoding: &str) -> bool {
    let (mut gzip, mut identity, mut anything) = (None::<f32>, None::<f32>, None::<f32>);
    for entry in accept_encoding.split(',') {
        let (coding, parameters) = entry.split_once(';').unwrap_or((entry, ""));
        let quality = match parameters.split_once('=') {
            Some((name, value)) if name.trim().eq_ignore_ascii_case("q") => weight(value.trim()),
            _ => 1.0,
        };
        match coding.trim().to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => gzip = Some(quality),
            "identity" => identity = Some(quality),
            "*" => anything = Some(quality),
            _ => {}
        }
    }
    let is_refused = identity.or(anything) == Some(0.0);
    match gzip.or(anything) {
        // Not named, so only used if the plain text is refused.
        None => is_refused,
        Some(gzip) => gzip > 0.0 && gzip >= identity.or(anything).unwrap_or(0.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_gets_the_format_that_it_prefers() {
        let prometheus_2 = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                            text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        let prometheus_3 = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
                            application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;q=0.4,\
                            text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        for accept in [
            prometheus_2,
            prometheus_3,
            "application/openmetrics-text",
            "Application/OpenMetrics-Text; Version=\"1.0.0\"; charset=utf-8",
            "text/plain;q=0.5, application/openmetrics-text;q=0.5",
            "*/*, application/openmetrics-text, text/plain;q=0.9",
        ] {
            assert_eq!(format(accept), Format::OpenMetrics, "{accept}");
        }
    }

    #[test]
    fn gzip_is_sent_to_clients_that_accept_and_do_not_avoid_it() {
        for accept in [
            "gzip",
            "GZip",
            "x-gzip",
            "gzip, deflate, br, zstd",
            "deflate;q=0.9 , gzip ; q=0.1",
            "*",
            "gzip;q=0.5, *;q=0.1",
            "identity;q=0",
            "identity;q=0, *",
            "gzip;q=0.001, identity;q=0",
            "identity;q=0.5, *;q=0.5",
            "br, *;q=0.3",
            "gzip;level=9",
        ] {
            assert!(takes_gzip(accept), "{accept}");
        }
        for accept in [
            "",
            " ",
            "identity",
            "deflate, br",
            "gzip;q=0",
            "gzip;q=0.0, *",
            "gzip;q=much",
            "gzip;q=2",
            "gzip;q=0.5, identity",
            "*;q=0",
            "*;q=0, gzip;q=0",
            "gzip;q=0, identity;q=0",
            "*;q=0.1, identity;q=0.2",
            "gzipped, ungzip",
            ",;q=1,,=",
        ] {
            assert!(!takes_gzip(accept), "{accept}");
        }
    }

    #[test]
    fn all_other_clients_get_the_text_format() {
        for accept in [
            "",
            "*/*",
            "text/plain",
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            "application/openmetrics-text;version=0.0.1",
            "application/openmetrics-text;version=2.0.0",
            "application/openmetrics-text;q=0",
            "application/openmetrics-text;q=much",
            "application/openmetrics-text;q=0.4,text/plain;version=0.0.4;q=0.5",
            "application/openmetrics-text;q=0.4,*/*",
            "application/openmetrics-texts, application/json",
            ";;,,=,q=1",
        ] {
            assert_eq!(format(accept), Format::Text, "{accept}");
        }
    }
}
