"""The value meter by hand: by the year, on trial, in grace, of what was given, and of a household.

Plus doubles points, of which each is worth an öre here; so a purchase of 100.00 saves one krona.
"""

from datetime import datetime, timedelta

import msgspec
import pytest

from billing.benefits import uses, value
from billing.benefits.entitlements import Ground, Pool
from billing.benefits.uses import Wanted
from billing.benefits.value import Stretch
from billing.figures import meter, periods
from billing.figures.meter import MeterView
from billing.subscriptions import entries
from coalition.federation import catalogue
from coalition.kernel.database import transaction
from coalition.kernel.ids import MemberId, random_id
from coalition.kernel.money import Money
from tests.billing.benefits.world import DOUBLE, SHIPPING, Club, make_club, plan
from tests.billing.figures.world import buy, pay, subscribe

pytestmark = pytest.mark.usefixtures("database")

DAY = timedelta(days=1)
YEAR = 365 * DAY
PLUS = plan("plus", DOUBLE, {**SHIPPING, "uses_per_period": 4})
SMALL = plan(
    "small",
    DOUBLE | {"factor": "1.5"},
    rank=0,
    prices=[
        {"interval": "month", "currency": "SEK", "amount_minor": 100},
        {"interval": "year", "currency": "SEK", "amount_minor": 1_000},
    ],
)


def sek(amount_minor: int) -> Money:
    return Money(amount_minor, "SEK")


async def shown(club: Club, member: MemberId, at: datetime) -> MeterView:
    async with transaction() as connection:
        known = await catalogue.load(connection)
        found = await meter.read(connection, member, plans=club.plans, known=known, at=at)
    assert found is not None
    return found


async def ship(club: Club, member: MemberId, at: datetime, minor: int = 4_000) -> None:
    """Let the grocer send something for nothing."""
    wanted = Wanted(
        member=member,
        partner_no=club.world.grocer,
        store_no=None,
        benefit="shipping",
        receipt=f"R-{random_id()}",
        saved=sek(minor),
        price=None,
        used_at=at,
    )
    async with transaction() as connection:
        known = await catalogue.load(connection)
        await uses.use(connection, wanted, plans=club.plans, known=known, at=at)


async def test_a_year_is_judged_by_the_part_of_it_that_has_passed(at: datetime) -> None:
    club = await make_club(at, PLUS, SMALL)
    begins = at - 73 * DAY
    membership = await subscribe(
        club, club.member, ((begins, begins + YEAR), Ground.PAID), interval="year"
    )
    await pay(club.member, membership, 99_000, (begins, begins + YEAR))
    await buy(club, club.member, 1_000_000, at)
    early = await shown(club, club.member, at)
    # A hundred kronor of 990.00; 73 of 365 days are too few to tell.
    assert (early.paid, early.saved, early.advice) == (sek(99_000), sek(10_000), None)
    later = await shown(club, club.member, begins + 146 * DAY)
    # 396.00 have passed: 296.00 too little. The smaller plan doubles by half as much: it would have
    # saved 50.00 for 4.00, which is 342.00 better.
    assert later.advice is not None
    assert (later.advice.kind, later.advice.plan) == ("smaller_plan", "small")
    assert later.advice.better_by == sek(34_200)


async def test_where_nothing_was_paid_nothing_is_advised(at: datetime) -> None:
    club = await make_club(at, PLUS)
    month = at - 20 * DAY, at + 10 * DAY
    for ground in (Ground.TRIAL, Ground.GIFT, Ground.COMPED):
        member = MemberId(await club.world.member())
        await subscribe(club, member, (month, ground))
        found = await shown(club, member, at)
        assert (found.paid, found.saved, found.advice) == (sek(0), sek(0), None)


async def test_in_grace_it_is_the_period_that_was_paid_last(at: datetime) -> None:
    club = await make_club(at, PLUS)
    paid = at - 32 * DAY, at - 2 * DAY
    membership = await subscribe(club, club.member, (paid, Ground.PAID))
    await pay(club.member, membership, 9_900, paid)
    await ship(club, club.member, at - 2 * DAY - timedelta(minutes=1), 5_000)
    found = await shown(club, club.member, at)
    # The whole month has passed, and no more than that: 99.00 for 50.00.
    assert found.advice is not None
    assert (found.paid, found.saved, found.advice.better_by) == (sek(9_900), sek(5_000), sek(4_900))


async def test_a_household_saves_together_and_each_sharer_sees_its_own(at: datetime) -> None:
    club = await make_club(at, PLUS)
    anna, bo = club.member, MemberId(await club.world.member())
    month = at - 20 * DAY, at + 10 * DAY
    membership = await subscribe(club, anna, (month, Ground.PAID))
    await pay(anna, membership, 9_900, month)
    bos = await subscribe(club, bo, ((at - DAY, month[1]), Ground.SHARED))
    shared = msgspec.structs.replace(
        club.entitled(at - DAY, month[1], ground=Ground.SHARED), pool=Pool(anna, membership)
    )
    await club.apply(shared, at=at, member=bo, membership=bos)
    await ship(club, anna, at, 1_000)
    await ship(club, bo, at, 4_000)
    await buy(club, bo, 300_000, at)
    found = await shown(club, anna, at)
    # 10.00 by who pays, 40.00 and 30.00 by who shares it: more than the 66.00 that have passed.
    assert (found.saved, found.shared, found.advice) == (sek(8_000), sek(7_000), None)
    assert [(one.benefit, one.value.amount_minor) for one in found.items] == [
        ("double", 3_000),
        ("shipping", 5_000),
    ]
    bos_own = await shown(club, bo, at)
    assert (bos_own.paid, bos_own.saved, bos_own.shared) == (sek(0), sek(7_000), sek(0))
    async with transaction() as connection:
        known = await catalogue.load(connection)
        # A withdrawal keeps what all of them used; what each period came to has it as well.
        used = await value.used_in(
            connection, anna, membership, Stretch(*month), known=known, currency="SEK"
        )
        booked = await entries.of_member(connection, anna)
        [past] = await periods.read(connection, anna, booked, known=known, most=5)
    assert (used, past.saved) == (sek(8_000), sek(8_000))
