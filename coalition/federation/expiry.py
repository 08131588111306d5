"""When points stop being spendable: pure calendar rules, in the coalition's own zone."""

import calendar
from datetime import UTC, date, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from coalition.federation.terms import ExpiryRule
from coalition.ledger.clocks import months_later


def earned_month(earned_at: datetime, zone: ZoneInfo) -> int:
    """Return the month of an instant in `zone` as the number yyyymm."""
    local = earned_at if earned_at.tzinfo is UTC else earned_at.astimezone(UTC)
    # No zone is a whole day away from UTC, so amid a month it is the same month everywhere; asking
    # the zone costs more than all the rest.
    if not 2 <= local.day <= 27:
        local = earned_at.astimezone(zone)
    return local.year * 100 + local.month


def last_spendable_day(
    earned_at: datetime,
    *,
    expiry_months: int | None,
    zone: ZoneInfo,
    rule: ExpiryRule = ExpiryRule.END_OF_MONTH,
) -> date | None:
    """Return the last day in `zone` on which points earned then can be spent; None is never.

    n = `expiry_months`, at least 0. `end_of_month`: the last day of the n-th month after the month
    in which they were earned, so that all points of one month under one contract end together.
    `months`: the same day n months later, or the last of a month that is shorter. `end_of_year`:
    the last day of the year in which that day lies.
    """
    if expiry_months is None or rule is ExpiryRule.NEVER:
        return None
    if rule is ExpiryRule.MONTHS:
        return months_later(earned_at.astimezone(zone).date(), expiry_months)
    end = month_end(earned_month(earned_at, zone), expiry_months)
    return end if rule is ExpiryRule.END_OF_MONTH else date(end.year, 12, 31)


@lru_cache(maxsize=4096)
def month_end(month: int, months_later: int) -> date:
    """Return the last day of the month that is `months_later` after `month` (yyyymm)."""
    assert months_later >= 0, "points do not expire before they are earned"
    years, month_before = divmod((month // 100) * 12 + month % 100 - 1 + months_later, 12)
    return date(years, month_before + 1, calendar.monthrange(years, month_before + 1)[1])
