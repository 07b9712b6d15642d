"""TLS and a password on /metrics and /health: who is let in, what it costs, how it is renewed, and what is refused."""

import re
import shutil
import socket
import ssl
import subprocess
import threading
from pathlib import Path

import pytest

from parts.authority import Authority
from parts.daemon import wait_until
from parts.needs import need
from parts.protected import CHEAP, DEAR, NEW, NEW_PASSWORD, PASSWORD, PROBES, USER, Protected, basic
from parts.prometheus import Prometheus
from parts.rig import variables
from parts.verify import Verdict, verify

MONITORING = Path(__file__).resolve().parents[2] / "config/monitoring"
RIGHT, WRONG = basic(USER, PASSWORD), basic(USER, "wrong")


@pytest.fixture
def protected(rig, tmp_path) -> Protected:
    """Nothing is written or started yet but the authority and a certificate."""
    return Protected(rig, tmp_path)


def test_promtool_and_sentinel_take_the_example(rig, protected, tmp_path):
    example = shutil.copy(MONITORING / "web-config.yml", tmp_path)
    need("promtool")
    checked = subprocess.run(["promtool", "check", "web-config", example], capture_output=True, text=True, timeout=30)
    assert checked.returncode == 0, checked.stderr
    (tmp_path / "sentinel-tls.key").chmod(0o600)
    Path(example).chmod(0o600)
    daemon = rig.command("check", **variables({"metrics.web_config_file": example}))
    assert daemon.wait_exit()[0] == 0, daemon.output()
    said = daemon.output()
    assert "# HTTP: TLS, with a password, users: 1." in said and str(example) in said
    assert "$2y$" not in said and "chmod" not in said
    (tmp_path / "sentinel-tls.key").chmod(0o644)
    daemon = rig.command("check", **variables({"metrics.web_config_file": example}))
    assert daemon.wait_exit()[0] == 0 and "may read the file of tls_server_config.key_file: chmod go-r" in daemon.output()


def test_only_the_right_password_gets_an_answer_and_no_log_shows_it(protected):
    protected.write(users={USER: CHEAP, "grafana": NEW})
    protected.start().wait_serving()
    for path in ("/metrics", "/health", "/", "/metrics/", "/livez/", "//livez", "/%6civez"):
        for header in (None, WRONG, basic("nobody", PASSWORD), basic("grafana", PASSWORD), "Bearer x", "Basic ?"):
            status, headers, body = protected.get(path, header)
            assert (path, header, status) == (path, header, 401)
            assert headers["www-authenticate"].startswith("Basic") and "sentinel_" not in body
    for path, expected in (("/metrics", {200}), ("/health", {200, 503}), ("/nowhere", {404})):
        assert protected.get(path, RIGHT)[0] in expected
    assert "sentinel_build_info" in protected.get("/metrics", RIGHT)[2]
    assert protected.get("/metrics", RIGHT, method="HEAD")[0::2] == (200, "")
    assert protected.get("/metrics", method="HEAD")[0::2] == (401, "")
    assert protected.get("/metrics", RIGHT, method="POST")[0] == 405
    assert protected.get("/metrics", basic("grafana", NEW_PASSWORD))[0] == 200
    for path in PROBES:
        assert protected.get(path)[0] in (200, 503)
        assert protected.get(path, WRONG)[0] in (200, 503)
    assert protected.daemon.stop()[0] == 0
    for secret in (PASSWORD, RIGHT.split()[1], CHEAP, NEW, NEW_PASSWORD):
        assert secret not in protected.daemon.output()


def test_the_port_speaks_tls_and_http_1_and_nothing_else(protected):
    protected.write("  min_version: TLS13\n")
    protected.start().wait_serving()
    assert protected.get("/metrics")[0] == 200, "no users, no password"
    with socket.create_connection(("127.0.0.1", protected.daemon.port), timeout=10) as plain:
        plain.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = b""
        while part := plain.recv(4096):
            answer += part
    assert b"HTTP" not in answer and b"sentinel" not in answer
    context = protected.context()
    context.set_alpn_protocols(["h2", "http/1.1"])
    with socket.create_connection(("127.0.0.1", protected.daemon.port), timeout=10) as raw:
        with context.wrap_socket(raw, server_hostname="127.0.0.1") as line:
            assert (line.selected_alpn_protocol(), line.version()) == ("http/1.1", "TLSv1.3")
    old = protected.context()
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(OSError):
        protected.get("/livez", context=old)


