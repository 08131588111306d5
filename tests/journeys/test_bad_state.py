"""What would be right at another time or from another caller: refused by the state of things."""

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import UUID

import pytest

from coalition.access import freshness
from coalition.access import service as access
from coalition.federation import service as federation
from coalition.federation import stores
from coalition.kernel.database import transaction
from coalition.kernel.identity import SCOPES
from coalition.kernel.ids import MemberId
from coalition.members import closing
from coalition.members import service as members
from tests.journeys.world import Scene, assert_refused, code_of, footprint
from tests.support.http import ACTOR, Shop, new_client, token_of

MOST = 2**31 - 1
BODIES = {"issue": "/v1/points/issue", "redeem": "/v1/points/redeem"}


@pytest.mark.parametrize("address", BODIES.values(), ids=BODIES)
async def test_a_receipt_is_used_once_whatever_the_key(scene: Scene, address: str) -> None:
    body = scene.grocer.payment(scene.member, 5)
    assert (await scene.grocer.post(address, body)).status_code == 201
    changed = body | {"points": 6}
    for again in (body, changed):
        await assert_refused(scene.grocer.post(address, again), 409, "duplicate_receipt", tells=1)


async def test_a_receipt_that_was_paid_is_not_captured_again(scene: Scene) -> None:
    body = scene.grocer.payment(scene.member, 5)
    held = await scene.grocer.post("/v1/points/holds", body)
    assert (await scene.grocer.post("/v1/points/redeem", body)).status_code == 201
    address = f"/v1/points/holds/{held.json()['hold_id']}/capture"
    await assert_refused(scene.grocer.post(address, {}), 409, "duplicate_receipt")


async def test_one_of_many_tills_that_send_a_receipt_at_once_posts_it(scene: Scene) -> None:
    body = scene.grocer.payment(scene.member, 5)
    sent = (scene.grocer.post("/v1/points/redeem", body) for _ in range(20))
    answers = await asyncio.gather(*sent)
    assert Counter(map(code_of, answers)) == {"no refusal": 1, "duplicate_receipt": 19}
    assert await scene.grocer.balance(scene.member) == 65


@pytest.mark.parametrize(
    ("address", "changes"),
    [
        ("/v1/points/issue", {"points": 6}),
        ("/v1/points/redeem", {}),
        ("/v1/points/holds", {}),
        ("/v1/members", {}),
    ],
)
async def test_a_key_that_was_used_fits_nothing_else(
    scene: Scene, address: str, changes: dict[str, int]
) -> None:
    body = scene.grocer.payment(scene.member, 5)
    assert (await scene.grocer.post("/v1/points/issue", body, key="once")).status_code == 201
    sent = {"card": "97520099"} if address == "/v1/members" else body | changes
    sending = scene.grocer.post(address, sent, key="once")
    await assert_refused(sending, 422, "idempotency_key_reused")


@pytest.mark.parametrize("address", ["redeem", "holds"])
@pytest.mark.parametrize("points", [71, MOST])
async def test_what_is_not_there_or_on_hold_is_not_spent(
    scene: Scene, address: str, points: int
) -> None:
    body = scene.grocer.payment(scene.member, points)
    await assert_refused(scene.grocer.post(f"/v1/points/{address}", body), 409, "not_enough_points")


async def test_points_are_not_spent_twice_at_the_same_time(scene: Scene) -> None:
    shops = [scene.grocer, scene.fuel] * 10
    sent = (shop.post("/v1/points/redeem", shop.payment(scene.member, 20)) for shop in shops)
    answers = await asyncio.gather(*sent)
    assert Counter(map(code_of, answers)) == {"no refusal": 3, "not_enough_points": 17}
    assert await scene.grocer.balance(scene.member) == 10


async def test_a_hold_gives_no_more_than_it_holds_and_only_once(scene: Scene) -> None:
    hold = f"/v1/points/holds/{scene.hold}"
    for points in (31, MOST):
        sending = scene.grocer.post(f"{hold}/capture", {"points": points})
        await assert_refused(sending, 409, "capture_exceeds_hold")
    assert (await scene.grocer.post(f"{hold}/capture", {"points": 10})).status_code == 201
    for act in ("capture", "void"):
        await assert_refused(scene.grocer.post(f"{hold}/{act}", {}), 409, "hold_resolved")


async def test_a_hold_that_is_taken_and_released_at_once_resolves_once(scene: Scene) -> None:
    hold = f"/v1/points/holds/{scene.hold}"
    acts = ["capture", "void"] * 10
    answers = await asyncio.gather(*(scene.grocer.post(f"{hold}/{act}", {}) for act in acts))
    assert Counter(map(code_of, answers)) == {"no refusal": 1, "hold_resolved": 19}
    state = (await scene.grocer.get(hold)).json()["state"]
    assert await scene.grocer.balance(scene.member) == {"captured": 70, "voided": 100}[state]


