"""Staff run a campaign of prices over HTTP, from the dry run to the last member."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from billing.subscriptions.campaigns import running
from coalition.kernel.database import transaction
from coalition.kernel.ids import MemberId
from tests.billing.campaigns.world import run
from tests.billing.doors.club_doors import ClubDoors, open_doors
from tests.billing.plans.written import on_sale, plan
from tests.support.http import Desk

pytestmark = pytest.mark.usefixtures("database")

BASE, WAITING = "/v1/admin/price-campaigns", "/v1/admin/price-campaign-approvals"
DOCUMENT: dict[str, Any] = {  # Any: JSON
    "code": "rise",
    "plan": "plus",
    "from_version": 1,
    "intervals": ["month"],
    "notice_days": 31,
}
DEARER = {"interval": "month", "currency": "SEK", "amount_minor": 9_900}


def told(answer: Any, status: int = 200) -> Any:  # Any: a JSON document
    """Return what was answered, which has this status."""
    assert answer.status_code == status, answer.text
    return answer.json()


async def desks(doors: ClubDoors) -> tuple[Desk, Desk]:
    """Return the desks of two persons who may do all."""
    both = ("memberships:prepare", "memberships:approve")
    return await doors.desk(*both), await doors.desk(*both)


async def begun(doors: ClubDoors, anna: Desk, bertil: Desk) -> None:
    """Let a campaign be tried, proposed and approved by its doors."""
    await on_sale(plan(prices=[DEARER]), doors.club.now())
    document = DOCUMENT | {"applies_from": doors.club.now().isoformat()}
    dry = told(await anna.post(f"{BASE}/dry-run", {"campaign": document}))
    assert (dry["told"], [one["must_agree"] for one in dry["groups"]]) == (2, [1, 0])
    assert told(await anna.get(BASE))["items"] == []
    told(await anna.post(BASE, {"campaign": document | {"from_version": 9}}), 404)
    proposed = told(await anna.post(BASE, {"campaign": document}), 201)
    (waits,) = told(await bertil.get(WAITING))["items"]
    assert waits == proposed
    address = f"{WAITING}/{waits['approval_id']}"
    assert told(await anna.post(f"{address}/approve"), 403)["code"] == "second_person_needed"
    assert told(await bertil.post(f"{address}/approve"))["state"] == "applied"


async def test_a_campaign_is_tried_proposed_approved_paused_and_ended_by_its_doors(
    at: datetime,
) -> None:
    doors = await open_doors(at)
    club = doors.club
    await club.joined(name="a", country="SE")
    german = await club.joined(name="b", country="DE")
    anna, bertil = await desks(doors)
    await begun(doors, anna, bertil)

    assert told(await anna.post(f"{BASE}/rise/pause"))["paused_by"] == anna.actor
    assert (await run(club)).told == 0
    assert told(await bertil.post(f"{BASE}/rise/resume"))["state"] == "runs"
    told(await anna.post(f"{BASE}/rise/run"), 202)
    async with transaction() as connection:
        asked = await connection.fetchval(
            "SELECT count(*) FROM pgqueuer WHERE entrypoint = $1", running.JOB
        )
    assert asked == 1
    assert (await run(club)).told == 2
    await club.memberships.agree_to_price(german, key=club.key(), at=club.now())
    await shown(anna, german)

    await club.advance(timedelta(days=32))
    await run(club)
    anna, bertil = await desks(doors)
    assert told(await anna.get(f"{BASE}/rise"))["scheduled"] == 2
    assert told(await anna.post(f"{BASE}/rise/stop"))["state"] == "stopped"
    told(await anna.post(f"{BASE}/rise/resume"), 409)
    told(await anna.post(f"{BASE}/rise/run"), 409)
    await club.advance(timedelta(days=31))
    await run(club)
    anna, _ = await desks(doors)
    assert told(await anna.get(f"{BASE}/rise"))["done"] == 2, "what was scheduled came"


async def shown(desk: Desk, agreed_by: MemberId) -> None:
    """See how far the campaign is, and who has agreed."""
    status = told(await desk.get(f"{BASE}/rise"))
    assert (status["told"], status["agreed"], status["awaits_consent"]) == (2, 1, 0)
    (one,) = told(await desk.get(f"{BASE}/rise/members", has_agreed="true"))["items"]
    assert (one["member_id"], one["wants_consent"]) == (str(agreed_by), True)
    first = told(await desk.get(f"{BASE}/rise/members", limit="1"))
    last = told(await desk.get(f"{BASE}/rise/members", limit="1", after=first["next"]))
    assert (len(first["items"]), len(last["items"]), last["next"]) == (1, 1, None)
    assert first["items"] != last["items"]
    assert told(await desk.get(f"{BASE}/rise/dry-run"))["already_told"] == 2
    told(await desk.get(f"{BASE}/none"), 404)


async def test_staff_see_gifts_notices_terms_and_what_came_from_stripe(at: datetime) -> None:
    doors = await open_doors(at)
    anna, bertil = await desks(doors)
    club = doors.club
    giver = await club.enrol("giver")
    buyer = await doors.app(giver)
    gift = {"plan": "plus", "months": 2, "currency": "SEK"}
    bought = told(await buyer.post("/v1/gifts", gift), 201)
    (row,) = told(await anna.get("/v1/admin/gifts", state="open"))["items"]
    assert (row["gift_id"], row["bought_by"]) == (bought["gift_id"], str(giver))
    assert told(await anna.get("/v1/admin/gifts", state="paid"))["items"] == []
    assert told(await anna.get("/v1/admin/membership-notices", kind="price"))["items"] == []
    countries = told(await anna.get("/v1/admin/plan-countries"))["items"]
    assert {"DE", "EU", "NO"} <= {one["country"] for one in countries}
    wrong = {"code": "bad", "name": "Bad", "rank": 1, "prices": [DEARER, DEARER]}
    verdict = told(await anna.post("/v1/admin/plans/check", {"plan": wrong}))
    assert (verdict["ok"], verdict["problems"][0]["pointer"]) == (False, "/prices/1")

    assert told(await anna.get("/v1/admin/stripe/events", failed="true"))["items"] == []
    assert told(await bertil.post("/v1/admin/stripe/events/again", {}))["items"] == []
    assert told(await anna.get("/v1/admin/stripe/reconciliation"))["report"] is None
    told(await bertil.post("/v1/admin/stripe/reconciliation", {"whole": True}), 202)
    told(await bertil.post("/v1/admin/stripe/plans"), 202)
    told(await (await doors.desk("memberships:read")).post("/v1/admin/stripe/plans"), 403)
