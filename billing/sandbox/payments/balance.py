"""The merchant's balance: what each charge, refund and dispute did to it, with Stripe's fee."""

from billing.sandbox.documents import Document
from billing.sandbox.requests import Params
from billing.sandbox.routing import route
from billing.sandbox.world import World

_KIND = "balance_transaction"
_PATH = "/v1/balance_transactions"
# 1.5 per cent and 25 minor units, as for cards of the European Economic Area.
_FEE_BASIS_POINTS, _FEE_FIXED = 150, 25
_DAYS_UNTIL_AVAILABLE = 7
_CATEGORIES = {
    "charge": "charge",
    "refund": "refund",
    "adjustment": "dispute",
}


def fee_of(amount: int) -> int:
    """Return Stripe's fee for a charge, in minor units."""
    return (amount * _FEE_BASIS_POINTS + 5_000) // 10_000 + _FEE_FIXED


def book(
    world: World,
    type_: str,
    *,
    amount: int,
    currency: str,
    source: str,
    fee: int = 0,
    description: str | None = None,
    reporting_category: str | None = None,
) -> Document:
    """Keep what a charge, refund or dispute did to the balance; negative takes from it."""
    details = [
        {
            "amount": fee,
            "application": None,
            "currency": currency,
            "description": "Stripe processing fees" if type_ == "charge" else "Dispute fee",
            "type": "stripe_fee",
        }
    ]
    transaction: Document = {
        "id": world.new_id("txn"),
        "object": _KIND,
        "amount": amount,
        "available_on": world.now() + _DAYS_UNTIL_AVAILABLE * 86_400,
        "balance_type": "payments",
        "created": world.now(),
        "currency": currency,
        "description": description,
        "exchange_rate": None,
        "fee": fee,
        "fee_details": details if fee else [],
        "net": amount - fee,
        "reporting_category": reporting_category or _CATEGORIES.get(type_, type_),
        "source": source,
        "status": "pending",
        "type": type_,
    }
    world.store.put(transaction)
    return transaction


@route("GET", f"{_PATH}/{{id}}")
def retrieve(world: World, _params: Params, id: str) -> Document:  # noqa: A002 - the path's name
    """Return a change of the balance."""
    return world.get(_KIND, id)


@route("GET", _PATH)
def list_all(world: World, params: Params) -> Document:
    """Return the changes of the balance, newest first."""
    return world.listing(params, _KIND, params.filters("currency", "source", "type"))


@route("GET", "/v1/balance")
def balance(world: World, _params: Params) -> Document:
    """Return what is available, and what will be."""
    sums: dict[bool, dict[str, int]] = {True: {}, False: {}}
    for transaction in world.all(_KIND):
        held = sums[transaction["available_on"] <= world.now()]
        currency = transaction["currency"]
        held[currency] = held.get(currency, 0) + transaction["net"]
    return {
        "object": "balance",
        "available": _amounts(sums[True]),
        "livemode": False,
        "pending": _amounts(sums[False]),
    }


def _amounts(sums: dict[str, int]) -> list[Document]:
    return [
        {"amount": amount, "currency": currency, "source_types": {"card": amount}}
        for currency, amount in sorted(sums.items())
    ]
