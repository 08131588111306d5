"""What a partner in default would receive goes to those who claim from it, and is in the books."""

from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coalition.federation import defaults
from coalition.kernel.database import transaction
from partners.settlement import clearing, cycles
from partners.settlement.cycles import Cycle
from partners.settlement.netting import OpenClaim, positions_after, set_off
from partners.settlement.refusals import ClaimsDiffer
from server.proof import prove
from tests.partners.settlement.test_defaulting import a_cycle, defaulted, legs
from tests.partners.settlement.world import ANNA, BO, DECEMBER, NOVEMBER, World, book, close

FIRST, SECOND = UUID(int=1), UUID(int=2)
A, B, C, D = 1, 2, 3, 4
OPERATOR = 0


def claim(cycle: UUID, creditor: int, amount: int, defaulter: int = A, version: int = 2) -> Any:
    return OpenClaim(cycle, version, creditor, defaulter, amount)


def paid(positions: dict[int, int], *claims: OpenClaim) -> list[tuple[int, int, int]]:
    """Return cycle, creditor and amount of what is set off."""
    found = set_off(positions, claims)
    return [(one.cycle.int, one.creditor_no, one.amount_minor) for one in found]


def test_claims_of_one_default_share_by_what_is_open() -> None:
    claims = claim(FIRST, OPERATOR, 100), claim(FIRST, C, 200)
    assert paid({A: -100, C: 50}, *claims) == [(1, OPERATOR, 33), (1, C, 67)]
    assert positions_after({A: -100, C: 50}, set_off({A: -100, C: 50}, claims)) == {A: 0, C: -17}


def test_the_oldest_default_is_paid_first_and_nothing_beyond_what_is_received() -> None:
    claims = claim(SECOND, C, 30), claim(FIRST, D, 100)
    assert paid({A: -50}, *claims) == [(2, C, 30), (1, D, 20)]
    assert paid({A: -500}, *claims) == [(2, C, 30), (1, D, 100)]


def test_who_pays_or_gets_nothing_pays_no_claims() -> None:
    for position in (0, 1, 500):
        assert paid({A: position}, claim(FIRST, C, 30)) == []
    assert paid({C: -500}, claim(FIRST, C, 30)) == []
    assert paid({}) == []


def test_who_is_paid_a_claim_pays_those_on_itself_with_it() -> None:
    claims = claim(FIRST, D, 40, defaulter=B), claim(FIRST, B, 100, version=3)
    assert paid({A: -60}, *claims) == [(1, D, 40), (1, B, 60)]
    assert positions_after({A: -60}, set_off({A: -60}, claims)) == {A: 0, B: -20, D: -40}


@given(
    st.dictionaries(st.integers(1, 6), st.integers(-(10**9), 10**9)),
    st.lists(st.integers(1, 10**9), max_size=12),
    st.randoms(use_true_random=False),
)
def test_nothing_is_lost_nobody_pays_more_than_it_gets_nor_more_than_is_claimed(
    positions: dict[int, int], amounts: list[int], random: Any
) -> None:
    claims = []
    for no, amount in enumerate(amounts):
        defaulter = random.randint(1, 6)
        creditor = random.choice([one for one in range(7) if one != defaulter])
        claims.append(OpenClaim(UUID(int=no), 2, creditor, defaulter, amount))
    found = set_off(positions, claims)
    after = positions_after(positions, found)
    by_cycle = {one.cycle: one for one in claims}
    assert all(0 < one.amount_minor <= by_cycle[one.cycle].amount_minor for one in found)
    to_operator = sum(one.amount_minor for one in found if one.creditor_no == OPERATOR)
    assert sum(after.values()) == sum(positions.values()) + to_operator
    for no in {one.defaulter_no for one in claims}:
        left = sum(
            one.amount_minor - sum(p.amount_minor for p in found if p.cycle == one.cycle)
            for one in claims
            if one.defaulter_no == no
        )
        gave = any(one.defaulter_no == no for one in found)
        # Whoever owes a claim is paid nothing, and nobody pays claims with what it has not.
        assert left == 0 or after.get(no, 0) >= 0
        assert not gave or after[no] <= 0


async def netted(period: str = "2026-11", at: Any = DECEMBER) -> Cycle:
    """Close a period and clear it by two persons."""
    await close(period, at)
    [approval] = await clearing.prepare(names=[period], prepared_by=ANNA, at=at)
    return await clearing.approve(approval, approved_by=BO, at=at)


async def defaulted_in_october(**terms: Any) -> tuple[World, Cycle]:
    """Let A not pay its 100.00: the reserve bears 30.00, C and D claim 46.67 and 23.33."""
    world, cycle = await a_cycle(**terms)
    after = await defaulted(cycle, reserve_minor=3_000)
    assert [(one.creditor_no, one.amount_minor) for one in after.claims] == [(3, 4_667), (4, 2_333)]
    return world, after


