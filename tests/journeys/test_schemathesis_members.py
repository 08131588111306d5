"""What members send of things that are there is answered as the document says."""

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.generation.case import Case

from server import people
from tests.families.doors.world import Town, done, transfer
from tests.families.groups.world import account
from tests.journeys import documented
from tests.journeys.documented import Operation
from tests.journeys.world import Scene
from tests.support.members import PASSWORD, App, told

OF_MEMBERS = {
    operation.label: operation
    for operation in documented.operations(documented.schema())
    if documented.is_members(operation) and not documented.needs_a_club(operation)
}
FEW = settings(
    max_examples=8,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],
)
KEEPS = {
    "join": {"child_without_invitation": True},
    "contribution": {"future_percent": [0, 100], "manual": True},
}

FEE = {
    "kind": "flat",
    "on": "join",
    "payer": "head",
    "money": {"amount_minor": 500, "currency": "SEK"},
}


@dataclass
class Street:
    """A family with its head, a spouse and a ward, made anew for every request."""

    head: App
    spouse: App
    ward: App
    friend: App
    group: str
    place: int
    invitation: str
    transfer: str
    act: str
    message: str


@pytest.fixture(scope="module")
def town(runner: asyncio.Runner, standing: Scene) -> Town:
    """Return the service with rules for transfers and families."""
    there = Town(standing)
    runner.run(there.plain(control={"approvals": [{"by": "receiver"}], "undo_hours": 24}))
    group = {"members": {"max": 8}, "nominees": {"max": 3}}
    runner.run(there.rules("family", account(group=group, **KEEPS)))
    runner.run(there.rules("costly", account(fees=[FEE])))
    return there


@pytest.mark.parametrize("operation", OF_MEMBERS.values(), ids=OF_MEMBERS)
def test_what_members_send_is_answered_as_documented(
    operation: Operation, runner: asyncio.Runner, town: Town, standing: Scene
) -> None:
    reached = set()

    @FEW
    @given(data=st.data())
    def ask(data: st.DataObject) -> None:
        street = runner.run(_street(town, operation))
        asking = _who(street, operation)
        there = _named(street, operation)
        own = {name: text for name, text in there.items() if f"{{{name}}}" in operation.path}
        case = data.draw(operation.as_strategy(path_parameters=own))
        _bring_to_life(case, street)
        if case.headers and "Idempotency-Key" in case.headers:
            case.headers["Idempotency-Key"] = asking.new_key()
        answer = documented.send(runner, standing, case, asking.token)
        reached.add(answer.status_code // 100)
        documented.check(case, answer)

    ask()
    assert 2 in reached, "some of them are done"


async def _street(town: Town, operation: Operation) -> Street:
    head, spouse, friend = [await town.member(200) for _ in range(3)]
    ward = await town.child(head, points=20)
    group = str(done(await head.post("/v1/families", {"kind": "family"}), 201)["group_id"])
    address = f"/v1/families/{group}"
    for one, role in ((spouse, "spouse"),):
        wish = {"member_id": str(one.member), "role": role}
        made = done(await head.post(f"{address}/invitations", wish), 201)
        done(await one.post(f"/v1/invitations/{made['invitation_id']}/accept", {}))
    wish = {"member_id": str(friend.member), "role": "friend"}
    invited = done(await head.post(f"{address}/invitations", wish), 201)
    named = done(await head.post(f"{address}/nominees", {"name": "Karin"}), 201)
    sent = done(await friend.post("/v1/transfers", transfer(spouse, 5)), 202)
    if operation.path.endswith("/undo"):
        done(await spouse.post(f"/v1/transfers/{sent['transfer_id']}/approve"))
    if operation.path.endswith("/settle"):
        done(await spouse.post(f"{address}/separate", {}))
    waiting = done(await head.post("/v1/families", {"kind": "costly"}), 202)["act_id"]
    if operation.path.startswith("/v1/relationships/"):
        said = {"member_id": str(head.member), "relationship": "spouse"}
        done(await spouse.post("/v1/relationships", said), 201)
    if operation.path == "/v1/me/password":
        entry, email = people.sign_ins(town.settings), f"{head.member}@exempel.example"
        code = await entry.give_code(head.member, email, actor="staff:test", at=town.at)
        await entry.set_password(code.code, PASSWORD, town.at)
    return Street(
        *(head, spouse, ward, friend, group),
        *(named["no"], invited["invitation_id"], sent["transfer_id"], waiting),
        await told(head.member, town.at),
    )


def _who(street: Street, operation: Operation) -> App:
    """Return the app of whoever may do it."""
    if operation.path.startswith("/v1/transfers/{"):
        return street.friend if operation.path.endswith("/undo") else street.spouse
    if operation.path.endswith(("/accept", "/decline")):
        return street.friend
    if operation.path.endswith(("/leave", "/contributions", "/share", "/separate")):
        return street.spouse
    return street.head


def _named(street: Street, operation: Operation) -> dict[str, object]:
    of_ward = operation.path.startswith("/v1/wards")
    return {
        "group_id": street.group,
        "invitation_id": street.invitation,
        "transfer_id": street.transfer,
        "member_id": str((street.ward if of_ward else street.spouse).member),
        "no": street.place,
        "act_id": street.act,
        "message_id": street.message,
    }


def _bring_to_life(case: Case[Any], street: Street) -> None:
    """Let a generated request speak of who is there."""
    label = case.operation.label
    one = "/v1/families/{group_id}"
    bodies: dict[str, dict[str, Any]] = {  # Any: JSON objects
        "POST /v1/transfers": transfer(street.friend, 3),
        "POST /v1/transfers/preview": transfer(street.friend, 3),
        "POST /v1/families": {"kind": "family"},
        f"POST {one}/invitations": {"member_id": str(street.friend.member), "role": "friend"},
        f"POST {one}/members": {"member_id": str(street.ward.member), "role": "child"},
        f"POST {one}/members/{{member_id}}/role": {"role": "partner"},
        f"POST {one}/members/{{member_id}}/share": {"percent": 100},
        f"POST {one}/members/{{member_id}}/right": {"may_spend": True},
        f"POST {one}/head": {"member_id": str(street.spouse.member)},
        f"POST {one}/leave": {},
        f"POST {one}/contributions": {"points": 3},
        f"POST {one}/separate": {},
        f"POST {one}/settle": {"outcome": "stay"},
        f"POST {one}/nominees": {"name": "Karl"},
        "POST /v1/invitations/{invitation_id}/accept": {},
        "POST /v1/relationships": {
            "member_id": str(street.friend.member),
            "relationship": "sibling",
        },
        "PUT /v1/me/password": {"old_password": PASSWORD, "new_password": "five words of mine"},
    }
    if label in bodies:
        case.body = bodies[label]
    if label.startswith("GET "):
        case.query = {}
