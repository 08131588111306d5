"""The demo's paid membership: two plans on sale, and one member who has ordered one of them.

It is ordered as anybody would in the browser: through the checkout, and paid with a test card on
the page of the sandbox.
"""

from datetime import datetime
from typing import Any, Final, cast
from urllib.parse import urlsplit

import httpx

from billing.plans import registering
from billing.plans.documents import (
    EarlyAccess,
    EarnMultiplier,
    FamilyPerk,
    FreeShipping,
    Interval,
    MonthlyPoints,
    PlanDocument,
    PriceDocument,
)
from billing.sandbox import Sandbox
from billing.subscriptions import selling
from billing.subscriptions.views import Order
from coalition.kernel.clock import SystemClock
from coalition.kernel.ids import MemberId
from coalition.kernel.settings import Settings
from server import payments
from server.demo.companies import APPROVES, GROCER, PREPARES
from server.payments import Payments

_COUNTRY: Final = "IE"
_CARD: Final = "5555 5555 5555 4444"


def _prices(**months: int) -> tuple[PriceDocument, ...]:
    """Return a price for each currency by the month, and by the year for ten months."""
    every: tuple[tuple[Interval, int], ...] = (("month", 1), ("year", 10))
    return tuple(
        PriceDocument(interval=interval, currency=currency, amount_minor=amount * times)
        for currency, amount in months.items()
        for interval, times in every
    )


_HALF_EACH: Final = {"operator": 1, GROCER.name: 1}

PLUS: Final = PlanDocument(
    code="plus",
    name="Plus",
    rank=10,
    prices=_prices(USD=799, EUR=799, SEK=7_900),
    trial_days=30,
    seats=2,
    benefits=(
        EarnMultiplier(code="more-points", factor="1.5", funding={"issuer": 1}),
        MonthlyPoints(code="monthly", points=100, funding={"operator": 1}),
        FreeShipping(
            code="shipping",
            partner=GROCER.name,
            uses_per_period=2,
            most_minor=900,
            currency="USD",
            funding=_HALF_EACH,
        ),
        EarlyAccess(code="early", flag="early-access"),
    ),
)
PREMIUM: Final = PlanDocument(
    code="premium",
    name="Premium",
    rank=20,
    prices=_prices(USD=1_499, EUR=1_499, SEK=14_900),
    seats=5,
    benefits=(
        EarnMultiplier(code="double-points", factor="2", funding={"issuer": 1, "operator": 1}),
        MonthlyPoints(code="monthly", points=300, funding={"operator": 1}),
        FreeShipping(
            code="shipping",
            partner=GROCER.name,
            most_minor=900,
            currency="USD",
            funding=_HALF_EACH,
        ),
        EarlyAccess(code="early", flag="early-access"),
        FamilyPerk(
            code="family",
            says="More people in the family, and no fees for transfers",
            says_in={
                "sv": "Fler i familjen, och inga avgifter för att skicka poäng",
                "nb": "Flere i familien, og ingen avgifter for å sende poeng",
            },
        ),
    ),
)


async def put_on_sale(settings: Settings, now: datetime) -> None:
    """Put the plans on sale by two persons, where there is no sandbox in which they were told."""
    if settings.stripe_sandbox:
        return
    for document in (PLUS, PREMIUM):
        approval = await registering.prepare(
            document, valid_from=None, prepared_by=PREPARES, at=now
        )
        await registering.approve(approval, approved_by=APPROVES, at=now)


async def order(settings: Settings, buyer: MemberId) -> None:
    """Let the buyer order a plan in the sandbox, and share it with one of the family."""
    if not settings.stripe_sandbox:
        return
    paying = payments.open_payments(settings, SystemClock())
    try:
        at = paying.clock.now()
        await selling.bring(paying.gateway, at=at)
        await _order(paying, buyer, at)
        relatives = await paying.memberships.family_of(buyer)
        # On a busy machine the order took a while: it is shared after it has begun.
        at = paying.clock.now()
        await paying.memberships.add_seat(buyer, MemberId(relatives[0].member_id), at=at)
    finally:
        await paying.close()


async def _order(paying: Payments, buyer: MemberId, at: datetime) -> None:
    memberships, sandbox = paying.memberships, paying.sandbox
    assert sandbox is not None, "it was asked for"
    offers = await memberships.plans_for(buyer, country=_COUNTRY, language="en", at=at)
    (plus,) = [plan for plan in offers.items if plan.plan == PLUS.code]
    (price,) = [
        price for price in plus.prices if (price.interval, price.price.currency) == ("year", "EUR")
    ]
    order = Order(
        price_no=price.price_no,
        country=_COUNTRY,
        language="en",
        disclosure_version=offers.terms.disclosure.version,
    )
    opened = await memberships.checkout(buyer, order, key="demo", at=at)
    await _pay(sandbox, opened.url)
    await memberships.returned(buyer, opened.checkout_id, at=at)


async def _pay(sandbox: Sandbox, url: str) -> None:
    """Fill in the sandbox's page with a test card."""
    transport = httpx.ASGITransport(app=cast("Any", sandbox.application))
    form = {"action": "pay", "number": _CARD, "expiry": "12 / 40", "cvc": "123"}
    async with httpx.AsyncClient(transport=transport, base_url="http://sandbox") as browser:
        answer = await browser.post(urlsplit(url).path, data=form)
    assert answer.is_redirect, "a test card pays"
