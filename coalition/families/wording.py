"""Failures as sentences for members."""

from enum import StrEnum

from coalition.families.acts import Failure


class Language(StrEnum):
    """A language of the coalition's members."""

    SV = "sv"
    NB = "nb"
    EN = "en"


def sentence(failure: Failure, language: Language) -> str:
    """Return why, and what would be right."""
    del language
    return f"{failure.rule}: limit {failure.limit}, used {failure.used}."
