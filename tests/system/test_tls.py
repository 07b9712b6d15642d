"""Market data comes over TLS: a server that a trusted authority vouches for is believed, any other is not."""

import ssl

import pytest

from parts.authority import Authority


@pytest.fixture
def authority(rig, tmp_path) -> Authority:
    """Puts the rig's market behind TLS."""
    authority = Authority(tmp_path, "ours")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("market"))
    rig.market.speak_tls(context)
    return authority


def test_a_market_that_a_trusted_authority_vouches_for_is_believed(rig, authority):
    daemon = rig.start("--cycles", "1", SSL_CERT_FILE=str(authority.ca_file))
    metrics = daemon.after_cycles(1)
    assert metrics("trading_cycles_failed_total") == 0
    assert rig.market.requests[0].headers["authorization"].startswith("Bearer ")


def test_a_market_that_only_a_stranger_vouches_for_gets_no_token(rig, authority, tmp_path):
    stranger = Authority(tmp_path, "stranger")
    daemon = rig.start("--cycles", "1", SSL_CERT_FILE=str(stranger.ca_file))
    metrics = daemon.after_cycles(1)
    assert set(metrics.errors("eodhd")) == {"connect"}
    assert rig.market.requests == []


def test_without_any_trusted_root_the_fault_says_what_to_install(rig, authority, tmp_path):
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    daemon = rig.start("--cycles", "1", SSL_CERT_FILE=str(empty), SSL_CERT_DIR=str(tmp_path / "nothing"))
    daemon.after_cycles(1)
    assert "ca-certificates" in daemon.output()
    assert rig.market.requests == []