@pytest.mark.usefixtures("database")
class TestCycles:
    """What becomes of claims in later cycles."""

    async def test_a_defaulters_credit_goes_to_its_creditors(self) -> None:
        world, october = await defaulted_in_october()
        before = await book()
        # A takes 4,000 points of B: 34.00 that it would receive.
        await world.issue("B", 4_000, NOVEMBER)
        await world.redeem("A", 4_000, NOVEMBER)
        cycle = await netted()
        assert legs(cycle) == [{0: -600, 1: 0, 2: 4_000, 3: -2_267, 4: -1_133}]
        assert [(one.creditor_no, one.amount_minor) for one in cycle.set_offs] == [
            (3, 2_267),
            (4, 1_133),
        ]
        assert {(one.cycle, one.version) for one in cycle.set_offs} == {(october.id, 2)}
        async with transaction() as connection:
            held = await cycles.read(connection, october.id)
        assert [one.open_minor for one in held.claims] == [2_400, 1_200]
        now = await book()
        moved = {key: now.get(key, Decimal(0)) - before.get(key, Decimal(0)) for key in now}
        assert moved["partner", 1] == 0
        assert (moved["partner", 3], moved["partner", 4]) == (Decimal("-22.67"), Decimal("-11.33"))
        assert (await prove()).breaches == []

    async def test_claims_that_are_paid_leave_the_rest_to_the_partner(self) -> None:
        world, _ = await defaulted_in_october()
        await world.issue("B", 10_000, NOVEMBER)
        await world.redeem("A", 10_000, NOVEMBER)
        cycle = await netted()
        # 85.00 less the 70.00 that are claimed.
        assert legs(cycle)[0][1] == -1_500
        assert sum(one.amount_minor for one in cycle.set_offs) == 7_000
        assert (await prove()).breaches == []

    async def test_what_the_operator_bore_as_a_creditor_goes_back_to_its_reserve(self) -> None:
        world, october = await a_cycle()
        await world.issue("B", 500, NOVEMBER)
        await close("2026-11", DECEMBER)
        [approval] = await clearing.prepare(names=["2026-11"], prepared_by=ANNA, at=DECEMBER)
        november = await clearing.approve(approval, approved_by=BO, at=DECEMBER)
        # The operator receives B's 5.00, and nobody else anything.
        after = await defaulted(november, 2)
        assert [(one.creditor_no, one.amount_minor) for one in after.claims] == [(0, 500)]
        await world.redeem("B", 300, DECEMBER)
        january = DECEMBER.replace(year=2027, month=1)
        cycle = await netted("2026-12", january)
        assert legs(cycle) == [{0: 0, 1: 0, 2: 0, 3: 0, 4: 0}]
        assert (await book()).get(("reserve", 0)) == Decimal("2.45")
        assert october.set_offs == ()
        assert (await prove()).breaches == []

    async def test_who_is_in_default_no_more_has_paid_and_receives_what_it_earns(self) -> None:
        world, _ = await defaulted_in_october()
        approval = await defaults.prepare_end(partner_no=1, prepared_by=ANNA, at=DECEMBER)
        await defaults.approve_end(approval, approved_by=BO, at=DECEMBER)
        await world.issue("B", 4_000, NOVEMBER)
        await world.redeem("A", 4_000, NOVEMBER)
        cycle = await netted("2026-11", DECEMBER.replace(day=6))
        assert (legs(cycle)[0][1], cycle.set_offs) == (-3_400, ())

    async def test_a_cycle_prepared_on_other_claims_is_refused(self) -> None:
        world, october = await a_cycle()
        await world.issue("B", 4_000, NOVEMBER)
        await world.redeem("A", 4_000, NOVEMBER)
        await close("2026-11", DECEMBER)
        [early] = await clearing.prepare(names=["2026-11"], prepared_by=ANNA, at=DECEMBER)
        await defaulted(october, reserve_minor=3_000)
        with pytest.raises(ClaimsDiffer):
            await clearing.approve(early, approved_by=BO, at=DECEMBER)
        [later] = await clearing.prepare(names=["2026-11"], prepared_by=ANNA, at=DECEMBER)
        cycle = await clearing.approve(later, approved_by=BO, at=DECEMBER)
        assert sum(one.amount_minor for one in cycle.set_offs) == 3_400

    async def test_claims_of_another_currency_are_left_alone(self) -> None:
        world, _ = await defaulted_in_october()
        async with transaction() as connection:
            await connection.execute("UPDATE clearing_cycle SET currency = 'SEK'")
        await world.issue("B", 4_000, NOVEMBER)
        await world.redeem("A", 4_000, NOVEMBER)
        cycle = await netted()
        assert (legs(cycle)[0][1], cycle.set_offs) == (-3_400, ())
