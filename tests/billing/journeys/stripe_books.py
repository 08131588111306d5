"""What Stripe's own books say, read raw: money by its source, and that nobody was charged twice."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from billing.gateway.client import Gateway

OVER = frozenset({"canceled", "incomplete_expired"})
NO_MONEY_WENT = frozenset({"failed", "canceled"})


class StripeBooks:
    """All invoices, charges, refunds, disputes and subscriptions of the account, as they stand."""

    def __init__(self, **found: list[dict[str, Any]]) -> None:
        self.invoices = found["invoices"]
        self.charges = found["charges"]
        self.refunds = found["refunds"]
        self.disputes = found["disputes"]
        self.subscriptions = found["subscriptions"]
        self.customers = found["customers"]

    def money(self) -> dict[str, int]:
        """Return what each source comes to, in minor units; what comes to nothing is left out."""
        come_in = {
            one["id"]: one["amount_paid"] for one in self.invoices if one["status"] == "paid"
        }
        given_back = {
            one["id"]: -one["amount"] for one in self.refunds if one["status"] not in NO_MONEY_WENT
        }
        held_back = {
            one["id"]: -one["amount"]
            for one in self.disputes
            if one["status"] != "won" and not one["status"].startswith("warning")
        }
        everything = come_in | given_back | held_back
        return {source: minor for source, minor in everything.items() if minor}

    def check_nobody_was_charged_twice(self) -> None:
        """Fail where a period was paid twice, or a person has two customers or subscriptions."""
        paid = [one for one in self.invoices if one["status"] == "paid"]
        charged = [one["amount"] for one in self.charges if one["status"] == "succeeded"]
        assert Counter(charged) == Counter(one["amount_paid"] for one in paid if one["amount_paid"])
        assert (
            _repeated(
                (one["parent"]["subscription_details"]["subscription"], line["period"]["start"])
                for one in paid
                for line in one["lines"]["data"]
                if line["amount"] > 0
                and not line["parent"]["subscription_item_details"]["proration"]
            )
            == []
        )
        assert _repeated(one["metadata"].get("member_id") for one in self.customers) == []
        living = (one["customer"] for one in self.subscriptions if one["status"] not in OVER)
        assert _repeated(living) == []


async def read(gateway: Gateway) -> StripeBooks:
    """Return Stripe's books, asked for by the product's own client."""

    async def all_of(kind: str, **asked: str) -> list[dict[str, Any]]:
        return [one async for one in gateway.pages(f"/v1/{kind}", asked)]

    return StripeBooks(
        invoices=await all_of("invoices"),
        charges=await all_of("charges"),
        refunds=await all_of("refunds"),
        disputes=await all_of("disputes"),
        subscriptions=await all_of("subscriptions", status="all"),
        customers=await all_of("customers"),
    )


def _repeated(facts: Iterable[object]) -> list[object]:
    return [one for one, times in Counter(facts).items() if times > 1]
