"""Fields and values that are wrong: each is refused by its name, and nothing is left behind."""

import json
from typing import NamedTuple

import pytest

from tests.journeys.world import Scene, assert_refused

INVALID = "invalid"
MALFORMED = "malformed"
TOO_LONG_FOR_A_RECEIPT = "r" * 65


class Field(NamedTuple):
    """A field of a body with a value as it stands in JSON, and how it is refused."""

    pointer: str
    written: str
    status: int = 422
    code: str = INVALID
    named: bool = True
    """Whether the refusal names the field."""


def _number(pointer: str, largest: int) -> dict[str, Field]:
    """Return everything that is no amount from 1 to `largest`."""
    kinds = {
        "text": '"5"',
        "a whole float": "5.0",
        "an exponent": "1e3",
        "a float": "5.5",
        "true": "true",
        "a list": "[5]",
        "an object": "{}",
        "negative": "-1",
        "zero": "0",
        "minus zero": "-0",
        "one too many": str(largest + 1),
        "2 to the 63rd": str(2**63),
        "2 to the 64th": str(2**64),
        "four hundred digits": "1" + "0" * 400,
        "beyond a float": "1e400",
    }
    found = {f"{pointer} is {what}": Field(pointer, text) for what, text in kinds.items()}
    for text in ("NaN", "-Infinity", "+5", "05", "5.", "'5'"):
        field = Field(pointer, text, 400, MALFORMED, named=False)
        found[f"{pointer} is {text}"] = field
    return found


def _text(pointer: str, longest: int) -> dict[str, Field]:
    """Return everything that is no printable text of at most `longest` characters."""
    kinds = {
        "a number": "5",
        "true": "true",
        "a list": '["a"]',
        "an object": '{"a": "b"}',
        "empty": '""',
        "too long": json.dumps("r" * (longest + 1)),
        "nearly a megabyte": json.dumps("r" * 900_000),
        "NUL": '"a\\u0000b"',
        "NUL alone": '"\\u0000"',
        "a line break": '"a\\nb"',
        "a last line break": '"a\\n"',
        "an escape sequence": '"\\u001b[31m"',
        "DEL": '"a\\u007f"',
        "a C1 control": '"a\\u0085b"',
        "a line separator": '"a\\u2028b"',
        "a text that runs backwards": '"a\\u202eb"',
        "a character of no width": '"a\\u200bb"',
        "a byte order mark": '"\\ufeff"',
    }
    found = {f"{pointer} is {what}": Field(pointer, text) for what, text in kinds.items()}
    written = {
        "half a surrogate pair": '"\\ud800"',
        "surrogates in the wrong order": '"\\udc00\\ud800"',
        "a bare tab": '"a\tb"',
        "an unknown escape": '"\\q"',
    }
    for what, text in written.items():
        found[f"{pointer} is {what}"] = Field(pointer, text, 400, MALFORMED, named=False)
    return found


def _time(pointer: str) -> dict[str, Field]:
    """Return everything that is no time of a receipt; it is 2026-11-21 12:00 UTC now."""
    not_times = {
        "without a zone": '"2026-11-21T12:00:00"',
        "a day": '"2026-11-21"',
        "a leap second": '"2016-12-31T23:59:60Z"',
        "a day that does not exist": '"2026-02-30T12:00:00Z"',
        "hour 24": '"2026-11-21T24:00:00Z"',
        "in a zone that does not exist": '"2026-11-21T12:00:00+25:00"',
        "after year 9999": '"+12026-11-21T12:00:00Z"',
        "before year 1": '"-0001-11-21T12:00:00Z"',
        "without separators": '"20261121T120000Z"',
        "words": '"yesterday"',
        "empty": '""',
        "seconds since 1970": "1795262400",
        "null": "null",
    }
    out_of_bounds = {
        "six minutes ahead": '"2026-11-21T12:06:00Z"',
        "401 days back": '"2025-10-16T12:00:00Z"',
        "year 1": '"0001-01-01T00:00:00Z"',
        "before year 1 in UTC": '"0001-01-01T00:00:00+14:00"',
        "year 9999": '"9999-12-31T23:59:59Z"',
        "after year 9999 in UTC": '"9999-12-31T23:59:59-14:00"',
    }
    found = {f"{pointer} is {what}": Field(pointer, text) for what, text in not_times.items()}
    for what, text in out_of_bounds.items():
        found[f"{pointer} is {what}"] = Field(pointer, text, code="time_out_of_bounds")
    return found


