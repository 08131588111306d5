"""Entitlements over HTTP: what a till sees, what it lets a member have, and takes back."""

import asyncio
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

import httpx
import pytest

from billing.benefits import applying, tokens
from billing.benefits.entitlements import Entitlement, Ground
from billing.doors import till_doors
from billing.plans import catalogue
from coalition.access import freshness
from coalition.kernel.database import Engine, transaction
from coalition.kernel.identity import TokenVerifier, audience_of
from coalition.kernel.ids import MemberId, random_id
from coalition.kernel.web.hot import Door
from tests.billing.benefits.world import DOUBLE, EARLY, SHIPPING, day, plan, register
from tests.support.http import ISSUER, SETTINGS, Coalition, Shop, open_coalition, routes_of, serve

ONCE = {**SHIPPING, "uses_per_period": 1, "funding": {"Macken": 1}}


class Counter:
    """The grocer's till, with the entitlements beside what all tills have."""

    def __init__(self, coalition: Coalition, verifier: TokenVerifier, member: str) -> None:
        self.coalition = coalition
        self.verifier = verifier
        self.member = member
        self.shop: Shop = coalition.grocer

    @property
    def address(self) -> str:
        return f"/v1/members/{self.member}/entitlements"

    async def shown(self) -> dict[str, Any]:
        answer = await self.shop.get(self.address)
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told

    async def use(self, receipt: str = "R-1", **changes: Any) -> httpx.Response:
        body = {
            "benefit": "shipping",
            "receipt": receipt,
            "occurred_at": self.shop.at.isoformat(),
            "saved": {"amount_minor": 4_900, "currency": "SEK"},
        }
        key = changes.pop("key", None)
        return await self.shop.post(f"{self.address}/use", body | changes, key=key)


async def open_counter(at: datetime) -> Counter:
    coalition = await open_coalition(at)
    plans = await register(plan("plus", ONCE, DOUBLE, EARLY), at=at)
    verifier = TokenVerifier(issuer=ISSUER, audience=audience_of(ISSUER))
    await freshness.refresh(verifier, at)
    door = Door(clock=coalition.clock, authenticate=verifier.verify)
    app: Any = serve(
        [*routes_of(door, coalition.tills), *till_doors.routes(door, coalition.tills, SETTINGS)]
    )
    transport = httpx.ASGITransport(app=app)
    await coalition.http.aclose()
    coalition.http = httpx.AsyncClient(transport=transport, base_url=ISSUER)
    coalition.grocer.http = coalition.fuel.http = coalition.http
    member = await coalition.grocer.new_member()
    paid = Entitlement(
        plan_no=plans.by_code("plus").no,
        begins=day(1),
        ends=day(1, 12),
        ground=Ground.PAID,
        period_start=day(1),
        period_end=day(1, 12),
        source="invoice:1",
    )
    async with transaction() as connection:
        await applying.apply(
            connection,
            member=MemberId(UUID(member)),
            membership_id=random_id(),
            entitlements=[paid],
            plans=plans,
            at=at,
        )
    return Counter(coalition, verifier, member)


async def entitled_holder(counter: Counter, card: str) -> UUID:
    """Return a further member with a card, who has the same plan."""
    member = UUID(await counter.shop.new_member(card))
    async with transaction() as connection:
        plans = await catalogue.load(connection)
        paid = Entitlement(
            plan_no=plans.by_code("plus").no,
            begins=day(1),
            ends=day(1, 12),
            ground=Ground.PAID,
            period_start=day(1),
            period_end=day(1, 12),
            source="invoice:2",
        )
        await applying.apply(
            connection,
            member=MemberId(member),
            membership_id=random_id(),
            entitlements=[paid],
            plans=plans,
            at=counter.shop.at,
        )
    return member


@pytest.fixture
def counter(runner: asyncio.Runner, database: Engine, at: datetime) -> Iterator[Counter]:
    """Yield the counter of a grocer whose customer has a plan."""
    opened = runner.run(open_counter(at))
    yield opened
    runner.run(opened.coalition.close())


async def test_a_till_sees_the_plan_its_benefits_and_a_token(counter: Counter) -> None:
    told = await counter.shown()
    token = told.pop("token")
    assert told == {
        "member_id": counter.member,
        "plan": "plus",
        "plan_name": "Plus",
        "until": "2026-12-01T12:00:00Z",
        "flags": ["early-access"],
        "benefits": [
            {
                "code": "shipping",
                "kind": "free_shipping",
                "most_minor": 5_900,
                "currency": "SEK",
                "remaining": 1,
            },
            {"code": "double", "kind": "earn_multiplier", "factor": "2"},
            {"code": "early", "kind": "early_access"},
        ],
    }
    claims = tokens.verify(
        token,
        counter.verifier.keys,
        issuer=ISSUER,
        partner_id=counter.shop.partner.id,
        at=counter.shop.at,
    )
    assert str(claims.sub) == counter.member
    # It opens no door of ours.
    refused = await counter.shop.get(counter.address, authorization=f"Bearer {token}")
    assert refused.status_code == 401


