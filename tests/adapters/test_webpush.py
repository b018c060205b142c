"""Push messages as bytes: the example of RFC 8291, what a device reads again, and the sender's signature."""

from __future__ import annotations

import base64
import json

import pytest
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from clawmux.adapters import webpush
from tests.stand_ins.push_service import Device, signed_by

# RFC 8291, section 5 and appendix A.
PLAIN = "V2hlbiBJIGdyb3cgdXAsIEkgd2FudCB0byBiZSBhIHdhdGVybWVsb24"
SENDER = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"
RECEIVER = "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94"
RECEIVER_PUBLIC = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
SALT = "DGv6ra1nlYgDCS1FRnbzlw"
AUTH = "BTBZMqHH6r4Tts7J_aSIgg"
BODY = (
    "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6"
    "cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
)


def private(text: str) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(int.from_bytes(webpush.decoded(text), "big"), ec.SECP256R1())


def test_the_example_of_the_rfc() -> None:
    plain, p256dh, auth, salt = map(webpush.decoded, (PLAIN, RECEIVER_PUBLIC, AUTH, SALT))
    body = webpush.encrypt(plain, p256dh, auth, salt=salt, own=private(SENDER), pad=0)
    assert webpush.encoded(body) == BODY
    assert Device(private(RECEIVER), auth).read(body) == b"When I grow up, I want to be a watermelon"


@settings(max_examples=30, deadline=None)
@given(st.binary(max_size=webpush.PAYLOAD_BYTES), st.sampled_from([0, 16, webpush.PADDED_TO, 4096]))
def test_a_device_reads_what_was_sent_to_it(payload: bytes, pad: int) -> None:
    device = Device.new()
    body = webpush.encrypt(payload, device.public, device.auth, pad=pad)
    assert device.read(body) == payload
    assert len(body) <= webpush.RECORD_BYTES


def test_the_length_of_a_message_tells_nothing_of_its_words() -> None:
    device = Device.new()
    sizes = {len(webpush.encrypt(b"x" * size, device.public, device.auth)) for size in (0, 1, 300, webpush.PADDED_TO - 1)}
    assert len(sizes) == 1


def test_nobody_else_reads_it_and_no_two_are_alike() -> None:
    device = Device.new()
    first, again = (webpush.encrypt(b"words", device.public, device.auth) for _ in range(2))
    assert first != again and first[:16] != again[:16] and first[21:86] != again[21:86]
    for stranger in (Device.new(), Device(device.key, b"x" * 16)):
        with pytest.raises(InvalidTag):
            stranger.read(first)


@pytest.mark.parametrize("key", [b"", b"\4" + bytes(64), b"\4" + b"\1" * 64, b"\3" * 65, Device.new().public[:-1]])
def test_a_key_that_is_none_is_refused(key: bytes) -> None:
    assert not webpush.is_public_key(key)
    with pytest.raises(ValueError, match=r"."):
        webpush.encrypt(b"", key, bytes(16))


def test_too_much_is_refused() -> None:
    device = Device.new()
    with pytest.raises(ValueError, match="at most 3993"):
        webpush.encrypt(bytes(webpush.PAYLOAD_BYTES + 1), device.public, device.auth)


@pytest.mark.parametrize("text", ["a", "ab cd", "ä", "ab*d", "+/+/"])
def test_what_is_no_base64url_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        webpush.decoded(text)


@given(st.binary(max_size=70))
def test_bytes_come_back(value: bytes) -> None:
    assert webpush.decoded(webpush.encoded(value)) == value == webpush.decoded(base64.urlsafe_b64encode(value).decode())


def test_the_sender_signs() -> None:
    pem = webpush.new_key()
    header = webpush.authorization(pem, "https://push.example", "mailto:me@example.com", 1_700_000_000)
    assert signed_by(header) == {
        "key": webpush.public_key(pem),
        "aud": "https://push.example",
        "exp": 1_700_000_000,
        "sub": "mailto:me@example.com",
    }
    token, _, key = header.removeprefix("vapid t=").partition(", k=")
    head, _, rest = token.partition(".")
    claims, _, signature = rest.partition(".")
    other = webpush.encoded(json.dumps({"aud": "https://evil.example"}).encode())
    with pytest.raises(InvalidSignature):
        signed_by(f"vapid t={head}.{other}.{signature}, k={key}")
    with pytest.raises(InvalidSignature):
        signed_by(f"vapid t={head}.{claims}.{signature}, k={webpush.public_key(webpush.new_key())}")


def test_only_a_key_of_ours_is_one() -> None:
    from cryptography.hazmat.primitives.asymmetric import ed25519
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    other = ed25519.Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    for pem in ("", "nothing", other):
        with pytest.raises(ValueError, match=r"."):
            webpush.public_key(pem)
