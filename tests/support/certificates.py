"""Certificates of a test's own: authorities, and what they sign for servers, good and bad."""

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HERE = ("localhost", "127.0.0.1")
ELSEWHERE = ("db.example.com",)


@dataclass(frozen=True)
class Certificate:
    """The files of a server's certificate and of its key."""

    chain: Path
    key: Path


class Authority:
    """An authority, whose certificate is in the file `path`."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        made = self._signed(self._name, self._key, timedelta(days=1), is_authority=True)
        self.path = _write(folder / f"{name}.pem", made)

    def certificate(
        self, name: str, hosts: tuple[str, ...] = HERE, expires_in: timedelta = timedelta(days=1)
    ) -> Certificate:
        """A certificate for these hosts; it expired before now if `expires_in` is negative."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        chain = _write(
            self._folder / f"{name}.crt", self._signed(subject, key, expires_in, hosts=hosts)
        )
        secret = self._folder / f"{name}.key"
        secret.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        secret.chmod(0o600)
        return Certificate(chain, secret)

    def revoking(self, name: str, *certificates: Certificate) -> Path:
        """The file of a list in which the authority revokes these certificates."""
        now = datetime.now(UTC)
        builder = x509.CertificateRevocationListBuilder().issuer_name(self._name)
        builder = builder.last_update(now).next_update(now + timedelta(days=1))
        for one in certificates:
            number = x509.load_pem_x509_certificate(one.chain.read_bytes()).serial_number
            revoked = x509.RevokedCertificateBuilder().serial_number(number).revocation_date(now)
            builder = builder.add_revoked_certificate(revoked.build())
        file = self._folder / f"{name}.crl"
        revocations = builder.sign(self._key, hashes.SHA256())
        file.write_bytes(revocations.public_bytes(serialization.Encoding.PEM))
        return file

    def _signed(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        expires_in: timedelta,
        hosts: tuple[str, ...] = (),
        is_authority: bool = False,
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=30))
            .not_valid_after(now + expires_in)
            .add_extension(x509.BasicConstraints(is_authority, None), critical=True)
        )
        if hosts:
            names = x509.SubjectAlternativeName(list(map(_general_name, hosts)))
            builder = builder.add_extension(names, critical=False)
        return builder.sign(self._key, hashes.SHA256())


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _write(path: Path, certificate: x509.Certificate) -> Path:
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return path