async def test_a_token_bears_the_mark_of_the_card_that_it_is_asked_for_with(
    counter: Counter,
) -> None:
    partner = counter.shop.partner.id
    counter.member = str(await entitled_holder(counter, "97520007"))
    told = await counter.shop.get(f"{counter.address}?card=9752-0007")
    claims = tokens.verify(
        told.json()["token"],
        counter.verifier.keys,
        issuer=ISSUER,
        partner_id=partner,
        at=counter.shop.at,
    )
    assert claims.card == tokens.mark_of("97520007", partner)
    await counter.shop.new_member("97520008")
    for card in ("97520008", "97520009", "----"):
        refused = await counter.shop.get(f"{counter.address}?card={card}")
        assert (refused.status_code, refused.json()["code"]) == (404, "card_not_found")


async def test_who_has_no_plan_has_no_token(counter: Counter) -> None:
    counter.member = await counter.shop.new_member("97520002")
    told = await counter.shown()
    assert (told["plan"], told["until"], told["benefits"], told["token"]) == (None, None, [], None)
    counter.member = str(random_id())
    assert (await counter.shop.get(counter.address)).json()["code"] == "member_not_found"


async def test_a_benefit_is_had_once_per_receipt_and_as_often_as_the_plan_says(
    counter: Counter,
) -> None:
    used = await counter.use(key="once")
    assert (used.status_code, used.json()["remaining"]) == (201, 0)
    assert used.json()["saved"] == {"amount_minor": 4_900, "currency": "SEK"}
    again = await counter.use(key="once")
    assert (again.content, again.headers["idempotent-replayed"]) == (used.content, "true")
    assert (await counter.use()).json()["remaining"] == 0
    assert (await counter.use("R-2")).json()["code"] == "benefit_used_up"
    assert (await counter.shown())["benefits"][0]["remaining"] == 0
    for changes, code in (
        ({"benefit": "caviar"}, "benefit_not_held"),
        (
            {"saved": {"amount_minor": 6_000, "currency": "SEK"}, "receipt": "R-3"},
            "invalid_saving",
        ),
        ({"saved": {"amount_minor": 100, "currency": "SEK"}}, "receipt_used_otherwise"),
        ({"store": "none"}, "unknown_store"),
        ({"occurred_at": "2020-01-01T00:00:00Z"}, "time_out_of_bounds"),
    ):
        assert (await counter.use(**changes)).json()["code"] == code


async def test_a_returned_purchase_gives_the_benefit_back(counter: Counter) -> None:
    await counter.use()
    body: dict[str, Any] = {"benefit": "shipping", "receipt": "R-1"}
    part = {"amount": {"amount_minor": 1_000, "currency": "SEK"}}
    for _ in range(2):
        some = await counter.shop.post(f"{counter.address}/return", body | part, key="part")
        assert some.json()["left"] == {"amount_minor": 3_900, "currency": "SEK"}
    assert (await counter.use()).json()["left"]["amount_minor"] == 3_900
    too_much = {"amount": {"amount_minor": 3_901, "currency": "SEK"}}
    refused = await counter.shop.post(f"{counter.address}/return", body | too_much)
    assert (refused.status_code, refused.json()["code"]) == (409, "returns_too_much")
    assert refused.json()["left_minor"] == 3_900
    other = {"amount": {"amount_minor": 1, "currency": "EUR"}}
    refused = await counter.shop.post(f"{counter.address}/return", body | other)
    assert (refused.json()["code"], refused.json()["currency"]) == (
        "saving_in_other_currency",
        "SEK",
    )
    returned = await counter.shop.post(f"{counter.address}/return", body)
    assert (returned.status_code, returned.json()["receipt"]) == (201, "R-1")
    assert (await counter.use("R-2")).json()["remaining"] == 0
    unknown = await counter.shop.post(f"{counter.address}/return", body | {"receipt": "R-9"})
    assert unknown.json()["code"] == "benefit_use_not_found"


async def test_a_till_without_the_scope_learns_nothing(counter: Counter) -> None:
    counter.shop = await counter.coalition.till(counter.shop, scopes=["statements:read"])
    assert (await counter.shop.get(counter.address)).status_code == 403
    assert (await counter.use()).status_code == 403
