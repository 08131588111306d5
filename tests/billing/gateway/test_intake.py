"""The door for Stripe's webhooks: what is proved, what is kept, and what is refused."""

import asyncio
from datetime import datetime, timedelta

import pytest

from billing.gateway.intake import BODY_MOST_BYTES, PATH
from coalition.kernel.database import Engine
from tests.billing.gateway.webhooks import SECRET, Door, event, rows, signature


@pytest.fixture
def door(database: Engine, at: datetime) -> Door:
    return Door(at)


async def test_a_signed_event_is_kept_as_it_was_signed_with_what_it_is_about(door: Door) -> None:
    body = event().replace(b": ", b" :  ")
    answer = await door.send(body)
    assert (answer.status_code, answer.json()) == (200, {"received": True})
    (kept,) = await rows()
    assert kept["payload"] == body
    assert (kept["kind"], kept["target"]) == ("customer.subscription.updated", "sub_1")
    assert (kept["handled_at"], kept["due_at"]) == (None, door.clock.now())


async def test_the_same_event_again_only_counts_and_its_first_body_stays(door: Door) -> None:
    await door.send(event())
    again = await door.send(event(api_version="2020-08-27"))
    assert again.status_code == 200
    (kept,) = await rows()
    assert (kept["deliveries"], kept["api_version"]) == (2, "2026-10-28.endive")


async def test_ten_thousand_replays_are_one_event(door: Door) -> None:
    bodies = [event(no) for no in range(4)]
    headers = [signature(body, door.clock.now()).encode() for body in bodies]
    await asyncio.gather(
        *(door.intake.take(headers[no % 4], bodies[no % 4]) for no in range(10_000))
    )
    assert [row["deliveries"] for row in await rows()] == [2_500] * 4


@pytest.mark.parametrize(
    "header",
    [
        "",
        "t=1",
        "v1=ab",
        "t=x,v1=ab",
        "t=1,t=2,v1=ab",
        "t=9999999999999999999999,v1=ab",
        "t=1," + ",".join(["v1=ab"] * 17),
        "t=1,v0=ab",
        "t=1,v1=\u00e4",
        "nonsense" * 600,
    ],
    ids=range(10),
)
async def test_a_header_that_proves_nothing_is_refused(door: Door, header: str) -> None:
    answer = await door.http.post(
        PATH, content=event(), headers={b"stripe-signature": header.encode("latin-1")}
    )
    assert (answer.status_code, answer.json()["code"]) == (400, "webhook_signature_invalid")
    assert await rows() == []


async def test_a_forged_body_is_refused(door: Door) -> None:
    header = signature(event(), door.clock.now())
    for header_of in (header, signature(event(2), door.clock.now(), "whsec_other")):
        answer = await door.send(event(2), header=header_of)
        assert (answer.status_code, answer.json()["code"]) == (400, "webhook_signature_invalid")
    assert (await door.http.post(PATH, content=event())).status_code == 400


@pytest.mark.parametrize("away", [-301, 301], ids=["stale", "future"])
async def test_a_time_more_than_five_minutes_away_is_refused(door: Door, away: int) -> None:
    header = signature(event(), door.clock.now() + timedelta(seconds=away))
    answer = await door.send(event(), header=header)
    assert (answer.status_code, answer.json()["code"]) == (400, "webhook_signature_stale")
    near = signature(event(), door.clock.now() + timedelta(seconds=away // 301 * 299))
    assert (await door.send(event(), header=near)).status_code == 200


async def test_while_a_secret_is_rolled_either_signature_is_good(
    database: Engine, at: datetime
) -> None:
    rolling = Door(at, ["whsec_next", SECRET])
    for no, secrets in enumerate([(SECRET,), ("whsec_next",), ("whsec_gone", SECRET)]):
        header = signature(event(no), at, *secrets)
        assert (await rolling.send(event(no), header=header)).status_code == 200
    assert len(await rows()) == 3


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'{"id":"evt_1"}',
        b'{"id":"","type":"x"}',
        b'{"id":"evt_\\u0000","type":"x"}',
        b'{"id":"evt_1","type":"\xff"}',
        b'{"id":"evt_1","type":"x\x00"}',
        b'{"id":"evt_' + b"1" * 300 + b'","type":"x"}',
        b'{"id":1,"type":"x"}',
        b'{"id":"evt_1","type":"x","data":' + b"[" * 5_000 + b"]" * 5_000 + b"}",
    ],
    ids=range(11),
)
async def test_a_signed_body_that_is_no_event_is_refused(door: Door, body: bytes) -> None:
    answer = await door.send(body)
    assert (answer.status_code, answer.json()["code"]) == (400, "webhook_unreadable")
    assert await rows() == []


