"""`sentinel healthcheck`: the daemon's own word on whether it is alive, as Docker's HEALTHCHECK asks for it."""

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
from parts.http import hang, status, text
from parts.rig import variables
from parts.slow_resolver import slow_resolver


def check(rig, *args: str, **env: str) -> tuple[int, str]:
    """Runs it without a token: exit code and what it said."""
    said = rig.command("healthcheck", *args, **({"EODHD_API_TOKEN": ""} | env))
    code, _ = said.wait_exit()
    return code, said.output()


def certificate_of_another_name(path) -> ssl.SSLContext:
    """A server that speaks TLS as `inf.example`, and nobody vouches for it."""
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
def daemon(rig):
    """One that runs; every outside system is broken, which is none of its faults."""
    rig.market.always = rig.model.always = status(500)
    return rig.start().wait_serving()


def test_a_running_daemon_is_healthy_whatever_is_wrong_outside(rig, daemon):
    port = str(daemon.port)
    for env in ({"METRICS_PORT": port}, variables({"metrics.port": port, "metrics.bind": "::ffff:127.0.0.1"})):
        assert check(rig, **env) == (0, "live\n")
    assert check(rig, "--url", f"http://127.0.0.1:{port}/") == (0, "live\n")
    assert check(rig, "--url", f"http://localhost:{port}", "--path", "/metrics")[0] == 0


def test_the_settings_file_names_the_port(rig, daemon, tmp_path):
    path = tmp_path / "settings.toml"
    path.write_text(f'[metrics]\nport = {daemon.port}\n\n[data]\napi_token_file = "/nonexistent/token"\n')
    assert check(rig, "--config", str(path)) == (0, "live\n")


def test_a_daemon_that_is_stopped_is_unhealthy_until_it_goes_on(rig, daemon):
    url = f"http://127.0.0.1:{daemon.port}"
    daemon.send(signal.SIGSTOP)
    try:
        code, said = check(rig, "--url", url, "--deadline-ms", "500")
        assert code == 1 and said == f"sentinel: {url}/livez: no complete answer within 500 ms\n"
    finally:
        daemon.send(signal.SIGCONT)
    assert check(rig, "--url", url)[0] == 0


def test_no_daemon_is_unhealthy(rig):
    code, said = check(rig, METRICS_PORT=str(free_port()))
    assert code == 1 and "cannot connect" in said and said.count("\n") == 1


@pytest.mark.parametrize("answer, words", [(status(503, "the Scheduler\ndid not"), "status 503"), (hang, "within 300 ms")])
def test_any_other_answer_is_unhealthy(rig, answer, words):
    rig.model.always = answer
    code, said = check(rig, "--url", rig.model.url, "--deadline-ms", "300")
    assert code == 1 and words in said and said.count("\n") == 1


def test_a_name_server_that_hangs_does_not_outlive_the_deadline(rig, tmp_path):
    began = time.monotonic()
    code, said = check(rig, "--url", "http://inf.example:8000", "--deadline-ms", "300", **slow_resolver(tmp_path))
    assert code == 1 and "within 300 ms" in said, said
    assert time.monotonic() - began < 5


def test_tls_on_loopback_is_asked_whatever_name_its_certificate_has(rig, tmp_path):
    rig.model.speak_tls(certificate_of_another_name(tmp_path / "inf.pem"))
    rig.model.always = text("live\n")
    # By the settings, which know a port but not its certificate; and by name, which it is not for.
    assert check(rig, METRICS_PORT=str(rig.model.port)) == (0, "live\n")
    assert check(rig, "--url", f"https://localhost:{rig.model.port}") == (0, "live\n")
    assert {request.path for request in rig.model.requests} == {"/livez"}


def test_what_cannot_be_asked_is_said(rig):
    code, said = check(rig, **variables({"metrics.enabled": "false"}))
    assert code == 1 and "metrics.enabled" in said
    code, said = check(rig, "--url", "127.0.0.1:8000")
    assert code == 1 and "http://HOST:PORT" in said
    code, said = check(rig, **variables({"metrics.port": "many"}))
    assert code == 64 and "metrics.port" in said
