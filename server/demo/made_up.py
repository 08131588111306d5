"""A made-up history of the same shape as the real one, for machines without the data set.

Seeded: the same number of households gives the same purchases, whatever the day.
"""

import math
import random
from datetime import UTC, datetime, timedelta
from typing import Final

from server.demo.companies import COMPANIES
from server.demo.history import Basket, History, shift_to_end_before

SOURCE: Final = "a made-up history"
NOTE: Final = "drawn by a seeded generator; no person and no purchase is real"

_SEED: Final = "five corners"
_STORES: Final = (94, 117, 104, 68, 74)
"""How many stores the companies have, as in the real history."""
_BASKETS_A_YEAR: Final = 63
_MEDIAN_MINOR: Final = 1_750
_SPREAD: Final = 1.1
_DAYS: Final = 364
_LAST: Final = datetime(2018, 1, 1, 4, 0, tzinfo=UTC)
_OPENING_HOURS: Final = 14


def make(households: int, now: datetime) -> History:
    """Return a year of so many households, moved to end before `now`."""
    shift = shift_to_end_before(_LAST, now)
    stores = [
        [str(1000 * (company + 1) + number) for number in range(count)]
        for company, count in enumerate(_STORES)
    ]
    baskets: list[Basket] = []
    for household in range(1, households + 1):
        baskets += _baskets_of(household, stores, shift)
    baskets.sort(key=lambda basket: (basket.at, basket.receipt))
    return History(SOURCE, NOTE, stores, baskets)


def _baskets_of(household: int, stores: list[list[str]], shift: timedelta) -> list[Basket]:
    draw = random.Random(f"{_SEED} {household}")  # noqa: S311 - a story, not a secret
    known = draw.sample(range(len(COMPANIES)), k=draw.choice((1, 2, 2, 3, 3, 4)))
    regular = {company: draw.choice(stores[company]) for company in known}
    baskets = []
    for number in range(round(_BASKETS_A_YEAR * draw.lognormvariate(-0.3, 0.8)) + 1):
        company = known[min(int(draw.expovariate(1.2)), len(known) - 1)]
        # The last moment is an evening in the coalition's zone; count back from it.
        before = timedelta(days=draw.randrange(_DAYS), minutes=draw.randrange(_OPENING_HOURS * 60))
        baskets.append(
            Basket(
                household=household,
                company=company,
                store=regular[company],
                receipt=f"{household}-{number}",
                at=_LAST + shift - before,
                amount_minor=round(draw.lognormvariate(math.log(_MEDIAN_MINOR), _SPREAD)),
                has_coupon=draw.random() < 0.01,
            )
        )
    return baskets
