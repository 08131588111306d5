"""Figures of all memberships in a month: how many, how many leave, what they bring and cost.

Each is a sum over rows of the books, exact, and rounded once at the end; shares are in percent with
two decimals. Members are counted by the entitlements that hold for them (`benefit_entitlement`),
money by the ledger of memberships (`membership_entry`), purchases and points by the ledger's
postings, and costs by who pays them. Months are those of the coalition's zone.
"""

from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from billing.benefits.value import point_price
from billing.figures import price_changes, queries
from billing.figures.price_changes import CampaignEffect
from billing.figures.refusals import MonthAhead
from billing.figures.shares import percent, whole
from billing.plans.catalogue import Plans
from coalition.federation.catalogue import Catalogue
from coalition.kernel.database import Connection
from coalition.kernel.money import Money, exponent
from coalition.points.bonuses.compiled import OPERATOR

Month = Annotated[
    str,
    Meta(
        pattern=r"^20[0-9]{2}-(0[1-9]|1[0-2])(?![\s\S])",
        description="A month of the coalition's zone",
        examples=["2026-11"],
    ),
]


class PlanStanding(msgspec.Struct, frozen=True, kw_only=True):
    """How many members hold a plan at the end: paid for or given, on trial, in grace.

    `shared` are those whose plan another pays, beside the others.
    """

    plan: str
    active: int
    trialing: int
    in_grace: int
    shared: int


class Churn(msgspec.Struct, frozen=True, kw_only=True):
    """Of those who paid when the month began, how many have no plan at its end."""

    begun: int
    lost: int
    percent: Decimal | None


class Recurring(msgspec.Struct, frozen=True, kw_only=True):
    """What memberships that are paid, or in grace, bring a month, tax included (MRR).

    Each counts by what its period was charged at that held at the end, coupons taken off; one by
    the year by the twelfth.
    """

    memberships: int
    monthly: Money


class Spend(msgspec.Struct, frozen=True, kw_only=True):
    """Purchases in one currency, before returns, by members while entitled and by all others.

    The means are per member who bought anything; null where nobody did.
    """

    currency: str
    entitled_members: int
    entitled: Money
    entitled_mean: Money | None
    other_members: int
    others: Money
    others_mean: Money | None


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """What benefits cost who pays for them: points beyond the base, monthly points, money at tills.

    Points count at the issue price of their contract; those that the operator gives without one at
    the mean of the partners'. `partner` null is the operator.
    """

    partner: str | None
    partner_no: int
    currency: str
    earning_minor: int
    monthly_minor: int
    money_minor: int
    total_minor: int


class Margin(msgspec.Struct, frozen=True, kw_only=True):
    """What memberships brought in the month, less tax, and what the operator's benefits cost it.

    A payment is earned evenly over its period, that of a gift over the months that it gives; what
    goes back takes from what is left of the period. `per_member` is of everyone entitled in the
    month, those who share a plan among them.
    """

    earned: Money
    cost: Money
    margin: Money
    members: int
    per_member: Money | None


class PriceEffect(msgspec.Struct, frozen=True, kw_only=True):
    """How memberships of one price did: so the price before a change and after stand side by side.

    A membership counts under the price that it had when the month began, or by which it joined.
    `lost` have no plan at the end, `changed` have another price.
    """

    price_no: int
    plan: str
    interval: str
    price: Money
    begun: int
    lost: int
    changed: int
    joined: int
    churn_percent: Decimal | None


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """All figures of a month, or of as much of it as has passed."""

    month: str
    begins: datetime
    ends: datetime
    plans: tuple[PlanStanding, ...]
    churn: Churn
    recurring: tuple[Recurring, ...]
    spend: tuple[Spend, ...]
    costs: tuple[Cost, ...]
    margins: tuple[Margin, ...]
    prices: tuple[PriceEffect, ...]
    campaigns: tuple[CampaignEffect, ...]


async def read(
    connection: Connection,
    month: Month | None,
    *,
    plans: Plans,
    known: Catalogue,
    at: datetime,
    within_days: int = price_changes.WITHIN_DAYS,
) -> Figures:
    """Return the figures of a month (yyyy-mm), by default the one that `at` lies in.

    Effects of campaigns are told until `within_days` after each new price. The caller's transaction
    is one snapshot. Raises `MonthAhead`.
    """
    begins, following = _bounds(month or at.astimezone(known.zone).strftime("%Y-%m"), known)
    if begins > at:
        raise MonthAhead
    ends = min(following, at)
    costs = await _costs(connection, begins, ends, known)
    return Figures(
        month=begins.astimezone(known.zone).strftime("%Y-%m"),
        begins=begins,
        ends=ends,
        plans=await _standing(connection, ends, plans),
        churn=_churn(*await connection.fetchrow(queries.CHURN, begins, ends)),
        recurring=tuple(
            Recurring(memberships=row["memberships"], monthly=whole(row["minor"], row["currency"]))
            for row in await connection.fetch(queries.RECURRING, ends)
        ),
        spend=await _spend(connection, begins, ends),
        costs=costs,
        margins=await _margins(connection, begins, ends, costs),
        prices=await _prices(connection, begins, ends, plans),
        campaigns=await price_changes.read(
            connection, plans=plans, ends=ends, within_days=within_days
        ),
    )


