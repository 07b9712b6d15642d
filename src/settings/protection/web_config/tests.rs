//! What a web-config file may contain, and what is refused by name.

use super::*;

const HASH: &str = "$2y$04$abcdefghijklmnopqrstuuBIU4HHnZkbEkLqlI3eTGGrcEcCkDnkK";

fn parse(text: &str) -> Result<WebConfig, Vec<String>> {
    WebConfig::parse(text, Path::new("/etc/sentinel"))
}

#[test]
fn paths_start_from_the_directory_of_the_file() {
    let text = "tls_server_config:\n  cert_file: tls/server.pem\n  key_file: /run/key.pem\n";
    let tls = parse(text).unwrap().tls.unwrap();
    assert_eq!(tls.cert_file, Path::new("/etc/sentinel/tls/server.pem"));
    assert_eq!(tls.key_file, Path::new("/run/key.pem"));
    assert_eq!((tls.tls12, tls.tls13, tls.clients), (true, true, None));
}

#[test]
fn keys_without_an_effect_are_accepted() {
    let text = "
http_server_config: {http2: false, headers: {}}
tls_server_config:
  cert_file: c
  key_file: k
  min_version: TLS13
  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: ca
  prefer_server_cipher_suites: true
  cipher_suites: []
  curve_preferences:
";
    let tls = parse(text).unwrap().tls.unwrap();
    assert_eq!((tls.tls12, tls.tls13), (false, true));
    assert_eq!(tls.clients, Some(Clients { ca_file: "/etc/sentinel/ca".into(), required: true }));
}

#[test]
fn every_fault_is_named_without_its_value() {
    let tls = |more: &str| format!("tls_server_config: {{cert_file: c, key_file: k, {more}}}");
    let user = |hash: &str| format!("basic_auth_users: {{hub: {hash}}}");
    for (text, named) in [
        (String::new(), "protects nothing"),
        ("- CANARY".into(), "one table"),
        ("tls_server_config: CANARY".into(), "tls_server_config"),
        ("tls_server_config:".into(), "tls_server_config.cert_file"),
        ("tls_server_config: {cert_file: CANARY}".into(), "tls_server_config.key_file"),
        ("tls_server_config: {cert_file: c, key_file: [CANARY]}".into(), "tls_server_config.key_file"),
        ("tls_server_confg: CANARY".into(), "tls_server_confg"),
        (tls("cipher_suites: [CANARY]"), "tls_server_config.cipher_suites"),
        (tls("curve_preferences: [CANARY]"), "tls_server_config.curve_preferences"),
        (tls("client_allowed_sans: [CANARY]"), "tls_server_config.client_allowed_sans"),
        (tls("key: CANARY"), "tls_server_config.key"),
        (tls("min_version: CANARY"), "tls_server_config.min_version"),
        (tls("min_version: TLS11"), "tls_server_config.min_version"),
        (tls("min_version: TLS13, max_version: TLS12"), "tls_server_config.min_version"),
        (tls("client_auth_type: CANARY"), "tls_server_config.client_auth_type"),
        (tls("client_auth_type: RequireAnyClientCert"), "tls_server_config.client_auth_type"),
        (tls("client_ca_file: CANARY"), "tls_server_config.client_auth_type"),
        (tls("client_auth_type: RequireAndVerifyClientCert"), "tls_server_config.client_ca_file"),
        (tls("prefer_server_cipher_suites: CANARY"), "tls_server_config.prefer_server_cipher_suites"),
        (tls("key_file: CANARY"), "YAML"),
        (user(HASH) + "\nhttp_server_config: {http2: true}", "http_server_config.http2"),
        (user(HASH) + "\nhttp_server_config: {headers: {X: CANARY}}", "http_server_config.headers"),
        (user(HASH) + "\nrate_limit: {burst: 1}", "rate_limit"),
        ("basic_auth_users:".into(), "basic_auth_users"),
        ("basic_auth_users: CANARY".into(), "basic_auth_users"),
        (user("CANARY"), "basic_auth_users.hub"),
        (user("7"), "basic_auth_users.hub"),
        (user(&HASH.replace("$2y$", "$2x$")), "basic_auth_users.hub"),
        (user(&HASH.replace("$04$", "$15$")), "cost"),
        (user(&HASH.replace("$04$", "$03$")), "cost"),
        (user(&HASH[..59]), "basic_auth_users.hub"),
        (format!("basic_auth_users: {{'a:b': {HASH}}}"), "colon"),
        ("basic_auth_users: {CANARY".into(), "is not valid YAML"),
    ] {
        let faults = parse(&text).unwrap_err().join("\n");
        assert!(faults.contains(named) && !faults.contains("CANARY") && !faults.contains("abcdef"), "{text}: {faults}");
    }
}

#[test]
fn hashes_are_not_in_debug_output() {
    let config = parse(&format!("basic_auth_users: {{hub: {HASH}, \"0x1\": {HASH}}}")).unwrap();
    assert_eq!(config.users.0.len(), 2);
    let text = format!("{config:?}");
    assert!(text.contains("hub") && !text.contains("$2y$"), "{text}");
}
