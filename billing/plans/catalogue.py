"""Plans and their prices as one frozen snapshot, of one version of the catalogue.

A price belongs to the version of the plan that brought it, and who bought it keeps both: a later
version sells anew and changes nothing that was sold.
"""

import functools
from collections.abc import Iterable
from datetime import datetime

import asyncpg
import msgspec

from billing.plans.documents import Interval, PlanDocument
from billing.plans.refusals import UnknownPlan, UnknownPrice
from coalition.federation import catalogue
from coalition.kernel.database import Connection
from coalition.kernel.money import Money

_VERSIONS = """
SELECT no, code, version, document, valid_from, prepared_by, approved_by, made_at
FROM plan_version ORDER BY no
"""
_PRICES = """
SELECT price.no, plan_no, interval, currency, amount_minor, eligibility, (
    SELECT price_id FROM plan_price_at_stripe AS sold
    WHERE sold.price_no = price.no ORDER BY sold.no DESC LIMIT 1) AS stripe_price_id
FROM plan_price AS price ORDER BY price.no
"""
_ENDS = "SELECT code, ends_at FROM plan_sale_end ORDER BY no"
_SOLD = "SELECT price_id, price_no FROM plan_price_at_stripe"
_PRODUCTS = "SELECT code, product_id FROM plan_at_stripe ORDER BY no"


class PlanPrice(msgspec.Struct, frozen=True, kw_only=True):
    """A price, tax included; it is sold from `valid_from` until just before `valid_until`."""

    no: int
    plan_no: int
    interval: Interval
    money: Money
    eligibility: str | None
    valid_from: datetime
    valid_until: datetime | None
    stripe_price_id: str | None


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a plan; `no` counts the versions of all plans."""

    no: int
    code: str
    version: int
    document: PlanDocument
    valid_from: datetime
    valid_until: datetime | None
    prepared_by: str
    approved_by: str
    prices: tuple[PlanPrice, ...]

    def is_sold(self, at: datetime) -> bool:
        """Tell whether it is on sale at `at`."""
        return self.valid_from <= at and (self.valid_until is None or at < self.valid_until)


class Plans:
    """All versions of all plans, whether on sale or not. It is never changed once made."""

    def __init__(
        self,
        *,
        version: int = 0,
        plans: Iterable[Plan] = (),
        sold: dict[str, int] | None = None,
        products: dict[str, str] | None = None,
    ) -> None:
        """Index what was read; `sold` has the prices' numbers by Stripe's ids."""
        self.version = version
        """Of the catalogue."""
        self.plans = tuple(plans)
        self._by_no = {plan.no: plan for plan in self.plans}
        self._prices = {price.no: price for plan in self.plans for price in plan.prices}
        self._sold = sold or {}
        self._products = products or {}

    def plan(self, no: int) -> Plan:
        """Return the version with this number. Raises `UnknownPlan`."""
        if no not in self._by_no:
            raise UnknownPlan(plan_no=no)
        return self._by_no[no]

    def by_code(self, code: str, at: datetime | None = None) -> Plan:
        """Return the last version of a plan, or the last that had begun by `at`.

        Raises `UnknownPlan`.
        """
        found = [plan for plan in self.plans if plan.code == code]
        begun = [plan for plan in found if at is None or plan.valid_from <= at]
        if not begun:
            raise UnknownPlan(plan=code)
        return begun[-1]

    def at(self, at: datetime) -> tuple[Plan, ...]:
        """Return the plans on sale at `at`, the lowest rank first."""
        sold = [plan for plan in self.plans if plan.is_sold(at)]
        return tuple(sorted(sold, key=lambda plan: (plan.document.rank, plan.code)))

    def price(self, no: int) -> PlanPrice:
        """Return the price with this number. Raises `UnknownPrice`."""
        if no not in self._prices:
            raise UnknownPrice(price_no=no)
        return self._prices[no]

    def price_at_stripe(self, stripe_price_id: str) -> PlanPrice | None:
        """Return our price that Stripe knows by this id; None for one that is not ours."""
        no = self._sold.get(stripe_price_id)
        return None if no is None else self._prices[no]

    def product_at_stripe(self, code: str) -> str | None:
        """Return Stripe's id of the product of a plan, if it was brought there."""
        return self._products.get(code)


class Shelf:
    """Keeps the plans of one database in memory until the catalogue moves on."""

    def __init__(self) -> None:
        """Begin with nothing read."""
        self._plans: Plans | None = None

    async def read(self, connection: Connection) -> Plans:
        """Return the plans as they are in the caller's transaction."""
        version = await catalogue.version(connection)
        if self._plans is None or self._plans.version != version:
            self._plans = await load(connection)
        return self._plans


async def load(connection: Connection) -> Plans:
    """Return all plans as they are in the caller's transaction."""
    version = await catalogue.version(connection)
    rows = await connection.fetch(_VERSIONS)
    prices = await connection.fetch(_PRICES)
    ends = [(row["code"], row["ends_at"]) for row in await connection.fetch(_ENDS)]
    return Plans(
        version=version,
        plans=[_plan(row, _until(row, rows, ends), prices) for row in rows],
        sold={row["price_id"]: row["price_no"] for row in await connection.fetch(_SOLD)},
        products={row["code"]: row["product_id"] for row in await connection.fetch(_PRODUCTS)},
    )


def _until(
    row: asyncpg.Record, rows: list[asyncpg.Record], ends: list[tuple[str, datetime]]
) -> datetime | None:
    """Return when the sale of a version ends: with the next one, or with that of the plan."""
    begins: datetime = row["valid_from"]
    # A later version that begins sooner leaves this one never sold.
    followed = [
        max(one["valid_from"], begins)
        for one in rows
        if one["code"] == row["code"] and one["version"] > row["version"]
    ]
    ended = [at for code, at in ends if code == row["code"] and at >= begins]
    return min([*followed, *ended], default=None)


def _plan(row: asyncpg.Record, until: datetime | None, prices: list[asyncpg.Record]) -> Plan:
    return Plan(
        no=row["no"],
        code=row["code"],
        version=row["version"],
        document=_document(row["document"]),
        valid_from=row["valid_from"],
        valid_until=until,
        prepared_by=row["prepared_by"],
        approved_by=row["approved_by"],
        prices=tuple(
            PlanPrice(
                no=price["no"],
                plan_no=row["no"],
                interval=price["interval"],
                money=Money(price["amount_minor"], price["currency"]),
                eligibility=price["eligibility"],
                valid_from=row["valid_from"],
                valid_until=until,
                stripe_price_id=price["stripe_price_id"],
            )
            for price in prices
            if price["plan_no"] == row["no"]
        ),
    )


@functools.lru_cache(maxsize=1024)
def _document(text: str) -> PlanDocument:
    return msgspec.json.decode(text, type=PlanDocument)