def test_a_password_without_tls_is_possible(protected):
    protected.write(tls=None, users={USER: CHEAP})
    protected.start().wait_serving(tls=False)
    assert [protected.get("/metrics", header, tls=False)[0] for header in (None, WRONG, RIGHT)] == [401, 401, 200]


def test_a_password_that_was_right_costs_nothing_the_next_time(protected):
    protected.write(tls=None, users={USER: DEAR})
    protected.start("--cycles", "1").wait_serving(tls=False)
    wait_until("the only cycle", lambda: protected.get("/readyz", tls=False)[0] == 200, 15)

    def cost(header: str, expected: int) -> int:
        stat = Path(f"/proc/{protected.daemon.pid}/stat")
        before = sum(map(int, stat.read_text().rsplit(")", 1)[1].split()[11:13]))
        assert protected.get("/livez" if not header else "/metrics", header, tls=False)[0] == expected
        return sum(map(int, stat.read_text().rsplit(")", 1)[1].split()[11:13])) - before

    first = cost(RIGHT, 200)
    later = [cost(RIGHT, 200) for _ in range(5)]
    assert first > 0 and sum(later) < first, (first, later)
    wrong, nobody = cost(WRONG, 401), cost(basic("nobody", PASSWORD), 401)
    assert min(wrong, nobody) > sum(later) and nobody > wrong / 2, "no name is told from no password by its cost"


def test_a_flood_of_wrong_passwords_fails_no_scrape_and_no_cycle(protected):
    protected.write(users={USER: DEAR})
    protected.start("--schedule", "* * * * * *").wait_serving()
    assert protected.get("/metrics", RIGHT)[0] == 200
    stop, refused = threading.Event(), []

    def flood():
        while not stop.is_set():
            try:
                refused.append(protected.get("/metrics", WRONG)[0])
            except OSError:
                continue

    crowd = [threading.Thread(target=flood, daemon=True) for _ in range(24)]
    for client in crowd:
        client.start()
    try:
        wait_until("the queue is full, and some are checked", lambda: {401, 429} <= set(refused), 30)
        before = cycles(protected)
        assert [protected.get("/metrics", RIGHT)[0] for _ in range(20)] == [200] * 20
        wait_until("two more cycles in the flood", lambda: cycles(protected) >= before + 2, 30)
        assert {401, 429} == set(refused)
        assert "sentinel_trading_cycles_failed_total 0" in protected.get("/metrics", RIGHT)[2]
        assert protected.daemon.stop()[0] == 0
    finally:
        stop.set()
        for client in crowd:
            client.join(60)


def cycles(protected: Protected) -> float:
    """How many have run."""
    lines = protected.get("/metrics", RIGHT)[2].splitlines()
    return float(next(line for line in lines if line.startswith("sentinel_trading_cycles_total ")).split()[1])


def test_stalled_handshakes_are_let_go(protected):
    protected.write()
    protected.start(connections_max=4, header_deadline_ms=500).wait_serving()
    address = ("127.0.0.1", protected.daemon.port)
    silent = [socket.create_connection(address, timeout=15) for _ in range(8)]
    assert protected.get("/metrics")[0] == 200, "after those before it"
    for client in silent:
        assert client.recv(1) == b""
        client.close()


