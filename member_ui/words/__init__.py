"""The words of the members' pages, by language; each language has every key."""

from collections.abc import Mapping

from member_ui.words.en import ENGLISH
from member_ui.words.messages import MESSAGES
from member_ui.words.nb import NORWEGIAN
from member_ui.words.sv import SWEDISH

WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {**ENGLISH, **MESSAGES["en"]},
    "sv": {**SWEDISH, **MESSAGES["sv"]},
    "nb": {**NORWEGIAN, **MESSAGES["nb"]},
}
