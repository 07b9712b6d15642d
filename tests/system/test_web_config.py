"""TLS and a password for /metrics and /health: who gets access, what it costs, how it is renewed, and what is refused."""

import re
import shutil
import socket
import ssl
import subprocess
import threading
from pathlib import Path

import pytest

from parts.certificates import CertificateAuthority
from parts.daemon import wait_until
from parts.harness import variables
from parts.paths import MONITORING
from parts.prometheus import Prometheus
from parts.requirements import require
from parts.secured_daemon import CHEAP, DEAR, NEW, NEW_PASSWORD, PASSWORD, PROBES, USER, SecuredDaemon, basic
from parts.verify import Verdict, verify

RIGHT, WRONG = basic(USER, PASSWORD), basic(USER, "wrong")


def test_promtool_and_sentinel_accept_the_example(harness, secured, tmp_path):
    example = shutil.copy(MONITORING / "web-config.yml", tmp_path)
    require("promtool")
    checked = subprocess.run(["promtool", "check", "web-config", example], capture_output=True, text=True, timeout=30)
    assert checked.returncode == 0, checked.stderr
    (tmp_path / "sentinel-tls.key").chmod(0o600)
    Path(example).chmod(0o600)
    daemon = harness.command("check", **variables({"metrics.web_config_file": example}))
    assert daemon.wait_exit()[0] == 0, daemon.output()
    said = daemon.output()
    assert "# HTTP: TLS, with a password, users: 1." in said and str(example) in said
    assert "$2y$" not in said and "chmod" not in said
    (tmp_path / "sentinel-tls.key").chmod(0o644)
    daemon = harness.command("check", **variables({"metrics.web_config_file": example}))
    assert daemon.wait_exit()[0] == 0 and "can read the file of tls_server_config.key_file: chmod go-r" in daemon.output()


def test_only_the_right_password_gets_an_answer(secured):
    secured.write(users={USER: CHEAP, "grafana": NEW})
    secured.start().wait_serving()
    for path in ("/metrics", "/health", "/", "/metrics/", "/livez/", "//livez", "/%6civez"):
        for header in (None, WRONG, basic("nobody", PASSWORD), basic("grafana", PASSWORD), "Bearer x", "Basic ?"):
            status, headers, body = secured.get(path, header)
            assert (path, header, status) == (path, header, 401)
            assert headers["www-authenticate"].startswith("Basic") and "sentinel_" not in body
    for path, expected in (("/metrics", {200}), ("/health", {200, 503}), ("/nowhere", {404})):
        assert secured.get(path, RIGHT)[0] in expected
    assert "sentinel_build_info" in secured.get("/metrics", RIGHT)[2]
    assert secured.get("/metrics", RIGHT, method="HEAD")[0::2] == (200, "")
    assert secured.get("/metrics", method="HEAD")[0::2] == (401, "")
    assert secured.get("/metrics", RIGHT, method="POST")[0] == 405
    assert secured.get("/metrics", basic("grafana", NEW_PASSWORD))[0] == 200
    for path in PROBES:
        assert secured.get(path)[0] in (200, 503)
        assert secured.get(path, WRONG)[0] in (200, 503)
    assert secured.daemon.stop()[0] == 0
    for secret in (PASSWORD, RIGHT.split()[1], CHEAP, NEW, NEW_PASSWORD):
        assert secret not in secured.daemon.output()


def test_the_port_speaks_only_tls_and_http_1(secured):
    secured.write("  min_version: TLS13\n")
    secured.start().wait_serving()
    assert secured.get("/metrics")[0] == 200, "no users, no password"
    with socket.create_connection(("127.0.0.1", secured.daemon.port), timeout=10) as plain:
        plain.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = b""
        while part := plain.recv(4096):
            answer += part
    assert b"HTTP" not in answer and b"sentinel" not in answer
    context = secured.context()
    context.set_alpn_protocols(["h2", "http/1.1"])
    with socket.create_connection(("127.0.0.1", secured.daemon.port), timeout=10) as raw:
        with context.wrap_socket(raw, server_hostname="127.0.0.1") as line:
            assert (line.selected_alpn_protocol(), line.version()) == ("http/1.1", "TLSv1.3")
    old = secured.context()
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(OSError):
        secured.get("/livez", context=old)