def _id(pointer: str) -> dict[str, Field]:
    """Return everything that is no id of a member, then ids of nobody."""
    kinds = {
        "a number": "5",
        "a word": '"me"',
        "in braces": '"{2b1f0d5e-6d0a-4c0e-9d0b-0d9b8a7c6e5f}"',
        "a URN": '"urn:uuid:2b1f0d5e-6d0a-4c0e-9d0b-0d9b8a7c6e5f"',
        "a statement": '"\' OR true --"',
        "empty": '""',
    }
    found = {f"{pointer} is {what}": Field(pointer, text) for what, text in kinds.items()}
    for what, text in {
        "nobody's": '"2b1f0d5e-6d0a-4c0e-9d0b-0d9b8a7c6e5f"',
        "nil": '"00000000-0000-0000-0000-000000000000"',
        "all ones": '"ffffffff-ffff-ffff-ffff-ffffffffffff"',
    }.items():
        found[f"{pointer} is {what}"] = Field(pointer, text, 404, "member_not_found", named=False)
    return found


OF_POINTS = _number("/points", 2**31 - 1)

OF_PAYMENT = {
    **OF_POINTS,
    **_text("/receipt", 64),
    **_time("/occurred_at"),
    **_id("/member_id"),
    **_text("/store", 200),
    "/receipt is null": Field("/receipt", "null"),
    "/receipt is left out": Field("/receipt", ""),
    "/occurred_at is left out": Field("/occurred_at", ""),
    "/member_id is left out": Field("/member_id", "", code="one_member_needed", named=False),
    "/store is unknown": Field("/store", '"9"', code="unknown_store", named=False),
    "/store is another partner's": Field("/store", '"M-7"', code="unknown_store", named=False),
    "/colour is unknown": Field("/colour", '"red"'),
    "/Points is in capitals": Field("/Points", "5"),
    "an unknown field has no name": Field("/", "5"),
    "an unknown field has the signs of a pointer": Field("/a~1b~0c", "5"),
    "an unknown field is deep": Field("/colour", "[" * 900 + "]" * 900),
    "a receipt is nested a hundred thousand times": Field("/receipt", "[" * 100_000),
    "a card is named as well": Field("/card", '"97520001"', code="one_member_needed", named=False),
}

OF_CARD = {
    "/card is a number": Field("/card", "97520001"),
    "/card is too short": Field("/card", '"abc"'),
    "/card is too long": Field("/card", json.dumps("9" * 65)),
    "/card is a megabyte": Field("/card", json.dumps("9" * 900_000)),
    "/card is nobody's": Field("/card", '"99990000"', 404, "card_not_found", named=False),
    "/card holds NUL": Field("/card", '"9752\\u00000001"', 404, "card_not_found", named=False),
    "/card is a pattern": Field("/card", '"9752%"', 404, "card_not_found", named=False),
    "/card is punctuation": Field("/card", '"!!!!"', 404, "card_not_found", named=False),
    "/card has digits of another script": Field(
        "/card", '"\\u0669\\u0667\\u0665\\u0662"', 404, "card_not_found", named=False
    ),
}

