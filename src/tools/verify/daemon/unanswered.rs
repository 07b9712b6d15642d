//! Why a daemon gives no answer, and what to do about it.

use sentinel_actors::adapters::http::HttpError;

/// Whether a connection was taken and nothing came back. A handshake of TLS belongs to the connection.
pub(super) fn is_hanging(error: &HttpError, is_open: bool) -> bool {
    is_open
        && (matches!(error, HttpError::Timeout { .. })
            || matches!(error, HttpError::Connect(why) if why.contains("Timeout")))
}

/// What to do about it. `is_open` is whether the port takes a connection.
pub(super) fn unreachable(error: &HttpError, is_open: bool) -> &'static str {
    let says = |words: &[&str]| matches!(error, HttpError::Connect(why) if words.iter().any(|word| why.contains(word)));
    // The server's word comes behind the handshake, so the line is there and breaks.
    if matches!(error, HttpError::Broken(why) | HttpError::Connect(why) if why.contains("CertificateRequired")) {
        "the daemon asks its clients for a certificate (client_auth_type): --cert FILE --key FILE"
    } else if is_hanging(error, is_open) {
        "the port takes the connection and never answers, which no firewall does: the daemon hangs or is stopped. \
         `sentinel verify inf`, run on INF as root, says which; its log says how far it came. Then restart it: an order \
         under way stays in its journal"
    } else if matches!(error, HttpError::Timeout { .. }) || says(&["Timeout", "No route to host", "unreachable"]) {
        "nothing came back: a firewall in between drops what is sent (`sentinel verify inf`, run on INF, says which \
         rule is needed), or the address is wrong"
    } else if says(&["CaUsedAsEndEntity"]) {
        "the daemon shows a certificate that may sign others (CA:TRUE), and such a one vouches for no server: make it \
         anew with `-addext basicConstraints=critical,CA:FALSE`, as config/monitoring/README.md shows, and give it to HUB as ca_file"
    } else if says(&["UnknownIssuer", "BadSignature"]) {
        "nobody who is trusted here has signed the daemon's certificate: SSL_CERT_FILE names the file to trust. For one \
         that signs itself, as config/monitoring/README.md makes it, that is a copy of the daemon's cert_file as it is now"
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn each_way_to_be_unreachable_has_its_own_way_out() {
        let connect = |why: &str| HttpError::Connect(why.into());
        let cases = [
            (HttpError::Timeout { deadline: Duration::from_secs(1) }, "a firewall"),
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
            let said = unreachable(&error, false);
            assert!(said.contains(expected), "{error}: {said}");
        }
    }

    #[test]
    fn a_port_that_is_open_and_silent_is_no_firewall() {
        let deadline = Duration::from_secs(1);
        for error in [HttpError::Timeout { deadline }, HttpError::Connect("Timeout while establishing".into())] {
            let said = unreachable(&error, true);
            assert!(said.contains("hangs or is stopped") && !said.contains("a firewall in between"), "{said}");
        }
    }
}
