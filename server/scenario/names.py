"""The small types that stories are made of, and the one name that is taken."""

from typing import Annotated, Final

import msgspec
from msgspec import Meta

OWN_POINTS: Final = "POINT"
"""The code of the coalition's own point currency."""

OPERATOR: Final = "operator"
"""How a story calls whoever runs the coalition; no partner may have this name."""

Name = Annotated[
    str,
    Meta(
        pattern=r"^\w[\w.-]*$",
        max_length=40,
        description="a name of the story: letters, digits, _, . and -",
    ),
]
Word = Annotated[
    str,
    Meta(pattern=r"^\S(.*\S)?$", max_length=60, description="words in one line, to 60 characters"),
]
PointCurrency = Annotated[
    str,
    Meta(pattern=r"^[A-Z]{3,12}$", max_length=12, description="a code of 3 to 12 capitals"),
]
"""A point currency; the coalition's own is POINT."""
StoreCode = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9._-]+$",
        max_length=32,
        description="the code of a store: letters, digits, ., _ and -",
    ),
]


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A part of a story; a key that it does not know is refused."""
