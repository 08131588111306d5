"""Makes access tokens, good and forged, without the code that issues or verifies them."""

import json
from base64 import urlsafe_b64encode
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ISSUER = "https://points.example"
AUDIENCE = "https://points.example/v1"
KID = "key-1"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PARTNER_ID = UUID("6a1f6f0e-6d0a-4c0e-9d0b-0d9b8a7c6e5f")


def encoded(data: bytes) -> str:
    """Return `data` in base64url without padding."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def header(**changes: object) -> dict[str, object]:
    """Return the header of a good token, changed."""
    return {"alg": "EdDSA", "typ": "at+jwt", "kid": KID} | changes


def claims(at: datetime, **changes: object) -> dict[str, Any]:
    """Return the claims of a good token issued at `at`, changed."""
    return {
        "iss": ISSUER,
        "sub": "client_till",
        "client_id": "client_till",
        "aud": AUDIENCE,
        "iat": int(at.timestamp()),
        "exp": int((at + timedelta(minutes=15)).timestamp()),
        "jti": "token-1",
        "scope": "points:issue members:read",
        "client_no": 7,
        "partner_no": 3,
        "partner_id": str(PARTNER_ID),
    } | changes


def token(head: object, body: object, key: Ed25519PrivateKey = KEY) -> str:
    """Return a token with this header and these claims, signed by `key`."""
    signed = f"{encoded(json.dumps(head).encode())}.{encoded(json.dumps(body).encode())}"
    return f"{signed}.{encoded(key.sign(signed.encode()))}"
