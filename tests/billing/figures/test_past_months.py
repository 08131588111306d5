"""Figures of a month are those of its time: by the price that held then, whatever came later."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import msgspec
import pytest

from billing.benefits import applying, keeping
from billing.benefits.entitlements import Ground, Pool
from billing.figures import kpis
from billing.figures.kpis import Figures, PlanStanding, Recurring
from billing.figures.price_changes import CampaignEffect, Group
from billing.plans.catalogue import PlanPrice
from billing.subscriptions import entries, gift_rows, grounds, register
from billing.subscriptions.bookings import Booking
from billing.subscriptions.campaigns import rows
from billing.subscriptions.campaigns.documents import CampaignDocument, Move
from billing.subscriptions.campaigns.rows import Change
from billing.subscriptions.grounds import Gift
from coalition.federation import catalogue
from coalition.kernel.database import transaction
from coalition.kernel.ids import MemberId, random_id
from coalition.kernel.money import Money
from tests.billing.benefits.world import Club, make_club, plan
from tests.billing.benefits.world import register as register_plans
from tests.billing.figures.world import Span, entitlement, pay, subscribe

pytestmark = pytest.mark.usefixtures("database")

DAY = timedelta(days=1)


def first(month: int, year: int = 2026) -> datetime:
    """Return when a month begins in Stockholm, in winter."""
    return datetime(year, month, 1, tzinfo=UTC) - timedelta(hours=1)


NOVEMBER, DECEMBER, JANUARY, FEBRUARY = first(11), first(12), first(1, 2027), first(2, 2027)
MONTHS = ("2026-11", "2026-12", "2027-01")


def sek(amount_minor: int) -> Money:
    return Money(amount_minor, "SEK")


async def more(club: Club) -> MemberId:
    return MemberId(await club.world.member())


async def figures(club: Club, month: str, at: datetime, within_days: int = 30) -> Figures:
    async with transaction() as connection:
        known = await catalogue.load(connection)
        return await kpis.read(
            connection, month, plans=club.plans, known=known, at=at, within_days=within_days
        )


def moved(found: Figures) -> list[tuple[int, int, int, int, int]]:
    return [(one.price_no, one.begun, one.changed, one.lost, one.joined) for one in found.prices]


async def paid_by(club: Club, member: MemberId, *periods: tuple[Span, PlanPrice]) -> UUID:
    """Let a member have paid for periods, each by a price; its membership has the last one."""
    begins, last = periods[0][0][0], periods[-1][1]
    code = club.plans.plan(last.plan_no).code
    membership = await subscribe(club, member, (periods[0][0], Ground.PAID), plan=code)
    async with transaction() as connection:
        held = await register.by_id(connection, membership, lock=True)
        assert held is not None
        now = msgspec.structs.replace(held, plan_no=last.plan_no, price_no=last.no)
        await register.change(connection, now)
        await applying.apply(
            connection,
            member=member,
            membership_id=membership,
            entitlements=[entitlement(price, span, Ground.PAID) for span, price in periods],
            plans=club.plans,
            at=begins,
        )
    return membership


async def test_a_month_keeps_its_prices_whoever_changes_is_cheaper_or_forgotten_later(
    at: datetime,
) -> None:
    club = await make_club(at, plan("plus"), plan("basic", rank=0))
    monthly, yearly = club.plans.by_code("plus").prices
    anna, bo, cy = club.member, await more(club), await more(club)
    changes = NOVEMBER + 40 * DAY
    await paid_by(
        club, anna, ((NOVEMBER, changes), monthly), ((changes, changes + 365 * DAY), yearly)
    )
    halved = msgspec.structs.replace(
        entitlement(monthly, (NOVEMBER, FEBRUARY), Ground.PAID), recurring_minor=4_950
    )
    bos = await paid_by(club, bo, ((NOVEMBER, FEBRUARY), monthly))
    async with transaction() as connection:
        await applying.apply(
            connection, member=bo, membership_id=bos, entitlements=[halved], plans=club.plans, at=at
        )
    pool = Pool(bo, bos)
    shared = msgspec.structs.replace(
        entitlement(monthly, (at, FEBRUARY), Ground.SHARED), price_no=None, pool=pool
    )
    await club.apply(shared, at=at, member=cy, membership=random_id())

    then = await figures(club, "2026-11", FEBRUARY)
    # 99.00 and, with a coupon, half of it; in December a year of 990.00 is 82.50 a month.
    assert then.recurring == (Recurring(memberships=2, monthly=sek(14_850)),)
    assert then.plans == (PlanStanding(plan="plus", active=2, trialing=0, in_grace=0, shared=1),)
    later = await figures(club, "2026-12", FEBRUARY)
    assert later.recurring == (Recurring(memberships=2, monthly=sek(13_200)),)
    assert moved(then) == [(monthly.no, 2, 0, 0, 0)]
    assert moved(later) == [(monthly.no, 2, 1, 0, 0)]
    async with transaction() as connection:
        await keeping.KEEPER.erase(connection, anna, FEBRUARY)
    assert await figures(club, "2026-11", FEBRUARY) == then
    assert await figures(club, "2026-12", FEBRUARY) == later


async def test_what_goes_back_takes_from_what_is_left_and_no_month_that_is_past(
    at: datetime,
) -> None:
    club = await make_club(at, plan("plus"))
    year = NOVEMBER, NOVEMBER + 365 * DAY
    membership = await subscribe(club, club.member, (year, Ground.PAID), interval="year")
    await pay(club.member, membership, 36_500, year)
    # A hundred a day: thirty days of November, and 31 of December.
    before = await figures(club, "2026-11", JANUARY)
    assert before.margins[0].earned == sek(3_000)
    told = Booking(
        source="re_1",
        kind="refund",
        amount_minor=-(36_500 - 4_300),
        tax_minor=0,
        currency="SEK",
        period=year,
        payment="pi_1",
        occurred_at=NOVEMBER + 43 * DAY,
    )
    async with transaction() as connection:
        await entries.agree(
            connection, member=club.member, membership_id=membership, told=[told], at=at
        )
    # Withdrawn from on the 43rd day, whose 43 days were kept: thirteen of them in December.
    assert (await figures(club, "2026-11", FEBRUARY)).margins == before.margins
    assert (await figures(club, "2026-12", FEBRUARY)).margins[0].earned == sek(1_300)
    assert (await figures(club, "2027-01", FEBRUARY)).margins[0].earned == sek(0)


async def test_what_a_bank_gives_back_is_earned_from_when_it_does(at: datetime) -> None:
    club = await make_club(at, plan("plus"))
    year = NOVEMBER, NOVEMBER + 365 * DAY
    membership = await subscribe(club, club.member, (year, Ground.PAID), interval="year")
    await pay(club.member, membership, 36_500, year)
    held = Booking("du_1", "dispute", -36_500, 0, "SEK", year, "pi_1", DECEMBER)
    won = held._replace(amount_minor=0)
    earned = []
    for told, known_at in ((held, DECEMBER), (won, JANUARY)):
        async with transaction() as connection:
            await entries.agree(
                connection, member=club.member, membership_id=membership, told=[told], at=known_at
            )
        margins = [(await figures(club, one, FEBRUARY)).margins for one in MONTHS]
        earned.append([one.earned.amount_minor for (one,) in margins])
    # A hundred a day; from December on 365.00 over 335 days less, which from January on are back,
    # over the 304 days that are left then.
    assert earned == [[3_000, -278, -278], [3_000, -278, -278 + round(36_500 * 31 / 304)]]


async def test_the_money_of_a_gift_is_earned_over_the_months_that_it_gives(at: datetime) -> None:
    club = await make_club(at, plan("plus"))
    bought_by = await more(club)
    plus = club.plans.by_code("plus")
    digests = b"a" * 16, b"b" * 16
    for digest in digests:
        gift = random_id()
        until = FEBRUARY + 10 * DAY
        async with transaction() as connection:
            await gift_rows.add(
                connection,
                digest,
                gift_id=gift,
                bought_by=bought_by,
                plan_no=plus.no,
                months=2,
                price=sek(19_800),
                at=NOVEMBER,
            )
            payment = f"pi_{digest!r}"
            await gift_rows.paid(connection, digest, payment, at=NOVEMBER, valid_until=until)
            told = Booking(payment, "payment", 19_800, 0, "SEK", None, payment, NOVEMBER)
            await entries.agree(connection, member=bought_by, gift_id=gift, told=[told], at=at)
        if digest == digests[0]:
            await _redeemed(club, digest, gift, (DECEMBER, DECEMBER + 66 * DAY))
    # Two gifts of 198.00: one of 66 days from December on, at three kronor a day, and one that
    # nobody has redeemed when it runs out in February.
    months = ("2026-11", "2026-12", "2027-01", "2027-02")
    earned = [
        [one.earned.amount_minor for one in (await figures(club, month, first(3, 2027))).margins]
        for month in months
    ]
    assert earned == [[], [9_300], [9_300], [1_200 + 19_800]]


async def _redeemed(club: Club, digest: bytes, gift: UUID, span: Span) -> None:
    plus = club.plans.by_code("plus")
    membership = await subscribe(club, club.member, (span, Ground.GIFT))
    given = Gift(
        ground=Ground.GIFT,
        plan_no=plus.no,
        begins=span[0],
        ends=span[1],
        source=f"gift:{gift}",
        made_by="member:anna",
    )
    async with transaction() as connection:
        await gift_rows.redeemed(connection, digest, club.member, span[0])
        await grounds.add(
            connection, given, member=club.member, membership_id=membership, at=span[0]
        )


async def _agreed(month: PlanPrice, dearer: PlanPrice) -> int:
    """Let two persons agree on the campaign; return its number."""
    document = CampaignDocument(code="rise", plan="plus", from_version=1, applies_from=DECEMBER)
    move = Move(
        from_price=month.no,
        to_price=dearer.no,
        interval="month",
        currency="SEK",
        from_minor=9_900,
        to_minor=11_900,
    )
    by = {"prepared_by": "staff:anna", "approved_by": "staff:bo"}
    async with transaction() as connection:
        return await rows.add(connection, document, [move], **by, at=NOVEMBER)


async def _tell(no: int, member: MemberId, membership: UUID, name: str, move: Move) -> None:
    """Tell a member of the dearer price, as its name in the story says."""
    is_late = name == "told later"
    told_at = DECEMBER + DAY if is_late else NOVEMBER + DAY
    change = Change(
        campaign_no=no,
        subscription=f"sub_{name}",
        member_id=member,
        membership_id=membership,
        from_price=move.from_price,
        to_price=move.to_price,
        country="SE",
        text_version="1",
        wants_consent=name != "by the year",
        told_at=told_at,
        applies_at=FEBRUARY if is_late else DECEMBER,
        agreed_at=told_at + DAY if name in {"pays more", "left after"} else None,
        state="told",
        reason="told",
        acts=0,
        doing=None,
        look_at=FEBRUARY,
        changed_at=told_at,
    )
    async with transaction() as connection:
        assert await rows.tell(connection, change)


async def _rise(club: Club) -> None:
    """Let Plus rise from 99.00 to 119.00 in December: six are told, two of the plan are not."""
    old, new = [one for one in club.plans.plans if one.code == "plus"]
    (month, year), dearer = old.prices, new.prices[0]
    begins, no = NOVEMBER - 30 * DAY, await _agreed(month, dearer)
    stays, until_then = (begins, FEBRUARY + 90 * DAY), (begins, DECEMBER)
    told_of: dict[str, tuple[tuple[Span, PlanPrice], ...]] = {
        "pays more": ((until_then, month), ((DECEMBER, FEBRUARY), dearer)),
        "kept": ((stays, month),),
        "left after": ((until_then, month), ((DECEMBER, DECEMBER + 5 * DAY), dearer)),
        "left before": (((begins, NOVEMBER + 20 * DAY), month),),
        "by the year": ((until_then, month), ((DECEMBER, DECEMBER + 365 * DAY), year)),
        "told later": ((stays, month),),
    }
    async with transaction() as connection:
        [campaign] = await rows.campaigns(connection)
    for name, periods in told_of.items():
        member = await more(club)
        membership = await paid_by(club, member, *periods)
        await _tell(no, member, membership, name, campaign.moves[0])
    others = (stays, month), ((begins, DECEMBER + 10 * DAY), month)
    for period in (*others, (stays, club.plans.by_code("basic").prices[0])):
        await paid_by(club, await more(club), period)


async def test_a_campaign_is_told_beside_those_whom_it_did_not_reach(at: datetime) -> None:
    club = await make_club(at, plan("plus"), plan("basic", rank=0))
    dearer = [{"interval": "month", "currency": "SEK", "amount_minor": 11_900}]
    club.plans = await register_plans(plan("plus", prices=dearer), at=at)
    await _rise(club)

    [found] = (await figures(club, "2026-12", FEBRUARY)).campaigns
    assert found == CampaignEffect(
        campaign="rise",
        plan="plus",
        within_days=30,
        begins=NOVEMBER + DAY,
        ends=JANUARY,
        is_complete=False,
        must_agree=5,
        agreed=2,
        applied=5,
        changed=1,
        kept=1,
        moved=1,
        gone=2,
        # Six at 99.00; at the end 119.00, two of 99.00 and a twelfth of 990.00.
        told=Group(
            members=6,
            left=2,
            left_percent=Decimal("33.33"),
            recurring_before=sek(59_400),
            recurring_after=sek(39_950),
        ),
        others=Group(
            members=2,
            left=1,
            left_percent=Decimal("50.00"),
            recurring_before=sek(19_800),
            recurring_after=sek(9_900),
        ),
    )
    # Within four days nobody had left after the new price, and who is told later was told nothing.
    [early] = (await figures(club, "2026-12", DECEMBER + DAY, within_days=4)).campaigns
    assert (early.told.members, early.changed, early.gone) == (5, 2, 1)
    done = (await figures(club, "2027-03", first(4, 2027))).campaigns
    assert [(one.is_complete, one.ends) for one in done] == [(True, FEBRUARY + 30 * DAY)]
    assert (await figures(club, "2026-10", FEBRUARY)).campaigns == ()
