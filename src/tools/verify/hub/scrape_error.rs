//! What to do about Prometheus's own words for a scrape that failed.

/// `login` is who Prometheus says it is; `answers_here` whether the daemon answers from this machine.
pub(super) fn way_out(error: &str, login: Option<&str>, answers_here: bool) -> String {
    let says = |words: &[&str]| words.iter().any(|word| error.contains(word));
    if says(&["status 401", "status 403"]) {
        return match login {
            Some(login) => format!(
                "the job says a user and a password ({login}), and they are wrong: compare the user with web-config.yml on INF, \
                 and write the password anew into the job's password_file, without a line before or behind it"
            ),
            None => "the daemon wants a password: the job needs basic_auth with username and password_file".into(),
        };
    }
    let way_out = if says(&["connection refused", "connection reset"]) {
        "nobody listens at this address: start the daemon; metrics.bind must not be 127.0.0.1; `sentinel verify inf` \
         on INF finds out"
    } else if says(&["deadline exceeded", "timeout", "timed out", "no route to host", "unreachable"]) {
        match answers_here {
            true => {
                "the daemon answers from here, and not where Prometheus runs: is that another machine, or a container \
                 without a way out? Then a firewall drops what it sends: open the port of this address for it"
            }
            false => {
                "a firewall drops what Prometheus sends, or the daemon hangs or is stopped, or the address is wrong: on INF, \
                 `sentinel verify inf` tells which, and prints the firewall's rule for the port of this address (TCP, 8000 \
                 unless it was changed)"
            }
        }
    } else if says(&["x509", "certificate", "tls", "HTTPS", "malformed HTTP", "EOF"]) {
        "the daemon speaks TLS and the job does not, or the other way round, or the certificate is not trusted: the \
         job needs scheme: https and tls_config with ca_file, and the certificate has to name this address"
    } else if says(&["no such host"]) {
        "the name is not known where Prometheus runs: use the number"
    } else if says(&["sample limit", "body size limit"]) {
        "there is more than the job's limit allows: another program on the port, or raise sample_limit"
    } else {
        "what answers there is no exposition: another program has the port, or metrics_path is not /metrics"
    };
    way_out.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_a_scrape_fails_has_its_own_way_out() {
        let cases = [
            ("Get \"http://x\": dial tcp 10.0.0.1:8000: connect: connection refused", "start the daemon"),
            ("Get \"http://x\": context deadline exceeded", "a firewall drops"),
            ("Get \"http://x\": dial tcp: connect: no route to host", "a firewall drops"),
            ("server returned HTTP status 401 Unauthorized", "needs basic_auth"),
            ("Get \"https://x:4010\": x509: certificate signed by unknown authority", "ca_file"),
            ("Get \"http://x\": EOF", "ca_file"),
            ("dial tcp: lookup inf: no such host", "use the number"),
            ("sample limit exceeded", "sample_limit"),
            ("server returned HTTP status 404 Not Found", "another program has the port"),
            ("expected a valid start token, got \"<\"", "another program has the port"),
        ];
        for (error, expected) in cases {
            assert!(way_out(error, None, false).contains(expected), "{error}: {}", way_out(error, None, false));
        }
    }

    #[test]
    fn a_wrong_password_is_told_from_none() {
        let said = way_out("server returned HTTP status 401 Unauthorized", Some("user hub"), true);
        assert!(said.contains("(user hub), and they are wrong") && !said.contains("needs basic_auth"), "{said}");
    }

    #[test]
    fn a_daemon_that_answers_from_here_does_not_hang() {
        assert!(way_out("context deadline exceeded", None, false).contains("hangs or is stopped"));
        assert!(!way_out("context deadline exceeded", None, true).contains("hangs"));
    }
}
