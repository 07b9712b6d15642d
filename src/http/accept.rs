//! Which format of metrics a scraper wants, by its `Accept` header.

use sentinel_actors::domain::exposition::Format;

/// OpenMetrics if it is asked for by name, in the version that is served, and nothing else is preferred; otherwise the
/// text format, whatever the header says: a scrape in the wrong format is worth more than none.
pub fn format(accept: &str) -> Format {
    let (mut open, mut text, mut anything) = (None::<f32>, None::<f32>, None::<f32>);
    for entry in accept.split(',') {
        let mut parts = entry.split(';').map(str::trim);
        let media = parts.next().unwrap_or_default().to_ascii_lowercase();
        let (mut quality, mut version) = (1.0, "");
        for (name, value) in parts.filter_map(|part| part.split_once('=')) {
            match (name.trim().to_ascii_lowercase().as_str(), value.trim().trim_matches('"')) {
                // What is no number is no wish.
                ("q", value) => quality = value.parse::<f32>().ok().filter(|q| (0.0..=1.0).contains(q)).unwrap_or(0.0),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scraper_gets_what_it_prefers() {
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
    fn everyone_else_gets_the_text_format() {
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
