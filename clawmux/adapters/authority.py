"""An authority for certificates of this machine's own names, and the certificates: X.509 in, PEM out. Keeps no files.

    new_authority(name, now)            its key and certificate, ten years
    new_leaf(authority, names, now)     key and certificate of a server with these names and addresses, 90 days
    read(pem)                           what stands in the certificate

It can vouch only for private addresses and names that no public server has (name constraints, RFC 5280 4.2.1.10): a phone that
trusts it loses nothing of its trust in the rest of the world, should the key be stolen.
``cryptography`` is imported by the functions that use it: it takes 0.15 s, and most hubs never need it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

AUTHORITY_DAYS = 3652
# Apple's devices take at most 825 from an authority that was installed by hand; renewing costs nothing, so it may be less.
LEAF_DAYS = 90
# A phone's clock may be behind ours.
BACKDATED = timedelta(days=1)

PRIVATE = tuple(
    ipaddress.ip_network(network)
    for network in (
        "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "127.0.0.0/8", "100.64.0.0/10",
        "fc00::/7", "fe80::/10", "::1/128",
    )
)  # fmt: skip
# None of these is ever a name in the public DNS (RFC 6762, 6761, 8375, and ICANN's word for "internal").
PRIVATE_NAMES = ("local", "localhost", "home.arpa", "internal")


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a certificate says."""

    names: tuple[str, ...]
    until: datetime
    fingerprint: str
    """SHA-256 in pairs of digits with colons, as phones show it."""
    der: bytes


def load() -> None:
    """Imports what the functions below need. For a thread: 0.15 s are an age for a loop that plays sound."""
    from cryptography import x509  # noqa: F401
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: F401


def is_private(ip: str) -> bool:
    address = ipaddress.ip_address(ip)
    return any(address in network for network in PRIVATE if network.version == address.version)


def new_authority(name: str, now: datetime) -> str:
    """PEM of key and certificate. ``name`` is what a phone lists it under."""
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    subject = _name(name)
    builder = _certificate(subject, subject, key, now, AUTHORITY_DAYS)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_key_usage(signs_certificates=True), critical=True)
    permitted: list[x509.GeneralName] = [x509.DNSName(name) for name in PRIVATE_NAMES]
    permitted += [x509.IPAddress(network) for network in PRIVATE]
    builder = builder.add_extension(x509.NameConstraints(permitted, None), critical=True)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    return _pem(key, builder, key)


def new_leaf(authority: str, names: Sequence[str], now: datetime) -> str:
    """PEM of key and certificate of a server; ``names`` are addresses and DNS names."""
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID

    signer = serialization.load_pem_private_key(authority.encode(), None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    issuer = x509.load_pem_x509_certificate(authority.encode())
    key = ec.generate_private_key(ec.SECP256R1())
    # The blank matters: OpenSSL takes a common name that looks like a host's for one, and holds it against the constraints.
    builder = _certificate(_name("ClawMux hub"), issuer.subject, key, now, LEAF_DAYS)
    builder = builder.add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_key_usage(signs_certificates=False), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    signed_by = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    builder = builder.add_extension(signed_by, critical=False)
    return _pem(key, builder, signer)


def read(pem: str) -> Certificate:
    """The certificate of a PEM text. Raises ValueError when there is none, or no key beside it."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization

    serialization.load_pem_private_key(pem.encode(), None)
    found = x509.load_pem_x509_certificate(pem.encode())
    try:
        said = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = tuple(str(name.value) for name in said)
    except x509.ExtensionNotFound:
        names = ()
    fingerprint = found.fingerprint(hashes.SHA256()).hex(":").upper()
    return Certificate(names, found.not_valid_after_utc, fingerprint, found.public_bytes(serialization.Encoding.DER))


def is_signed_by(leaf: str, authority: str) -> bool:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature

    try:
        x509.load_pem_x509_certificate(leaf.encode()).verify_directly_issued_by(
            x509.load_pem_x509_certificate(authority.encode())
        )
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime, days: int
) -> x509.CertificateBuilder:
    from cryptography import x509

    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + timedelta(days=days))
    )


def _pem(key: ec.EllipticCurvePrivateKey, builder: x509.CertificateBuilder, signer: ec.EllipticCurvePrivateKey) -> str:
    from cryptography.hazmat.primitives import hashes, serialization

    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )  # in a file that is ours alone, beside the token
    return (private + builder.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)).decode()


def _name(common: str) -> x509.Name:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    # 64 characters is all that a common name may have (RFC 5280, ub-common-name).
    parts = [(NameOID.ORGANIZATION_NAME, "ClawMux"), (NameOID.COMMON_NAME, common[:64])]
    return x509.Name([x509.NameAttribute(oid, text) for oid, text in parts])


def _general(name: str) -> x509.GeneralName:
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _key_usage(signs_certificates: bool) -> x509.KeyUsage:
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=not signs_certificates, key_cert_sign=signs_certificates, crl_sign=signs_certificates,
        content_commitment=False, key_encipherment=False, data_encipherment=False, key_agreement=False,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip
