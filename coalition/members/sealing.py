"""Personal data sealed under a key per member, and that key wrapped under the master key.

AES-256-GCM (NIST SP 800-38D) with random 96-bit nonces throughout. Each seal is bound to its
member, bucket and purpose as associated data: a row that was changed or moved to another member
does not open. Deleting the wrapped key makes every copy of a member's data unreadable, also those
in backups of the data.
"""

import secrets
from dataclasses import dataclass
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from coalition.kernel.ids import MemberId, bucket_of
from coalition.kernel.settings import Settings

KEY_BYTES = 32
NONCE_BYTES = 12


class SealBrokenError(Exception):
    """Stored personal data or its key was changed, moved, or sealed under another master key."""


@dataclass(frozen=True, slots=True, repr=False)
class MemberKeys:
    """The secrets of this feature, both kept outside the database; never shown."""

    blind_index_key: bytes
    master_key: bytes

    @classmethod
    def of(cls, settings: Settings) -> "MemberKeys":
        """Take the two keys from the settings of the process."""
        return cls(blind_index_key=settings.blind_index_key, master_key=settings.master_key)


class Sealed(NamedTuple):
    """A version of someone's personal data, readable only with the member's key."""

    version: int
    nonce: bytes
    ciphertext: bytes


def new_key() -> bytes:
    """Return a random 256-bit key for one member."""
    return secrets.token_bytes(KEY_BYTES)


def wrap(key: bytes, *, member_id: MemberId, master_key: bytes) -> bytes:
    """Return `key` sealed for this member: nonce, ciphertext and tag, 60 bytes."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + AESGCM(master_key).encrypt(nonce, key, _bound(b"member key", member_id))


def unwrap(wrapped_key: bytes, *, member_id: MemberId, master_key: bytes) -> bytes:
    """Return the member's key. Raises `SealBrokenError`."""
    nonce, ciphertext = wrapped_key[:NONCE_BYTES], wrapped_key[NONCE_BYTES:]
    try:
        return AESGCM(master_key).decrypt(nonce, ciphertext, _bound(b"member key", member_id))
    except InvalidTag as error:
        raise SealBrokenError("the key of a member does not open") from error


def seal(plaintext: bytes, *, member_id: MemberId, key: bytes, version: int) -> Sealed:
    """Return `plaintext` sealed as `version` (1, 2, ...) of this member's personal data."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    bound = _bound(b"personal data %d" % version, member_id)
    return Sealed(version, nonce, AESGCM(key).encrypt(nonce, plaintext, bound))


def unseal(sealed: Sealed, *, member_id: MemberId, key: bytes) -> bytes:
    """Return what was sealed. Raises `SealBrokenError`."""
    bound = _bound(b"personal data %d" % sealed.version, member_id)
    try:
        return AESGCM(key).decrypt(sealed.nonce, sealed.ciphertext, bound)
    except InvalidTag as error:
        raise SealBrokenError("the personal data of a member do not open") from error


def seal_note(plaintext: bytes, *, member_id: MemberId, key: bytes, purpose: bytes) -> bytes:
    """Return something else that this member keeps, sealed for one `purpose`."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plaintext, _bound(b"note " + purpose, member_id))


def unseal_note(sealed: bytes, *, member_id: MemberId, key: bytes, purpose: bytes) -> bytes:
    """Return what `seal_note` sealed. Raises `SealBrokenError`."""
    nonce, ciphertext = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
    try:
        return AESGCM(key).decrypt(nonce, ciphertext, _bound(b"note " + purpose, member_id))
    except InvalidTag as error:
        raise SealBrokenError("a note of a member does not open") from error


def _bound(purpose: bytes, member_id: MemberId) -> bytes:
    return b"%b\0%d\0%b" % (purpose, bucket_of(member_id), member_id.bytes)
