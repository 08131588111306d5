"""What a member can be found by, and in which bucket its digest is kept."""

from enum import StrEnum

from coalition.kernel.ids import BUCKETS


class ContactKind(StrEnum):
    """What a member can be found by."""

    CARD = "card"
    EMAIL = "email"
    PHONE = "phone"


def bucket_of_digest(digest: bytes) -> int:
    """Return the bucket (0..1023) in which the index holds `digest`: its last ten bits."""
    return int.from_bytes(digest[-2:], "big") % BUCKETS
