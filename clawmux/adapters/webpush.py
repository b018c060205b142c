"""Web push as bytes: a payload that only one subscription can read (RFC 8291, 8188), and who sends it (RFC 8292). Sends nothing.

    new_key()                       the hub's own key as PEM, P-256
    public_key(pem)                 what pages subscribe with, base64url
    encrypt(payload, ...)           the body of the request to the push service
    authorization(pem, ...)         its Authorization header, signed

``cryptography`` is imported by the functions that use it: it takes 0.15 s, and a hub that pushes nothing never needs it.
"""

from __future__ import annotations

import base64
import json
import re
import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ec

# Push services take bodies of at least 4096 bytes (RFC 8030 7.2); the payload is one record of that size (RFC 8188 2.1).
RECORD_BYTES = 4096
_HEADER_BYTES = 16 + 4 + 1 + 65
_TAG_BYTES = 16
PAYLOAD_BYTES = RECORD_BYTES - _HEADER_BYTES - _TAG_BYTES - 1
"""The longest payload, in UTF-8."""
# The push service sees how long a message is; so it tells next to nothing about the words in it.
PADDED_TO = 1024
_PUBLIC_BYTES = 65
_AUTH_BYTES = 16
_BASE64URL = re.compile("[A-Za-z0-9_-]*")


def new_key() -> str:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    made = ec.generate_private_key(ec.SECP256R1())
    return made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def public_key(pem: str) -> str:
    """Raises ValueError for what is no private key of P-256."""
    return encoded(_point(_private(pem).public_key()))


def authorization(pem: str, audience: str, contact: str, expires: int) -> str:
    """``audience``: origin of the push service. ``contact``: a URL. ``expires``: Unix seconds, not further than in a day."""
    from cryptography.hazmat.primitives.asymmetric import ec, utils
    from cryptography.hazmat.primitives.hashes import SHA256

    key = _private(pem)
    claims = {"aud": audience, "exp": expires, "sub": contact}
    signed = ".".join(
        encoded(json.dumps(part, separators=(",", ":")).encode()) for part in ({"typ": "JWT", "alg": "ES256"}, claims)
    )
    r, s = utils.decode_dss_signature(key.sign(signed.encode(), ec.ECDSA(SHA256())))
    signature = encoded(r.to_bytes(32, "big") + s.to_bytes(32, "big"))
    return f"vapid t={signed}.{signature}, k={encoded(_point(key.public_key()))}"


def encrypt(
    payload: bytes,
    p256dh: bytes,
    auth: bytes,
    *,
    salt: bytes = b"",
    own: ec.EllipticCurvePrivateKey | None = None,
    pad: int = PADDED_TO,
) -> bytes:
    """For the subscription with these keys. ``salt`` and ``own`` are fresh for each message, unless a test gives them.

    ``pad``: the payload is filled up to a multiple of so many bytes; 0: not at all. Raises ValueError for keys that are none.
    """
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    if len(payload) > PAYLOAD_BYTES:
        raise ValueError(f"a payload of {len(payload)} bytes; at most {PAYLOAD_BYTES} are possible")
    own, salt = own or ec.generate_private_key(ec.SECP256R1()), salt or secrets.token_bytes(16)
    theirs, ours = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), p256dh), _point(own.public_key())
    # RFC 8291 3.4: both sides' keys and the subscription's secret, then RFC 8188 2.2 and 2.3 with the salt of this message.
    shared = _derived(own.exchange(ec.ECDH(), theirs), auth, b"WebPush: info\0" + p256dh + ours, 32)
    key, nonce = (
        _derived(shared, salt, b"Content-Encoding: %s\0" % name, size) for name, size in ((b"aes128gcm", 16), (b"nonce", 12))
    )
    header = salt + RECORD_BYTES.to_bytes(4, "big") + bytes([len(ours)]) + ours
    return header + AESGCM(key).encrypt(nonce, _padded(payload, pad), None)


def is_public_key(value: bytes) -> bool:
    """Whether it is a point on the curve; another would give the shared secret away, or none."""
    from cryptography.hazmat.primitives.asymmetric import ec

    try:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), value)
    except ValueError:
        return False
    return len(value) == _PUBLIC_BYTES


def is_auth_secret(value: bytes) -> bool:
    return len(value) == _AUTH_BYTES


def encoded(value: bytes) -> str:
    """base64url without padding, as all of web push writes bytes."""
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    """Raises ValueError for anything but base64url; padding may be there or not."""
    bare = text.rstrip("=")
    if not _BASE64URL.fullmatch(bare):
        raise ValueError("not base64url")
    return base64.urlsafe_b64decode(bare + "=" * (-len(bare) % 4))


def _padded(payload: bytes, pad: int) -> bytes:
    record = payload + b"\2"  # the delimiter of the last record (RFC 8188 2)
    wanted = -(-len(record) // pad) * pad if pad else len(record)
    return record.ljust(min(wanted, PAYLOAD_BYTES + 1), b"\0")


def _derived(secret: bytes, salt: bytes, info: bytes, size: int) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(SHA256(), size, salt, info).derive(secret)


def _private(pem: str) -> ec.EllipticCurvePrivateKey:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    key = load_pem_private_key(pem.encode(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ValueError("not a private key of P-256")
    return key


def _point(key: ec.EllipticCurvePublicKey) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