OF_PURCHASE = {
    **_number("/purchase/amount_minor", 10**12),
    "/purchase is a number": Field("/purchase", "100"),
    "/purchase is a list": Field("/purchase", "[]"),
    "/purchase/tax is unknown": Field("/purchase/tax", "1"),
    "/purchase/amount_minor is left out": Field("/purchase/amount_minor", ""),
    "/purchase/currency is left out": Field("/purchase/currency", ""),
    "/purchase/currency is in small letters": Field("/purchase/currency", '"sek"'),
    "/purchase/currency has a space": Field("/purchase/currency", '"SEK "'),
    "/purchase/currency has a line break": Field("/purchase/currency", '"SE\\n"'),
    "/purchase/currency is a number": Field("/purchase/currency", "752"),
    "/purchase/currency is NUL": Field("/purchase/currency", '"\\u0000\\u0000\\u0000"'),
    "/purchase/currency is not the partner's": Field(
        "/purchase/currency", '"JPY"', 409, "no_earning_rule", named=False
    ),
    "/purchase/currency is nobody's": Field(
        "/purchase/currency", '"XXX"', 409, "no_earning_rule", named=False
    ),
    "/points are given as well": Field("/points", "5", code="purchase_or_points", named=False),
}


@pytest.mark.parametrize("case", OF_PAYMENT.values(), ids=OF_PAYMENT)
@pytest.mark.parametrize("address", ["issue", "redeem", "holds"])
async def test_a_wrong_field_is_refused(standing: Scene, address: str, case: Field) -> None:
    body = standing.grocer.payment(standing.member, 5)
    await _refuse(standing, f"/v1/points/{address}", body, case)


@pytest.mark.parametrize("case", OF_CARD.values(), ids=OF_CARD)
@pytest.mark.parametrize("address", ["issue", "redeem", "holds"])
async def test_a_wrong_card_is_refused(standing: Scene, address: str, case: Field) -> None:
    body = standing.grocer.payment(standing.member, 5)
    del body["member_id"]
    await _refuse(standing, f"/v1/points/{address}", body, case)


@pytest.mark.parametrize("case", OF_PURCHASE.values(), ids=OF_PURCHASE)
async def test_a_wrong_purchase_earns_nothing(standing: Scene, case: Field) -> None:
    await _refuse(standing, "/v1/points/issue", standing.grocer.purchase(standing.member), case)


async def test_a_refusal_says_little_again_of_what_was_sent(standing: Scene) -> None:
    body = standing.grocer.payment(standing.member, 5) | {"x" * 900_000: 1}
    refused = await assert_refused(standing.grocer.post("/v1/points/issue", body), 422, INVALID)
    assert len(refused.content) < 1000
    refused = await assert_refused(
        standing.grocer.get("/v1/postings?" + "x" * 20_000), 422, INVALID
    )
    assert len(refused.content) < 1000


async def test_a_purchase_or_points_are_needed(standing: Scene) -> None:
    body = standing.grocer.payment(standing.member, 5)
    del body["points"]
    await assert_refused(standing.grocer.post("/v1/points/issue", body), 422, "purchase_or_points")


@pytest.mark.parametrize(
    ("pointer", "written"),
    [
        ("/expires_in_s", "0"),
        ("/expires_in_s", "604801"),
        ("/expires_in_s", '"60"'),
        ("/expires_in_s", "60.0"),
        ("/expires_in_s", "null"),
    ],
)
async def test_a_hold_lasts_from_a_second_to_a_week(
    standing: Scene, pointer: str, written: str
) -> None:
    body = standing.grocer.payment(standing.member, 5)
    await _refuse(standing, "/v1/points/holds", body, Field(pointer, written))


@pytest.mark.parametrize("case", OF_POINTS.values(), ids=OF_POINTS)
async def test_part_of_a_hold_is_an_amount(standing: Scene, case: Field) -> None:
    await _refuse(standing, f"/v1/points/holds/{standing.hold}/capture", {}, case)


@pytest.mark.parametrize("case", OF_POINTS.values(), ids=OF_POINTS)
async def test_part_of_a_posting_is_an_amount(standing: Scene, case: Field) -> None:
    await _refuse(standing, f"/v1/postings/{standing.posting}/reverse", {}, case)


