"""The service desk ends memberships and gives money back by its doors, by the scopes it has."""

from datetime import datetime
from typing import Any

import httpx
import pytest

from tests.billing.doors.club_doors import open_doors

pytestmark = pytest.mark.usefixtures("database")


def told(answer: httpx.Response, status: int = 200) -> Any:  # Any: a JSON document
    """Return what was answered, which has this status."""
    assert answer.status_code == status, answer.text
    return answer.json()


async def test_a_desk_cancels_takes_it_back_and_ends_at_once(at: datetime) -> None:
    doors = await open_doors(at)
    member = await doors.club.joined()
    desk = await doors.desk("memberships:prepare")
    base = f"/v1/admin/memberships/{member}"
    why = {"reason": "she called"}
    first = await desk.post(f"{base}/cancel", why, key="k")
    assert told(first)["kind"] == "cancelled"
    again = await desk.post(f"{base}/cancel", why, key="k")
    assert (again.content, again.headers["idempotent-replayed"]) == (first.content, "true")
    other = await desk.post(f"{base}/cancel", why | {"at_once": True}, key="k")
    assert told(other, 422)["code"] == "idempotency_key_reused"
    assert told(await desk.post(f"{base}/cancel", why), 409)["code"] == "already_cancelled"
    assert told(await desk.post(f"{base}/uncancel", why))["kind"] == "uncancelled"
    ended = told(await desk.post(f"{base}/cancel", why | {"at_once": True}))
    assert ended["ends_at"] == ended["at"]
    assert told(await desk.post(f"{base}/uncancel", why), 409)["code"] == "nothing_to_restore"
    reader = await doors.desk("memberships:read")
    told(await reader.post(f"{base}/cancel", why), 403)
    shown = told(await reader.get(base))
    assert [one["kind"] for one in shown["receipts"]].count("cancelled") == 2


async def test_a_desk_proposes_a_refund_and_another_person_gives_it(at: datetime) -> None:
    doors = await open_doors(at)
    member = await doors.club.joined()
    anna = await doors.desk("memberships:prepare", "memberships:approve")
    bertil = await doors.desk("memberships:read", "memberships:approve")
    (paid,) = told(await bertil.get(f"/v1/admin/memberships/{member}/payments"))["items"]
    assert (paid["left"], paid["is_disputed"]) == (paid["amount"], False)
    wanted = {"member_id": str(member), "reason": "a complaint"}
    base = "/v1/admin/membership-refunds"
    told(await bertil.post(base, wanted), 403)
    too_much = told(await anna.post(base, wanted | {"amount_minor": 7_901}), 409)
    assert (too_much["code"], too_much["left_minor"]) == ("amount_above_left", 7_900)
    of_nobody = wanted | {"payment": "pi_none"}
    assert told(await anna.post(base, of_nobody), 404)["code"] == "payment_not_found"
    proposed = told(await anna.post(base, wanted | {"amount_minor": 900}, key="k"), 201)
    again = told(await anna.post(base, wanted | {"amount_minor": 900}, key="k"), 201)
    assert (proposed, proposed["payload"]["payment"]) == (again, paid["payment"])
    assert told(await bertil.get("/v1/admin/membership-approvals"))["items"] == [proposed]
    address = f"/v1/admin/membership-approvals/{proposed['approval_id']}/approve"
    assert told(await anna.post(address), 403)["code"] == "second_person_needed"
    assert told(await bertil.post(address, key="d"))["state"] == "applied"
    assert told(await bertil.post(address, key="d"))["state"] == "applied"
    assert told(await bertil.post(address), 409)["code"] == "approval_decided"
    shown = told(await bertil.get(f"/v1/admin/memberships/{member}"))
    assert [one["amount"]["amount_minor"] for one in shown["entries"]] == [7_900, -900]
    (left,) = told(await bertil.get(f"/v1/admin/memberships/{member}/payments"))["items"]
    assert left["left"]["amount_minor"] == 7_000