def test_a_password_without_tls_is_possible(secured):
    secured.write(tls=None, users={USER: CHEAP})
    secured.start().wait_serving(tls=False)
    assert [secured.get("/metrics", header, tls=False)[0] for header in (None, WRONG, RIGHT)] == [401, 401, 200]


def test_a_correct_password_is_remembered(secured):
    secured.write(tls=None, users={USER: DEAR})
    secured.start("--cycles", "1").wait_serving(tls=False)
    wait_until("the only cycle", lambda: secured.get("/readyz", tls=False)[0] == 200, 15)

    def cost(header: str, expected: int) -> int:
        stat = Path(f"/proc/{secured.daemon.pid}/stat")
        before = sum(map(int, stat.read_text().rsplit(")", 1)[1].split()[11:13]))
        assert secured.get("/livez" if not header else "/metrics", header, tls=False)[0] == expected
        return sum(map(int, stat.read_text().rsplit(")", 1)[1].split()[11:13])) - before

    first = cost(RIGHT, 200)
    later = [cost(RIGHT, 200) for _ in range(5)]
    assert first > 0 and sum(later) < first, (first, later)
    wrong, nobody = cost(WRONG, 401), cost(basic("nobody", PASSWORD), 401)
    assert min(wrong, nobody) > sum(later) and nobody > wrong / 2, "an unknown name costs as much as a wrong password"


def test_a_flood_of_wrong_passwords_fails_nothing(secured):
    secured.write(users={USER: DEAR})
    secured.start("--schedule", "* * * * * *").wait_serving()
    assert secured.get("/metrics", RIGHT)[0] == 200
    stop, refused = threading.Event(), []

    def flood():
        while not stop.is_set():
            try:
                refused.append(secured.get("/metrics", WRONG)[0])
            except OSError:
                continue

    crowd = [threading.Thread(target=flood, daemon=True) for _ in range(24)]
    for client in crowd:
        client.start()
    try:
        wait_until("the queue is full, and some are checked", lambda: {401, 429} <= set(refused), 30)
        before = cycles(secured)
        assert [secured.get("/metrics", RIGHT)[0] for _ in range(20)] == [200] * 20
        wait_until("two more cycles in the flood", lambda: cycles(secured) >= before + 2, 30)
        assert {401, 429} == set(refused)
        assert "sentinel_trading_cycles_failed_total 0" in secured.get("/metrics", RIGHT)[2]
        assert secured.daemon.stop()[0] == 0
    finally:
        stop.set()
        for client in crowd:
            client.join(60)


def cycles(secured: SecuredDaemon) -> float:
    """The number of cycles."""
    lines = secured.get("/metrics", RIGHT)[2].splitlines()
    return float(next(line for line in lines if line.startswith("sentinel_trading_cycles_total ")).split()[1])


def test_stalled_handshakes_are_closed(secured):
    secured.write()
    secured.start(connections_max=4, header_deadline_ms=500).wait_serving()
    address = ("127.0.0.1", secured.daemon.port)
    silent = [socket.create_connection(address, timeout=15) for _ in range(8)]
    assert secured.get("/metrics")[0] == 200, "after those before it"
    for client in silent:
        assert client.recv(1) == b""
        client.close()


def test_certificates_and_users_are_renewed_without_a_restart(secured, tmp_path):
    secured.write(users={USER: CHEAP})
    secured.start().wait_serving()
    stranger = CertificateAuthority(tmp_path, "another")
    with pytest.raises(ssl.SSLError):
        secured.get("/livez", context=secured.context(stranger))

    (tmp_path / "sentinel-tls.pem").write_text("not a certificate")
    wait_until("a log line about the bad file", lambda: complaints(secured) == 1)
    assert secured.get("/metrics", RIGHT)[0] == 200, "the old certificate stays"

    stranger.issue("sentinel-tls")

    def is_renewed() -> bool:
        try:
            return secured.get("/metrics", RIGHT, context=secured.context(stranger))[0] == 200
        except ssl.SSLError:
            return False

    wait_until("the new certificate", is_renewed)
    secured.authority = stranger

    told = complaints(secured)
    secured.file.write_text("")
    wait_until("a log line about the emptied file", lambda: complaints(secured) == told + 1)
    assert secured.get("/metrics")[0] == 401, "no moment without a password"
    assert secured.get("/metrics", RIGHT)[0] == 200

    secured.write(users={USER: NEW})
    wait_until("the new password", lambda: secured.get("/metrics", basic(USER, NEW_PASSWORD))[0] == 200)
    assert secured.get("/metrics", RIGHT)[0] == 401, "the old one is not remembered"
    assert complaints(secured) == told + 1


