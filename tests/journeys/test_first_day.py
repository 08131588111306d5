"""A till's first day: from an empty directory to settled books, with commands and plain HTTP alone.

Nothing of the product is imported here but its clock; every operation of the document is used.
"""

import json
import time
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from coalition.kernel.clock import SystemClock
from tests.journeys.plain_till import (
    PlainTill,
    is_of_families,
    is_of_memberships,
    is_of_settlement,
    operations,
)
from tests.journeys.processes import PATIENCE_S, coalition, serving

NDJSON, CSV, MSGPACK = "application/x-ndjson", "text/csv", "application/vnd.msgpack"
LINES = 10_001
ZONE = "Europe/Stockholm"

Body = dict[str, Any]  # Any: a JSON object


def test_a_tills_first_day(tmp_path: Path) -> None:
    data = ("--data", str(tmp_path / "data"))
    with serving(*data, log=tmp_path / "log") as url:
        used: set[tuple[str, str]] = set()
        shop, fuel = (_open_shop(url, name, data, used) for name in ("Corner Shop", "Macken"))
        _find_the_way(shop)
        member = _enrol(shop)
        paid = _earn_and_spend(shop, fuel, member)
        _hold(fuel, member)
        _take_back(shop, fuel, paid)
        _send_batches(shop, member)
        _send_a_job(shop, member)
        _go_wrong(shop, fuel, member, paid)
        _exchange(shop, member, data)
        _look_for_a_plan(shop, member)
        _sign_out(shop)
        others = (is_of_settlement, is_of_families, is_of_memberships)
        assert used == {
            one for one in operations(shop) if not any(is_other(one[1]) for is_other in others)
        }
        books = coalition("audit", *data)
    assert (books["ok"], books["breaches"]) == (True, [])
    logged = (tmp_path / "log").read_text()
    assert "Traceback" not in logged
    secrets = (shop.client_secret, shop.token, fuel.client_secret, fuel.token)
    for private in (*secrets, "97520001", "asa@exempel", "4670123", "Åsa"):
        assert private not in logged


def _open_shop(url: str, name: str, data: tuple[str, str], used: set[tuple[str, str]]) -> PlainTill:
    made = coalition("partner", "create", "--name", name, "--expiry-months", "12", *data)
    till = PlainTill(url, made["client_id"], made["client_secret"], used)
    till.sign_in()
    return till


def _find_the_way(shop: PlainTill) -> None:
    """Find everything from the service's own descriptions."""
    assert shop.get("/health/live").status == 200
    assert shop.get("/health/ready").body["status"] == "ready"
    described = shop.get("/.well-known/oauth-authorization-server").body
    assert described["issuer"] == shop.url
    assert described["token_endpoint"] == f"{shop.url}/oauth/token"
    keys = shop.get("/.well-known/jwks.json").body["keys"]
    assert [key["alg"] for key in keys] == ["EdDSA"]


def _enrol(shop: PlainTill) -> str:
    """Enrol a member and find her by each contact; return the id."""
    person = {
        "card": "9752 0001",
        "email": "asa@exempel.example",
        "phone": "+46 70 123 45 67",
        "first_name": "Åsa",
    }
    answer = shop.post("/v1/members", person, key="enrol-asa")
    assert (answer.status, answer.body["balance"]) == (201, 0)
    member = str(UUID(answer.body["member_id"]))
    again = shop.post("/v1/members", person, key="enrol-asa")
    assert (again.body, again.headers["idempotent-replayed"]) == (answer.body, "true")
    for query in ("card=97520001", "email=ASA@exempel.example", "phone=%2B46701234567"):
        found = shop.get("/v1/members", query=f"?{query}")
        assert (found.status, found.body["member_id"]) == (200, member), query
    shown = shop.get("/v1/members/{member_id}", member_id=member)
    assert shown.body["personal"]["first_name"] == "Åsa"
    _agree(shop, member)
    return member


def _agree(shop: PlainTill, member: str) -> None:
    """Take down what she agrees to, and what she takes back."""
    for granted in (True, False):
        word = {
            "purpose": "marketing",
            "channel": "email",
            "granted": granted,
            "text_version": "2026-11.sv",
        }
        said = shop.post("/v1/members/{member_id}/consents", {"consents": [word]}, member_id=member)
        assert (said.status, said.body["items"][0]["granted"]) == (201, granted)
    held = shop.get("/v1/members/{member_id}/consents", member_id=member)
    assert [one["granted"] for one in held.body["items"]] == [False]


