"""A coalition that sells plans, its members, and Stripe's stand-in, all by one clock."""

from datetime import datetime, timedelta
from itertools import count
from typing import Any
from urllib.parse import urlsplit

import httpx

from billing.gateway import draining
from billing.gateway.client import Gateway
from billing.gateway.intake import Intake
from billing.plans.catalogue import Plans
from billing.plans.countries import shipped
from billing.plans.documents import PlanDocument
from billing.sandbox import Sandbox, webhook_endpoints
from billing.sandbox.contract import Contract
from billing.sandbox.deliveries import Delivery
from billing.sandbox.faults import Faults
from billing.sandbox.requests import Params
from billing.subscriptions import arrivals, register
from billing.subscriptions.service import Memberships
from billing.subscriptions.views import MembershipView, Offers, Order
from coalition.kernel.database import transaction
from coalition.kernel.ids import MemberId
from coalition.members import service
from coalition.members.personal import Enrolment
from coalition.members.sealing import MemberKeys
from tests.billing.plans.written import MONTHLY, STUDENT, YEARLY, on_sale, plan
from tests.points.world import make_world
from tests.support.http import SETTINGS
from tests.support.stripe_sandbox import TEST_KEY

HOME = "http://house.test"
VISA = "4242424242424242"
WANTS_3DS = "4000002760003184"
DECLINES = "4000000000000002"

PLUS = plan(prices=[MONTHLY, YEARLY, STUDENT])
PREMIUM = plan(
    "premium",
    rank=20,
    prices=[MONTHLY | {"amount_minor": 14_900}, YEARLY | {"amount_minor": 149_000}],
)
TRIED = plan("tried", trial_days=14)

_keys = count()


class Club:
    """The house, its plans and the sandbox; `now` moves with `advance` alone."""

    def __init__(
        self, start: datetime, *, contract: Contract | None = None, faults: Faults | None = None
    ) -> None:
        self.keys = MemberKeys.of(SETTINGS)
        self.loses_webhooks = False
        self.sandbox = Sandbox(
            None,
            now=lambda: start,
            deliver=self._deliver,
            seed="club",
            contract=contract or Contract(),
            faults=faults,
        )
        transport = httpx.ASGITransport(app=self.sandbox.application)
        self.gateway = Gateway(TEST_KEY, transport=transport, pauses_s=(0, 0, 0))
        self.memberships = Memberships(self.gateway, self.keys, home=HOME)
        with self.sandbox.store.transaction() as transaction:
            wanted = {"url": f"{HOME}/webhooks/stripe", "enabled_events": ["*"]}
            made = webhook_endpoints.create(self.sandbox.world(transaction), Params(wanted))
        self.secret: str = made["secret"]
        self.intake = Intake([self.secret], clock=self, is_live=False)
        self.browser = httpx.AsyncClient(transport=transport, base_url="http://sandbox")

    def now(self) -> datetime:
        """Return the present instant of the house and of the sandbox."""
        return self.sandbox.now()

    async def _deliver(self, delivery: Delivery) -> int:
        if not self.loses_webhooks:
            headers = {name.lower(): value for name, value in delivery.headers.items()}
            await self.intake.take(headers["stripe-signature"].encode(), delivery.body)
        return 200

    async def advance(self, by: timedelta) -> datetime:
        """Let time go on, do what falls due, and hear of it; return the time."""
        await self.sandbox.advance(self.now() + by)
        await self.hear()
        return self.now()

    async def hear(self) -> None:
        """Look at everything that webhooks told of."""
        await self.sandbox.deliver_due()
        await draining.drain_all(self.now(), arrivals.handler(self.memberships.house).handle)

    # ---- members

    async def enrol(self, name: str = "anna", *, country: str = "SE") -> MemberId:
        """Return a new member."""
        wanted = Enrolment(email=f"{name}@exempel.example", country=country)
        enrolled = await service.enrol(wanted, partner_no=1, keys=self.keys, at=self.now())
        return enrolled.member_id

    def key(self) -> str:
        """Return an idempotency key that was not used before."""
        return f"key-{next(_keys)}"

    async def plans(self) -> Plans:
        """Return all plans."""
        return await self.memberships.house.plans()

    async def price_no(
        self, code: str = "plus", interval: str = "month", eligibility: str | None = None
    ) -> int:
        """Return the number of the price on sale now."""
        found = (await self.plans()).by_code(code, self.now())
        (no,) = [
            price.no
            for price in found.prices
            if (price.interval, price.eligibility) == (interval, eligibility)
        ]
        return no

    async def offers(self, member: MemberId | None = None, country: str = "SE") -> Offers:
        """Return what is on sale."""
        return await self.memberships.plans_for(
            member, country=country, language="en", at=self.now()
        )

    async def order(
        self, code: str = "plus", interval: str = "month", *, country: str = "SE", **more: Any
    ) -> Order:
        """Return an order as a page would send it."""
        return Order(
            price_no=await self.price_no(code, interval, more.pop("eligibility", None)),
            country=country,
            language="en",
            disclosure_version=shipped().of(country).disclosure_version,
            **more,
        )

    async def pay(self, url: str, number: str = VISA) -> str:
        """Fill in Stripe's page; return the address to which it leads in the end."""
        form = {"action": "pay", "number": number, "expiry": "12 / 34", "cvc": "123"}
        answer = await self.browser.post(urlsplit(url).path, data=form | {"email": "a@b.example"})
        while answer.is_redirect:
            there = answer.url.join(answer.headers["location"])
            if there.host != "sandbox":
                return str(there)
            answer = await self.browser.get(there)
        return str(answer.url)

    async def joined(
        self, code: str = "plus", interval: str = "month", *, name: str = "anna", **more: Any
    ) -> MemberId:
        """Return a member who has ordered a plan and paid."""
        member = await self.enrol(name, country=more.get("country", "SE"))
        await self.join(member, code, interval, **more)
        return member

    async def join(
        self, member: MemberId, code: str = "plus", interval: str = "month", **more: Any
    ) -> MembershipView:
        """Order a plan, pay, and come back."""
        card = more.pop("card", VISA)
        opened = await self.memberships.checkout(
            member, await self.order(code, interval, **more), key=self.key(), at=self.now()
        )
        await self.pay(opened.url, card)
        return await self.memberships.returned(member, opened.checkout_id, at=self.now())

    async def replace_card(self, member: MemberId, card: str) -> None:
        """Let the member's invoices be charged to another test card, as in the portal."""
        async with transaction() as connection:
            live = await register.live(connection, member)
        assert live is not None
        customer = live.customer_id
        keyed = {"customer": customer}
        method = await self.gateway.post(None, f"/v1/payment_methods/{card}/attach", keyed)
        settings = {"invoice_settings": {"default_payment_method": method["id"]}}
        await self.gateway.post(None, f"/v1/customers/{customer}", settings)
        of_its_own = {"default_payment_method": method["id"]}
        await self.gateway.post(None, f"/v1/subscriptions/{live.subscription}", of_its_own)

    async def view(self, member: MemberId) -> MembershipView:
        """Return how a membership stands."""
        return await self.memberships.membership(member, at=self.now())


async def make_club(at: datetime, *documents: PlanDocument) -> Club:
    """Return a club that sells plans: Plus and Premium where none are named."""
    await make_world(at)
    for document in documents or (PLUS, PREMIUM):
        await on_sale(document, at)
    return Club(at)