async def test_a_card_that_many_enrol_at_once_is_one_members(scene: Scene) -> None:
    async with transaction() as connection:
        before = await connection.fetchval("SELECT count(*) FROM member")
    shops = [scene.grocer, scene.fuel] * 10
    sent = (shop.post("/v1/members", {"card": "97520055"}) for shop in shops)
    answers = await asyncio.gather(*sent)
    assert Counter(map(code_of, answers)) == {"no refusal": 1, "card_taken": 19}
    async with transaction() as connection:
        assert await connection.fetchval("SELECT count(*) FROM member") == before + 1
        assert await connection.fetchval("SELECT count(*) FROM holder") == before + 1


async def test_a_hold_that_is_over_gives_nothing(scene: Scene) -> None:
    scene.clock.advance(timedelta(minutes=15))
    client = await new_client(scene.grocer.partner, scene.clock.now())
    token = await token_of(client, scene.clock.now())
    late = Shop(
        scene.grocer.partner, scene.grocer.store, client, token, scene.http, scene.grocer.at
    )
    sending = late.post(f"/v1/points/holds/{scene.hold}/capture", {})
    await assert_refused(sending, 409, "hold_resolved")


async def test_no_more_is_taken_back_than_was_given(scene: Scene) -> None:
    address = f"/v1/postings/{scene.posting}/reverse"
    for points in (101, MOST):
        sending = scene.grocer.post(address, {"points": points})
        await assert_refused(sending, 409, "reversal_exceeds_original")
    await assert_refused(scene.grocer.post(address, {}), 409, "points_already_spent")
    first = await scene.grocer.post(address, {"points": 60})
    assert first.status_code == 201, first.text
    sending = scene.grocer.post(address, {"points": 41})
    await assert_refused(sending, 409, "reversal_exceeds_original")
    reversal = f"/v1/postings/{first.json()['posting_id']}/reverse"
    await assert_refused(scene.grocer.post(reversal, {}), 409, "not_reversible")


async def test_returns_that_come_at_once_give_back_no_more_than_was_paid(scene: Scene) -> None:
    paid = await scene.fuel.post("/v1/points/redeem", scene.fuel.payment(scene.member, 50))
    address = f"/v1/postings/{paid.json()['posting_id']}/reverse"
    answers = await asyncio.gather(*(scene.fuel.post(address, {"points": 20}) for _ in range(10)))
    codes = Counter(map(code_of, answers))
    assert codes == {"no refusal": 2, "reversal_exceeds_original": 8}
    assert await scene.fuel.balance(scene.member) == 60


async def test_a_till_of_one_store_acts_for_no_other(scene: Scene) -> None:
    grocer = scene.grocer
    await stores.create_store(
        partner_no=grocer.partner.no, code="2", name="Handlarn 2", actor=ACTOR, at=grocer.at
    )
    client = await new_client(grocer.partner, grocer.at, SCOPES, grocer.store.no)
    token = await token_of(client, grocer.at)
    till = Shop(grocer.partner, grocer.store, client, token, scene.http, grocer.at)
    for address in ("issue", "redeem", "holds"):
        body = till.payment(scene.member, 5, store="2")
        await assert_refused(till.post(f"/v1/points/{address}", body), 403, "other_store")


async def frozen(scene: Scene) -> None:
    await members.freeze(MemberId(UUID(scene.member)), actor=ACTOR, at=scene.grocer.at)


async def closed(scene: Scene) -> None:
    """Close the member, for which the hold is let go and the points are given up."""
    await scene.grocer.post(f"/v1/points/holds/{scene.hold}/void", {})
    member = MemberId(UUID(scene.member))
    await closing.close(member, actor=ACTOR, at=scene.grocer.at, forfeit_points=True)


@pytest.mark.parametrize("become", [frozen, closed])
async def test_points_of_a_frozen_or_closed_member_do_not_move(
    scene: Scene, become: Callable[[Scene], Awaitable[None]]
) -> None:
    grocer = scene.grocer
    await become(scene)
    for sending in (
        grocer.post("/v1/points/issue", grocer.payment(scene.member, 5)),
        grocer.post("/v1/points/redeem", grocer.payment(scene.member, 5)),
        grocer.post("/v1/points/holds", grocer.payment(scene.member, 5)),
        grocer.post(f"/v1/points/holds/{scene.hold}/capture", {}),
        grocer.post(f"/v1/postings/{scene.posting}/reverse", {"points": 5}),
    ):
        await assert_refused(sending, 409, "member_not_active")


async def test_a_closed_store_takes_nothing(scene: Scene) -> None:
    grocer = scene.grocer
    await stores.close_store(store_no=grocer.store.no, reason="rebuilt", actor=ACTOR, at=grocer.at)
    for address in ("issue", "redeem", "holds"):
        body = grocer.payment(scene.member, 5, store=grocer.store.code)
        await assert_refused(grocer.post(f"/v1/points/{address}", body), 409, "store_closed")


