"""A phone that wants the page: what the settings offer it, with real certificates."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from clawmux.checks import phone as checks
from clawmux.finding import Verdict
from tests.doctor.conftest import AddProgram, MakeScene


@pytest.fixture
def certificate(home: Path) -> dict[str, str]:
    """A pair that fits, as settings."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hub.example")])
    born = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(born).not_valid_after(born + datetime.timedelta(days=365 * 50)).sign(key, hashes.SHA256())
    )  # fmt: skip
    (home / "c.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (home / "k.pem").write_bytes(private)
    return {"hub_tls_certificate": str(home / "c.pem"), "hub_tls_key": str(home / "k.pem")}


@pytest.mark.parametrize(
    ("settings", "verdict", "words"),
    [
        ({}, Verdict.OK, "for this machine only"),
        ({"hub_public_url": "https://hub.example"}, Verdict.OK, "https://hub.example"),
        ({"hub_host": "0.0.0.0"}, Verdict.FAIL, "without TLS"),
        ({"hub_lan_host": "127.0.0.3"}, Verdict.OK, "https://127.0.0.3:3461"),
        ({"hub_lan_host": "10.255.255.254"}, Verdict.WARN, "10.255.255.254 now"),
        ({"hub_lan_host": "203.0.113.5"}, Verdict.FAIL, "not a private address"),
        ({"hub_lan_host": "home"}, Verdict.FAIL, "not a private address"),
        ({"hub_host": "192.0.2.7", "hub_tls_certificate": "/nowhere.pem"}, Verdict.FAIL, "No such file"),
    ],
)
def test_a_phone(scene: MakeScene, settings: dict[str, str], verdict: Verdict, words: str) -> None:
    [finding] = checks.phone(scene(settings))
    assert finding.verdict is verdict and words in finding.detail


def test_a_phone_with_a_certificate(scene: MakeScene, certificate: dict[str, str]) -> None:
    [finding] = checks.phone(scene({"hub_host": "hub.example", **certificate}))
    assert (finding.verdict, finding.detail) == (Verdict.OK, "A phone opens https://hub.example:3460.")
    Path(certificate["hub_tls_key"]).write_text("no key")
    [finding] = checks.phone(scene({"hub_host": "hub.example", **certificate}))
    assert finding.verdict is Verdict.FAIL and "hub.tls_key" in finding.detail


def test_a_phone_where_tailscale_is_installed(scene: MakeScene, program: AddProgram, home: Path) -> None:
    program("tailscale", "exit 0")
    [finding] = checks.phone(scene(environ={"PATH": str(home / "programs")}))
    assert finding.verdict is Verdict.OK and "clawmux phone" in finding.remedy and "tailscale serve" in finding.remedy


def test_why_a_phone_needs_https_is_said(scene: MakeScene) -> None:
    [finding] = checks.phone(scene())
    assert "microphone" in finding.detail and "https" in finding.detail
