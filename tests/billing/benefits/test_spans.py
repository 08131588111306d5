"""Whatever is applied after whatever, members hold and earn just what is wanted, never twice."""

from datetime import datetime, timedelta
from decimal import Decimal

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.benefits import held_bonuses, held_standings
from billing.benefits.held_bonuses import Earning
from billing.benefits.spans import Span, covers, union, without
from coalition.kernel.ids import MemberId, random_id
from coalition.members.standings import Fact, StandingKind
from coalition.points.bonuses.personal import EarningBonus
from tests.billing.benefits.world import day

HOUR = timedelta(hours=1)
MEMBER = MemberId(random_id())
PLUS = (StandingKind.PLAN, "plus")
DOUBLE = Earning("Plus", "double", Decimal(2), None, None, ((0, 1),))

instants = st.integers(0, 12).map(lambda hours: day(1) + hours * HOUR)
spans = st.lists(st.tuples(instants, instants), max_size=4).map(union)
histories = st.lists(spans, min_size=1, max_size=5)


def instants_of(held: list[Span]) -> set[datetime]:
    return {
        moment for moment in (day(1) + hours * HOUR for hours in range(13)) if covers(held, moment)
    }


@settings(max_examples=60)
@given(held=spans, taken=spans)
def test_what_is_left_is_what_is_covered_and_not_taken(held: list[Span], taken: list[Span]) -> None:
    left = without(held, taken)
    assert instants_of(left) == instants_of(held) - instants_of(taken)
    assert left == union(left)


@settings(max_examples=60)
@given(history=histories, others=spans)
def test_standings_are_those_that_were_applied_last_and_those_of_others(
    history: list[list[Span]], others: list[Span]
) -> None:
    facts = [
        Fact(
            member_id=MEMBER,
            kind=StandingKind.PLAN,
            value="plus",
            valid_from=begins,
            valid_until=ends,
            source="staff:anna",
            made_at=day(1),
        )
        for begins, ends in others
    ]
    for wanted in history:
        facts += held_standings.missing(facts, MEMBER, "plan:1", {PLUS: wanted}, at=day(1))
        assert not held_standings.missing(facts, MEMBER, "plan:1", {PLUS: wanted}, at=day(1))
        for moment in (day(1) + hours * HOUR for hours in range(13)):
            told = [
                one
                for one in facts
                if one.valid_from <= moment
                and (one.valid_until is None or one.valid_until > moment)
            ]
            is_held = bool(told) and told[-1].held
            assert is_held == (covers(wanted, moment) or covers(others, moment))


@settings(max_examples=60)
@given(history=histories)
def test_one_bonus_at_a_time_holds_while_it_is_wanted(history: list[list[Span]]) -> None:
    kept: list[EarningBonus] = []
    for wanted in history:
        asked = {DOUBLE: wanted} if wanted else {}
        new = held_bonuses.further(kept, "plan:1:", asked, MEMBER)
        kept = [
            msgspec.structs.replace(
                one, valid_until=held_bonuses.ending(one, wanted) or one.valid_until
            )
            for one in kept
        ]
        kept += new
        assert len({one.source for one in kept}) == len(kept)
        assert not held_bonuses.further(kept, "plan:1:", asked, MEMBER)
        assert not any(held_bonuses.ending(one, wanted) for one in kept)
        for moment in (day(1) + hours * HOUR for hours in range(13)):
            holding = [
                one
                for one in kept
                if one.valid_until is not None and one.valid_from <= moment < one.valid_until
            ]
            assert len(holding) == covers(wanted, moment)
