"""Memberships over HTTP: members, visitors and staff; keys, scopes, refusals, what is public."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import httpx
import msgspec
import pytest

from coalition.kernel.database import transaction
from coalition.kernel.ids import MemberId
from coalition.members import service
from tests.billing.doors.club_doors import open_doors
from tests.billing.plans.written import plan

pytestmark = pytest.mark.usefixtures("database")

ORDER = {"country": "SE", "language": "sv", "disclosure_version": "SE-2026-11"}


def done(answer: httpx.Response, status: int = 200) -> dict[str, Any]:
    """Return what was answered, which is no refusal."""
    assert answer.status_code == status, answer.text
    told: dict[str, Any] = answer.json()
    return told


def refused(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """Return the problem that was answered."""
    assert (answer.status_code, answer.json().get("code")) == (status, code), answer.text
    told: dict[str, Any] = answer.json()
    return told


async def test_a_visitor_sees_the_plans_in_its_country_and_language(at: datetime) -> None:
    house = await open_doors(at)
    answer = await house.http.get("/v1/plans?country=DE", headers={"accept-language": "de-DE,en"})
    told = done(answer)
    assert told["terms"]["order_button"] == "Zahlungspflichtig bestellen"
    assert [one["plan"] for one in told["items"]] == ["plus", "premium"]
    assert told["items"][0]["benefits"] == [
        {"benefit": "earn_multiplier", "code": "double", "factor": "2", "partner": None,
         "category": None, "funding": {}},
    ]  # fmt: skip
    refused(await house.http.get("/v1/plans?country=de"), 422, "invalid")
    forged = {"authorization": "Bearer no-token"}
    assert (await house.http.get("/v1/plans", headers=forged)).status_code == 401


async def test_a_member_orders_changes_and_leaves_over_http(at: datetime) -> None:
    house = await open_doors(at)
    club = house.club
    app = await house.app(await club.enrol())
    assert done(await app.get("/v1/membership"))["state"] == "none"
    body = ORDER | {"price_no": await club.price_no()}
    opened = await app.post("/v1/membership/checkout", body, key="one")
    again = await app.post("/v1/membership/checkout", body, key="one")
    assert done(opened, 201) == done(again, 201)
    assert again.headers["idempotent-replayed"] == "true"
    refused(
        await app.post("/v1/membership/checkout", body | {"country": "NO"}, key="one"),
        422,
        "idempotency_key_reused",
    )
    await club.pay(opened.json()["url"])
    checkout = opened.json()["checkout_id"]
    assert done(await app.post(f"/v1/membership/checkout/{checkout}/returned"))["plan"] == "plus"
    refused(await app.post("/v1/membership/checkout", body), 409, "already_member")

    premium = await club.price_no("premium")
    said = done(await app.post("/v1/membership/preview", {"price_no": premium}))
    assert said["kind"] == "upgrade"
    wanted = {"price_no": premium, "previewed_at": said["previewed_at"]}
    assert done(await app.post("/v1/membership/change", wanted))["plan"] == "premium"
    down = {"price_no": await club.price_no("plus")}
    said = done(await app.post("/v1/membership/preview", down))
    wanted = down | {"previewed_at": said["previewed_at"]}
    assert done(await app.post("/v1/membership/change", wanted))["next_plan"] == "plus"
    assert done(await app.post("/v1/membership/keep"))["next_plan"] is None
    ledger = done(await app.get("/v1/membership/ledger"))["items"]
    assert [one["kind"] for one in ledger] == ["payment", "payment"]
    assert "/portal/" in done(await app.post("/v1/membership/portal", {}))["url"]

    assert done(await app.get("/v1/membership/cancel"))["instead"] == "smaller_plan"
    receipt = done(await app.post("/v1/membership/cancel", {"reason": "too dear"}))
    assert done(await app.get("/v1/membership"))["state"] == "ending"
    assert done(await app.post("/v1/membership/uncancel"))["kind"] == "uncancelled"
    done(await app.post("/v1/membership/pause", {"months": 1}))
    done(await app.post("/v1/membership/resume"))
    kept = done(await app.get("/v1/membership/receipts"))["items"]
    assert receipt in kept
    assert len(kept) == 4
    declared = done(await app.post("/v1/membership/withdraw"), 201)
    address = f"/v1/membership/withdraw/{declared['withdrawal_id']}/confirm"
    assert done(await app.post(address))["refund"] == declared["refund"]
    assert done(await app.get("/v1/membership"))["state"] == "ended"


async def test_gifts_over_http(at: datetime) -> None:
    house = await open_doors(at)
    giver = await house.app(await house.club.enrol("giver"))
    body = {"plan": "plus", "months": 2, "currency": "SEK"}
    gift = done(await giver.post("/v1/gifts", body), 201)
    await house.club.pay(gift["url"])
    (paid,) = done(await giver.get("/v1/gifts"))["items"]
    app = await house.app(await house.club.enrol())
    seen = done(await app.post("/v1/gifts/redeem", {"code": paid["code"]}))
    assert (seen["state"], seen["ground"]) == ("given", "gift")
    refused(await giver.post("/v1/gifts/redeem", {"code": paid["code"]}), 404, "gift_not_found")


async def test_a_withdrawal_without_signing_in(at: datetime) -> None:
    house = await open_doors(at)
    member = await house.club.joined()
    reference = str((await house.club.view(member)).membership_id)
    wrong = {"reference": reference, "email": "somebody@else.example"}
    refused(await house.http.post("/v1/withdrawals", json=wrong), 404, "membership_not_found")
    right = {"reference": reference, "email": "anna@exempel.example"}
    declared = done(await house.http.post("/v1/withdrawals", json=right), 201)
    address = f"/v1/withdrawals/{declared['withdrawal_id']}/confirm"
    receipt = done(await house.http.post(address))
    assert done(await house.http.post(address)) == receipt
    assert receipt["kind"] == "withdrawn"


async def test_cancelling_without_signing_in_is_as_often_as_somebody_changes_its_mind(
    at: datetime,
) -> None:
    house = await open_doors(at)
    member = await house.club.joined()
    reference = str((await house.club.view(member)).membership_id)
    wrong = {"reference": reference, "email": "somebody@else.example"}
    refused(await house.http.post("/v1/cancellations", json=wrong), 404, "membership_not_found")
    right = {"reference": reference, "email": "anna@exempel.example", "reason": "moved away"}
    unsaid = right | {"reason": " "}
    refused(await house.http.post("/v1/cancellations", json=unsaid), 422, "reason_needed")
    sent = [house.http.post("/v1/cancellations", json=right) for _ in range(3)]
    first, *others = [done(answer) for answer in await asyncio.gather(*sent)]
    assert others == [first, first]
    assert (first["kind"], first["reason"]) == ("cancelled", "moved away")
    assert done(await house.http.post("/v1/cancellations", json=right)) == first
    await house.club.memberships.uncancel(member, key="u", at=house.club.now())
    second = done(await house.http.post("/v1/cancellations", json=right))
    assert second["receipt_id"] != first["receipt_id"]
    assert (await house.club.view(member)).state == "ending"


async def test_a_frozen_member_may_leave_and_order_nothing(at: datetime) -> None:
    house = await open_doors(at)
    member = await house.club.joined()
    await service.freeze(MemberId(member), actor="staff:anna", at=house.club.now())
    app = await house.app(member)
    done(await app.post("/v1/membership/cancel", {}))
    body = ORDER | {"price_no": await house.club.price_no()}
    refused(await app.post("/v1/membership/checkout", body), 403, "member_frozen")


async def test_staff_put_a_plan_on_sale_and_end_it_by_two_persons(at: datetime) -> None:
    house = await open_doors(at)
    anna = await house.desk("memberships:prepare")
    bertil = await house.desk("memberships:read", "memberships:approve")
    document = msgspec.to_builtins(plan("gold", rank=30))
    proposed = done(await anna.post("/v1/admin/plans", {"plan": document}), 201)
    address = f"/v1/admin/plan-approvals/{proposed['approval_id']}"
    assert (await anna.post(f"{address}/approve")).status_code == 403
    assert done(await bertil.get("/v1/admin/plan-approvals"))["items"] == [proposed]
    assert done(await bertil.post(f"{address}/approve"))["state"] == "applied"
    (gold,) = [
        one for one in done(await bertil.get("/v1/admin/plans"))["items"] if one["plan"] == "gold"
    ]
    assert (gold["is_sold"], gold["version"], len(gold["prices"])) == (True, 1, 2)
    wrong = document | {"prices": []}
    problem = refused(await anna.post("/v1/admin/plans", {"plan": wrong}), 422, "invalid_plan")
    assert problem["errors"][0]["pointer"] == "/prices"
    end = done(await anna.post("/v1/admin/plans/end", {"plan": "gold"}), 201)
    address = f"/v1/admin/plan-approvals/{end['approval_id']}"
    reason = {"reason": "not yet"}
    assert done(await bertil.post(f"{address}/reject", reason))["state"] == "rejected"
    refused(await bertil.post(f"{address}/approve"), 409, "approval_decided")


async def test_staff_grant_months_and_see_them(at: datetime) -> None:
    house = await open_doors(at)
    member = await house.club.enrol()
    anna = await house.desk("memberships:prepare")
    bertil = await house.desk("memberships:approve")
    grant = {
        "member_id": str(member),
        "ground": "sponsored",
        "plan": "plus",
        "months": 1,
        "reason": "a campaign",
        "partner_no": 1,
    }
    made = done(await anna.post("/v1/admin/membership-grants", grant), 201)
    address = f"/v1/admin/membership-approvals/{made['approval_id']}/approve"
    done(await bertil.post(address))
    seen = done(await bertil.get(f"/v1/admin/memberships/{member}"))
    (one,) = seen["items"]
    (given,) = one["given"]
    assert (one["ground"], given["source"]) == ("sponsored", f"partner:1:{made['approval_id']}")
    end = {"member_id": str(member), "source": given["source"], "reason": "over"}
    made = done(await anna.post("/v1/admin/membership-grants/end", end), 201)
    done(await bertil.get("/v1/admin/membership-approvals"))
    done(await bertil.post(f"/v1/admin/membership-approvals/{made['approval_id']}/approve"))
    assert done(await bertil.get(f"/v1/admin/memberships/{member}"))["items"][0]["ended_at"]
    unknown = grant | {"member_id": "0c6b1c2e-6f0b-4b57-9a3a-1f3f6e0d2c11"}
    refused(await anna.post("/v1/admin/membership-grants", unknown), 404, "member_not_found")


async def test_what_stripe_tells_of_comes_in_by_the_door(at: datetime) -> None:
    house = await open_doors(at)
    club = house.club
    club.loses_webhooks = True
    member = await club.joined()
    await club.advance(timedelta(days=31))
    async with transaction() as connection:
        assert await connection.fetchval("SELECT count(*) FROM stripe_event") == 0
    club.loses_webhooks = False
    assert (await house.http.post("/webhooks/stripe", content=b"{}")).status_code == 400
    await club.advance(timedelta(days=31))
    seen = done(await (await house.app(member)).get("/v1/membership"))
    assert (seen["state"], seen["ground"]) == ("active", "paid")
