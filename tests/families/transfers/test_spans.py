"""What adds up to the use of a window is what was used on its days."""

from calendar import monthrange
from collections import Counter
from datetime import date, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from coalition.families.transfers.spans import days_and_months, month_of, single_days

DAY = timedelta(days=1)
_days = st.dates(date(2024, 1, 1), date(2026, 12, 31))


def _counted(firsts: list[date], last: date) -> dict[date, Counter[date]]:
    """Return how often each day counts for each window, a month counting as its days."""
    found: dict[date, Counter[date]] = {first: Counter() for first in firsts}
    for span in days_and_months(firsts, last):
        is_of_months = span.first.year < 1900
        for offset in range((span.last - span.first).days + 1):
            row = span.first + offset * DAY
            days = [row]
            if is_of_months:
                if row.day > 1:
                    continue
                begins = row.replace(year=row.year + 1000)
                of = monthrange(begins.year, begins.month)[1]
                days = [begins + n * DAY for n in range(of)]
            for window, sign in span.counts:
                for day in days:
                    found[window][day] += sign
    return found


@settings(max_examples=150)
@given(st.lists(_days, min_size=1, max_size=4, unique=True), st.integers(0, 40))
def test_each_day_counts_once_for_the_window_that_it_lies_in(
    chosen: list[date], beyond: int
) -> None:
    firsts = sorted(chosen)
    last = firsts[-1] + beyond * DAY
    for first, counted in _counted(firsts, last).items():
        later = [day for day in firsts if day > first]
        end = later[0] - DAY if later else last
        asked = {first + n * DAY for n in range((end - first).days + 1)}
        told = {day for day, times in counted.items() if times and day <= last}
        assert told == asked
        assert set(counted.values()) <= {0, 1}


def test_a_window_reads_no_more_than_half_a_month_by_days() -> None:
    last = date(2026, 11, 22)
    for back in range(1, 800):
        rows = 0
        for span in days_and_months([last - back * DAY], last):
            if span.first.year < 1900:
                rows += (span.last.year - span.first.year) * 12 + span.last.month
                rows -= span.first.month - 1
            else:
                rows += (min(span.last, last) - span.first).days + 1
        assert rows <= 15 + back // 28 + 2


def test_the_days_of_windows_can_be_told_apart_too() -> None:
    first, cut, last = date(2026, 1, 1), date(2026, 10, 24), date(2026, 11, 22)
    assert [one[:2] for one in single_days([first, cut], last)] == [
        (first, date(2026, 10, 23)),
        (cut, last),
    ]
    assert month_of(cut) == date(1026, 10, 1)
