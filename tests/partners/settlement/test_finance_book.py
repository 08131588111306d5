"""Finance lists periods and reads the money book, and nobody else does."""

from datetime import timedelta
from typing import Any

import pytest

from coalition.kernel.ids import random_id
from partners.settlement import draining
from tests.partners.settlement.office import Office

PERIODS = "/v1/admin/settlement/periods"
BALANCE = "/v1/admin/settlement/trial-balance"


async def periods(office: Office, **wanted: str) -> Any:  # Any: JSON
    answer = await office.reader.get(PERIODS, **wanted)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_periods_of_all_partners_are_listed_the_latest_first(office: Office) -> None:
    listed = await periods(office, limit="3")

    assert [(one["partner"], one["period"]) for one in listed["items"]] == [
        ("Macken", "2026-11"),
        ("Handlarn", "2026-11"),
        ("operator", "2026-11"),
    ]
    first = listed["items"][0]
    assert first == {
        "partner_id": str(office.coalition.fuel.partner.id),
        "partner": "Macken",
        "period": "2026-11",
        "starts_at": "2026-10-31T23:00:00Z",
        "ends_at": "2026-11-30T23:00:00Z",
        "cut_off_at": "2026-11-30T23:00:00Z",
        "calendar": "monthly",
        "timezone": "Europe/Stockholm",
        "state": "open",
        "due": None,
        "statement_id": None,
    }
    assert listed["items"][2]["partner_id"] is None


async def test_pages_follow_each_other_without_a_gap(office: Office) -> None:
    whole = await periods(office, limit="200")
    assert whole["next_cursor"] is None

    pieces: list[Any] = []
    cursor: dict[str, str] = {}
    for _ in range(len(whole["items"])):
        page = await periods(office, limit="7", **cursor)
        pieces += page["items"]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}

    assert pieces == whole["items"]


async def test_periods_are_chosen_by_partner_name_and_state(office: Office) -> None:
    grocer = str(office.coalition.grocer.partner.id)

    october = (await periods(office, partner=grocer, name="2026-10"))["items"]
    assert [(one["partner"], one["period"], one["due"]) for one in october] == [
        ("Handlarn", "2026-10", "seal")
    ]
    own = (await periods(office, partner="operator", limit="200"))["items"]
    assert {one["partner"] for one in own} == {"operator"}
    assert (await periods(office, state="closed"))["items"] == []
    assert (await periods(office, name="2099-01"))["items"] == []
    assert (await periods(office, state="open", name="2026-09"))["items"] != []


async def test_a_closed_period_with_nothing_on_it_waits_for_no_cycle(office: Office) -> None:
    await office.close_before("2026-11")
    october = (await periods(office, name="2026-10"))["items"]
    due = {one["partner"]: (one["state"], one["due"]) for one in october}
    assert due["operator"] == ("closed", None)
    assert due["Macken"] == ("closed", "clear")  # its total is of zero, which a cycle takes


async def test_what_waits_for_a_drain_is_told(office: Office) -> None:
    shop = office.coalition.grocer
    await shop.issue(await shop.new_member(), 1000)
    office.coalition.clock.advance(timedelta(seconds=90))

    waiting = await periods(office)
    assert waiting["queue"]["postings"] == 1
    assert waiting["queue"]["oldest_seconds"] == pytest.approx(90, abs=0.01)
    assert waiting["queue"]["last_drain_at"] is None
    assert waiting["unsealed_periods"] > 0

    await draining.drain_all(office.at)
    drained = await periods(office)
    assert drained["queue"] == {
        "postings": 0,
        "oldest_seconds": 0.0,
        "last_drain_at": "2026-11-21T12:01:30Z",
    }


async def test_the_money_book_is_in_balance_and_the_fund_is_proved(office: Office) -> None:
    shop = office.coalition.grocer
    await shop.issue(await shop.new_member(), 1000)
    await draining.drain_all(office.at)

    told = (await office.reader.get(BALANCE, fund_proof="true")).json()

    assert told["in_balance"] is True
    assert told["currencies"] == [
        {
            "currency": "SEK",
            "sum": "0.000000000000",
            "cash": "0.000000000000",
            "receivables": "10.000000000000",
            "payables": "0.000000000000",
            "fund": "10.000000000000",
            "own": "0.000000000000",
            "fund_proof": {
                "fund": "10.000000000000",
                "queued": "0.000000000000",
                "liability": "10.000000000000",
                "unreleased_margin": "0.000000000000",
                "difference": "0.000000000000",
            },
        }
    ]
    assert [(one["account"], one["partner"], one["balance"]) for one in told["accounts"]] == [
        ("partner", "Handlarn", "10.000000000000"),
        ("fund", "operator", "-10.000000000000"),
    ]


async def test_the_fund_is_proved_only_when_that_is_asked_for(office: Office) -> None:
    shop = office.coalition.grocer
    await shop.issue(await shop.new_member(), 1000)

    assert (await office.reader.get(BALANCE)).json() == {
        "in_balance": True,
        "currencies": [],
        "accounts": [],
    }
    (proved,) = (await office.reader.get(BALANCE, fund_proof="true")).json()["currencies"]
    assert proved["fund_proof"]["queued"] == proved["fund_proof"]["liability"] == "10.000000000000"


WRONG_QUERIES = {
    "an unknown partner": (PERIODS, {"partner": str(random_id())}, 404, "partner_not_found"),
    "a partner's number": (PERIODS, {"partner": "1"}, 422, "invalid"),
    "a partner's name": (PERIODS, {"partner": "Handlarn"}, 422, "invalid"),
    "a partner with NUL": (PERIODS, {"partner": "operator\x00"}, 422, "invalid"),
    "a partner with a line": (PERIODS, {"partner": "operator\n"}, 422, "invalid"),
    "a long partner": (PERIODS, {"partner": "x" * 3000}, 422, "invalid"),
    "a state that is none": (PERIODS, {"state": "sealed"}, 422, "invalid"),
    "no period": (PERIODS, {"name": "october"}, 422, "invalid"),
    "digits of elsewhere": (PERIODS, {"name": "\uff12\uff10\uff12\uff16-10"}, 422, "invalid"),
    "no page": (PERIODS, {"limit": "0"}, 422, "invalid"),
    "a large page": (PERIODS, {"limit": "201"}, 422, "invalid"),
    "half a row": (PERIODS, {"limit": "1.5"}, 422, "invalid"),
    "a cursor of words": (PERIODS, {"cursor": "next"}, 422, "invalid"),
    "a huge cursor": (PERIODS, {"cursor": "9" * 40 + ".1"}, 422, "invalid"),
    "a negative cursor": (PERIODS, {"cursor": "-1.1"}, 422, "invalid"),
    "a statement as cursor": (PERIODS, {"cursor": "1' OR '1'='1.1"}, 422, "invalid"),
    "an unknown word": (PERIODS, {"period": "2026-10"}, 422, "invalid"),
    "a proof of 2": (BALANCE, {"fund_proof": "2"}, 422, "invalid"),
    "a word too many": (BALANCE, {"currency": "SEK"}, 422, "invalid"),
}


@pytest.mark.parametrize("case", WRONG_QUERIES.values(), ids=WRONG_QUERIES)
async def test_a_wrong_query_is_refused(
    office: Office, case: tuple[str, dict[str, str], int, str]
) -> None:
    address, wanted, status, code = case
    answer = await office.reader.get(address, **wanted)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text


async def test_the_furthest_cursor_is_good(office: Office) -> None:
    assert (await periods(office, cursor="99999999999.999999999"))["items"] != []
    assert (await periods(office, cursor="0.0"))["items"] == []