def test_certificates_and_users_are_renewed_without_a_restart(protected, tmp_path):
    protected.write(users={USER: CHEAP})
    protected.start().wait_serving()
    stranger = Authority(tmp_path, "another")
    with pytest.raises(ssl.SSLError):
        protected.get("/livez", context=protected.context(stranger))

    (tmp_path / "sentinel-tls.pem").write_text("not a certificate")
    wait_until("a word about the bad file", lambda: complaints(protected) == 1)
    assert protected.get("/metrics", RIGHT)[0] == 200, "the old certificate stays"

    stranger.issue("sentinel-tls")

    def is_renewed() -> bool:
        try:
            return protected.get("/metrics", RIGHT, context=protected.context(stranger))[0] == 200
        except ssl.SSLError:
            return False

    wait_until("the new certificate", is_renewed)
    protected.authority = stranger

    told = complaints(protected)
    protected.file.write_text("")
    wait_until("a word about the emptied file", lambda: complaints(protected) == told + 1)
    assert protected.get("/metrics")[0] == 401, "no moment without a password"
    assert protected.get("/metrics", RIGHT)[0] == 200

    protected.write(users={USER: NEW})
    wait_until("the new password", lambda: protected.get("/metrics", basic(USER, NEW_PASSWORD))[0] == 200)
    assert protected.get("/metrics", RIGHT)[0] == 401, "the old one is not remembered"
    assert complaints(protected) == told + 1


def complaints(protected: Protected) -> int:
    """How often the log says that a changed file is no good."""
    return protected.daemon.output().count("what was read before stays in force")


def test_clients_can_be_asked_for_a_certificate(protected, tmp_path):
    scrapers = Authority(tmp_path, "scrapers")
    protected.write(f"  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: {scrapers.ca_file.name}\n")

    def with_certificate_of(authority: Authority) -> ssl.SSLContext:
        context = protected.context()
        context.load_cert_chain(*authority.issue("scraper"))
        return context

    protected.start().wait_serving(context=with_certificate_of(scrapers))
    assert protected.get("/metrics", context=with_certificate_of(scrapers))[0] == 200
    for context in (None, with_certificate_of(Authority(tmp_path, "stranger"))):
        with pytest.raises(OSError):
            protected.get("/metrics", context=context)


def test_healthcheck_and_verify_show_a_certificate_to_who_asks_for_one(protected, tmp_path):
    scrapers = Authority(tmp_path, "scrapers")
    certificate, key = scrapers.issue("scraper")
    context = protected.context()
    context.load_cert_chain(certificate, key)
    protected.write(f"  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: {scrapers.ca_file.name}\n")
    protected.start().wait_serving(context=context)
    url, shown = f"https://127.0.0.1:{protected.daemon.port}", ["--cert", str(certificate), "--key", str(key)]

    def healthcheck(*args: str, **env: str) -> tuple[int, str]:
        run = protected.rig.command("healthcheck", *args, **({"METRICS_PORT": str(protected.daemon.port)} | env))
        return run.wait_exit()[0], run.output()

    assert healthcheck(*shown) == (0, "live\n")
    assert healthcheck("--url", url, *shown) == (0, "live\n")
    files = {"metrics.client_cert_file": certificate, "metrics.client_key_file": key}
    assert healthcheck(**variables(files)) == (0, "live\n"), "as in a container, where nobody says flags"
    code, said = healthcheck()
    assert code == 1 and "metrics.client_cert_file" in said
    stranger = Authority(tmp_path, "stranger").issue("nobody")
    assert healthcheck("--cert", str(stranger[0]), "--key", str(stranger[1]))[0] == 1
    code, said = healthcheck("--cert", str(certificate), "--key", str(certificate))
    assert code == 1 and "no private key in PEM" in said and "BEGIN" not in said
    assert healthcheck("--cert", str(certificate))[0] == 64

    def inf(*args: str) -> Verdict:
        ours = str(protected.authority.ca_file)
        return verify(protected.rig.binary, "inf", "--url", url, "--hub", "127.0.0.1", "--wait", "0", *args, SSL_CERT_FILE=ours)

    found = inf(*shown)
    assert found.code == 0, found.out
    found = inf()
    assert "metrics" in found.failed and "--cert FILE --key FILE" in found.way_out("metrics"), found.out
    daemon = protected.rig.command("check", **variables({"metrics.client_cert_file": certificate}))
    assert daemon.wait_exit()[0] == 64 and "metrics.client_key_file" in daemon.output()


