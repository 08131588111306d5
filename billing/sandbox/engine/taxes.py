"""Tax on invoice lines: by tax rates of the subscription, or by the customer's country.

Prices for consumers hold their tax: it is part of the amount, not upon it.
"""

from collections.abc import Sequence
from typing import NamedTuple

from billing.sandbox.documents import Document
from billing.sandbox.proration import tax_upon, tax_within
from billing.sandbox.requests import Params
from billing.sandbox.routing import route
from billing.sandbox.world import World

_COUNTRIES_BY_RATE = {
    "8.1": "CH",
    "17": "LU",
    "19": "DE",
    "20": "AT BG FR GB",
    "21": "BE CZ ES LT LV NL RO",
    "22": "IT SI",
    "23": "IE PL PT SK",
    "24": "EE GR",
    "25": "DK HR NO SE",
    "25.5": "FI",
    "27": "HU",
}
STANDARD_VAT = {
    country: rate for rate, countries in _COUNTRIES_BY_RATE.items() for country in countries.split()
}
"""Standard rates of value added tax in per cent, for a demo; no advice."""


class Rate(NamedTuple):
    """A tax in per cent, within the price or upon it."""

    id: str
    percentage: str
    is_inclusive: bool


def rates_of(world: World, subscription: Document, price: Document) -> list[Rate]:
    """Return the taxes that lie on a price of a subscription."""
    if subscription["default_tax_rates"]:
        found = [world.get("tax_rate", id_) for id_ in subscription["default_tax_rates"]]
        return [Rate(one["id"], _percentage(one), one["inclusive"]) for one in found]
    if not subscription["automatic_tax"]["enabled"]:
        return []
    customer = world.get("customer", subscription["customer"])
    country = ((customer.get("address") or {}).get("country") or "").upper()
    if country not in STANDARD_VAT:
        return []
    is_inclusive = price.get("tax_behavior") != "exclusive"
    rate = _automatic(world, country, is_inclusive=is_inclusive)
    return [Rate(rate["id"], STANDARD_VAT[country], is_inclusive)]


def taxes_on(amount: int, rates: Sequence[Rate]) -> list[Document]:
    """Return the taxes on an amount that has its discounts off, as a line shows them."""
    return [_tax(amount, rate) for rate in rates]


def _tax(amount: int, rate: Rate) -> Document:
    reckon = tax_within if rate.is_inclusive else tax_upon
    tax = reckon(amount, rate.percentage)
    return {
        "amount": tax,
        "tax_behavior": "inclusive" if rate.is_inclusive else "exclusive",
        "tax_rate_details": {"tax_rate": rate.id},
        "taxability_reason": "standard_rated",
        "taxable_amount": amount - tax if rate.is_inclusive else amount,
        "type": "tax_rate_details",
    }


def _percentage(rate: Document) -> str:
    return f"{rate['percentage']:f}".rstrip("0").rstrip(".")


def _automatic(world: World, country: str, *, is_inclusive: bool) -> Document:
    known = world.all(
        "tax_rate", {"country": country, "_automatic": True, "inclusive": is_inclusive}
    )
    if known:
        return known[0]
    shape = _rate(world, "VAT", float(STANDARD_VAT[country]), is_inclusive=is_inclusive)
    return world.add(shape | {"country": country, "_automatic": True})


def _rate(world: World, name: str, percentage: float, *, is_inclusive: bool) -> Document:
    return {
        "id": world.new_id("txr"),
        "object": "tax_rate",
        "active": True,
        "country": None,
        "description": None,
        "display_name": name,
        "effective_percentage": percentage,
        "flat_amount": None,
        "inclusive": is_inclusive,
        "jurisdiction": None,
        "jurisdiction_level": None,
        "metadata": {},
        "percentage": percentage,
        "rate_type": "percentage",
        "state": None,
        "tax_type": "vat",
    }


@route("POST", "/v1/tax_rates")
def create(world: World, params: Params) -> Document:
    """Make a tax rate."""
    needed = params.required
    percentage = float(needed.number("percentage") or 0)
    name = needed.text("display_name") or ""
    rate = _rate(world, name, percentage, is_inclusive=bool(needed.flag("inclusive")))
    rate |= {"country": params.text("country"), "description": params.text("description")}
    return world.add(rate | {"metadata": params.merged_metadata()}, event="tax_rate.created")


@route("GET", "/v1/tax_rates/{tax_rate}")
def retrieve(world: World, _: Params, tax_rate: str) -> Document:
    """Return a tax rate."""
    return world.get("tax_rate", tax_rate)


@route("GET", "/v1/tax_rates")
def listing(world: World, params: Params) -> Document:
    """Return tax rates."""
    where = {} if params.flag("active") is None else {"active": params.flag("active")}
    return world.listing(params, "tax_rate", where)
