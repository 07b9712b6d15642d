//! What to do about Prometheus's error of a failed scrape.

/// What to do. `login` is the login that Prometheus sends; `answers_here` is whether the daemon answers this machine.
pub(super) fn advice(error: &str, login: Option<&str>, answers_here: bool) -> String {
    let says = |words: &[&str]| words.iter().any(|word| error.contains(word));
    if says(&["status 401", "status 403"]) {
        return match login {
            Some(login) => format!(
                "the job's user or password ({login}) is wrong: compare the user with web-config.yml on INF, and write the password \
                 again into the job's password_file, without other lines"
            ),
            None => "the daemon requires a password: the job needs basic_auth with username and password_file".into(),
        };
    }
    let advice = if says(&["connection refused", "connection reset"]) {
        "nothing listens at this address: start the daemon; metrics.bind must not be 127.0.0.1; `sentinel verify inf` on INF \
         checks both"
    } else if says(&["deadline exceeded", "timeout", "timed out", "no route to host", "unreachable"]) {
        match answers_here {
            true => {
                "the daemon answers this machine, but not Prometheus: does it run on another machine, or in a container without \
                 a route? Otherwise a firewall drops its packets: open the port of this address for it"
            }
            false => {
                "a firewall drops Prometheus's packets, or the daemon hangs or is stopped, or the address is wrong: on INF, \
                 `sentinel verify inf` shows which, and prints the firewall rule for the port of this address (TCP, by default \
                 8000)"
            }
        }
    } else if says(&["x509", "certificate", "tls", "HTTPS", "malformed HTTP", "EOF"]) {
        "the daemon uses TLS and the job does not, or vice versa, or the certificate is not trusted: the job needs scheme: https \
         and tls_config with ca_file, and the certificate must name this address"
    } else if says(&["no such host"]) {
        "Prometheus cannot resolve the name: use the IP address"
    } else if says(&["sample limit", "body size limit"]) {
        "the answer exceeds the job's limit: another program has the port, or raise sample_limit"
    } else {
        "the answer is not in the exposition format: another program has the port, or metrics_path is not /metrics"
    };
    advice.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_error_has_its_own_advice() {
        let cases = [
            ("Get \"http://x\": dial tcp 10.0.0.1:8000: connect: connection refused", "start the daemon"),
            ("Get \"http://x\": context deadline exceeded", "a firewall drops"),
            ("Get \"http://x\": dial tcp: connect: no route to host", "a firewall drops"),
            ("server returned HTTP status 401 Unauthorized", "needs basic_auth"),
            ("Get \"https://x:4010\": x509: certificate signed by unknown authority", "ca_file"),
            ("Get \"http://x\": EOF", "ca_file"),
            ("dial tcp: lookup inf: no such host", "use the IP address"),
            ("sample limit exceeded", "sample_limit"),
            ("server returned HTTP status 404 Not Found", "another program has the port"),
            ("expected a valid start token, got \"<\"", "another program has the port"),
        ];
        for (error, expected) in cases {
            assert!(advice(error, None, false).contains(expected), "{error}: {}", advice(error, None, false));
        }
    }

    #[test]
    fn a_wrong_password_has_other_advice_than_a_missing_one() {
        let text = advice("server returned HTTP status 401 Unauthorized", Some("user hub"), true);
        assert!(text.contains("(user hub) is wrong") && !text.contains("needs basic_auth"), "{text}");
    }

    #[test]
    fn a_daemon_that_answers_this_machine_does_not_hang() {
        assert!(advice("context deadline exceeded", None, false).contains("hangs or is stopped"));
        assert!(!advice("context deadline exceeded", None, true).contains("hangs"));
    }
}
