"""Public keys of clients: read from PEM or JWK, held to a few strong kinds, kept as DER."""

import hashlib
from base64 import urlsafe_b64encode

import jwt
import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
    load_pem_public_key,
)

from coalition.access.refusals import UnusableKey

ASSERTION_ALGORITHMS = ("EdDSA", "ES256", "RS256")
"""The signatures taken on client assertions; each key is bound to one of them for good."""

RSA_BITS_MIN = 2048
RSA_BITS_MAX = 8192
"""A larger modulus would only make our checking slow."""
RSA_EXPONENT = 65537
KEY_TEXT_MAX = 8192
KID_MAX = 200

PublicKey = ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey | rsa.RSAPublicKey

_ALGORITHM_OF_KIND = {"OKP Ed25519": "EdDSA", "EC P-256": "ES256", "RSA None": "RS256"}
_PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


class ClientPublicKey(msgspec.Struct, frozen=True):
    """A public key (DER, SubjectPublicKeyInfo) with its name and its one algorithm."""

    kid: str
    algorithm: str
    der: bytes


def read_public_key(text: str) -> ClientPublicKey:
    """Return the key that `text` holds as PEM or as a JWK; raise `UnusableKey`.

    It is named by the JWK's `kid`, or else by the SHA-256 of its DER form.
    """
    if len(text) > KEY_TEXT_MAX:
        raise UnusableKey(f"A public key has at most {KEY_TEXT_MAX} characters")
    if "PRIVATE KEY" in text:
        raise _private_key_given()
    kid, key = _from_jwk(text) if text.lstrip().startswith("{") else (None, _from_pem(text))
    algorithm = _algorithm_of(key)
    assert isinstance(key, PublicKey)
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return ClientPublicKey(kid=kid or _thumbprint(der), algorithm=algorithm, der=der)


def load_public_key(der: bytes) -> PublicKey:
    """Return the key kept as `der`; it was held to its kind when it was read."""
    key = load_der_public_key(der)
    assert isinstance(key, PublicKey), "only keys that are taken here are kept"
    return key


def _from_pem(text: str) -> object:
    try:
        return load_pem_public_key(text.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise UnusableKey("This is no public key in PEM form (BEGIN PUBLIC KEY) or JWK") from error


def _from_jwk(text: str) -> tuple[str | None, object]:
    try:
        jwk = msgspec.json.decode(text, type=dict[str, object])
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as error:
        raise UnusableKey("This is no JWK: a JSON object is expected") from error
    if not _PRIVATE_MEMBERS.isdisjoint(jwk):
        raise _private_key_given()
    kid = jwk.get("kid")
    if kid is not None and not (
        isinstance(kid, str) and 1 <= len(kid) <= KID_MAX and kid.isascii() and kid.isprintable()
    ):
        raise UnusableKey(f"The kid of a JWK is a string of 1 to {KID_MAX} printable characters")
    algorithm = _ALGORITHM_OF_KIND.get(f"{jwk.get('kty')} {jwk.get('crv')}")
    if algorithm is None or jwk.get("alg", algorithm) != algorithm:
        raise UnusableKey
    if jwk.get("use", "sig") != "sig":
        raise UnusableKey("The key is not for signatures: its `use` is not sig")
    try:
        return kid, jwt.PyJWK(jwk, algorithm=algorithm).key
    except (jwt.PyJWTError, ValueError, TypeError, KeyError) as error:
        raise UnusableKey("The numbers of the JWK make no public key") from error


def _algorithm_of(key: object) -> str:
    if isinstance(key, ed25519.Ed25519PublicKey):
        return "EdDSA"
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        return "ES256"
    if isinstance(key, rsa.RSAPublicKey):
        is_sound = key.public_numbers().e == RSA_EXPONENT
        if is_sound and RSA_BITS_MIN <= key.key_size <= RSA_BITS_MAX:
            return "RS256"
    raise UnusableKey


def _thumbprint(der: bytes) -> str:
    return urlsafe_b64encode(hashlib.sha256(der).digest()).rstrip(b"=").decode()


def _private_key_given() -> UnusableKey:
    return UnusableKey(
        "This is a private key: keep it to yourself, make a new one, give its public half"
    )