def _bounds(month: str, known: Catalogue) -> tuple[datetime, datetime]:
    year, number = int(month[:4]), int(month[5:])
    following = (year + number // 12, number % 12 + 1)
    begins = datetime(year, number, 1, tzinfo=known.zone)
    return begins.astimezone(UTC), datetime(*following, 1, tzinfo=known.zone).astimezone(UTC)


async def _standing(
    connection: Connection, ends: datetime, plans: Plans
) -> tuple[PlanStanding, ...]:
    counts: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for row in await connection.fetch(queries.STANDING, ends):
        ground = row["ground"] if row["ground"] in {"trial", "grace", "shared"} else "active"
        counts[plans.plan(row["plan_no"]).code][ground] += row["members"]
    return tuple(
        PlanStanding(
            plan=plan,
            active=of["active"],
            trialing=of["trial"],
            in_grace=of["grace"],
            shared=of["shared"],
        )
        for plan, of in sorted(counts.items())
    )


def _churn(begun: int, lost: int) -> Churn:
    return Churn(begun=begun, lost=lost, percent=percent(lost, begun))


async def _spend(connection: Connection, begins: datetime, ends: datetime) -> tuple[Spend, ...]:
    found: dict[str, dict[bool, tuple[int, int]]] = defaultdict(dict)
    for row in await connection.fetch(queries.SPEND, begins, ends, _lowest_id(begins)):
        found[row["currency"]][row["is_entitled"]] = row["members"], row["minor"]
    return tuple(
        Spend(
            currency=currency,
            entitled_members=of.get(True, (0, 0))[0],
            entitled=Money(of.get(True, (0, 0))[1], currency),
            entitled_mean=_mean(*of.get(True, (0, 0)), currency),
            other_members=of.get(False, (0, 0))[0],
            others=Money(of.get(False, (0, 0))[1], currency),
            others_mean=_mean(*of.get(False, (0, 0)), currency),
        )
        for currency, of in sorted(found.items())
    )


async def _costs(
    connection: Connection, begins: datetime, ends: datetime, known: Catalogue
) -> tuple[Cost, ...]:
    earned = await connection.fetch(queries.EARNED, begins, ends, _lowest_id(begins))
    granted = await connection.fetch(queries.GRANTED, begins, ends)
    used = await connection.fetch(queries.USED, begins, ends)
    sums: dict[tuple[int, str], list[Decimal]] = defaultdict(lambda: [Decimal(0)] * 3)
    for place, rows in enumerate((earned, granted)):
        for funder_no, contract_no, issue_price, points in rows:
            currency, price = _price(contract_no, issue_price, known, ends)
            sums[funder_no, currency][place] += (points * price).scaleb(exponent(currency))
    for funder_no, currency, minor in used:
        sums[funder_no, currency][2] += minor
    return tuple(_cost(key, parts, known) for key, parts in sorted(sums.items()))


def _price(
    contract_no: int, issue_price: Decimal, known: Catalogue, at: datetime
) -> tuple[str, Decimal]:
    """Return the currency and the price of a point by its contract, or by none (0)."""
    if contract_no:
        return known.contract(contract_no).currency, issue_price
    # Without any contract they are worth nothing, in whatever currency.
    currency = known.contracts[0].currency if known.contracts else "EUR"
    return currency, point_price(known, currency, at)


def _cost(key: tuple[int, str], parts: list[Decimal], known: Catalogue) -> Cost:
    partner_no, currency = key
    earning, monthly, money = (whole(part, currency).amount_minor for part in parts)
    return Cost(
        partner=None if partner_no == OPERATOR else known.partner(partner_no).name,
        partner_no=partner_no,
        currency=currency,
        earning_minor=earning,
        monthly_minor=monthly,
        money_minor=money,
        total_minor=whole(sum(parts, Decimal(0)), currency).amount_minor,
    )


async def _margins(
    connection: Connection, begins: datetime, ends: datetime, costs: tuple[Cost, ...]
) -> tuple[Margin, ...]:
    members = await connection.fetchval(queries.ENTITLED, begins, ends)
    rows = await connection.fetch(queries.REVENUE, begins, ends)
    earned: Mapping[str, Decimal] = {row["currency"]: row["minor"] for row in rows}
    cost = {one.currency: one.total_minor for one in costs if one.partner_no == OPERATOR}
    found = []
    for currency in sorted(earned.keys() | cost.keys()):
        brought = whole(earned.get(currency, Decimal(0)), currency)
        left = Money(brought.amount_minor - cost.get(currency, 0), currency)
        found.append(
            Margin(
                earned=brought,
                cost=Money(cost.get(currency, 0), currency),
                margin=left,
                members=members,
                per_member=_mean(members, left.amount_minor, currency),
            )
        )
    return tuple(found)


async def _prices(
    connection: Connection, begins: datetime, ends: datetime, plans: Plans
) -> tuple[PriceEffect, ...]:
    return tuple(
        PriceEffect(
            price_no=row["price_no"],
            plan=plans.plan(row["plan_no"]).code,
            interval=row["interval"],
            price=Money(row["amount_minor"], row["currency"]),
            begun=row["begun"],
            lost=row["lost"],
            changed=row["changed"],
            joined=row["joined"],
            churn_percent=percent(row["lost"], row["begun"]),
        )
        for row in await connection.fetch(queries.PRICES, begins, ends)
    )


def _mean(members: int, minor: int, currency: str) -> Money | None:
    return whole(Decimal(minor) / members, currency) if members else None


def _lowest_id(begins: datetime) -> UUID:
    """Return the least id of what may have occurred since; tills are at most 5 minutes ahead."""
    milliseconds = int(begins.timestamp() * 1000) - 5 * 60 * 1000
    return UUID(int=max(0, milliseconds) << 80)
