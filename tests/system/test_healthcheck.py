"""`sentinel healthcheck`: whether the daemon is alive, as Docker's HEALTHCHECK runs it."""

import datetime
import signal
import ssl
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from parts.daemon import free_port
from parts.harness import variables
from parts.http import hang, status, text
from parts.preload import preload


def check(harness, *args: str, **env: str) -> tuple[int, str]:
    """Runs it without a token: exit code and output."""
    said = harness.command("healthcheck", *args, **({"EODHD_API_TOKEN": ""} | env))
    code, _ = said.wait_exit()
    return code, said.output()


def certificate_of_another_name(path) -> ssl.SSLContext:
    """A TLS server with an untrusted certificate for `inf.example`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "inf.example")])
    now, hour = datetime.datetime.now(datetime.timezone.utc), datetime.timedelta(hours=1)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - hour).not_valid_after(now + hour)
    certificate = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("inf.example")]), critical=False)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(secret + certificate.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


@pytest.fixture
def daemon(harness):
    """A running daemon. All outside systems are broken, which does not make it unhealthy."""
    harness.market.always = harness.model.always = status(500)
    return harness.start().wait_serving()


def test_a_running_daemon_is_healthy_with_broken_outside_systems(harness, daemon):
    port = str(daemon.port)
    for env in ({"METRICS_PORT": port}, variables({"metrics.port": port, "metrics.bind": "::ffff:127.0.0.1"})):
        assert check(harness, **env) == (0, "live\n")
    assert check(harness, "--url", f"http://127.0.0.1:{port}/") == (0, "live\n")
    assert check(harness, "--url", f"http://localhost:{port}", "--path", "/metrics")[0] == 0


def test_the_settings_file_names_the_port(harness, daemon, tmp_path):
    path = tmp_path / "settings.toml"
    path.write_text(f'[metrics]\nport = {daemon.port}\n\n[data]\napi_token_file = "/nonexistent/token"\n')
    assert check(harness, "--config", str(path)) == (0, "live\n")


def test_a_stopped_process_is_unhealthy_until_it_continues(harness, daemon):
    url = f"http://127.0.0.1:{daemon.port}"
    daemon.send(signal.SIGSTOP)
    try:
        code, said = check(harness, "--url", url, "--deadline-ms", "500")
        assert code == 1 and said == f"sentinel: {url}/livez: no complete answer within 500 ms\n"
    finally:
        daemon.send(signal.SIGCONT)
    assert check(harness, "--url", url)[0] == 0


def test_a_missing_daemon_is_unhealthy(harness):
    code, said = check(harness, METRICS_PORT=str(free_port()))
    assert code == 1 and "cannot connect" in said and said.count("\n") == 1


@pytest.mark.parametrize("answer, words", [(status(503, "the Scheduler\ndid not"), "status 503"), (hang, "within 300 ms")])
def test_any_other_answer_is_unhealthy(harness, answer, words):
    harness.model.always = answer
    code, said = check(harness, "--url", harness.model.url, "--deadline-ms", "300")
    assert code == 1 and words in said and said.count("\n") == 1


def test_a_name_server_that_hangs_does_not_outlive_the_deadline(harness, tmp_path):
    began = time.monotonic()
    code, said = check(harness, "--url", "http://inf.example:8000", "--deadline-ms", "300", **preload(tmp_path, "slow_resolver"))
    assert code == 1 and "within 300 ms" in said, said
    assert time.monotonic() - began < 5


def test_tls_on_loopback_accepts_any_certificate_name(harness, tmp_path):
    harness.model.speak_tls(certificate_of_another_name(tmp_path / "inf.pem"))
    harness.model.always = text("live\n")
    # By the settings, which have a port but not its certificate; and by a URL with another name.
    assert check(harness, METRICS_PORT=str(harness.model.port)) == (0, "live\n")
    assert check(harness, "--url", f"https://localhost:{harness.model.port}") == (0, "live\n")
    assert {request.path for request in harness.model.requests} == {"/livez"}


def test_an_impossible_check_is_reported(harness):
    code, said = check(harness, **variables({"metrics.enabled": "false"}))
    assert code == 1 and "metrics.enabled" in said
    code, said = check(harness, "--url", "127.0.0.1:8000")
    assert code == 1 and "http://HOST:PORT" in said
    code, said = check(harness, **variables({"metrics.port": "many"}))
    assert code == 64 and "metrics.port" in said
