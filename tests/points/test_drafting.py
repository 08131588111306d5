"""From what a till says to what the ledger is asked: whom, when, under which terms, or why not."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from msgspec.structs import replace

from coalition.federation import service, stores
from coalition.federation.refusals import NoContract, PartnerSuspended, UnknownPartner, UnknownStore
from coalition.federation.terms import ContractTerms, RefundOrder
from coalition.kernel.database import transaction
from coalition.kernel.errors import Refused
from coalition.kernel.ids import random_id
from coalition.kernel.money import POINTS_MAX
from coalition.ledger import drafts
from coalition.ledger.drafts import Capture, Draft, Hold, Issue, Redeem, Reverse, Void
from coalition.points import terms as business
from coalition.points.commands import (
    CaptureBody,
    Command,
    HoldBody,
    IssueBody,
    PostingAnswer,
    Purchase,
    RedeemBody,
    ReverseBody,
    VoidBody,
)
from coalition.points.deciding import Drafted
from coalition.points.drafting import draft
from coalition.points.judging import Known
from coalition.points.refusals import (
    NoEarningRule,
    NotInContract,
    OneMemberNeeded,
    OtherStore,
    PurchaseOrPoints,
    StoreClosed,
    TimeOutOfBounds,
    TooManyPoints,
    UnknownCard,
)
from tests.points.world import ACTOR, TERMS, World, make_world

pytestmark = pytest.mark.usefixtures("database")

ANNA = UUID("6f1de5b4-8f3c-4a86-9d52-0a63c7d1e2f3")


async def drafted(
    world: World,
    command: Command,
    *,
    partner_no: int | None = None,
    store_no: int | None = None,
    target: UUID | None = None,
) -> Draft | PostingAnswer | Refused:
    async with transaction() as connection:
        terms = await business.load(connection)
    asked = replace(world.asked(command, partner_no, target), store_no=store_no)
    made = draft(asked, terms, Known({"card1": ANNA}), world.at)
    return made.draft if isinstance(made, Drafted) else made


def purchase(
    at: datetime, amount_minor: int = 10_050, *, currency: str = "SEK", store: str | None = None
) -> IssueBody:
    bought = Purchase(amount_minor=amount_minor, currency=currency)
    return IssueBody("r1", at, member_id=ANNA, purchase=bought, store=store)


def given(at: datetime, points: int = 10) -> IssueBody:
    return IssueBody("r1", at, member_id=ANNA, points=points)


async def test_a_purchase_earns_points_of_the_partners_own_fund(at: datetime) -> None:
    world = await make_world(at)
    made = await drafted(world, purchase(at))
    assert isinstance(made, Issue)
    (grant,) = made.grants
    assert grant.points == 100
    kept = grant.provenance
    assert (kept.issuer_no, kept.funder_no, kept.currency_no) == (world.grocer, world.grocer, 1)
    assert (kept.earned_month, kept.expires_on) == (202611, date(2027, 11, 30))
    assert kept.issue_price == Decimal("0.01")
    assert made.purchase == drafts.Purchase(10_050, "SEK")
    assert made.till.receipt == "r1"
    assert made.rule_no is not None


async def test_points_that_the_partner_decides_have_no_rule(at: datetime) -> None:
    world = await make_world(at)
    made = await drafted(world, given(at, 7))
    assert isinstance(made, Issue)
    assert (made.grants[0].points, made.rule_no, made.purchase) == (7, None, None)


async def test_a_purchase_that_earns_nothing_is_answered_and_not_posted(at: datetime) -> None:
    world = await make_world(at)
    made = await drafted(world, purchase(at, 99))
    assert isinstance(made, PostingAnswer)
    assert (made.posting_id, made.member_id, made.points) == (None, ANNA, 0)
    assert made.reasons[0].text.endswith("of 0.99 SEK, rounded down")


async def test_a_purchase_that_earns_more_than_a_posting_can_move_is_refused(at: datetime) -> None:
    world = await make_world(at)
    made = await drafted(world, purchase(at, POINTS_MAX * 100 + 99))
    assert isinstance(made, Issue)
    assert made.grants[0].points == POINTS_MAX
    refused = await drafted(world, purchase(at, (POINTS_MAX + 1) * 100))
    assert isinstance(refused, TooManyPoints)
    assert refused.status == 422
    assert str(POINTS_MAX + 1) in refused.detail, "nothing is cut in silence"


async def test_a_card_and_an_id_name_the_same_member(at: datetime) -> None:
    world = await make_world(at)
    by_card = await drafted(world, RedeemBody("r1", at, 5, card="card1"))
    by_id = await drafted(world, RedeemBody("r1", at, 5, member_id=ANNA))
    assert isinstance(by_card, Redeem)
    assert by_card == by_id


async def test_each_command_becomes_its_draft(at: datetime) -> None:
    world = await make_world(at)
    target = random_id()
    held = await drafted(world, HoldBody("r1", at, 5, member_id=ANNA, expires_in_s=60))
    assert isinstance(held, Hold)
    assert held.expires_at == at + timedelta(seconds=60)
    assert await drafted(world, CaptureBody(3), target=target) == Capture(
        target, world.grocer, 7, 3
    )
    assert await drafted(world, VoidBody(), target=target) == Void(target, world.grocer)
    back = await drafted(world, ReverseBody(2, "broken"), target=target)
    assert isinstance(back, Reverse)
    assert (back.posting, back.points, back.order) == (target, 2, "reverse")
    assert (back.grace_expires_on, back.reason) == (date(2026, 12, 21), "broken")
    assert back.till.receipt is None


async def test_a_return_follows_the_contract_of_today(at: datetime) -> None:
    terms = ContractTerms(
        currency="SEK",
        issue_price=Decimal("0.01"),
        redemption_price=Decimal("0.1"),
        refund_order=RefundOrder.PROPORTIONAL,
        return_grace_days=0,
    )
    world = await make_world(at, terms=terms)
    back = await drafted(world, ReverseBody(), target=random_id())
    assert isinstance(back, Reverse)
    assert (back.order, back.grace_expires_on) == ("proportional", date(2026, 11, 21))


AT = datetime(2026, 11, 21, 12, tzinfo=UTC)
REFUSED: dict[str, tuple[Command, type[Refused]]] = {
    "no member": (IssueBody("r1", AT, points=1), OneMemberNeeded),
    "two members": (
        IssueBody("r1", AT, member_id=ANNA, card="card1", points=1),
        OneMemberNeeded,
    ),
    "unknown card": (RedeemBody("r1", AT, 1, card="card2"), UnknownCard),
    "neither": (IssueBody("r1", AT, member_id=ANNA), PurchaseOrPoints),
    "both": (
        IssueBody(
            "r1",
            AT,
            member_id=ANNA,
            points=1,
            purchase=Purchase(amount_minor=1, currency="SEK"),
        ),
        PurchaseOrPoints,
    ),
    "no rule": (purchase(AT, currency="NOK"), NoEarningRule),
    "no currency": (purchase(AT, currency="XXX"), NoEarningRule),
    "future": (given(AT + timedelta(minutes=5, seconds=1)), TimeOutOfBounds),
    "past": (given(AT - timedelta(days=400, seconds=1)), TimeOutOfBounds),
    "year 1": (given(datetime(1, 1, 1, tzinfo=UTC)), TimeOutOfBounds),
    "year 9999": (given(datetime(9999, 12, 31, 23, tzinfo=UTC)), TimeOutOfBounds),
    "unknown store": (purchase(AT, store="nowhere"), UnknownStore),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_what_is_not_in_order_is_refused(case: str) -> None:
    world = await make_world(AT)
    command, refusal = REFUSED[case]
    assert type(await drafted(world, command)) is refusal


async def test_the_bounds_of_time_are_taken(at: datetime) -> None:
    world = await make_world(at)
    for occurred_at in (at + timedelta(minutes=5), at - timedelta(days=400)):
        made = await drafted(world, given(occurred_at))
        assert isinstance(made, Issue)
        assert made.till.occurred_at == occurred_at


async def test_a_partner_must_be_known_and_active_and_have_a_contract(at: datetime) -> None:
    world = await make_world(at)
    assert isinstance(await drafted(world, given(at), partner_no=99), UnknownPartner)
    made = await service.create_partner(name="New", terms=TERMS, actor=ACTOR, at=at)
    yesterday = given(at - timedelta(days=2))
    assert isinstance(await drafted(world, yesterday, partner_no=made.partner.no), NoContract)
    await service.suspend_partner(partner_no=world.grocer, reason="unpaid", actor=ACTOR, at=at)
    for command in (given(at), VoidBody(), ReverseBody()):
        assert isinstance(await drafted(world, command, target=ANNA), PartnerSuspended)


async def test_a_contract_says_who_issues_and_who_accepts(at: datetime) -> None:
    world = await make_world(at)
    numbers = {}
    for name, issues, accepts in (("Issues", True, False), ("Accepts", False, True)):
        terms = ContractTerms(
            currency="SEK",
            issue_price=Decimal("0.01"),
            redemption_price=Decimal("0.1"),
            issues=issues,
            accepts=accepts,
        )
        made = await service.create_partner(name=name, terms=terms, actor=ACTOR, at=at)
        numbers[name] = made.partner.no
    taken = RedeemBody("r1", at, 1, member_id=ANNA)
    held = HoldBody("r1", at, 1, member_id=ANNA)
    assert isinstance(await drafted(world, given(at), partner_no=numbers["Issues"]), Issue)
    assert isinstance(await drafted(world, taken, partner_no=numbers["Accepts"]), Redeem)
    for command, name in ((given(at), "Accepts"), (taken, "Issues"), (held, "Issues")):
        refused = await drafted(world, command, partner_no=numbers[name])
        assert isinstance(refused, NotInContract)


async def test_a_key_bound_to_a_store_acts_for_no_other(at: datetime) -> None:
    world = await make_world(at)
    made = [
        await stores.create_store(partner_no=world.grocer, code=code, name=code, actor=ACTOR, at=at)
        for code in ("north", "south")
    ]
    north, south = (store.no for store in made)
    bound = await drafted(world, purchase(at), store_no=north)
    named = await drafted(world, purchase(at, store="north"), store_no=north)
    free = await drafted(world, purchase(at, store="south"))
    assert isinstance(bound, Issue)
    assert isinstance(named, Issue)
    assert isinstance(free, Issue)
    assert [one.till.store_no for one in (bound, named, free)] == [north, north, south]
    other = await drafted(world, purchase(at, store="south"), store_no=north)
    assert isinstance(other, OtherStore)
    await stores.close_store(store_no=south, reason="sold", actor=ACTOR, at=at)
    assert isinstance(await drafted(world, purchase(at, store="south")), StoreClosed)


async def test_a_key_bound_to_a_closed_store_moves_no_more_points(at: datetime) -> None:
    world = await make_world(at)
    store = await stores.create_store(
        partner_no=world.grocer, code="north", name="north", actor=ACTOR, at=at
    )
    await stores.close_store(store_no=store.no, reason="sold", actor=ACTOR, at=at)
    for command in (
        purchase(at),
        purchase(at, store="north"),
        RedeemBody("r1", at, 5, member_id=ANNA),
        HoldBody("r1", at, 5, member_id=ANNA),
    ):
        assert isinstance(await drafted(world, command, store_no=store.no), StoreClosed)
    back = await drafted(world, ReverseBody(), store_no=store.no, target=random_id())
    assert isinstance(back, Reverse), "returns go across the partner's stores"


DAYS = {
    # Stockholm is an hour ahead of UTC in winter and two in summer.
    "2026-12-31T22:59:59Z": (date(2026, 12, 31), 202612),
    "2026-12-31T23:00:00Z": (date(2027, 1, 1), 202701),
    "2026-06-30T21:59:59Z": (date(2026, 6, 30), 202606),
    "2026-06-30T22:00:00Z": (date(2026, 7, 1), 202607),
    # The hour that is there twice, and the one that is not there.
    "2026-10-25T00:30:00Z": (date(2026, 10, 25), 202610),
    "2026-10-25T01:30:00Z": (date(2026, 10, 25), 202610),
    "2026-03-29T01:00:00Z": (date(2026, 3, 29), 202603),
    "2027-01-01T08:00:00+09:00": (date(2027, 1, 1), 202701),
    "2027-01-01T07:59:59+09:00": (date(2026, 12, 31), 202612),
}


@pytest.mark.parametrize("instant", DAYS)
async def test_day_and_month_are_those_of_the_coalition_whatever_zone_a_till_tells(
    at: datetime, instant: str
) -> None:
    occurred_at = datetime.fromisoformat(instant)
    world = await make_world(at)
    world.clock.advance(occurred_at + timedelta(minutes=1) - at)
    made = await drafted(world, given(occurred_at))
    assert isinstance(made, Issue)
    business_day, month = DAYS[instant]
    assert made.till.business_day == business_day
    assert made.grants[0].provenance.earned_month == month