OF_REASON = {
    "a number": "5",
    "empty": '""',
    "NUL": '"a\\u0000b"',
    "an escape sequence": '"\\u001b[31m"',
    "too long": json.dumps("r" * 2001),
}


@pytest.mark.parametrize("written", OF_REASON.values(), ids=OF_REASON)
async def test_a_reason_is_text_that_can_be_kept(standing: Scene, written: str) -> None:
    address = f"/v1/postings/{standing.posting}/reverse"
    await _refuse(standing, address, {"points": 5}, Field("/reason", written))


OF_ENROLMENT = {
    "an unknown field": Field("/iban", '"SE35"'),
    "a card of three": Field("/card", '"abc"', code="invalid_card"),
    "a card with NUL": Field("/card", '"9752\\u00000001"', code="invalid_card"),
    "a card of punctuation": Field("/card", '"<script>"', code="invalid_card"),
    "a card that is a number": Field("/card", "97520009"),
    "a card of a megabyte": Field("/card", json.dumps("9" * 900_000)),
    "an e-mail without @": Field("/email", '"asa.example"', code="invalid_email"),
    "an e-mail with NUL": Field("/email", '"a\\u0000@b.example"', code="invalid_email"),
    "an e-mail with a line break": Field(
        "/email", '"a@b.example\\nbcc: x@y.example"', code="invalid_email"
    ),
    "an e-mail of a megabyte": Field("/email", json.dumps("a" * 900_000 + "@b.example")),
    "a phone number of letters": Field("/phone", '"+46CALLME"', code="invalid_phone"),
    "a national phone number": Field("/phone", '"0701234567"', code="invalid_phone"),
    "a name with NUL": Field("/first_name", '"\\u00c5\\u0000sa"', code="invalid_name"),
    "a name that runs backwards": Field("/last_name", '"a\\u202eb"', code="invalid_name"),
    "a name of a thousand": Field("/first_name", json.dumps("a" * 1000)),
    "a name that is a payment card": Field(
        "/first_name", '"4111 1111 1111 1111"', code="payment_card_refused"
    ),
    "a birth tomorrow": Field("/born", '"2026-11-22"', code="invalid_born"),
    "a birth in year 1": Field("/born", '"0001-01-01"', code="invalid_born"),
    "a birth in year 0": Field("/born", '"0000-01-01"'),
    "a birth that is a time": Field("/born", '"1980-01-01T00:00:00Z"'),
    "a birth that is a number": Field("/born", "1980"),
    "half a surrogate pair": Field("/first_name", '"\\ud800"', 400, MALFORMED, named=False),
}


@pytest.mark.parametrize("case", OF_ENROLMENT.values(), ids=OF_ENROLMENT)
async def test_a_wrong_enrolment_enrols_nobody(standing: Scene, case: Field) -> None:
    await _refuse(standing, "/v1/members", {"card": "97520077"}, case)


async def test_an_enrolment_without_contact_enrols_nobody(standing: Scene) -> None:
    body = {"first_name": "Åsa"}
    await assert_refused(standing.grocer.post("/v1/members", body), 422, "contact_needed")


async def _refuse(standing: Scene, address: str, body: dict[str, object], case: Field) -> None:
    """Send `body` with one field as the case writes it; it must be refused as the case says."""
    written = _with(body, case).encode()
    sending = standing.grocer.send(address, written, "application/json")
    pointer = case.pointer if case.named else None
    await assert_refused(sending, case.status, case.code, pointer=pointer)


def _with(body: dict[str, object], case: Field) -> str:
    """Return `body` as JSON with the field of `case` as it is written there, or left out."""
    *parents, name = case.pointer[1:].split("/")
    changed = json.loads(json.dumps(body))
    inner = changed
    for parent in parents:
        inner = inner[parent]
    inner.pop(name, None)
    if case.written:
        inner[name.replace("~1", "/").replace("~0", "~")] = "<written>"
    return json.dumps(changed).replace('"<written>"', case.written)
