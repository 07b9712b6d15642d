//! What a running daemon says on /health and /metrics, checked alike for `inf` and `hub`.

use super::{Report, not_reached};
use crate::tools::probe::{Client, Exposition, Page, contract};
use sentinel_actors::adapters::http::{HttpError, one_line};
use serde::Deserialize;

/// The text format's own content type, to the letter.
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
/// What comes of the text of /metrics.
const OF_THE_TEXT: [&str; 3] = ["format", "text", "families"];
const ANOTHER_PROGRAM: &str = "another program has the port, or something stands in between: look who listens there";

/// The part of /health that is looked at.
#[derive(Debug, Deserialize)]
pub(super) struct Health {
    status: String,
    #[serde(default)]
    checks: Vec<HealthCheck>,
}

#[derive(Debug, Deserialize)]
struct HealthCheck {
    name: String,
    status: String,
    #[serde(default)]
    detail: String,
}

impl Health {
    /// As the evidence lines have always said it.
    fn word(&self) -> &str {
        if self.status == "ok" { "pass" } else { &self.status }
    }

    /// Whether no further cycle will come.
    pub(super) fn has_run_all_cycles(&self) -> bool {
        self.checks.iter().any(|check| check.name == "schedule" && check.detail.starts_with("all cycles"))
    }
}

/// Asks /health and reports what it says.
pub(super) async fn health(client: &Client, report: &mut Report) -> Option<Health> {
    let page = match client.get("/health", "").await {
        Ok(page) => page,
        Err(error) => {
            report.failed("health", &error, unreachable(&error));
            return None;
        }
    };
    let health = serde_json::from_slice::<Health>(&page.body).ok().filter(|_| matches!(page.status, 200 | 503));
    let Some(health) = health else {
        report.failed("health", format!("status {}, and no health report", page.status), refused(page.status));
        return None;
    };
    let troubles = health.checks.iter().filter(|check| check.status != "ok");
    let troubles = troubles.map(|check| format!("\n{}: {}", one_line(&check.name), one_line(&check.detail)));
    let found = format!("status {}{}", page.status, troubles.collect::<String>());
    match health.status.as_str() {
        "ok" => report.ok("health", format!("{found}, pass")),
        "degraded" => report.note("health", format!("degraded: it works, but something needs a look; {found}")),
        _ => {
            let way_out = "503 says that the daemon itself does not work as it should; /metrics is served all the \
                           same. Mend what is named here; the daemon's log says more";
            report.failed("health", found, way_out);
        }
    }
    Some(health)
}

/// Fetches /metrics and reports whether it came, how, and whether it is what HUB knows.
pub(super) async fn metrics(client: &Client, health: Option<&Health>, report: &mut Report) -> Option<Exposition> {
    let page = match fetched(client).await {
        Ok(page) => page,
        Err((found, way_out)) => {
            report.failed("metrics", found, way_out);
            not_reached(report, &OF_THE_TEXT, "there is no text to look at");
            return None;
        }
    };
    let read = Exposition::parse(&page.text());
    report.ok("metrics", evidence(&page, read.as_ref().ok(), health));
    if page.content_type == CONTENT_TYPE {
        report.ok("format", &page.content_type);
    } else {
        let found = format!("{:?} is not {CONTENT_TYPE:?}", one_line(&page.content_type));
        report.failed("format", found, ANOTHER_PROGRAM);
    }
    match read {
        Ok(exposition) => {
            report.ok("text", "strictly 0.0.4, no series twice, buckets rise");
            families(&exposition, report);
            Some(exposition)
        }
        Err(fault) => {
            let found = one_line(&fault.to_string());
            report.failed("text", found, "no Sentinel writes this: is it another program, or a proxy that changes it?");
            not_reached(report, &OF_THE_TEXT[2..], "the text cannot be read");
            None
        }
    }
}

fn families(exposition: &Exposition, report: &mut Report) {
    let differences = contract::differences(exposition);
    if differences.is_empty() {
        let found = format!(
            "all {} that HUB knows, with their types, labels and {} original buckets; {} in all",
            contract::names().count(),
            contract::buckets(),
            exposition.families.len()
        );
        report.ok("families", found);
    } else {
        let found = differences.iter().map(|line| one_line(line)).collect::<Vec<_>>().join("\n");
        report.failed(
            "families",
            found,
            "another program has the port, or a Sentinel of another contract: see build_info",
        );
    }
}

/// A 200 of /metrics, or what came instead and what to do about it.
pub(super) async fn fetched(client: &Client) -> Result<Page, (String, &'static str)> {
    match client.get("/metrics", "").await {
        Ok(page) if page.status == 200 => Ok(page),
        Ok(page) => Err((format!("status {}: {}", page.status, one_line(&page.text())), refused(page.status))),
        Err(error) => Err((error.to_string(), unreachable(&error))),
    }
}

