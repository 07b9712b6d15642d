//! `[console]`: the ranges, and that only this machine reaches a console without TLS and users.

use super::{
    super::{CONSOLE_WEB_CONFIG, Problem, Settings, protection::Protection, sections::ConsoleSettings},
    Found,
};
use crate::net;
use std::{fs, net::IpAddr};

const WAY_OUT: &str = "set console.web_config_file to a file with a certificate (tls_server_config) and users \
                       (basic_auth_users), or keep 127.0.0.1 and reach it through a tunnel: ssh -L 8001:127.0.0.1:8001 HOST";

/// The ranges of `[console]`, and its TLS and passwords.
pub(in super::super) fn console(settings: &Settings, found: &mut Found) -> Option<Option<Protection>> {
    let ConsoleSettings { enabled, bind, port, web_config_file, hosts, .. } = &settings.console;
    found.unless(bind.parse::<IpAddr>().is_ok(), "console.bind", "must be an IP address, such as 127.0.0.1");
    let is_name = |host: &str| !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c));
    // A name has no colon, so what is behind one is a port, unless it is an IPv6 address.
    let is_host = |host: &String| is_name(host) || net::without_brackets(host).parse::<IpAddr>().is_ok();
    found.unless(
        hosts.iter().all(is_host),
        "console.hosts",
        "must be host names or IP addresses, without a port or a scheme: every port is allowed",
    );
    if !enabled {
        return Some(None);
    }
    let metrics = &settings.metrics;
    found.unless(
        *port != metrics.port || *port == 0 || !metrics.enabled,
        "console.port",
        "must not be metrics.port: give the console another port, or set console.enabled = false",
    );
    let protection = web_config_file.as_deref().map(Protection::load).transpose();
    let named = |faults: Vec<String>| faults.into_iter().map(|fault| Problem::new(CONSOLE_WEB_CONFIG, fault)).collect();
    let protection = found.or_problems(protection.map_err(named))?;
    // By what they are, not by how they are spelled.
    let file = |path: &Option<std::path::PathBuf>| path.as_ref().and_then(|path| fs::canonicalize(path).ok());
    let is_own = file(web_config_file).is_none_or(|own| file(&metrics.web_config_file) != Some(own));
    found.unless(
        is_own,
        CONSOLE_WEB_CONFIG,
        "must not be metrics.web_config_file: the password with which HUB reads metrics must open nothing here",
    );
    is_protected(&settings.console, protection.as_ref(), found);
    Some(protection)
}

fn is_protected(console: &ConsoleSettings, protection: Option<&Protection>, found: &mut Found) {
    let users = protection.map_or(0, Protection::users);
    let has_both = protection.is_some_and(Protection::has_tls) && users > 0;
    found.unless(
        console.is_on_loopback() || has_both,
        "console.bind",
        format!("other machines can reach this address, and it has no TLS and users: {WAY_OUT}"),
    );
    let is_user = |name: &String| protection.is_some_and(|protection| protection.state().users.0.contains_key(name));
    // By its place: the name may be a secret that was set in the wrong variable.
    if let Some(place) = console.operators.iter().position(|name| !is_user(name)) {
        found.unless(
            false,
            "console.operators",
            format!("name {} is not a user of console.web_config_file (basic_auth_users)", place + 1),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Sources;
    use std::path::Path;

    const USERS: &str = "basic_auth_users:\n  eve: $2y$04$9BF5Djm3vG8khfy1Len.cuk/uasLAEWB2ZmlPsVNRm5zFgl56Zbsm\n";

    fn problems(flags: &[(&'static str, &str)]) -> Vec<String> {
        let flags = flags.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
        let settings = Settings::load_unchecked(&Sources { flags, ..Sources::default() }).unwrap();
        let mut found = Found::default();
        console(&settings, &mut found);
        found.0.into_iter().map(|problem| format!("{}: {}", problem.key, problem.message)).collect()
    }

    fn written(folder: &Path, name: &str, text: &str) -> String {
        let path = folder.join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    fn with_tls(folder: &Path) -> String {
        let pair = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
        written(folder, "c.pem", &pair.cert.pem());
        written(folder, "c.key", &pair.signing_key.serialize_pem());
        let tls = format!("tls_server_config: {{cert_file: c.pem, key_file: c.key}}\n{USERS}");
        written(folder, "both.yml", &tls)
    }

    #[test]
    fn another_machine_needs_tls_and_users() {
        let folder = tempfile::tempdir().unwrap();
        let (both, users) = (with_tls(folder.path()), written(folder.path(), "users.yml", USERS));
        let tls = written(folder.path(), "tls.yml", "tls_server_config: {cert_file: c.pem, key_file: c.key}\n");
        for bind in ["0.0.0.0", "::", "172.19.141.250", "::ffff:10.0.0.1"] {
            let open = problems(&[("console.bind", bind)]);
            assert!(open.len() == 1 && open[0].contains("ssh -L 8001"), "{bind}: {open:?}");
            for half in [&users, &tls] {
                assert_eq!(problems(&[("console.bind", bind), ("console.web_config_file", half)]).len(), 1, "{half}");
            }
            assert_eq!(problems(&[("console.bind", bind), ("console.web_config_file", &both)]), [""; 0], "{bind}");
            assert_eq!(problems(&[("console.bind", bind), ("console.enabled", "false")]), [""; 0], "nothing listens");
        }
        for bind in ["127.0.0.1", "127.0.0.2", "::1"] {
            assert_eq!(problems(&[("console.bind", bind)]), [""; 0], "{bind}");
        }
    }

    #[test]
    fn its_port_and_its_passwords_are_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let users = written(folder.path(), "users.yml", USERS);
        let twice = folder.path().join(".").join("users.yml").display().to_string();
        let both = [("metrics.web_config_file", users.as_str()), ("console.web_config_file", &twice)];
        assert!(problems(&both)[0].starts_with("console.web_config_file: must not be metrics.web_config_file"));
        assert!(problems(&[("console.port", "8000")])[0].starts_with("console.port: must not be metrics.port"));
        assert_eq!(problems(&[("console.port", "8000"), ("metrics.enabled", "false")]), [""; 0]);
        assert_eq!(problems(&[("console.port", "0"), ("metrics.port", "0")]), [""; 0], "two free ones");
    }

    #[test]
    fn an_operator_is_a_user() {
        let folder = tempfile::tempdir().unwrap();
        let users = written(folder.path(), "users.yml", USERS);
        let with =
            |operators| problems(&[("console.web_config_file", users.as_str()), ("console.operators", operators)]);
        assert_eq!(with("eve"), [""; 0]);
        assert!(with("eve, mallory")[0].contains("name 2 is not a user"));
        assert!(problems(&[("console.operators", "eve")])[0].contains("name 1 is not a user"), "there are none");
    }

    #[test]
    fn a_host_has_no_port_and_no_scheme() {
        assert_eq!(problems(&[("console.hosts", "inf.example, 10.0.0.1, [fe80::1]")]), [""; 0]);
        for bad in [
            "https://inf.example",
            "inf/console",
            "a b",
            "*",
            "inf.example:8001",
            "10.0.0.1:8001",
            "[fe80::1]:8001",
            "[inf.example]",
        ] {
            assert!(problems(&[("console.hosts", bad)])[0].starts_with("console.hosts: "), "{bad}");
        }
    }
}
