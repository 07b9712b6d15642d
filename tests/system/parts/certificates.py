"""A certificate authority for one test, and the certificates that it issues."""

import datetime
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class CertificateAuthority:
    """Its certificate is `ca_file`; everything is PEM in the test's directory."""

    def __init__(self, directory: Path, name: str):
        self.directory, self.ca_file = directory, directory / f"{name}-ca.pem"
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        ca = self._build(self._name, self._key.public_key(), x509.BasicConstraints(ca=True, path_length=None))
        self.ca_file.write_bytes(ca.public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str, ip: str = "127.0.0.1") -> tuple[Path, Path]:
        """A certificate for an address, and its key: `name.pem` and `name.key`. Existing files are overwritten."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, ip)])
        address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(ip))])
        certificate = self._build(subject, key.public_key(), address)
        files = self.directory / f"{name}.pem", self.directory / f"{name}.key"
        files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        files[1].write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return files

    def _build(self, subject, public_key, extension) -> x509.Certificate:
        now, hour = datetime.datetime.now(datetime.timezone.utc), datetime.timedelta(hours=1)
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(self._name).public_key(public_key)
        builder = builder.serial_number(x509.random_serial_number()).add_extension(extension, critical=False)
        return builder.not_valid_before(now - hour).not_valid_after(now + hour).sign(self._key, hashes.SHA256())