def _earn_and_spend(shop: PlainTill, fuel: PlainTill, member: str) -> str:
    """Earn 123 points in the shop, spend 23 at the fuel station; return what was paid."""
    purchase = {"amount_minor": 12_345, "currency": "SEK"}
    quoted = shop.post("/v1/points/quote", {"purchase": purchase, "card": "97520001"})
    assert (quoted.status, quoted.body["points"], quoted.body["balance"]) == (200, 123, 0)
    body = {"card": "97520001", "receipt": "1", "occurred_at": _now(), "purchase": purchase}
    issued = shop.post("/v1/points/issue", body)
    assert (issued.status, issued.body["points"], issued.body["balance"]) == (201, 123, 123)
    assert issued.body["lots"][0]["points"] == 123
    assert _balance(shop, member) == 123
    spent = fuel.post("/v1/points/redeem", _payment(member, 23, "1"))
    assert (spent.status, spent.body["balance"]) == (201, 100)
    quoted = fuel.post("/v1/points/quote", {"purchase": purchase, "member_id": member})
    assert quoted.body["payable"] == {"points": 100, "amount_minor": 100, "currency": "SEK"}
    return str(UUID(spent.body["posting_id"]))


def _hold(fuel: PlainTill, member: str) -> None:
    """Reserve points twice: take part of the first, release the second."""
    first = fuel.post("/v1/points/holds", _payment(member, 60, "2")).body
    assert _balance(fuel, member) == first["balance"] == 40
    hold = {"hold_id": first["hold_id"]}
    assert fuel.get("/v1/points/holds/{hold_id}", **hold).body["state"] == "open"
    taken = fuel.post("/v1/points/holds/{hold_id}/capture", {"points": 25}, **hold)
    assert (taken.status, taken.body["points"], taken.body["balance"]) == (201, 25, 75)
    assert fuel.get("/v1/points/holds/{hold_id}", **hold).body["state"] == "captured"
    second = fuel.post("/v1/points/holds", _payment(member, 75, "3")).body
    void = fuel.post("/v1/points/holds/{hold_id}/void", {}, hold_id=second["hold_id"])
    assert (void.status, void.body["balance"]) == (200, 75)


def _take_back(shop: PlainTill, fuel: PlainTill, paid: str) -> None:
    """Return part of a purchase paid with points, and part of one that earned them."""
    posting = "/v1/postings/{posting_id}"
    body = {"points": 3, "reason": "cold coffee"}
    back = fuel.post(f"{posting}/reverse", body, posting_id=paid)
    assert (back.status, back.body["balance"]) == (201, 78)
    shown = fuel.get(posting, posting_id=paid).body
    assert (shown["kind"], shown["reversed_points"], shown["receipt"]) == ("redeem", 3, "1")
    day = datetime.fromisoformat(shown["occurred_at"]).astimezone(ZoneInfo(ZONE)).date()
    by_receipt = fuel.get("/v1/postings", query=f"?receipt=1&day={day}").body["items"]
    assert [found["posting_id"] for found in by_receipt] == [paid]
    [earned] = shop.get("/v1/postings").body["items"]
    less = shop.post(f"{posting}/reverse", {"points": 8}, posting_id=earned["posting_id"])
    assert (less.status, less.body["balance"]) == (201, 70)


def _send_batches(shop: PlainTill, member: str) -> None:
    """Send the same kind of file in three formats, a bad line in each."""
    good = [_payment(member, 5, f"{number}") for number in (10, 11)]
    bad = _payment(member, 5, "12") | {"points": 0}
    csv = "member_id,receipt,occurred_at,points\r\n" + "".join(
        f"{line['member_id']},c{line['receipt']},{line['occurred_at']},{line['points']}\r\n"
        for line in (*good, bad)
    )
    packed = [line | {"receipt": f"m{line['receipt']}"} for line in (*good, bad)]
    files = {
        NDJSON: "\n".join(map(json.dumps, (*good, bad))).encode(),
        CSV: csv.encode(),
        MSGPACK: b"".join(map(msgspec.msgpack.encode, packed)),
    }
    for media_type, content in files.items():
        answer = shop.upload("/v1/batches", content, media_type)
        assert (answer.status, answer.body["posted"], answer.body["refused"]) == (201, 2, 1)
        assert [result["status"] for result in answer.body["results"]] == [201, 201, 422]
    assert _balance(shop, member) == 100
    assert [batch["lines"] for batch in shop.get("/v1/batches").body["items"]] == [3, 3, 3]


def _send_a_job(shop: PlainTill, member: str) -> None:
    """Send more lines than are answered at once, wait for the job, read the answers twice."""
    body = _payment(member, 1, "")
    lines = (json.dumps(body | {"receipt": f"job-{number}"}) for number in range(LINES))
    content = "\n".join(lines).encode()
    accepted = shop.upload("/v1/batches", content, NDJSON, key="job")
    assert (accepted.status, accepted.body["lines"]) == (202, LINES)
    again = shop.upload("/v1/batches", content, NDJSON, key="job")
    assert (again.status, again.body) == (202, accepted.body)
    batch = {"batch_id": accepted.body["batch_id"]}
    deadline = time.monotonic() + PATIENCE_S
    while not _is_done(seen := shop.get("/v1/batches/{batch_id}", **batch).body):
        assert time.monotonic() < deadline, seen
        time.sleep(0.05)
    assert (seen["posted"], seen["refused"]) == (LINES, 0)
    address = "/v1/batches/{batch_id}/results"
    whole = shop.get(address, accept=NDJSON, **batch).body.splitlines()
    assert [json.loads(line)["line"] for line in whole] == list(range(1, LINES + 1))
    rest = shop.get(address, accept=NDJSON, query="?from_line=9000", **batch).body.splitlines()
    assert rest == whole[8999:]
    assert _balance(shop, member) == 100 + LINES


