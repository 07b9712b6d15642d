"""Market data over TLS: a server with a trusted certificate is accepted, others are not."""


import pytest

from parts.certificates import CertificateAuthority


@pytest.fixture(autouse=True)
def market_behind_tls(harness, authority):
    """The market has a certificate of the test's authority."""
    harness.market.put_behind_tls(authority)


def test_a_market_with_a_trusted_certificate_is_accepted(harness, authority):
    daemon = harness.start("--cycles", "1", SSL_CERT_FILE=str(authority.ca_file))
    metrics = daemon.after_cycles(1)
    assert metrics("trading_cycles_failed_total") == 0
    assert harness.market.requests[0].headers["authorization"].startswith("Bearer ")


def test_a_market_with_an_untrusted_certificate_gets_no_token(harness, authority, tmp_path):
    stranger = CertificateAuthority(tmp_path, "stranger")
    daemon = harness.start("--cycles", "1", SSL_CERT_FILE=str(stranger.ca_file))
    metrics = daemon.after_cycles(1)
    assert set(metrics.errors("eodhd")) == {"connect"}
    assert harness.market.requests == []


def test_without_root_certificates_the_error_says_what_to_install(harness, authority, tmp_path):
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    daemon = harness.start("--cycles", "1", SSL_CERT_FILE=str(empty), SSL_CERT_DIR=str(tmp_path / "nothing"))
    daemon.after_cycles(1)
    assert "ca-certificates" in daemon.output()
    assert harness.market.requests == []
