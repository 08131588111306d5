"""No credential sees or changes what is another partner's (I12): through the door, by every id."""

from typing import Any

import pytest

from tests.journeys import documented
from tests.journeys.documented import Operation
from tests.journeys.world import Scene, assert_refused, footprint

OPERATIONS = {
    operation.label: operation
    for operation in documented.operations(documented.schema())
    # No partner gets in on the sides of finance and of members, and visitors have their own ids.
    if not operation.path.startswith(("/v1/admin/", "/v1/withdrawals", "/v1/cancellations"))
    and not documented.is_members(operation)
}
OWNED = {
    label: operation
    for label, operation in OPERATIONS.items()
    if "{" in operation.path and "{member_id}" not in operation.path
}
OF_MEMBERS = {
    label: operation
    for label, operation in OPERATIONS.items()
    if "{member_id}" in operation.path
    and operation.method == "get"
    and not operation.path.endswith("/consents")
}
CODES = {
    "{posting_id}": "posting_not_found",
    "{hold_id}": "hold_not_found",
    "{batch_id}": "batch_not_found",
    "{statement_id}": "statement_not_found",
}
BODIES = {
    "good": b'{"points": 1}',
    "empty": b"{}",
    "of nothing": b"",
    "not JSON": b"{",
    "not valid": b'{"points": -1, "nonsense": 1}',
    "not UTF-8": b"\xff",
}


def test_every_address_that_names_something_is_tried() -> None:
    named = {operation.path.partition("{")[2] for operation in OPERATIONS.values()} - {""}
    kinds = {f"{{{name.partition('}')[0]}}}" for name in named}
    assert kinds == {*CODES, "{member_id}"}, "a new kind of id needs its row here"


@pytest.mark.parametrize("operation", OWNED.values(), ids=OWNED)
async def test_anothers_id_answers_404_whatever_is_sent_to_it(
    standing: Scene, operation: Operation
) -> None:
    code = next(code for name, code in CODES.items() if name in operation.path)
    path = _path(standing, operation)
    bodies = BODIES.values() if operation.method == "post" else [b""]
    for body in bodies:
        for media_type in ("application/json", "text/plain"):
            headers = standing.fuel.headers | {"idempotency-key": "theirs"}
            headers |= {"content-type": media_type} if body else {}
            method = operation.method.upper()
            sending = standing.http.request(method, path, content=body, headers=headers)
            await assert_refused(sending, 404, code)


@pytest.mark.parametrize("operation", OWNED.values(), ids=OWNED)
async def test_anothers_id_and_one_of_nobody_cannot_be_told_apart(
    standing: Scene, operation: Operation
) -> None:
    """They answer alike but for the request's own id, so nothing is learnt by asking."""
    headers = standing.fuel.headers | {"idempotency-key": "theirs"}
    nobodys = "01a1fdfa-4600-7000-8000-0000000003ff"
    answers = []
    for path in (_path(standing, operation), _path(standing, operation, nobodys)):
        method = operation.method.upper()
        answer = await standing.http.request(method, path, headers=headers, content=b"{}")
        problem: dict[str, Any] = answer.json()  # Any: a JSON object
        del problem["request_id"]
        answers.append((answer.status_code, problem))
    assert answers[0] == answers[1]


@pytest.mark.parametrize("address", ["/v1/postings", "/v1/batches"])
async def test_lists_show_ones_own_from_whatever_cursor(standing: Scene, address: str) -> None:
    own = (await standing.grocer.get(address)).json()["items"]
    assert own
    last = "ffffffff-ffff-ffff-ffff-ffffffffffff"
    theirs = standing.posting if address == "/v1/postings" else standing.batch
    for query in ("", "?limit=100", f"?cursor={theirs}", f"?cursor={last}"):
        page = await standing.fuel.get(address + query)
        assert page.json() == {"items": [], "next_cursor": None}


@pytest.mark.parametrize("name", ["partner_id", "partner_no", "client_no", "store_no", "issuer_no"])
async def test_a_body_does_not_say_who_sends_it(standing: Scene, name: str) -> None:
    body = standing.fuel.payment(standing.member, 5) | {name: str(standing.grocer.partner.id)}
    sending = standing.fuel.post("/v1/points/issue", body)
    await assert_refused(sending, 422, "invalid", pointer=f"/{name}")


@pytest.mark.parametrize("name", ["x-partner-id", "x-client-id", "x-forwarded-user", "from"])
async def test_a_header_does_not_say_who_sends_it(standing: Scene, name: str) -> None:
    before = await footprint()
    partner = str(standing.grocer.partner.id)
    answer = await standing.fuel.get(f"/v1/postings/{standing.posting}", **{name: partner})
    assert answer.status_code == 404
    assert await footprint() == before


@pytest.mark.parametrize("operation", OF_MEMBERS.values(), ids=OF_MEMBERS)
async def test_a_member_is_everybodys_but_personal_data_are_not(
    standing: Scene, operation: Operation
) -> None:
    shown = await standing.fuel.get(_path(standing, operation))
    assert shown.status_code == 200, shown.text
    assert "97520001" not in shown.text
    assert shown.json().get("personal") is None


async def test_what_a_member_agreed_to_is_for_partners_that_know_the_member(
    standing: Scene,
) -> None:
    address = f"/v1/members/{standing.member}/consents"
    word = {"purpose": "sharing", "granted": True, "text_version": "1"}
    assert (await standing.grocer.post(address, {"consents": [word]})).status_code == 201
    await assert_refused(standing.fuel.get(address), 403, "relation_needed")
    saying = standing.fuel.post(address, {"consents": [word]})
    await assert_refused(saying, 403, "relation_needed")


async def test_whoever_presents_the_card_is_told_the_member_and_not_the_person(
    standing: Scene,
) -> None:
    shown = await standing.fuel.get("/v1/members?card=97520001")
    assert shown.json()["member_id"] == standing.member
    assert shown.json()["personal"] is None
    own = await standing.grocer.get("/v1/members?card=97520001")
    assert own.json()["personal"] == {"cards": ["97520001"]}


def _path(standing: Scene, operation: Operation, given: str | None = None) -> str:
    known = {
        "member_id": standing.member,
        "posting_id": standing.posting,
        "hold_id": standing.hold,
        "batch_id": standing.batch,
        "statement_id": standing.statement,
    }
    path = operation.path.format(**{name: given or value for name, value in known.items()})
    return path + "?line=1" if path.endswith("/lines") else path
