"""Our signing keys: made, sealed for the database, and used to sign access tokens.

The private half is sealed by AES-256-GCM (NIST SP 800-38D) under a key derived from the master key
for this purpose alone (HKDF-SHA-256, RFC 5869), bound to its `kid`, so a row put in place of
another does not open. The database alone, or a backup of it, signs nothing.
"""

import hashlib
import secrets
from base64 import urlsafe_b64encode

import jwt
import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from coalition.kernel.identity import ACCESS_TOKEN_TYPE, AccessClaims

NONCE_BYTES = 12

_jws = jwt.PyJWS(algorithms=["EdDSA"])


class SealBrokenError(Exception):
    """A signing key does not open: the master key is another one, or the row was changed."""


class NewSigningKey(msgspec.Struct, frozen=True):
    """A signing key as it is stored: its name, its public half, its private half sealed."""

    kid: str
    public_key: bytes
    private_key: bytes


class SigningKey(msgspec.Struct, frozen=True):
    """A key that can sign; it never leaves the process."""

    kid: str
    private_key: Ed25519PrivateKey

    def sign(self, claims: AccessClaims) -> str:
        """Return the access token (RFC 9068) that says `claims`."""
        return self.sign_as(ACCESS_TOKEN_TYPE, msgspec.json.encode(claims))

    def sign_as(self, token_type: str, payload: bytes) -> str:
        """Return a token of another type, which no door takes for an access token."""
        return _jws.encode(
            payload,
            self.private_key,
            algorithm="EdDSA",
            headers={"typ": token_type, "kid": self.kid},
        )


def new_signing_key(master_key: bytes) -> NewSigningKey:
    """Make an Ed25519 key, named by the thumbprint of RFC 7638, sealed under `master_key`."""
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes_raw()
    kid = thumbprint(public)
    nonce = secrets.token_bytes(NONCE_BYTES)
    sealed = nonce + _cipher(master_key).encrypt(nonce, private.private_bytes_raw(), kid.encode())
    return NewSigningKey(kid=kid, public_key=public, private_key=sealed)


def open_signing_key(kid: str, sealed: bytes, *, master_key: bytes) -> SigningKey:
    """Return the key sealed in the database. Raises `SealBrokenError`."""
    nonce, ciphertext = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
    try:
        raw = _cipher(master_key).decrypt(nonce, ciphertext, kid.encode())
    except InvalidTag as error:
        raise SealBrokenError(
            "COALITION_MASTER_KEY does not open the signing key of access tokens;"
            " start with the master key that this database was set up with"
        ) from error
    return SigningKey(kid, Ed25519PrivateKey.from_private_bytes(raw))


def public_key_of(raw: bytes) -> Ed25519PublicKey:
    """Return the public key of these 32 bytes."""
    return Ed25519PublicKey.from_public_bytes(raw)


def base64url(data: bytes) -> str:
    """Return `data` in base64url without padding, as JOSE writes bytes (RFC 7515 section 2)."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def thumbprint(public_key: bytes) -> str:
    """Return the JWK thumbprint (RFC 7638, members of RFC 8037 appendix A.3)."""
    members = f'{{"crv":"Ed25519","kty":"OKP","x":"{base64url(public_key)}"}}'
    return base64url(hashlib.sha256(members.encode()).digest())


def _cipher(master_key: bytes) -> AESGCM:
    derived = HKDF(SHA256(), 32, salt=None, info=b"coalition/access/signing_key").derive(master_key)
    return AESGCM(derived)
