//! Why a daemon does not answer, and what to do.

use sentinel_actors::adapters::http::HttpError;

/// Whether a connection was accepted and there was no answer. The TLS handshake is part of the connection.
pub(super) fn is_hanging(error: &HttpError, is_open: bool) -> bool {
    is_open
        && (matches!(error, HttpError::Timeout { .. })
            || matches!(error, HttpError::Connect(why) if why.contains("Timeout")))
}

/// What to do. `is_open` is whether the port accepts a connection.
pub(super) fn unreachable(error: &HttpError, is_open: bool) -> &'static str {
    let says = |words: &[&str]| matches!(error, HttpError::Connect(why) if words.iter().any(|word| why.contains(word)));
    // The server reports it after the handshake, so the connection exists and breaks.
    if matches!(error, HttpError::Broken(why) | HttpError::Connect(why) if why.contains("CertificateRequired")) {
        "the daemon requires a client certificate (client_auth_type): --cert FILE --key FILE"
    } else if is_hanging(error, is_open) {
        "the port accepts the connection and does not answer, so it is not a firewall: the daemon hangs or is stopped. \
         `sentinel verify inf`, run on INF as root, shows which; see also its log. Then restart it: an order in flight \
         stays in its journal"
    } else if matches!(error, HttpError::Timeout { .. }) || says(&["Timeout", "No route to host", "unreachable"]) {
        "no answer: a firewall in between drops the packets (`sentinel verify inf`, run on INF, prints the rule that is \
         needed), or the address is wrong"
    } else if says(&["CaUsedAsEndEntity"]) {
        "the daemon's certificate is a CA certificate (CA:TRUE), which is not accepted for a server: create a new one with \
         `-addext basicConstraints=critical,CA:FALSE`, as config/monitoring/README.md shows, and give it to HUB as ca_file"
    } else if says(&["UnknownIssuer", "BadSignature"]) {
        "the daemon's certificate is not signed by a trusted CA: set SSL_CERT_FILE to the file to trust. For a self-signed \
         certificate, as in config/monitoring/README.md, this is a copy of the daemon's current cert_file"
    } else if says(&["not valid for name", "NotValidForName"]) {
        "the certificate is for another address: use an address that it names, or create a new one with this address in its \
         subjectAltName (IP:..., or DNS:... for a name)"
    } else if says(&["certificate expired", "Expired"]) {
        "the certificate has expired (or this machine's clock is ahead): replace it; the daemon reloads it by itself"
    } else if says(&["not valid yet", "NotValidYet"]) {
        "the certificate is not valid yet: correct this machine's clock, or the clock of the machine that created it"
    } else if says(&["SSL", "TLS", "certificate", "corrupt message"]) {
        "https: the certificate must name this address, and SSL_CERT_FILE must name the file with the roots to trust; \
         a daemon without TLS needs http"
    } else if says(&["lookup", "resolve"]) {
        "this machine cannot resolve the name: use the IP address"
    } else if matches!(error, HttpError::Connect(_)) {
        "nothing listens there: is the daemon running, and are these its metrics.bind and metrics.port?"
    } else {
        "the answer is cut off: another program has the port, or it uses TLS and the URL must begin with https"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn each_kind_of_failure_has_its_own_advice() {
        let connect = |why: &str| HttpError::Connect(why.into());
        let cases = [
            (HttpError::Timeout { deadline: Duration::from_secs(1) }, "a firewall"),
            (connect("Timeout while establishing connection"), "a firewall"),
            (connect("No route to host (os error 113)"), "a firewall"),
            (connect("SSL error: invalid peer certificate: UnknownIssuer"), "set SSL_CERT_FILE"),
            (connect("SSL error: invalid peer certificate: BadSignature"), "current cert_file"),
            (connect("SSL error: invalid peer certificate: Other(OtherError(CaUsedAsEndEntity))"), "CA:FALSE"),
            (connect("SSL error: invalid peer certificate: certificate not valid for name \"a\""), "subjectAltName"),
            (connect("SSL error: invalid peer certificate: certificate expired: verification time 1"), "has expired"),
            (connect("SSL error: invalid peer certificate: certificate not valid yet: it is 1"), "clock"),
            (connect("SSL error: received corrupt message of type InvalidContentType"), "a daemon without TLS"),
            (connect("failed to lookup address information"), "use the IP address"),
            (connect("Connection refused (os error 111)"), "nothing listens"),
            (HttpError::Broken("disconnected".into()), "must begin with https"),
        ];
        for (error, expected) in cases {
            let advice = unreachable(&error, false);
            assert!(advice.contains(expected), "{error}: {advice}");
        }
    }

    #[test]
    fn an_open_silent_port_is_not_blamed_on_a_firewall() {
        let deadline = Duration::from_secs(1);
        for error in [HttpError::Timeout { deadline }, HttpError::Connect("Timeout while establishing".into())] {
            let advice = unreachable(&error, true);
            assert!(advice.contains("hangs or is stopped") && !advice.contains("a firewall in between"), "{advice}");
        }
    }
}
