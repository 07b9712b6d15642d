"""Addresses: IPv6 for market, model, gateway and the metrics port, and TLS to the model."""

import urllib.request

import pytest

from parts.certificates import CertificateAuthority
from parts.daemon import free_port, wait_until
from parts.dialects import V43
from parts.gateway import filled
from parts.harness import variables
from parts.market import Market
from parts.model import SELL, Model


class Market6(Market):
    """On IPv6."""

    address = ("::1", 0)

    @property
    def url(self) -> str:
        """Base URL."""
        return f"http://[::1]:{self.port}"


class Model6(Model):
    """On IPv6."""

    address = ("::1", 0)


class Gateway6(V43):
    """On IPv6."""

    host = "[::1]"


@pytest.fixture
def parts6():
    """Market, model and gateway, all on IPv6 only."""
    parts = Market6(), Model6(SELL), Gateway6(free_port(), filled).bind()
    yield parts
    for part in parts:
        part.close()


@pytest.mark.parametrize("host", ["::1", "[::1]", "0:0:0:0:0:0:0:1"])
def test_the_whole_chain_works_over_ipv6(harness, parts6, host):
    market, model, gateway = parts6
    args = ["--live", "--dialect", "v43", "--account", "a", "--stop-loss", "0.002", "--cycles", "1"]
    args += ["--gtw-host", host, "--gtw-port", str(gateway.port), "--hub-host", host, "--hub-port", str(model.port)]
    daemon = harness.start(*args, settings={"data.base_url": market.url, "model.host": "", "model.port": ""})
    daemon.after_cycles(1)
    assert [order["type"] for order in gateway.requests] == ["SELL"] and gateway.problems == []
    assert f"[::1]:{gateway.port}" in daemon.output() and f"http://[::1]:{model.port}" in daemon.output()


@pytest.mark.parametrize("host", ["::1", "[::1]"])
def test_verify_reaches_gateway_and_model_over_ipv6(harness, parts6, host):
    _, model, gateway = parts6
    args = ["--dialect", "v43", "--gtw-host", host, "--gtw-port", str(gateway.port)]
    verified = harness.command("verify", "gateway", *args)
    assert verified.wait_exit()[0] == 0, verified.output()
    assert f"Gateway tcp://[::1]:{gateway.port}," in verified.output()
    verified = harness.command("verify", "model", "--hub-host", host, "--hub-port", str(model.port))
    verified.wait_exit()
    assert f"Model http://[::1]:{model.port}," in verified.output()
    assert any(request.path == "/invocations" for request in model.requests)


@pytest.mark.parametrize("bind", ["::", "::1"])
def test_the_metrics_port_is_reachable_over_ipv6(harness, bind):
    daemon = harness.start("--cycles", "1", settings={"metrics.bind": bind})
    url = f"http://[::1]:{daemon.port}"

    def alive() -> bool:
        try:
            return urllib.request.urlopen(f"{url}/livez", timeout=2).status == 200
        except OSError:
            return False

    wait_until("an answer", alive)
    env = variables({"metrics.bind": bind, "metrics.port": daemon.port})
    assert harness.command("healthcheck", **env).wait_exit()[0] == 0


@pytest.mark.parametrize("flag", ["--gtw-host", "--hub-host"])
@pytest.mark.parametrize(("host", "word"), [("fe80::1%eth0", "zone"), ("[::1", "IP address"), ("hub:5001", "port")])
def test_an_unusable_host_is_refused_by_name(harness, flag, host, word):
    daemon = harness.command("check", flag, host)
    assert daemon.wait_exit()[0] == 64
    key = {"--gtw-host": "gateway.host", "--hub-host": "model.host"}[flag]
    assert f"{key}: " in daemon.output() and word in daemon.output()


def test_a_model_over_tls_needs_a_trusted_certificate(harness, authority, tmp_path):
    harness.model.put_behind_tls(authority)
    stranger = CertificateAuthority(tmp_path, "stranger")
    https = {"model.scheme": "https"}
    for roots, trusted in ((stranger, False), (authority, True)):
        daemon = harness.start("--cycles", "1", settings=https, SSL_CERT_FILE=str(roots.ca_file))
        metrics = daemon.after_cycles(1)
        assert metrics("prediction_failures_total") == (0 if trusted else 1)
        assert bool(harness.model.requests) == trusted
    assert f"https://127.0.0.1:{harness.model.port}" in daemon.output()
    args = ["verify", "model", "--hub-host", "127.0.0.1", "--hub-port", str(harness.model.port)]
    verified = harness.command(*args, **variables(https), SSL_CERT_FILE=str(stranger.ca_file))
    assert verified.wait_exit()[0] == 1 and "SSL_CERT_FILE" in verified.output(), verified.output()
    verified = harness.command(*args, **variables(https), SSL_CERT_FILE=str(authority.ca_file))
    verified.wait_exit()
    assert "ok      answer" in verified.output() and f"Model https://127.0.0.1:{harness.model.port}" in verified.output()


def test_a_model_over_tls_gets_no_plain_request(harness, authority):
    harness.model.put_behind_tls(authority)
    daemon = harness.start("--cycles", "1", SSL_CERT_FILE=str(authority.ca_file))
    assert daemon.after_cycles(1)("prediction_failures_total") == 1
    assert harness.model.requests == []
