"""Sealing by a period's name and month after month: each partner's own, and only what is named."""

from datetime import timedelta

import pytest

from coalition.federation.terms import Calendar
from partners.settlement import sealing
from partners.settlement.calendars import Period
from partners.settlement.kinds import OPERATOR
from partners.settlement.refusals import EarlierPeriodOpen, PeriodNotOver, UnknownPeriod
from tests.partners.settlement.test_sealing import END, states
from tests.partners.settlement.world import DECEMBER, NOVEMBER, OCTOBER, make_world

pytestmark = pytest.mark.usefixtures("database")


def named(periods: list[Period]) -> list[tuple[int, str]]:
    return [(period.partner_no, period.name) for period in periods]


async def test_month_after_month_is_sealed_when_it_is_due() -> None:
    world = await make_world({"A": {}, "B": {}})
    october = [(OPERATOR, "2026-10"), (1, "2026-10"), (2, "2026-10")]
    assert named(await sealing.seal_due(NOVEMBER)) == october
    await world.issue("A", 100, NOVEMBER)
    november = [(no, "2026-11") for no, _ in october]
    assert named(await sealing.seal_due(DECEMBER)) == november
    assert await states("2026-11") == dict.fromkeys((OPERATOR, 1, 2), "provisional")


async def test_a_seal_of_one_partner_does_not_look_at_the_statements_of_another() -> None:
    await make_world({"A": {}, "B": {}})
    await sealing.seal(2, 1, NOVEMBER)
    await sealing.seal(1, 1, NOVEMBER)
    assert await states("2026-10") == {1: "provisional", 2: "provisional"}


async def test_a_sealed_period_stays_as_it_is_whatever_the_clock_says() -> None:
    await make_world({"A": {}})
    await sealing.seal(1, 1, NOVEMBER)
    period = await sealing.seal(1, 1, OCTOBER)
    assert (period.partner_no, period.name) == (1, "2026-10")
    assert named(await sealing.seal_named("2026-10", OCTOBER, partner_no=1)) == [(1, "2026-10")]


async def test_the_period_of_a_name_is_sealed_of_all_who_have_it() -> None:
    await make_world({"A": {}, "B": {}, "W": {"calendar": Calendar.WEEKLY}})
    sealed = await sealing.seal_named("2026-10", NOVEMBER)
    assert named(sealed) == [(OPERATOR, "2026-10"), (1, "2026-10"), (2, "2026-10")]
    assert await states("2026-10") == dict.fromkeys((OPERATOR, 1, 2), "provisional")
    assert await states("2026-W40") == {}
    assert named(await sealing.seal_named("2026-10", NOVEMBER)) == named(sealed)


async def test_the_period_of_a_name_is_sealed_of_one_partner_and_then_of_the_rest() -> None:
    await make_world({"A": {}, "B": {}})
    assert named(await sealing.seal_named("2026-10", NOVEMBER, partner_no=2)) == [(2, "2026-10")]
    assert await states("2026-10") == {2: "provisional"}
    await sealing.seal_named("2026-10", NOVEMBER)
    assert await states("2026-10") == dict.fromkeys((OPERATOR, 1, 2), "provisional")


async def test_where_one_cannot_be_sealed_by_its_name_none_is() -> None:
    await make_world({"A": {}, "B": {"cut_off_grace_hours": 744}})
    with pytest.raises(PeriodNotOver):
        await sealing.seal_named("2026-10", NOVEMBER)
    assert await states("2026-10") == {}
    with pytest.raises(EarlierPeriodOpen):
        await sealing.seal_named("2026-11", DECEMBER, partner_no=1)
    with pytest.raises(UnknownPeriod):
        await sealing.seal_named("2026-W40", NOVEMBER)


async def test_what_another_partner_has_sealed_does_not_stand_for_ones_own_month() -> None:
    await make_world({"A": {}, "B": {}})
    await sealing.seal(2, 1, DECEMBER)
    await sealing.seal(2, 2, DECEMBER)
    with pytest.raises(EarlierPeriodOpen):
        await sealing.seal(1, 2, DECEMBER)
    assert await states("2026-11") == {2: "provisional"}


async def test_a_period_is_due_from_the_instant_of_its_cut_off() -> None:
    await make_world({"A": {"cut_off_grace_hours": 36}})
    cut_off_at = END + timedelta(hours=36)
    assert named(await sealing.seal_due(cut_off_at - timedelta(seconds=1), [1])) == []
    assert named(await sealing.seal_due(cut_off_at, [1])) == [(1, "2026-10")]
