//! The files of the page, compressed when Sentinel was built. The page itself is asked for each time, by `ETag`; what it names
//! is in a folder that has its contents in its name, so that a browser asks for it once.

use super::security::failure;
use crate::daemon::http::{accept, sliced_body::SlicedBody};
use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        StatusCode,
        header::{
            ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, HeaderValue, IF_NONE_MATCH, VARY,
        },
    },
    web::Bytes,
};
use flate2::read::GzDecoder;
use sha2::{Digest, Sha256};
use std::io::Read;

/// Name and gzip of each file; the build script writes it.
const FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/web.rs"));
/// The folder of these files. Another version has another one.
const FOLDER: &str = env!("SENTINEL_WEB_FOLDER");
/// Larger than any file of the page.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// A year. Only in the browser: the files are given to whoever has a password.
const FOR_EVER: &str = "private, max-age=31536000, immutable";

/// The file of this name, `index.html` for none.
pub(super) fn file(request: &HttpRequest, name: &str) -> HttpResponse {
    let name = if name.is_empty() { "index.html" } else { name };
    let in_folder = name.strip_prefix(FOLDER).and_then(|rest| rest.strip_prefix('/'));
    let name = in_folder.unwrap_or(name);
    let Some((_, gzip)) = FILES.iter().find(|(known, _)| *known == name) else {
        return failure(StatusCode::NOT_FOUND, "not_found", "there is no such file");
    };
    let tag = tag(gzip);
    let is_known = accept::all(request, &IF_NONE_MATCH).split(',').any(|known| same_tag(known, &tag));
    let mut response = HttpResponse::build(if is_known { StatusCode::NOT_MODIFIED } else { StatusCode::OK });
    response.insert_header((ETAG, tag)).insert_header((VARY, "Accept-Encoding"));
    response.insert_header((CACHE_CONTROL, if in_folder.is_some() { FOR_EVER } else { "no-cache" }));
    if is_known {
        return response.finish();
    }
    response.insert_header((CONTENT_TYPE, HeaderValue::from_static(content_type(name))));
    if accept::takes_gzip(&accept::all(request, &ACCEPT_ENCODING)) {
        return response.insert_header((CONTENT_ENCODING, "gzip")).body(SlicedBody::of(Bytes::from_static(gzip)));
    }
    let mut plain = Vec::new();
    match GzDecoder::new(*gzip).take(FILE_BYTES_MAX).read_to_end(&mut plain) {
        Ok(_) => response.body(SlicedBody::of(plain)),
        Err(error) => failure(StatusCode::INTERNAL_SERVER_ERROR, "failed", &error.to_string()),
    }
}

/// Whether a tag of `If-None-Match` means this one. A cache may have made it a weak one.
pub(super) fn same_tag(known: &str, tag: &str) -> bool {
    let known = known.trim();
    known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag
}

fn tag(gzip: &[u8]) -> String {
    format!("\"{}\"", hex(&Sha256::digest(gzip)))
}

/// The first 64 bits of a digest.
pub(super) fn hex(digest: &[u8]) -> String {
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        _ => "text/plain; charset=utf-8",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sentinel_actors::domain::guard::Suppression;

    #[test]
    fn the_page_fits_into_60_kilobytes() {
        let all: usize = FILES.iter().map(|(_, gzip)| gzip.len()).sum();
        assert!(FILES.iter().any(|(name, _)| *name == "index.html"), "there is a page");
        assert!(all <= 60_000, "{all} bytes");
    }

    #[test]
    fn a_browser_takes_each_file_for_what_it_is() {
        for (name, _) in FILES {
            let is_text = content_type(name).starts_with("text/plain");
            assert_eq!(is_text, name.ends_with(".LICENSE"), "{name}");
        }
    }

    #[test]
    fn the_page_names_its_files_by_their_contents() {
        let (_, gzip) = FILES.iter().find(|(name, _)| *name == "index.html").unwrap();
        let mut page = String::new();
        GzDecoder::new(*gzip).read_to_string(&mut page).unwrap();
        for name in ["first.css", "boot.js"] {
            assert!(page.contains(&format!("\"{FOLDER}/{name}\"")), "{name}: {page}");
        }
        assert!(!page.contains("\"files/"), "{page}");
    }

    #[test]
    fn what_a_page_of_another_version_asks_for_is_not_there() {
        let asked = |name: &str| {
            let response = file(&actix_web::test::TestRequest::get().to_http_request(), name);
            let kept = response.headers().get(CACHE_CONTROL).unwrap().to_str().unwrap().to_owned();
            (response.status().as_u16(), kept)
        };
        assert_eq!(asked(&format!("{FOLDER}/app.js")), (200, FOR_EVER.into()));
        assert_eq!(asked("app.js"), (200, "no-cache".into()));
        assert_eq!(asked(""), (200, "no-cache".into()), "the page says which files it has");
        assert_eq!(asked("files-0000000000000000/app.js").0, 404);
        assert_eq!(asked(&format!("{FOLDER}/none.js")).0, 404);
    }

    #[test]
    fn the_page_knows_each_rule_that_stops_every_order() {
        // These stop one signal, or the view says them elsewhere.
        let others = [
            "below_threshold",
            "halted",
            "market_closed",
            "stale_bar",
            "volume_limit",
            "bad_stop",
            "dry_run",
            "already_ordered",
            "unresolved",
            "shutdown",
            "failures",
            "cooldown",
            "opposite",
            "position_limit",
            "stale_decision",
            "ordered_elsewhere",
            "claim_late",
        ];
        let page = include_str!("../../console/web/boot.js");
        let (_, list) = page.split_once("STOPS_ALL = new Set([").unwrap();
        let stop_all = list.split_once(']').unwrap().0.split(", ").map(|name| name.trim_matches('"'));
        let mut known: Vec<_> = others.into_iter().chain(stop_all).collect();
        let mut all: Vec<_> = Suppression::ALL.iter().map(|rule| rule.as_str()).collect();
        known.sort_unstable();
        all.sort_unstable();
        assert_eq!(known, all, "each in one of the two lists");
    }

    #[test]
    fn a_tag_is_known_in_each_spelling() {
        for known in ["\"a\"", " \"a\" ", "W/\"a\"", "*"] {
            assert!(same_tag(known, "\"a\""), "{known}");
        }
        for other in ["", "a", "\"b\"", "\"a", "w/\"a\""] {
            assert!(!same_tag(other, "\"a\""), "{other}");
        }
    }
}