def complaints(secured: SecuredDaemon) -> int:
    """How often the log reports an unusable new file."""
    return secured.daemon.output().count("the previous one stays in force")


def test_client_certificates_can_be_required(secured, tmp_path):
    scrapers = CertificateAuthority(tmp_path, "scrapers")
    secured.write(f"  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: {scrapers.ca_file.name}\n")

    def with_certificate_of(authority: CertificateAuthority) -> ssl.SSLContext:
        context = secured.context()
        context.load_cert_chain(*authority.issue("scraper"))
        return context

    secured.start().wait_serving(context=with_certificate_of(scrapers))
    assert secured.get("/metrics", context=with_certificate_of(scrapers))[0] == 200
    for context in (None, with_certificate_of(CertificateAuthority(tmp_path, "stranger"))):
        with pytest.raises(OSError):
            secured.get("/metrics", context=context)


def test_healthcheck_and_verify_use_a_client_certificate(secured, tmp_path):
    scrapers = CertificateAuthority(tmp_path, "scrapers")
    certificate, key = scrapers.issue("scraper")
    context = secured.context()
    context.load_cert_chain(certificate, key)
    secured.write(f"  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: {scrapers.ca_file.name}\n")
    secured.start().wait_serving(context=context)
    url, shown = f"https://127.0.0.1:{secured.daemon.port}", ["--cert", str(certificate), "--key", str(key)]

    def healthcheck(*args: str, **env: str) -> tuple[int, str]:
        run = secured.harness.command("healthcheck", *args, **({"METRICS_PORT": str(secured.daemon.port)} | env))
        return run.wait_exit()[0], run.output()

    assert healthcheck(*shown) == (0, "live\n")
    assert healthcheck("--url", url, *shown) == (0, "live\n")
    files = {"metrics.client_cert_file": certificate, "metrics.client_key_file": key}
    assert healthcheck(**variables(files)) == (0, "live\n"), "as in a container without flags"
    code, said = healthcheck()
    assert code == 1 and "metrics.client_cert_file" in said
    stranger = CertificateAuthority(tmp_path, "stranger").issue("nobody")
    assert healthcheck("--cert", str(stranger[0]), "--key", str(stranger[1]))[0] == 1
    code, said = healthcheck("--cert", str(certificate), "--key", str(certificate))
    assert code == 1 and "no unencrypted private key in PEM" in said and "BEGIN" not in said
    assert healthcheck("--cert", str(certificate))[0] == 64

    def inf(*args: str) -> Verdict:
        ours = str(secured.authority.ca_file)
        return verify(secured.harness.binary, "inf", "--url", url, "--hub", "127.0.0.1", "--wait", "0", *args, SSL_CERT_FILE=ours)

    found = inf(*shown)
    assert found.code == 0, found.out
    found = inf()
    assert "metrics" in found.failed and "--cert FILE --key FILE" in found.advice("metrics"), found.out
    daemon = secured.harness.command("check", **variables({"metrics.client_cert_file": certificate}))
    assert daemon.wait_exit()[0] == 64 and "metrics.client_key_file" in daemon.output()


def test_one_request_is_answered_whatever_follows(secured):
    secured.write()
    secured.start().wait_serving()
    get = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
    with socket.create_connection(("127.0.0.1", secured.daemon.port), timeout=10) as raw:
        with secured.context().wrap_socket(raw, server_hostname="127.0.0.1") as line:
            line.sendall(get * 3)
            answer = b""
            while part := line.recv(4096):
                answer += part
    assert answer.startswith(b"HTTP/1.1 200") and answer.count(b"HTTP/1.1") == 1


def test_a_taken_port_is_tried_again_with_tls(secured):
    secured.write(users={USER: CHEAP})
    with socket.create_server(("127.0.0.1", 0)) as holder:
        secured.start(port=holder.getsockname()[1], bind_retry_ms=100)
        wait_until("a log line about the port", lambda: "cannot listen" in secured.daemon.output())
    assert secured.wait_serving().get("/metrics", RIGHT)[0] == 200


def sentinels(prometheus: Prometheus) -> list[dict]:
    """The targets of our job."""
    targets = prometheus.api("targets")["activeTargets"]
    return [target for target in targets if target["labels"]["job"] == "sentinel-metrics"]


