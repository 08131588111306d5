"""Look-up of cards, e-mail addresses and phone numbers without storing them readably.

A digest is HMAC-SHA-256 (RFC 2104) of kind and normalised value under a key kept outside the
database, cut to 16 bytes. Without the key nobody can test a guess; equal values of different kinds
do not meet.
"""

import hmac
from collections.abc import Callable
from enum import StrEnum

from coalition.kernel.ids import BUCKETS
from coalition.members import rules

DIGEST_BYTES = 16


class ContactKind(StrEnum):
    """What a member can be found by."""

    CARD = "card"
    EMAIL = "email"
    PHONE = "phone"


_NORMAL: dict[ContactKind, Callable[[str], str]] = {
    ContactKind.CARD: rules.normal_card,
    ContactKind.EMAIL: rules.normal_email,
    ContactKind.PHONE: rules.normal_phone,
}


def card_digest(key: bytes, card: str) -> bytes:
    """Return the 16-byte digest of a loyalty card, in about 2 µs. Raises `InvalidCard`."""
    return hmac.digest(key, b"card\0" + rules.normal_card(card).encode(), "sha256")[:DIGEST_BYTES]


def contact_digest(key: bytes, kind: ContactKind, value: str) -> bytes:
    """Return the 16-byte digest of `value`. Raises the `InvalidField` of its kind."""
    message = b"%b\0%b" % (kind.encode(), _NORMAL[kind](value).encode())
    return hmac.digest(key, message, "sha256")[:DIGEST_BYTES]


def bucket_of_digest(digest: bytes) -> int:
    """Return the bucket (0..1023) in which the index holds `digest`: its last ten bits."""
    return int.from_bytes(digest[-2:], "big") % BUCKETS
