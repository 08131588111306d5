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
