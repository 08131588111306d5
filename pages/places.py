"""Where visitors are: their likely country, and words, days and instants by its clock."""

import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from babel import Locale
from babel.core import get_global
from babel.dates import format_datetime

from pages.languages import Wording

_TAG = re.compile(r"(?P<language>[A-Za-z]{2,3})(?:-[A-Za-z]{4})?(?:-(?P<region>[A-Za-z]{2}))?")
_SAYS_NOTHING = "en"
"""Browsers everywhere speak English, whichever it is."""


def country_asked_from(accepted: str) -> str | None:
    """Return the country in which a browser with this Accept-Language is likely to be used."""
    parts = (part.partition(";")[0].strip() for part in accepted[:200].split(","))
    for part in parts:
        tag = _TAG.fullmatch(part)
        if tag is None or tag["language"].lower() == _SAYS_NOTHING:
            continue
        likely = str(get_global("likely_subtags").get(tag["language"].lower(), ""))
        region = tag["region"] or likely.rpartition("_")[2]
        if len(region) == 2 and region.isalpha():
            return region.upper()
    return None


class LocalWording(Wording):
    """Words of one language by the clock of one place, which it can name."""

    def by_clock(self, zone: ZoneInfo) -> "LocalWording":
        """Return the same by the clock of another place."""
        return LocalWording(self.language, self._words, zone)

    def country(self, code: str) -> str:
        """Return the name of a country in the language, such as Finland; else its code."""
        return str(Locale.parse(self._locale).territories.get(code, code))

    def last_day(self, until: datetime) -> str:
        """Return the last day that is whole before `until`, which is its end."""
        return self.day(until - timedelta(seconds=1))

    def exact(self, at: datetime) -> str:
        """Return day and time to the second with the zone, so that it proves something."""
        local = at.astimezone(self._zone)
        text = format_datetime(local, format="d MMMM y HH:mm:ss", locale=self._locale)
        offset = local.strftime("%z")
        return f"{text} (UTC{offset[:3]}:{offset[3:]}, {self._zone.key})"