def _exchange(shop: PlainTill, member: str, data: tuple[str, str]) -> None:
    """See what expires, and exchange points for miles at a rate that two of the staff agreed on."""
    expiring = shop.get("/v1/members/{member_id}/expiring", member_id=member).body["expiring"]
    before = _balance(shop, member)
    assert sum(one["points"] for one in expiring) == before
    coalition("currency", "create", "MILES", "--name", "Miles", *data)
    rate = ("currency", "rate")
    proposed = coalition(*rate, "propose", "POINT", "MILES", "5:2", "--prepared-by", "anna", *data)
    approval = str(UUID(proposed["approval_id"]))
    coalition(*rate, "approve", approval, "--approved-by", "bertil", *data)
    # The rate holds from its approval on; the till's other receipts are of the day's beginning.
    now = {"occurred_at": SystemClock().now().isoformat()}
    body = _payment(member, 12, "20") | now | {"from": "POINT", "to": "MILES"}
    made = shop.post("/v1/points/convert", body)
    assert made.status == 201, made.body
    facts = {name: made.body[name] for name in ("points", "converted", "remainder")}
    assert facts == {"points": 10, "converted": 4, "remainder": 2}
    assert _balance(shop, member) == before - 10


def _look_for_a_plan(shop: PlainTill, member: str) -> None:
    """Ask what her plan gives; she has none, so nothing of it can be had or returned."""
    held = shop.get("/v1/members/{member_id}/entitlements", member_id=member)
    assert (held.body["plan"], held.body["benefits"], held.body["token"]) == (None, [], None)
    had = {"benefit": "shipping", "receipt": "1"}
    saved = {"occurred_at": _now(), "saved": {"amount_minor": 4900, "currency": "SEK"}}
    address = "/v1/members/{member_id}/entitlements"
    used = shop.post(f"{address}/use", had | saved, member_id=member)
    assert (used.status, used.body["code"]) == (409, "benefit_not_held")
    returned = shop.post(f"{address}/return", had, member_id=member)
    assert (returned.status, returned.body["code"]) == (404, "benefit_use_not_found")


def _go_wrong(shop: PlainTill, fuel: PlainTill, member: str, paid: str) -> None:
    """Make a newcomer's mistakes: each is explained, and none of them costs a point."""
    before = _balance(shop, member)
    far_too_much = _payment(member, 2**31 - 1, "20")
    stranger = PlainTill(shop.url, shop.client_id, "wrong", shop.used, token="wrong")
    mistakes = {
        "unauthenticated": PlainTill(shop.url, "", "", shop.used).get("/v1/postings"),
        "invalid_token": stranger.get("/v1/postings"),
        "malformed": shop.upload("/v1/points/issue", b"{", "application/json"),
        "unsupported_media_type": shop.upload("/v1/points/issue", b"5", "text/plain"),
        "invalid": shop.post("/v1/points/issue", _payment(member, 5, "21") | {"points": "5"}),
        "one_member_needed": shop.post(
            "/v1/points/issue", _payment(member, 5, "1") | {"card": "1234"}
        ),
        "not_enough_points": fuel.post("/v1/points/redeem", far_too_much),
        "duplicate_receipt": fuel.post("/v1/points/redeem", _payment(member, 5, "1")),
        "posting_not_found": shop.post("/v1/postings/{posting_id}/reverse", {}, posting_id=paid),
        "reversal_exceeds_original": fuel.post(
            "/v1/postings/{posting_id}/reverse", {"points": 21}, posting_id=paid
        ),
        "card_taken": fuel.post("/v1/members", {"card": "97520001"}),
        "idempotency_key_reused": shop.post("/v1/members", {"card": "97520002"}, key="job"),
        "batch_truncated": shop.upload("/v1/batches", b'{"points": 5', NDJSON),
    }
    for code, answer in mistakes.items():
        assert answer.headers["content-type"] == "application/problem+json", answer
        assert (answer.body["code"], answer.body["status"]) == (code, answer.status), answer
        assert answer.body["detail"]
    assert stranger.form("/oauth/token", {"grant_type": "client_credentials"}).status == 401
    assert _balance(shop, member) == before


def _sign_out(shop: PlainTill) -> None:
    """Give the token back; it opens nothing any more."""
    token = shop.token
    assert shop.form("/oauth/revoke", {"token": token}).status == 200
    assert shop.get("/v1/postings").status == 401


def _is_done(batch: Body) -> bool:
    return bool(batch["state"] == "done")


def _balance(till: PlainTill, member: str) -> int:
    return int(till.get("/v1/members/{member_id}/balance", member_id=member).body["balance"])


def _payment(member: str, points: int, receipt: str) -> Body:
    return {"member_id": member, "receipt": receipt, "occurred_at": _now(), "points": points}


@cache
def _now() -> str:
    """Return the time of the whole day, so that its receipts are of one day around midnight too."""
    return SystemClock().now().isoformat()
