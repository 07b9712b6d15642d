//! The page at `/` of the metrics port, as Prometheus's own exporters have one: what this is, and where to go.

use crate::daemon::console::SAFE_HEADERS;
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

/// The page, made once.
#[derive(Debug, Clone)]
pub struct Landing(Bytes);

impl Landing {
    /// With the console's address, if it listens.
    pub fn new(build: &BuildInfo, console: Option<String>) -> Self {
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
                        @if let Some(url) = &console {
                            li { a href=(url) { "Console" } " (on the daemon's own machine)" }
                        }
                    }
                }
            }
        };
        Self(format!("{}\n", page.into_string()).into())
    }

    pub(super) fn response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(StatusCode::OK);
        response.insert_header((CONTENT_TYPE, "text/html; charset=utf-8"));
        for (name, value) in SAFE_HEADERS {
            response.insert_header((HeaderName::from_static(name), HeaderValue::from_static(value)));
        }
        response.body(self.0.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_it_stays_text() {
        let build = BuildInfo { version: "<b>1".into(), revision: "\"x".into(), rustc: String::new() };
        let Landing(page) = Landing::new(&build, Some("http://[::1]:8001/console/".into()));
        let page = std::str::from_utf8(&page).unwrap();
        assert!(page.contains("Version &lt;b&gt;1 (revision &quot;x)"), "{page}");
        assert!(page.contains("href=\"http://[::1]:8001/console/\""), "{page}");
        let Landing(page) = Landing::new(&build, None);
        assert!(!std::str::from_utf8(&page).unwrap().contains("onsole"), "it is off");
    }
}
