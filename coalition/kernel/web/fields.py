"""The types that request bodies are made of: bounded, printable, exact.

A Struct with these fields, decoded by `decoding.BodyDecoder`, holds nothing that the database would
refuse to store.
"""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from coalition.kernel.money import AMOUNT_MINOR_MAX, POINTS_MAX

# No control characters (so no NUL, no line break), no separators that break lines in logs, nothing
# that is not seen or turns the order of what is seen (Trojan source: two receipts that look alike).
# The last group stands for the end: a plain `$` would let a final line break pass.
_PRINTABLE = r"^[^\x00-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]+(?![\s\S])"


class Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A request body: an unknown field is refused, so that a misspelt one is never ignored."""


PointsAmount = Annotated[
    int, Meta(ge=1, le=POINTS_MAX, description="Whole points, 1 to 2147483647", examples=[120])
]
AmountMinor = Annotated[
    int,
    Meta(
        ge=1,
        le=AMOUNT_MINOR_MAX,
        description="Money in whole minor units (öre, cents)",
        examples=[12345],
    ),
]
CurrencyCode = Annotated[
    str,
    Meta(
        pattern=r"^[A-Z]{3}(?![\s\S])",
        min_length=3,
        max_length=3,
        description="ISO 4217 code",
        examples=["SEK"],
    ),
]
ReceiptText = Annotated[
    str,
    Meta(
        pattern=_PRINTABLE,
        min_length=1,
        max_length=64,
        description="The receipt's number at the till, 1 to 64 printable characters",
        examples=["2026-11-21-000123"],
    ),
]
CodeText = Annotated[str, Meta(pattern=_PRINTABLE, min_length=1, max_length=64)]
ShortText = Annotated[str, Meta(pattern=_PRINTABLE, min_length=1, max_length=200)]
LongText = Annotated[
    str,
    Meta(
        pattern=r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]+(?![\s\S])",
        min_length=1,
        max_length=2000,
        description="Text of up to 2000 characters; tabs and line breaks are allowed",
    ),
]
Instant = Annotated[
    datetime,
    Meta(
        tz=True,
        description="RFC 3339 time with its zone",
        examples=["2026-11-21T12:00:00+01:00"],
    ),
]
"""Aware, in the sender's zone. Bound it before converting it: year 1 in +14:00 has no UTC time."""