def test_one_request_is_answered_whatever_comes_behind_it(protected):
    protected.write()
    protected.start().wait_serving()
    get = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
    with socket.create_connection(("127.0.0.1", protected.daemon.port), timeout=10) as raw:
        with protected.context().wrap_socket(raw, server_hostname="127.0.0.1") as line:
            line.sendall(get * 3)
            answer = b""
            while part := line.recv(4096):
                answer += part
    assert answer.startswith(b"HTTP/1.1 200") and answer.count(b"HTTP/1.1") == 1


def test_a_taken_port_is_tried_again_with_tls(protected):
    protected.write(users={USER: CHEAP})
    with socket.create_server(("127.0.0.1", 0)) as holder:
        protected.start(port=holder.getsockname()[1], bind_retry_ms=100)
        wait_until("a word about the port", lambda: "cannot listen" in protected.daemon.output())
    assert protected.wait_serving().get("/metrics", RIGHT)[0] == 200


def sentinels(prometheus: Prometheus) -> list[dict]:
    """The targets of our job."""
    targets = prometheus.api("targets")["activeTargets"]
    return [target for target in targets if target["labels"]["job"] == "sentinel-metrics"]


def test_prometheus_scrapes_over_tls_with_the_password_as_our_configuration_shows(protected, tmp_path):
    protected.write(users={USER: CHEAP})
    protected.start().wait_serving()
    password = tmp_path / "password"
    password.write_text(PASSWORD + "\n")
    text = (MONITORING / "prometheus.yml").read_text()
    # What is commented out without a space is the scraper's side of this.
    text, switched_on = re.subn(r"(?m)^( *)#(?=[^ \n])", r"\1", text)
    assert switched_on >= 6
    for pattern, there in [
        (r"172\.19\.141\.250:8000", f"127.0.0.1:{protected.daemon.port}"),
        (r"(?<=ca_file: ).*", str(protected.authority.ca_file)),
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
        assert target["scrapeUrl"] == f"https://127.0.0.1:{protected.daemon.port}/metrics"
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
        ("tls_server_config: {cert_file: sentinel-tls.pem, key_file: other.key}", "does not go with the certificate"),
        ("tls_server_config: {cert_file: sentinel-tls.pem, key_file: sentinel-tls.pem}", "no private key"),
        (TLS.format("min_version: TLS10"), "tls_server_config.min_version"),
        (TLS.format("cipher_suites: [TLS_AES_128_GCM_SHA256]"), "tls_server_config.cipher_suites"),
        (TLS.format("curve_preferences: [X25519]"), "tls_server_config.curve_preferences"),
        (TLS.format("client_allowed_sans: [a]"), "tls_server_config.client_allowed_sans"),
        (TLS.format("client_auth_type: RequestClientCert"), "tls_server_config.client_auth_type"),
        (TLS.format("") + "http_server_config: {http2: true}", "http_server_config.http2"),
        (TLS.format("") + "http_server_config: {headers: {X-Frame-Options: deny}}", "http_server_config.headers"),
    ],
)
def test_what_cannot_be_done_is_refused_by_name(rig, protected, text, named):
    protected.authority.issue("other")
    protected.file.write_text(text)
    daemon = rig.command("run", **variables({"metrics.web_config_file": protected.file}))
    assert daemon.wait_exit()[0] == 64, daemon.output()
    said = daemon.err.read_text()
    assert "metrics.web_config_file" in said and "SENTINEL__METRICS__WEB_CONFIG_FILE" in said and named in said
    assert "CANARY" not in said and "PRIVATE KEY" not in said


def test_a_file_that_is_not_there_is_refused(rig):
    daemon = rig.command("run", **variables({"metrics.web_config_file": "/nowhere/web.yml"}))
    assert daemon.wait_exit()[0] == 64
    assert "metrics.web_config_file: the file: cannot be read" in daemon.err.read_text()
