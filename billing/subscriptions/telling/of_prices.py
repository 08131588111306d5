"""Tells a member of a new price: old and new, from when, and how to leave or to agree."""

from datetime import datetime

from billing.subscriptions import deriving
from billing.subscriptions.campaigns import rules
from billing.subscriptions.campaigns.documents import Campaign, Move
from billing.subscriptions.campaigns.rows import Change
from billing.subscriptions.house import House
from billing.subscriptions.telling.telling import Each, Fact, tell
from coalition.kernel.database import Connection
from coalition.kernel.money import Money


async def tell_of_new(
    connection: Connection, house: House, campaign: Campaign, change: Change, move: Move
) -> None:
    """Tell a member of its new price, in the transaction that promises it."""
    facts: dict[str, Fact] = {
        "plan": await _plan_name(connection, campaign),
        "old": Each(Money(move.from_minor, move.currency), move.interval),
        "new": Each(Money(move.to_minor, move.currency), move.interval),
        "applies": change.applies_at,
    }
    kind = "price_notice"
    if change.wants_consent:
        kind = f"price_asked_{campaign.document.without_consent}"
        facts["agree_by"] = change.applies_at - rules.CLOSES
    await tell(
        connection,
        change.member_id,
        kind,
        f"{campaign.no}:{change.subscription}",
        at=change.told_at,
        countries=house.countries,
        facts=facts,
    )


async def tell_of_end(
    connection: Connection, campaign: Campaign, change: Change, at: datetime
) -> None:
    """Tell a member that its plan ends, because it has not agreed to the new price."""
    await tell(
        connection,
        change.member_id,
        "price_not_agreed",
        f"{campaign.no}:{change.subscription}",
        at=at,
        facts={"plan": await _plan_name(connection, campaign), "applies": change.applies_at},
    )


async def _plan_name(connection: Connection, campaign: Campaign) -> str:
    plans = await deriving.plans_now(connection)
    return plans.by_code(campaign.document.plan).document.name