async def test_a_body_of_more_than_a_megabyte_is_not_read(door: Door) -> None:
    answer = await door.send(b" " * (BODY_MOST_BYTES + 1))
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


async def test_only_posts_are_taken(door: Door) -> None:
    answer = await door.http.get(PATH)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


async def test_what_asks_for_nothing_is_kept_and_done_with(door: Door) -> None:
    thin = b'{"id":"evt_thin","object":"v2.core.event","type":"v1.billing.meter.no_meter_found",'
    thin += b'"created":"2026-11-21T12:00:00Z","related_object":{"id":"mtr_1"}}'
    unknown = event(2, kind="invoice_of_the_future.made")
    for body in (thin, unknown, event(3, kind="customer.subscription.updated", data={})):
        assert (await door.send(body)).status_code == 200
    kept = await rows()
    assert [row["target"] for row in kept] == [None, None, None]
    assert all(row["handled_at"] == door.clock.now() for row in kept)


async def test_an_event_of_live_payments_is_set_aside_among_test_ones(door: Door) -> None:
    assert (await door.send(event(livemode=True))).status_code == 200
    (kept,) = await rows()
    assert (kept["set_aside"], kept["handled_at"]) == ("livemode", door.clock.now())


@pytest.mark.parametrize(
    ("kind", "named", "target"),
    [
        ("customer.subscription.deleted", {"id": "sub_9"}, "sub_9"),
        ("invoice.paid", {"parent": {"subscription_details": {"subscription": "sub_9"}}}, "sub_9"),
        ("invoice.paid", {"id": "in_1", "parent": None}, None),
        ("invoice.paid", {"id": "in_1", "subscription": "sub_9"}, "sub_9"),
        ("invoice.paid", {"id": "in_1", "subscription": {"id": "sub_9"}}, "sub_9"),
        ("invoice_payment.paid", {"id": "inpay_1", "invoice": "in_9"}, "in_9"),
        ("checkout.session.completed", {"id": "cs_9"}, "cs_9"),
        ("charge.refunded", {"id": "ch_1", "payment_intent": "pi_9"}, "pi_9"),
        ("refund.failed", {"id": "re_1", "payment_intent": "pi_9"}, "pi_9"),
        ("charge.dispute.closed", {"id": "dp_1", "payment_intent": "pi_9"}, "pi_9"),
        ("subscription_schedule.updated", {"id": "ss_1", "subscription": "sub_9"}, "sub_9"),
        (
            "subscription_schedule.released",
            {"id": "ss_1", "subscription": None, "released_subscription": "sub_9"},
            "sub_9",
        ),
        ("charge.succeeded", {"id": "ch_1", "payment_intent": "pi_9"}, None),
        ("customer.updated", {"id": "cus_9"}, None),
        ("customer.subscription.updated", {"id": "sub_\0"}, None),
        ("customer.subscription.updated", {"id": "sub_../../v1/customers"}, None),
        ("customer.subscription.updated", {"id": "sub_1?expand[]=customer"}, None),
        ("customer.subscription.updated", {"id": "sub_" + "1" * 300}, None),
    ],
    ids=range(18),
)
async def test_an_event_names_what_is_to_be_looked_at(
    door: Door, kind: str, named: dict[str, object], target: str | None
) -> None:
    await door.send(event(kind=kind, data={"object": named}))
    assert [row["target"] for row in await rows()] == [target]


async def test_a_time_that_is_none_is_not_kept(door: Door) -> None:
    await door.send(event(created=1e300))
    assert [row["created_at"] for row in await rows()] == [None]
