"""Which public keys a client may register."""

import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa, x25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from coalition.access.client_keys import load_public_key, read_public_key
from coalition.access.refusals import UnusableKey

ED25519 = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
P256 = ec.generate_private_key(ec.SECP256R1())
RSA_2048 = rsa.generate_private_key(65537, 2048)

JWK_OF = {
    "EdDSA": json.loads(jwt.algorithms.OKPAlgorithm.to_jwk(ED25519.public_key())),
    "ES256": json.loads(jwt.algorithms.ECAlgorithm.to_jwk(P256.public_key())),
    "RS256": json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(RSA_2048.public_key())),
}
KEY_OF: dict[str, Any] = {"EdDSA": ED25519, "ES256": P256, "RS256": RSA_2048}


def pem(key: Any) -> str:
    public = key.public_key()
    return str(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode())


@pytest.mark.parametrize("algorithm", ["EdDSA", "ES256", "RS256"])
def test_pem_and_jwk_are_the_same_key(algorithm: str) -> None:
    from_pem = read_public_key(pem(KEY_OF[algorithm]))
    from_jwk = read_public_key(json.dumps(JWK_OF[algorithm]))

    assert from_pem == from_jwk
    assert from_pem.algorithm == algorithm
    assert load_public_key(from_pem.der) == KEY_OF[algorithm].public_key()


def test_the_kid_of_a_jwk_is_kept() -> None:
    assert read_public_key(json.dumps(JWK_OF["EdDSA"] | {"kid": "till-7"})).kid == "till-7"


@pytest.mark.parametrize(
    "key",
    [
        rsa.generate_private_key(65537, 1024),  # noqa: S505 - weak, and so refused
        rsa.generate_private_key(3, 2048),
        ec.generate_private_key(ec.SECP384R1()),
        ec.generate_private_key(ec.SECP256K1()),
        ed448.Ed448PrivateKey.generate(),
        x25519.X25519PrivateKey.generate(),
        dsa.generate_private_key(1024),  # noqa: S505 - likewise
    ],
    ids=["RSA 1024", "RSA e=3", "P-384", "secp256k1", "Ed448", "X25519", "DSA"],
)
def test_a_key_of_another_kind_is_refused(key: Any) -> None:
    with pytest.raises(UnusableKey):
        read_public_key(pem(key))


def test_a_private_key_is_refused_with_a_warning() -> None:
    private = ED25519.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    jwk = jwt.algorithms.OKPAlgorithm.to_jwk(ED25519)

    for text in (private, jwk, '{"kty": "oct", "k": "AAAA"}'):
        with pytest.raises(UnusableKey, match="private key"):
            read_public_key(text)


@pytest.mark.parametrize(
    "changes",
    [
        {"kty": "EC"},
        {"kty": None},
        {"crv": "Ed448"},
        {"crv": ["Ed25519"]},
        {"alg": "HS256"},
        {"alg": "RS256"},
        {"use": "enc"},
        {"x": "AAAA"},
        {"x": 5},
        {"x": None},
        {"x": "é"},
        {"kid": ""},
        {"kid": 5},
        {"kid": "\x00"},
        {"kid": "x" * 201},
    ],
    ids=str,
)
def test_a_jwk_that_is_wrong_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(UnusableKey):
        read_public_key(json.dumps(JWK_OF["EdDSA"] | changes))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "{}",
        "{" * 4000,
        "[]",
        "\x00",
        "ssh-ed25519 AAAA",
        "\ud800",
        '{"kty": "\ud800"}',
        "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        "x" * 9000,
    ],
    ids=lambda text: ascii(text)[:30],
)
def test_junk_is_refused(text: str) -> None:
    with pytest.raises(UnusableKey):
        read_public_key(text)
