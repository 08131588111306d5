"""Brings plans to Stripe: a product for each plan, a price for each of our prices.

Each is written down as soon as Stripe has it, under a key that follows from what it is: a run that
was interrupted goes on where it ended, and two runs at once make nothing twice.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from billing.gateway.client import Gateway
from billing.plans import catalogue as plan_catalogue
from billing.plans.catalogue import Plan, PlanPrice
from coalition.federation import catalogue
from coalition.kernel.database import transaction
from coalition.kernel.ids import digest16

JOB = "plans.at_stripe"
"""The job that brings what is new."""

_KEEP_PRODUCT = """
INSERT INTO plan_at_stripe (product_id, code, no, made_at)
SELECT $1, $2, (SELECT coalesce(max(no), 0) + 1 FROM plan_at_stripe WHERE code = $2), $3
ON CONFLICT (product_id) DO NOTHING
"""
_KEEP_PRICE = """
INSERT INTO plan_price_at_stripe (price_id, price_no, no, made_at)
SELECT $1, $2, (SELECT coalesce(max(no), 0) + 1 FROM plan_price_at_stripe WHERE price_no = $2), $3
ON CONFLICT (price_id) DO NOTHING
"""


class Brought(NamedTuple):
    """How many products and prices were new to Stripe."""

    products: int
    prices: int


async def bring(
    gateway: Gateway, *, at: datetime, plan_nos: Iterable[int] | None = None, afresh: bool = False
) -> Brought:
    """Bring to Stripe what it lacks of all versions of plans, or of some by number.

    `afresh` brings all again, for a database that has gone to another account of Stripe. Raises
    `StripeUnavailable`, `StripeRefused`; what was brought until then stays.
    """
    wanted = None if plan_nos is None else set(plan_nos)
    async with transaction() as connection:
        plans = await plan_catalogue.load(connection)
    products = prices = 0
    known: dict[str, str] = {}
    for plan in plans.plans:
        if wanted is not None and plan.no not in wanted:
            continue
        product = known.get(plan.code) or (None if afresh else plans.product_at_stripe(plan.code))
        if product is None:
            product = await _bring_product(gateway, plan, at=at, afresh=afresh)
            products += 1
        known[plan.code] = product
        for price in plan.prices:
            if price.stripe_price_id is None or afresh:
                await _bring_price(gateway, product, plan, price, at=at, afresh=afresh)
                prices += 1
    return Brought(products, prices)


async def _bring_product(gateway: Gateway, plan: Plan, *, at: datetime, afresh: bool) -> str:
    key = _key("product", plan.code, plan.approved_by, at if afresh else None)
    product = await gateway.product(key, plan.code, plan.document.name)
    async with transaction() as connection:
        await catalogue.bump(connection)
        await connection.execute(_KEEP_PRODUCT, product, plan.code, at)
    return product


async def _bring_price(
    gateway: Gateway, product: str, plan: Plan, price: PlanPrice, *, at: datetime, afresh: bool
) -> None:
    key = _key("price", product, plan.version, price.no, at if afresh else None)
    made = await gateway.price(key, product, price)
    async with transaction() as connection:
        await catalogue.bump(connection)
        await connection.execute(_KEEP_PRICE, made, price.no, at)


def _key(kind: str, *parts: str | int | datetime | None) -> str:
    written = ["" if part is None else str(part) for part in parts]
    return f"{kind}-{digest16(kind, *written).hex()}"


async def stripe_price_of(gateway: Gateway, price: PlanPrice, *, at: datetime) -> str:
    """Return what Stripe calls a price; one that it lacks is brought there first."""
    if price.stripe_price_id is not None:
        return price.stripe_price_id
    await bring(gateway, at=at, plan_nos=[price.plan_no])
    async with transaction() as connection:
        brought = (await plan_catalogue.load(connection)).price(price.no).stripe_price_id
    assert brought is not None, "it was brought just now"
    return brought