/// `fetched in 3.1 ms, 31,254 bytes, 420 entries, text/plain; version=0.0.4; charset=utf-8, health pass`
fn evidence(page: &Page, read: Option<&Exposition>, health: Option<&Health>) -> String {
    let text = page.text();
    let lines = || text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).count();
    format!(
        "fetched in {:.1} ms, {} bytes, {} entries, {}, health {}",
        page.took.as_secs_f64() * 1e3,
        grouped(page.body.len()),
        grouped(read.map_or_else(lines, Exposition::series)),
        one_line(&page.content_type),
        health.map_or("unknown", Health::word),
    )
}

/// Why nobody answers.
fn unreachable(error: &HttpError) -> &'static str {
    let says = |words: &[&str]| matches!(error, HttpError::Connect(why) if words.iter().any(|word| why.contains(word)));
    // The server's word comes behind the handshake, so the line is there and breaks.
    if matches!(error, HttpError::Broken(why) | HttpError::Connect(why) if why.contains("CertificateRequired")) {
        "the daemon asks its clients for a certificate (client_auth_type): --cert FILE --key FILE"
    } else if matches!(error, HttpError::Timeout { .. }) || says(&["Timeout", "No route to host", "unreachable"]) {
        "nothing came back: a firewall in between drops what is sent (`sentinel verify inf`, run on INF, says which \
         rule is needed), or the address is wrong"
    } else if says(&["CaUsedAsEndEntity"]) {
        "the daemon shows a certificate that may sign others (CA:TRUE), and such a one vouches for no server: make it \
         anew with `-addext basicConstraints=critical,CA:FALSE`, as config/monitoring/README.md shows, and give it to HUB \
         as ca_file"
    } else if says(&["UnknownIssuer", "BadSignature"]) {
        "nobody who is trusted here has signed the daemon's certificate: SSL_CERT_FILE names the file to trust. For one \
         that signs itself, as config/monitoring/README.md makes it, that is a copy of the daemon's cert_file as it is \
         now"
    } else if says(&["not valid for name", "NotValidForName"]) {
        "the certificate is another address's: ask for an address that it names, or make it anew with this one in its \
         subjectAltName (IP:..., or DNS:... for a name)"
    } else if says(&["certificate expired", "Expired"]) {
        "the certificate has run out (or this machine's clock is ahead): put a new one in its place; the daemon takes \
         it up by itself"
    } else if says(&["not valid yet", "NotValidYet"]) {
        "the certificate's time has not come: set this machine's clock, or the one of the machine that made it"
    } else if says(&["SSL", "TLS", "certificate", "corrupt message"]) {
        "https: the certificate has to name this address, and SSL_CERT_FILE names the file with the roots to trust; \
         a daemon without TLS needs http"
    } else if says(&["lookup", "resolve"]) {
        "the name is not known here: use the number"
    } else if matches!(error, HttpError::Connect(_)) {
        "nobody listens there: is the daemon running, and are these its metrics.bind and metrics.port?"
    } else {
        "what answers is cut off: another program has the port, or it speaks TLS and the URL has to begin with https"
    }
}

fn refused(status: u16) -> &'static str {
    match status {
        401 | 403 => "it wants a password: --user NAME --password-file FILE",
        503 => "it has only just started; try again in a second",
        _ => ANOTHER_PROGRAM,
    }
}

/// `31254` as `31,254`.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let groups = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy);
    groups.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_to_be_unreachable_has_its_own_way_out() {
        let connect = |why: &str| HttpError::Connect(why.into());
        let cases = [
            (HttpError::Timeout { deadline: std::time::Duration::from_secs(1) }, "a firewall"),
            (connect("Timeout while establishing connection"), "a firewall"),
            (connect("No route to host (os error 113)"), "a firewall"),
            (connect("SSL error: invalid peer certificate: UnknownIssuer"), "SSL_CERT_FILE names the file to trust"),
            (connect("SSL error: invalid peer certificate: BadSignature"), "cert_file as it is now"),
            (connect("SSL error: invalid peer certificate: Other(OtherError(CaUsedAsEndEntity))"), "CA:FALSE"),
            (connect("SSL error: invalid peer certificate: certificate not valid for name \"a\""), "subjectAltName"),
            (connect("SSL error: invalid peer certificate: certificate expired: verification time 1"), "has run out"),
            (connect("SSL error: invalid peer certificate: certificate not valid yet: it is 1"), "clock"),
            (connect("SSL error: received corrupt message of type InvalidContentType"), "a daemon without TLS"),
            (connect("failed to lookup address information"), "use the number"),
            (connect("Connection refused (os error 111)"), "nobody listens"),
            (HttpError::Broken("disconnected".into()), "has to begin with https"),
        ];
        for (error, expected) in cases {
            assert!(unreachable(&error).contains(expected), "{error}: {}", unreachable(&error));
        }
    }

    #[test]
    fn a_number_is_grouped_by_thousands() {
        assert_eq!([0, 999, 1_000, 31_254, 1_234_567].map(grouped), ["0", "999", "1,000", "31,254", "1,234,567"]);
    }
}
