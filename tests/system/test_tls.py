"""Market data comes over TLS: a server that a trusted authority vouches for is believed, any other is not."""

import datetime
import ipaddress
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Authority:
    """A certificate authority of this test, and a server certificate for 127.0.0.1 signed by it."""

    def __init__(self, directory, name: str):
        self.ca_file, self.chain_file = directory / f"{name}-ca.pem", directory / f"{name}-server.pem"
        ca_key = ec.generate_private_key(ec.SECP256R1())
        ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        authority = x509.BasicConstraints(ca=True, path_length=None)
        ca = self._build(ca_name, ca_name, ca_key.public_key(), authority).sign(ca_key, hashes.SHA256())
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
        address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        server = self._build(subject, ca_name, key.public_key(), address).sign(ca_key, hashes.SHA256())
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        self.ca_file.write_bytes(ca.public_bytes(serialization.Encoding.PEM))
        self.chain_file.write_bytes(private + server.public_bytes(serialization.Encoding.PEM))

    @staticmethod
    def _build(subject, issuer, public_key, extension):
        now = datetime.datetime.now(datetime.timezone.utc)
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(public_key)
        builder = builder.serial_number(x509.random_serial_number()).add_extension(extension, critical=False)
        hour = datetime.timedelta(hours=1)
        return builder.not_valid_before(now - hour).not_valid_after(now + hour)


@pytest.fixture
def authority(rig, tmp_path) -> Authority:
    """Puts the rig's market behind TLS."""
    authority = Authority(tmp_path, "ours")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.chain_file)
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
