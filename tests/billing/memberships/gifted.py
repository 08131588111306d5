"""Gifts in tests: bought, paid, disputed and given back, in a club whose plan gives points."""

from billing.benefits import granting
from billing.sandbox.engine import disputes
from billing.subscriptions import entries, gift_rows
from billing.subscriptions.gift_rows import Gift
from billing.subscriptions.views import GiftOrder, GiftView
from coalition.kernel.database import transaction
from coalition.kernel.ids import MemberId
from coalition.kernel.money import Money
from tests.billing.memberships.world import VISA, Club
from tests.billing.plans.written import MONTHLY, YEARLY, plan
from tests.support.ledger import balance

POINTS = {
    "benefit": "monthly_points",
    "code": "monthly",
    "points": 100,
    "funding": {"operator": 1},
}
PLUS = plan(prices=[MONTHLY, YEARLY], benefits=[POINTS], trial_days=0)
IN_EUROS = plan(prices=[MONTHLY, MONTHLY | {"currency": "EUR"}])


async def give(
    club: Club, giver: MemberId, months: int = 3, *, currency: str = "SEK", card: str = VISA
) -> GiftView:
    """Let a member buy a gift of Plus and pay; return it as it is seen then."""
    order = GiftOrder(plan="plus", months=months, currency=currency)
    made = await club.memberships.buy_gift(giver, order, key=club.key(), at=club.now())
    assert made.url is not None
    await club.pay(made.url, card)
    seen = await club.memberships.gifts(giver, at=club.now())
    return next(one for one in seen if one.gift_id == made.gift_id)


async def row_of(giver: MemberId) -> Gift:
    """Return the gift that a member bought last."""
    async with transaction() as connection:
        return (await gift_rows.bought(connection, [giver]))[0]


async def refund(club: Club, giver: MemberId, minor: int) -> None:
    """Give back so much of the gift that a member bought last; events wait."""
    gift = await row_of(giver)
    assert gift.payment is not None
    money = Money(minor, gift.currency)
    await club.gateway.refund(f"back-{gift.id}-{minor}", gift.payment, money, {})


async def dispute(club: Club) -> None:
    """Let a cardholder dispute the last payment at its bank; events wait."""
    charge = await anext(club.gateway.pages("/v1/charges", {}))
    with club.sandbox.store.transaction() as making:
        world = club.sandbox.world(making)
        disputes.open_one(world, world.get("charge", charge["id"]), reason="fraudulent")


async def decide(club: Club, *, is_won: bool) -> None:
    """Let the bank decide the dispute that is open; events wait."""
    one = await anext(club.gateway.pages("/v1/disputes", {}))
    word = "winning_evidence" if is_won else "losing_evidence"
    evidence = {"evidence": {"uncategorized_text": word}, "submit": True}
    await club.gateway.post(None, f"/v1/disputes/{one['id']}", evidence)


async def ledger(member: MemberId) -> list[tuple[str, int, str]]:
    """Return what is booked of a member: kind, minor units and currency."""
    async with transaction() as connection:
        found = await entries.of_member(connection, member)
    return [(one.kind, one.amount.amount_minor, one.amount.currency) for one in found]


async def points(club: Club, member: MemberId) -> int:
    """Return the member's points, once the worker has given and taken what is due."""
    await granting.grant_due(club.now())
    return await balance(member, club.now())