@pytest.mark.long
def test_prometheus_scrapes_with_tls_and_password(secured, tmp_path):
    secured.write(users={USER: CHEAP})
    secured.start().wait_serving()
    password = tmp_path / "password"
    password.write_text(PASSWORD + "\n")
    text = (MONITORING / "prometheus.yml").read_text()
    # The lines that are commented out without a space are the scraper's settings.
    text, switched_on = re.subn(r"(?m)^( *)#(?=[^ \n])", r"\1", text)
    assert switched_on >= 6
    for pattern, there in [
        (r"172\.19\.141\.250:8000", f"127.0.0.1:{secured.daemon.port}"),
        (r"(?<=ca_file: ).*", str(secured.authority.ca_file)),
        (r"(?<=password_file: ).*", str(password)),
        (r"(?m)(?<=_interval: )15s$", "1s"),
        (r"(?m)(?<=_timeout: )10s$", "1s"),
        (r"(?m)(?<=- )(?=\w+\.yml$)", f"{MONITORING}/"),
    ]:
        text, found = re.subn(pattern, there, text)
        assert found, pattern
    config = tmp_path / "prometheus.yml"
    config.write_text(text)
    prometheus = Prometheus(config, tmp_path / "prometheus")
    try:
        up = 'up{job="sentinel-metrics", instance="inf-sentinel"}'
        wait_until("a scrape", lambda: prometheus.value(up) == 1, 30)
        (target,) = sentinels(prometheus)
        assert target["scrapeUrl"] == f"https://127.0.0.1:{secured.daemon.port}/metrics"
        password.write_text("wrong")
        wait_until("a refused scrape", lambda: prometheus.value(up) == 0, 30)
        assert "401" in sentinels(prometheus)[0]["lastError"]
        password.write_text(PASSWORD)
        wait_until("a scrape again", lambda: prometheus.value(up) == 1, 30)
    finally:
        prometheus.close()


TLS = "tls_server_config: {{cert_file: sentinel-tls.pem, key_file: sentinel-tls.key, {}}}\n"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "protects nothing"),
        ("{", "is not valid YAML"),
        ("basic_auth_users: {hub: CANARY}", "basic_auth_users.hub"),
        ("basic_auth_users: {}", "basic_auth_users"),
        ("basic_auth_user: {hub: CANARY}", "basic_auth_user"),
        ("tls_server_config: {cert_file: sentinel-tls.pem}", "tls_server_config.key_file"),
        ("tls_server_config: {cert_file: gone.pem, key_file: sentinel-tls.key}", "gone.pem cannot be read"),
        ("tls_server_config: {cert_file: sentinel-tls.pem, key_file: other.key}", "does not belong to the certificate"),
        ("tls_server_config: {cert_file: sentinel-tls.pem, key_file: sentinel-tls.pem}", "no unencrypted private key"),
        (TLS.format("min_version: TLS10"), "tls_server_config.min_version"),
        (TLS.format("cipher_suites: [TLS_AES_128_GCM_SHA256]"), "tls_server_config.cipher_suites"),
        (TLS.format("curve_preferences: [X25519]"), "tls_server_config.curve_preferences"),
        (TLS.format("client_allowed_sans: [a]"), "tls_server_config.client_allowed_sans"),
        (TLS.format("client_auth_type: RequestClientCert"), "tls_server_config.client_auth_type"),
        (TLS.format("") + "http_server_config: {http2: true}", "http_server_config.http2"),
        (TLS.format("") + "http_server_config: {headers: {X-Frame-Options: deny}}", "http_server_config.headers"),
    ],
)
def test_unsupported_options_are_refused_by_name(harness, secured, text, named):
    secured.authority.issue("other")
    secured.file.write_text(text)
    daemon = harness.command("run", **variables({"metrics.web_config_file": secured.file}))
    assert daemon.wait_exit()[0] == 64, daemon.output()
    said = daemon.err.read_text()
    assert "metrics.web_config_file" in said and "SENTINEL__METRICS__WEB_CONFIG_FILE" in said and named in said
    assert "CANARY" not in said and "PRIVATE KEY" not in said


def test_a_missing_file_is_refused(harness):
    daemon = harness.command("run", **variables({"metrics.web_config_file": "/nowhere/web.yml"}))
    assert daemon.wait_exit()[0] == 64
    assert "metrics.web_config_file: the file: cannot be read" in daemon.err.read_text()