async def test_a_line_of_a_batch_needs_the_scope_of_its_kind_too(scene: Scene) -> None:
    lines = [
        {"kind": "issue", **scene.grocer.payment(scene.member, 5)},
        {"kind": "redeem", **scene.grocer.payment(scene.member, 5)},
        {"kind": "reverse", "posting_id": scene.posting, "points": 1},
    ]
    ndjson = "\n".join(map(json.dumps, lines)).encode()
    for scope, allowed in {"": [], "points:issue": [1], "points:redeem": [2]}.items():
        token = await token_of(scene.grocer.client, scene.grocer.at, f"batches:write {scope}")
        grocer = scene.grocer
        sender = Shop(grocer.partner, grocer.store, grocer.client, token, scene.http, grocer.at)
        key = f"batch-{scope}"
        answer = await sender.send("/v1/batches", ndjson, "application/x-ndjson", key=key)
        statuses = {result["line"]: result["status"] for result in answer.json()["results"]}
        assert {line for line, status in statuses.items() if status == 201} == {*allowed}
        assert {status for line, status in statuses.items() if line not in allowed} == {403}


async def test_a_suspended_partner_does_no_business(scene: Scene) -> None:
    grocer = scene.grocer
    await federation.suspend_partner(
        partner_no=grocer.partner.no, reason="unpaid", actor=ACTOR, at=grocer.at
    )
    ndjson = b'{"points": 5}\n'
    for sending in (
        grocer.post("/v1/points/issue", grocer.payment(scene.member, 5)),
        grocer.post("/v1/points/redeem", grocer.payment(scene.member, 5)),
        grocer.post("/v1/points/holds", grocer.payment(scene.member, 5)),
        grocer.post(f"/v1/points/holds/{scene.hold}/capture", {}),
        grocer.post(f"/v1/points/holds/{scene.hold}/void", {}),
        grocer.post(f"/v1/postings/{scene.posting}/reverse", {}),
        grocer.post("/v1/members", {"card": "97520098"}),
        grocer.send("/v1/batches", ndjson, "application/x-ndjson"),
    ):
        await assert_refused(sending, 409, "partner_suspended")
    before = await footprint()
    form = {"grant_type": "client_credentials"}
    basic = (grocer.client.client_id, grocer.client.client_secret)
    answer = await scene.http.post("/oauth/token", data=form, auth=basic)
    assert (answer.status_code, answer.json()["error"]) == (400, "unauthorized_client")
    assert await footprint() == before


async def test_a_revoked_client_is_out_here_at_once_and_elsewhere_at_the_next_look(
    scene: Scene,
) -> None:
    at = scene.grocer.at
    gone = scene.grocer.client.client_id
    await access.revoke_client(gone, actor=ACTOR, at=at, verifier=scene.service.verifier)
    await access.revoke_client(scene.fuel.client.client_id, actor=ACTOR, at=at)
    balance = f"/v1/members/{scene.member}/balance"
    await assert_refused(scene.grocer.get(balance), 401, "invalid_token")
    await freshness.refresh(scene.service.verifier, at)
    for shop in (scene.grocer, scene.fuel):
        body = shop.payment(scene.member, 5)
        await assert_refused(shop.post("/v1/points/issue", body), 401, "invalid_token")
        form = {"grant_type": "client_credentials"}
        basic = (shop.client.client_id, shop.client.client_secret)
        answer = await scene.http.post("/oauth/token", data=form, auth=basic)
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


async def test_a_token_that_was_given_back_opens_nothing(scene: Scene) -> None:
    grocer = scene.grocer
    basic = (grocer.client.client_id, grocer.client.client_secret)
    stranger = (scene.fuel.client.client_id, scene.fuel.client.client_secret)
    before = await footprint()
    form = {"token": grocer.token}
    refused = await scene.http.post("/oauth/revoke", data=form, auth=stranger)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
    assert await footprint() == before
    assert (await scene.http.post("/oauth/revoke", data=form, auth=basic)).status_code == 200
    sending = grocer.get(f"/v1/members/{scene.member}/balance")
    await assert_refused(sending, 401, "invalid_token")


async def test_an_amount_that_earns_more_than_can_be_counted_is_refused(scene: Scene) -> None:
    member = await scene.grocer.new_member("97520002")
    body = scene.grocer.purchase(member, 10**12)
    await assert_refused(scene.grocer.post("/v1/points/issue", body), 422, "too_many_points")
    assert await scene.grocer.balance(member) == 0


async def test_balances_grow_beyond_one_posting_and_stay_exact(scene: Scene) -> None:
    member = await scene.grocer.new_member("97520003")
    for _ in range(3):
        await scene.grocer.issue(member, MOST)
    assert await scene.grocer.balance(member) == 3 * MOST


async def test_of_a_field_that_is_given_twice_the_last_counts_everywhere(scene: Scene) -> None:
    body = (
        f'{{"points": 1, "points": 2, "receipt": "twice", "occurred_at": "2026-11-21T12:00:00Z",'
        f' "member_id": "{scene.member}"}}'
    )
    single = await scene.grocer.send("/v1/points/issue", body.encode(), "application/json")
    line = body.replace("twice", "thrice").encode()
    batch = await scene.grocer.send("/v1/batches", line, "application/x-ndjson")
    assert single.json()["points"] == 2
    assert batch.json()["results"][0]["points"] == 2
