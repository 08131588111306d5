"""Limits against a slow evaluator: what counts, and that the instant told is the very first."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from coalition.families.evaluator import rules
from coalition.families.evaluator.acts import DayUse, Failure, Usage, UsageKey
from coalition.families.rule_sets.notation import RuleSet
from coalition.families.rule_sets.vocabulary import Event
from tests.families.rules.slow import first_day_with_room, is_counted, opening
from tests.families.rules.test_windows import TEXTS, ZONES
from tests.families.rules.world import act, between, party, rule_set

SENDER, RECEIVER = UUID(int=1), UUID(int=2)
BACK = st.lists(st.tuples(st.integers(0, 900), st.integers(1, 60), st.integers(2, 4)), max_size=8)
_2026, _2010 = datetime(2026, 1, 1, tzinfo=UTC), datetime(2010, 1, 1, tzinfo=UTC)
INSTANTS = st.integers(0, 4 * 365 * 24 * 60).map(lambda minutes: _2026 + timedelta(minutes=minutes))
JOINED = st.integers(0, 16 * 365 * 24 * 60).map(lambda minutes: _2010 + timedelta(minutes=minutes))


def one_failure(
    document: RuleSet, points: int, at: datetime, uses: Sequence[DayUse], joined: datetime
) -> Failure | None:
    usage = Usage(days={UsageKey(SENDER, "sender", Event.TRANSFER): tuple(uses)})
    parties = between(party(1, joined=joined), party(2))
    found = rules.evaluate(document, act(points=points, at=at), parties, usage, ZoneInfo("UTC"))
    return next(iter(found.failures), None)


@settings(max_examples=300, deadline=None)
@given(
    text=st.one_of(TEXTS, st.just("lifetime")),
    measure=st.sampled_from(["amount", "count", "counterparties"]),
    subject=st.sampled_from(["sender", "pair"]),
    most=st.integers(0, 100),
    points=st.integers(1, 120),
    back=BACK,
    at=INSTANTS,
    joined=JOINED,
    name=st.sampled_from(ZONES),
)
def test_what_is_told_of_a_limit_is_what_a_slow_scan_of_days_finds(
    *,
    text: str, measure: str, subject: str, most: int, points: int,
    back: list[tuple[int, int, int]], at: datetime, joined: datetime, name: str,
) -> None:  # fmt: skip
    zone = ZoneInfo(name)
    today, since = at.astimezone(zone).date(), joined.astimezone(zone).date()
    most = most if measure == "amount" else most % 5
    days = [DayUse(today - timedelta(days=ago), UUID(int=who), size, 1) for ago, size, who in back]
    lives = [use._replace(day=date(1, 1, 1)) for use in days]
    limit = {"subject": subject, "measure": measure, "window": text, "max": most}
    document = rule_set(timezone=name, limits=[limit])
    failure = one_failure(document, points, at, [*days, *lives], joined)

    counting = [use for use in days if subject == "sender" or use.other == RECEIVER]
    uses, adds = _uses(measure, counting, points)
    counted = [(day, size) for day, size in uses if is_counted(text, day, today, since)]
    used = sum(size for _, size in counted)
    is_known = measure == "counterparties" and any(
        use.other == RECEIVER and is_counted(text, use.day, today, since) for use in counting
    )
    if is_known or used + adds <= most:
        assert failure is None
        return
    assert failure is not None
    assert (failure.limit, failure.used, failure.remaining) == (most, used, most - used)
    then = first_day_with_room(text, uses, adds=adds, most=most, today=today, joined=since)
    if text == "lifetime" or then is None:
        assert failure.next_possible_at is None
        return
    assert failure.next_possible_at is not None
    assert failure.next_possible_at.astimezone(UTC) == opening(then, zone)
    second_before = opening(then, zone) - timedelta(seconds=1)
    assert one_failure(document, points, second_before, [*days, *lives], joined) is not None
    assert one_failure(document, points, opening(then, zone), [*days, *lives], joined) is None


def _uses(
    measure: str, counting: Sequence[DayUse], points: int
) -> tuple[list[tuple[date, int]], int]:
    """Return the days with how much each counts, and how much the act adds."""
    if measure == "amount":
        return [(use.day, use.amount) for use in counting], points
    if measure == "count":
        return [(use.day, 1) for use in counting], 1
    last = {
        use.other: max(one.day for one in counting if one.other == use.other) for use in counting
    }
    return [(day, 1) for day in last.values()], 1
