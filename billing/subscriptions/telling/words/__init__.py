"""The words of what members are told, by language; each language has every key."""

from collections.abc import Mapping

from billing.subscriptions.telling.words.en import ENGLISH
from billing.subscriptions.telling.words.nb import NORWEGIAN
from billing.subscriptions.telling.words.sv import SWEDISH

WORDS: Mapping[str, Mapping[str, str]] = {"en": ENGLISH, "sv": SWEDISH, "nb": NORWEGIAN}
