"""What stands below every e-mail."""

from collections.abc import Mapping
from typing import Final, NamedTuple


class Footer(NamedTuple):
    """Where the message lies too, and, below marketing, where to say no."""

    inbox: str
    no_more: str


FOOTERS: Final[Mapping[str, Footer]] = {
    "en": Footer(
        "All messages lie in your inbox: {address}",
        "You get this because you agreed to it. No more of it: {address}",
    ),
    "sv": Footer(
        "Alla meddelanden finns i din inkorg: {address}",
        "Du får detta för att du har sagt ja till det. Inget mer: {address}",
    ),
    "nb": Footer(
        "Alle meldinger ligger i innboksen din: {address}",
        "Du får dette fordi du har sagt ja til det. Ikke mer: {address}",
    ),
}
