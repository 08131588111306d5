"""No member sees or changes what is another's: by every id, whatever is sent to it."""

import asyncio
from typing import Any

import pytest

from coalition.kernel.ids import random_id
from tests.families.doors.world import Town, done, transfer
from tests.families.groups.world import account
from tests.journeys import documented
from tests.journeys.documented import Operation
from tests.journeys.world import Scene, footprint
from tests.support.members import App, told

FEE = {
    "kind": "flat",
    "on": "join",
    "payer": "head",
    "money": {"amount_minor": 500, "currency": "SEK"},
}
NAMED = {
    operation.label: operation
    for operation in documented.operations(documented.schema())
    if documented.is_members(operation)
    and "{" in operation.path
    and not documented.needs_a_club(operation)
}
BODIES: dict[str, bytes] = {
    "good": b'{"points": 1}',
    "empty": b"{}",
    "of nothing": b"",
    "not JSON": b"{",
    "not valid": b'{"points": -1, "nonsense": 1}',
}


@pytest.fixture(scope="module")
def theirs(runner: asyncio.Runner, standing: Scene) -> dict[str, str]:
    """Return the ids of a family, an invitation, a transfer and a ward of others."""
    return runner.run(_theirs(Town(standing)))


@pytest.fixture(scope="module")
def stranger(runner: asyncio.Runner, standing: Scene) -> App:
    """Return a member who has nothing to do with them."""
    return runner.run(Town(standing).member())


async def _theirs(town: Town) -> dict[str, str]:
    await town.plain(control={"approvals": [{"by": "receiver"}]})
    await town.rules("family", account())
    await town.rules("costly", account(fees=[FEE]))
    head, other = await town.member(100), await town.member()
    ward = await town.child(head)
    group = str(done(await head.post("/v1/families", {"kind": "family"}), 201)["group_id"])
    wish = {"member_id": str(other.member), "role": "friend"}
    invited = done(await head.post(f"/v1/families/{group}/invitations", wish), 201)
    keeper = await town.member(50)
    sent = done(await keeper.post("/v1/transfers", transfer(other, 5)), 202)
    return {
        "group_id": group,
        "invitation_id": invited["invitation_id"],
        "act_id": done(await head.post("/v1/families", {"kind": "costly"}), 202)["act_id"],
        "transfer_id": sent["transfer_id"],
        "message_id": await told(head.member, town.at),
        "member_id": str(ward.member),
        "no": "1",
    }


@pytest.mark.parametrize("operation", NAMED.values(), ids=NAMED)
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
async def test_anothers_id_and_one_of_nobody_cannot_be_told_apart(
    operation: Operation, body: bytes, theirs: dict[str, str], stranger: App
) -> None:
    nobodys = {name: "1" if name == "no" else str(random_id()) for name in theirs}
    before = await footprint()

    answers = [await _ask(stranger, operation, ids, body) for ids in (theirs, nobodys)]

    assert answers[0] == answers[1]
    assert answers[0]["status"] == 404
    assert await footprint() == before


async def _ask(
    app: App, operation: Operation, ids: dict[str, str], body: bytes
) -> dict[str, Any]:  # Any: a JSON object
    headers = app.headers | {
        "idempotency-key": app.new_key(),
        "content-type": "application/json",
        "x-request-id": "same",
    }
    answer = await app.http.request(
        operation.method.upper(), operation.path.format(**ids), content=body, headers=headers
    )
    told: dict[str, Any] = answer.json()
    return told
