"""Bad input at finance's door: each has a precise problem, and nothing is left of it."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from coalition.kernel.database import transaction
from coalition.kernel.identity import EVERY_SCOPE, SCOPES, STAFF_SCOPES
from coalition.kernel.ids import random_id
from tests.partners.settlement.office import Office
from tests.support.http import Desk

ADMIN = "/v1/admin/settlement"
SOME_ID = "6cb173c2-6e0b-4fe7-a722-e6bca8a59f5b"
DECEMBER = datetime(2026, 12, 2, 9, tzinfo=UTC)

NO_LINES: list[object] = [5, "1", []]
NO_AMOUNTS: list[object] = [None, 5, "5", [], "100 SEK"]
NO_MINORS: list[object] = [
    *("5", 5.0, 1e3, 0.5, True, None, 10**12 + 1, -(10**12) - 1, 10**40),
]
NO_CURRENCIES: list[object] = ["sek", "SEKK", "", "S\x00K", None, 752, "SEK\n"]
NO_REASONS: list[object] = [None, "", 5, "x" * 201, "a\x00b", []]

PERIOD: dict[str, Any] = {"period": "2025-07"}
ADJUSTMENT: dict[str, Any] = {
    "partner": SOME_ID,
    "amount": {"amount_minor": 100, "currency": "SEK"},
    "reason": "agreed",
}
PREPAYMENT: dict[str, Any] = {
    "partner": SOME_ID,
    "amount": {"amount_minor": 100, "currency": "SEK"},
    "reference": "bank 1",
}
CLEARING: dict[str, Any] = {"periods": ["2025-07"]}
DEFAULT: dict[str, Any] = {"partner": SOME_ID, "reserve_minor": 0}

TEXTS: list[object] = [None, 5, 5.5, True, [], {}, "", "x\x00", "x" * 100_000]
"""What is no name of a period and no partner."""
WRONG: dict[str, list[tuple[dict[str, Any], str]]] = {
    f"{ADMIN}/seal": [
        *(({"period": text}, "/period") for text in TEXTS),
        *(({"period": text}, "/period") for text in ("2025-7", "2025-07\n", "2025-H1", "now")),
        *(({"partner": text}, "/partner") for text in TEXTS if text is not None),
        *(({"partner": text}, "/partner") for text in ("1", "Handlarn", f"{SOME_ID} ", "OPERATOR")),
        ({"periods": []}, "/periods"),
        ({"at": "2026-12-01T00:00:00Z"}, "/at"),
        ({"partner_no": 1}, "/partner_no"),
        ({"prepared_by": "client:other"}, "/prepared_by"),
    ],
    f"{ADMIN}/close": [
        *(({"period": text}, "/period") for text in TEXTS),
        *(({"partner": text}, "/partner") for text in TEXTS if text is not None),
        ({"prepared_by": "staff:anna"}, "/prepared_by"),
        ({"approved_by": "staff:anna"}, "/approved_by"),
    ],
    f"{ADMIN}/adjustments": [
        *(({"partner": text}, "/partner") for text in TEXTS),
        *(({"reason": text}, "/reason") for text in TEXTS),
        ({"reason": "x" * 201}, "/reason"),
        ({"reason": "a\u202eb"}, "/reason"),
        *(({"amount": wrong}, "/amount") for wrong in NO_AMOUNTS),
        ({"amount": {"amount_minor": 5}}, "/amount/currency"),
        ({"amount": {"currency": "SEK"}}, "/amount/amount_minor"),
        *(
            ({"amount": {"amount_minor": wrong, "currency": "SEK"}}, "/amount/amount_minor")
            for wrong in NO_MINORS
        ),
        *(
            ({"amount": {"amount_minor": 5, "currency": wrong}}, "/amount/currency")
            for wrong in NO_CURRENCIES
        ),
        ({"amount": {"amount_minor": 5, "currency": "SEK", "vat": 1}}, "/amount/vat"),
        *(({"statement_line": wrong}, "/statement_line") for wrong in NO_LINES),
        ({"statement_line": {"line": 1}}, "/statement_line/statement_id"),
        (
            {"statement_line": {"statement_id": "1", "line": 1}},
            "/statement_line/statement_id",
        ),
        *(
            ({"statement_line": {"statement_id": SOME_ID, "line": wrong}}, "/statement_line/line")
            for wrong in (0, -1, 2**31, "1", 1.0, None)
        ),
        ({"vat_rate": 0}, "/vat_rate"),
    ],
    f"{ADMIN}/prepayments": [
        *(({"partner": text}, "/partner") for text in TEXTS),
        *(({"reference": text}, "/reference") for text in TEXTS),
        ({"reference": "x" * 65}, "/reference"),
        *(({"amount": wrong}, "/amount") for wrong in NO_AMOUNTS),
        *(
            ({"amount": {"amount_minor": wrong, "currency": "SEK"}}, "/amount/amount_minor")
            for wrong in (*NO_MINORS, 0, -1)
        ),
        ({"prepared_by": "staff:anna"}, "/prepared_by"),
    ],
    f"{ADMIN}/clearing": [
        *(({"periods": wrong}, "/periods") for wrong in (None, "2025-07", [], ["2025-07"] * 101)),
        *(({"periods": ["2025-07", wrong]}, "/periods/1") for wrong in TEXTS),
        *(({"currency": wrong}, "/currency") for wrong in ("sek", "SEKK", "", "S\x00K", 752)),
        *(({"partners": wrong}, "/partners") for wrong in ([], "operator", [SOME_ID] * 1001)),
        ({"partners": ["1"]}, "/partners/0"),
        ({"cycle": SOME_ID}, "/cycle"),
    ],
    f"{ADMIN}/clearing/{SOME_ID}/default": [
        *(({"partner": text}, "/partner") for text in TEXTS),
        *(({"reserve_minor": wrong}, "/reserve_minor") for wrong in NO_MINORS),
        ({"reserve_minor": -1}, "/reserve_minor"),
        ({"guarantee_minor": -1}, "/guarantee_minor"),
        ({"guarantee_minor": "1"}, "/guarantee_minor"),
        ({"loss_minor": 1}, "/loss_minor"),
    ],
    f"{ADMIN}/defaults/end": [
        *(({"partner": text}, "/partner") for text in TEXTS),
        ({"ended_at": "2026-12-01T00:00:00Z"}, "/ended_at"),
    ],
}


def valid(address: str) -> dict[str, Any]:
    """Return a body that the address takes."""
    bodies = {
        "seal": PERIOD,
        "close": PERIOD,
        "adjustments": ADJUSTMENT,
        "prepayments": PREPAYMENT,
        "clearing": CLEARING,
        "default": DEFAULT,
        "end": {"partner": SOME_ID},
    }
    return bodies[address.rpartition("/")[2]]


UNWRITABLE = dict.fromkeys(WRONG, "partner") | {f"{ADMIN}/clearing": "currency"}
"""A field of each body that is a text."""


async def nothing_was_left() -> bool:
    """Tell whether nothing was sealed, prepared, adjusted or answered for good."""
    tables = ("statement", "approval", "settlement_adjustment", "idempotency_claim")
    async with transaction() as connection:
        counts = [await connection.fetchval(f"SELECT count(*) FROM {name}") for name in tables]
    return not any(counts)


@pytest.mark.parametrize("address", WRONG)
async def test_a_wrong_field_is_pointed_at(office: Office, address: str) -> None:
    for changes, pointer in WRONG[address]:
        answer = await office.preparer.post(address, valid(address) | changes)
        problem = answer.json()
        assert answer.headers["content-type"] == "application/problem+json"
        assert (answer.status_code, problem["code"]) == (422, "invalid"), (changes, problem)
        assert problem["errors"][0]["pointer"] == pointer, (changes, problem)
    assert await nothing_was_left()


@pytest.mark.parametrize("address", WRONG)
async def test_a_body_that_cannot_be_read_is_refused(office: Office, address: str) -> None:
    headers = office.preparer.headers | {"content-type": "application/json"}
    good = json.dumps(valid(address) | {UNWRITABLE[address]: "S"}).encode()
    for no, (body, status) in enumerate(
        [
            (b"", 400),
            (b"{", 400),
            (good.replace(b"S", b"\xff"), 400),
            (good.replace(b"S", b"\\ud800"), 400),
            (b"[]", 422),
            (b"null", 422),
            (b"[" * 100_000, 422),
            (b'{"period":' + b"9" * 5000 + b"}", 422),
            (b" " * 1_000_001, 413),
        ]
    ):
        sent = headers | {"idempotency-key": f"bad-{no}"}
        answer = await office.preparer.http.post(address, content=body, headers=sent)
        assert answer.status_code == status, (body[:20], answer.text)
    for media in ("text/plain", "application/x-www-form-urlencoded"):
        sent = office.preparer.headers | {"content-type": media, "idempotency-key": "media"}
        answer = await office.preparer.http.post(address, content=b"{}", headers=sent)
        assert answer.status_code == 415
    assert await nothing_was_left()


@pytest.mark.parametrize("address", WRONG)
async def test_a_write_needs_a_key(office: Office, address: str) -> None:
    for key in (None, "", "x" * 256, "å"):
        sent = office.preparer.headers | ({} if key is None else {"idempotency-key": key})
        raw = [(name.encode(), value.encode("utf-8")) for name, value in sent.items()]
        answer = await office.preparer.http.post(address, json=valid(address), headers=raw)
        assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_missing")
    assert await nothing_was_left()


async def test_what_is_not_there_is_not_found(office: Office) -> None:
    nobody = str(random_id())
    grocer = str(office.coalition.grocer.partner.id)
    wrong = [
        ("seal", {"period": "2099-01"}, "period_not_found"),
        ("seal", {"period": "2025-07", "partner": nobody}, "partner_not_found"),
        ("seal", {"period": "2025-07-H1", "partner": grocer}, "period_not_found"),
        ("close", {"period": "2099-W53"}, "period_not_found"),
        ("close", {"period": "2025-07", "partner": nobody}, "partner_not_found"),
        ("adjustments", ADJUSTMENT | {"partner": nobody}, "partner_not_found"),
        ("adjustments", ADJUSTMENT | {"partner": "operator"}, "partner_not_found"),
        ("clearing", CLEARING | {"partners": [grocer, nobody]}, "partner_not_found"),
        ("clearing", {"periods": ["2099-01"]}, "period_not_found"),
        (f"clearing/{nobody}/default", DEFAULT | {"partner": grocer}, "cycle_not_found"),
        (f"clearing/{nobody}/default", DEFAULT, "partner_not_found"),
    ]
    for act, body, code in wrong:
        answer = await office.preparer.post(f"{ADMIN}/{act}", body)
        assert (answer.status_code, answer.json()["code"]) == (404, code), body
    for address in (f"statements/{nobody}", f"statements/{nobody}/lines?line=1"):
        answer = await office.reader.get(f"{ADMIN}/{address}")
        assert (answer.status_code, answer.json()["code"]) == (404, "statement_not_found")
    answer = await office.reader.get(f"{ADMIN}/clearing/{nobody}")
    assert (answer.status_code, answer.json()["code"]) == (404, "cycle_not_found")
    answer = await office.reader.get(f"{ADMIN}/live", partner=nobody)
    assert (answer.status_code, answer.json()["code"]) == (404, "partner_not_found")
    assert await nothing_was_left()


async def test_what_cannot_be_done_yet_says_why_and_leaves_nothing(office: Office) -> None:
    grocer = str(office.coalition.grocer.partner.id)
    for act, body, code in (
        ("seal", {"period": "2026-11"}, "period_not_over"),
        ("seal", {"period": "2026-10"}, "earlier_period_open"),
        ("seal", {"period": "2026-10", "partner": grocer}, "earlier_period_open"),
        ("close", {"period": "2025-07"}, "period_not_sealed"),
        ("close", {"period": "2026-11", "partner": "operator"}, "period_not_sealed"),
        ("clearing", {"periods": ["2026-10"]}, "statement_not_closed"),
    ):
        answer = await office.preparer.post(f"{ADMIN}/{act}", body)
        assert (answer.status_code, answer.json()["code"]) == (409, code), body
    for amount in ({"amount_minor": 0, "currency": "SEK"}, {"amount_minor": 5, "currency": "QQQ"}):
        body = ADJUSTMENT | {"partner": grocer, "amount": amount}
        answer = await office.preparer.post(f"{ADMIN}/adjustments", body)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_adjustment")
    answer = await office.preparer.post(
        f"{ADMIN}/adjustments", ADJUSTMENT | {"partner": grocer, "reason": "   "}
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "reason_needed")
    assert await nothing_was_left()


WRONG_PAGES = [
    {},
    {"line": "0"},
    {"line": "-1"},
    {"line": "1.0"},
    {"line": str(2**31)},
    {"line": "x"},
    {"line": "1", "limit": "0"},
    {"line": "1", "limit": "501"},
    {"line": "1", "cursor": "x"},
    {"line": "1", "cursor": f"{'0' * 32}.0.{'0' * 32}.{'9' * 12}"},
    {"line": "1", "cursor": f"{'0' * 31}g.0.{'0' * 32}.0"},
    {"line": "1", "page": "2"},
]


async def test_a_wrong_page_of_a_line_is_refused(office: Office) -> None:
    for wanted in WRONG_PAGES:
        answer = await office.reader.get(f"{ADMIN}/statements/{SOME_ID}/lines", **wanted)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid"), wanted
    for wanted in ({}, {"partner": "1"}, {"partner": "operator", "period": "2026-11"}):
        answer = await office.reader.get(f"{ADMIN}/live", **wanted)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid"), wanted
    for wanted in ({"state": "sealed"}, {"period": "x"}, {"cursor": "1"}, {"limit": "201"}):
        answer = await office.reader.get(f"{ADMIN}/statements", **wanted)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid"), wanted
    answer = await office.reader.get("/v1/admin/approvals", state="applied")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")


async def test_a_decision_needs_an_approval_and_a_rejection_a_reason(office: Office) -> None:
    for text in ("1", "x", "%00", f"{SOME_ID}0"):
        answer = await office.approver.post(f"/v1/admin/approvals/{text}/approve")
        assert answer.status_code == 404, text
    for reason in NO_REASONS:
        answer = await office.approver.post(
            f"/v1/admin/approvals/{SOME_ID}/reject", {"reason": reason}
        )
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid"), reason
    answer = await office.approver.post(f"/v1/admin/approvals/{SOME_ID}/reject", {})
    assert answer.status_code == 422
    assert await nothing_was_left()


READS = (
    f"{ADMIN}/periods",
    f"{ADMIN}/statements",
    f"{ADMIN}/statements/{SOME_ID}",
    f"{ADMIN}/statements/{SOME_ID}/lines?line=1",
    f"{ADMIN}/statements/{SOME_ID}/download",
    f"{ADMIN}/live?partner=operator",
    f"{ADMIN}/trial-balance",
    f"{ADMIN}/clearing",
    f"{ADMIN}/clearing/{SOME_ID}",
    f"/v1/admin/postings/{SOME_ID}/passport",
)
PREPARES = tuple(WRONG)
APPROVES = (f"/v1/admin/approvals/{SOME_ID}/approve",)


async def forbidden(desk: Desk, address: str, method: str) -> bool:
    sent = desk.headers | {"idempotency-key": "narrow"}
    answer = await desk.http.request(method, address, headers=sent, content=b"{}")
    return answer.status_code == 403 and answer.json()["code"] == "forbidden"


async def test_each_scope_of_staff_opens_its_own_doors_and_no_others(office: Office) -> None:
    doors = [(READS, "GET", "settlement:read"), (PREPARES, "POST", "settlement:prepare")]
    doors.append((APPROVES, "POST", "settlement:approve"))
    for scope in STAFF_SCOPES:
        desk = await office.desk(scope)
        for addresses, method, opens in doors:
            for address in addresses:
                assert await forbidden(desk, address, method) == (scope != opens), (scope, address)
        rejects = await forbidden(desk, f"/v1/admin/approvals/{SOME_ID}/reject", "POST")
        assert rejects == (scope not in {"settlement:prepare", "settlement:approve"})


async def test_a_partner_opens_none_of_finances_doors_and_staff_none_of_a_partners(
    office: Office,
) -> None:
    grocer = office.coalition.grocer
    till = Desk(grocer.client, grocer.token, grocer.http)
    for address in READS:
        assert await forbidden(till, address, "GET"), address
    for address in (*PREPARES, *APPROVES, f"/v1/admin/approvals/{SOME_ID}/reject"):
        assert await forbidden(till, address, "POST"), address
    everything = await office.desk(*STAFF_SCOPES)
    for method, address in (
        ("POST", "/v1/members"),
        ("GET", f"/v1/members/{SOME_ID}"),
        ("POST", "/v1/points/issue"),
        ("POST", "/v1/points/redeem"),
        ("POST", "/v1/points/holds"),
        ("POST", f"/v1/postings/{SOME_ID}/reverse"),
        ("GET", "/v1/postings"),
        ("POST", "/v1/batches"),
        ("GET", "/v1/statements"),
    ):
        assert await forbidden(everything, address, method), address
    assert set(SCOPES) | set(STAFF_SCOPES) == set(EVERY_SCOPE)


async def test_of_two_who_approve_at_once_one_does(office: Office) -> None:
    await office.move_on(DECEMBER)
    sealed = await office.preparer.post(f"{ADMIN}/seal", PERIOD)
    assert sealed.status_code == 200, sealed.text
    waiting = await office.preparer.post(f"{ADMIN}/close", PERIOD)
    other = await office.desk("settlement:approve")
    address = f"/v1/admin/approvals/{waiting.json()['approval_id']}/approve"

    answers = await asyncio.gather(
        *(desk.post(address) for desk in (office.approver, other, office.approver, other))
    )

    told = sorted((one.status_code, one.json().get("code", "")) for one in answers)
    assert told == [(200, ""), *[(409, "approval_decided")] * 3]


async def test_the_same_key_sent_many_times_at_once_has_one_effect_and_one_answer(
    office: Office,
) -> None:
    await office.move_on(DECEMBER)
    body = ADJUSTMENT | {"partner": str(office.coalition.grocer.partner.id)}
    for address, sent, desk in (
        (f"{ADMIN}/adjustments", body, office.preparer),
        (f"{ADMIN}/seal", PERIOD, office.preparer),
        (f"{ADMIN}/close", PERIOD, office.preparer),
    ):
        answers = await asyncio.gather(*(desk.post(address, sent, key=address) for _ in range(6)))
        assert {one.status_code for one in answers} <= {200, 201}, answers[0].text
        assert len({one.content for one in answers}) == 1
    waiting = (await office.approver.get("/v1/admin/approvals")).json()["items"]
    kinds = sorted(one["kind"] for one in waiting)
    assert kinds == ["settlement_adjustment", "settlement_close"]
    for one in waiting:
        address = f"/v1/admin/approvals/{one['approval_id']}/approve"
        answers = await asyncio.gather(
            *(office.approver.post(address, key=address) for _ in range(6))
        )
        assert {answer.status_code for answer in answers} == {200}, answers[0].text
        assert len({answer.content for answer in answers}) == 1
    async with transaction() as connection:
        assert await connection.fetchval("SELECT count(*) FROM settlement_adjustment") == 1
        assert await connection.fetchval("SELECT count(*) FROM approval") == 2
