//! The page at `/` of the metrics port, as Prometheus's own exporters have one: what this is, and where to go.

use crate::daemon::console::{ConsoleLink, SAFE_HEADERS};
use actix_web::{
    HttpResponse,
    http::{
        StatusCode,
        header::{CONTENT_TYPE, HeaderName, HeaderValue},
    },
};
use bytes::Bytes;
use maud::{DOCTYPE, html};
use sentinel_actors::domain::build_info::BuildInfo;

/// The page.
#[derive(Debug, Clone)]
pub struct Landing {
    build: BuildInfo,
    console: ConsoleLink,
}

impl Landing {
    /// It leads to the console while that listens.
    pub const fn new(build: BuildInfo, console: ConsoleLink) -> Self {
        Self { build, console }
    }

    fn page(&self) -> Bytes {
        let (build, console) = (&self.build, self.console.now());
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    title { "Sentinel" }
                }
                body {
                    h1 { "Sentinel" }
                    p { "Version " (build.version) " (revision " (build.revision) ")" }
                    ul {
                        li { a href="/metrics" { "Metrics" } }
                        li { a href="/health" { "Health" } }
                        @if let Some((url, is_loopback)) = &console {
                            li { a href=(url) { "Console" } @if *is_loopback { " (on the daemon's own machine)" } }
                        }
                    }
                }
            }
        };
        format!("{}\n", page.into_string()).into()
    }

    pub(super) fn response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(StatusCode::OK);
        response.insert_header((CONTENT_TYPE, "text/html; charset=utf-8"));
        for (name, value) in SAFE_HEADERS {
            response.insert_header((HeaderName::from_static(name), HeaderValue::from_static(value)));
        }
        response.body(self.page())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stays_text_and_leads_to_the_console() {
        let build = BuildInfo { version: "<b>1".into(), revision: "\"x".into(), rustc: String::new() };
        let link = ConsoleLink::default();
        let landing = Landing::new(build, link.clone());
        let page = || String::from_utf8(landing.page().to_vec()).unwrap();
        assert!(page().contains("Version &lt;b&gt;1 (revision &quot;x)"), "{}", page());
        assert!(!page().contains("onsole"), "it is off, or its port is not free yet");
        // As soon as it listens, and as far as its link leads.
        for (address, url, is_here) in [
            ("[::1]:8001", "http://[::1]:8001/console/", true),
            ("0.0.0.0:8001", "http://127.0.0.1:8001/console/", true),
            ("10.0.0.7:8001", "http://10.0.0.7:8001/console/", false),
        ] {
            link.set(address.parse().unwrap());
            assert!(page().contains(&format!("href=\"{url}\"")), "{}", page());
            assert_eq!(page().contains("own machine"), is_here, "{address}");
        }
    }
}
