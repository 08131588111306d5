"""How a story is played: the clock, the nights, what refusals leave behind, and every verb."""

import typing

import pytest

from server.documents import BadDocumentError
from server.scenario import loading
from server.scenario.steps import LATER, Step
from tests.scenarios.telling import STORIES, loaded, plain, tell

_HEAD = """\
coalition: {currency: EUR, timezone: Europe/Oslo}
partners:
  A:
    contract:
      {valid_from: 2026-01-01, issue_price: "0.01", redemption_price: "0.01", expiry_months: 1}
    earning: 1/1.00
    stores: [s1]
  B: {contract: {valid_from: 2026-01-01, issue_price: "0.01", redemption_price: "0.01"}}
members:
  anna:
  bo: {joined: 2025-12-01, born: 1990-01-01, plan: plus, segments: [family], flags: [vip]}
steps:
"""


def story(*steps: str) -> str:
    """Return a story with these steps."""
    return _HEAD + "".join(f"  - {{{step}}}\n" for step in steps)


async def steps_of(postgres_url: str, *steps: str) -> list[dict[str, object]]:
    """Play these steps; return what became of each."""
    outcome = plain(await tell(story(*steps), postgres_url))
    assert outcome["audit"]["ok"]
    found: list[dict[str, object]] = outcome["steps"]
    return found


def test_every_verb_of_today_stands_in_a_story() -> None:
    told = {type(step) for path in STORIES.glob("*.yaml") for step in loaded(path).steps}

    assert told == set(typing.get_args(Step))


def test_no_verb_is_both_there_and_not_there_yet() -> None:
    verbs = {kind.__struct_config__.tag for kind in typing.get_args(Step)}

    assert not verbs & set(LATER)


async def test_steps_are_numbered_in_file_order_and_keep_their_ids(postgres_url: str) -> None:
    at = "at: 2026-03-01T12:00:00+01:00"

    found = await steps_of(
        postgres_url,
        f"{at}, do: issue, partner: B, member: anna, points: 5",
        f"{at}, do: redeem, id: pay, partner: B, member: anna, points: 6",
        f"{at}, do: expire, id: night",
    )

    assert [(one["n"], one.get("id"), one["ok"]) for one in found] == [
        (1, None, True),
        (2, "pay", False),
        (3, "night", True),
    ]
    assert found[1] == {"n": 2, "id": "pay", "ok": False, "code": "not_enough_points"}


async def test_what_speaks_of_a_refused_step_is_refused(postgres_url: str) -> None:
    at = "at: 2026-03-01T12:00:00+01:00"

    found = await steps_of(
        postgres_url,
        f"{at}, do: redeem, id: pay, partner: B, member: anna, points: 6",
        f"{at}, do: reverse, posting: pay",
        f"{at}, do: hold, id: kept, partner: B, member: anna, points: 6",
        f"{at}, do: capture, hold: kept",
        f"{at}, do: void, hold: kept",
        f"{at}, do: write_off, member: anna, posting: pay, reason: nothing there",
    )

    assert [one["code"] for one in found] == [
        "not_enough_points",
        "posting_not_found",
        "not_enough_points",
        "hold_not_found",
        "hold_not_found",
        "nothing_owed",
    ]


async def test_nights_that_go_by_book_what_ends_in_each_of_them(postgres_url: str) -> None:
    outcome = plain(
        await tell(
            story(
                "at: 2026-01-10T12:00:00+01:00, do: issue, partner: A, member: anna, points: 10",
                "at: 2026-02-10T12:00:00+01:00, do: issue, partner: A, member: anna, points: 20",
                "at: 2026-02-10T12:00:00+01:00, do: advance, until: 2026-03-01",
                "at: 2026-03-01T00:00:00+01:00, do: advance",
                "at: 2026-05-01T00:00:00+02:00, do: advance",
            ),
            postgres_url,
        )
    )

    assert [one["points"] for one in outcome["steps"]] == [10, 20, 10, 0, 20]
    assert outcome["members"]["anna"] == {"balance": 0, "debt": 0, "lots": []}


async def test_what_has_ended_is_unspent_and_not_spendable_until_it_is_booked(
    postgres_url: str,
) -> None:
    outcome = plain(
        await tell(
            story(
                "at: 2026-01-10T12:00:00+01:00, do: issue, partner: A, member: anna, points: 10",
                "at: 2026-03-01T00:00:00+01:00, do: issue, partner: B, member: anna, points: 1",
            ),
            postgres_url,
        )
    )

    assert outcome["members"]["anna"] == {
        "balance": 1,
        "debt": 0,
        "lots": [
            {"issuer": "A", "funder": "A", "expires": "2026-02-28", "remaining": 10},
            {"issuer": "B", "funder": "B", "expires": None, "remaining": 1},
        ],
    }


async def test_purchases_are_named_in_either_way_with_store_and_cashier(postgres_url: str) -> None:
    at = "at: 2026-03-01T12:00:00+01:00"
    purchase = "purchase: {amount_minor: 250, currency: EUR}"

    found = await steps_of(
        postgres_url,
        f'{at}, do: issue, partner: A, member: bo, purchase: "0.99", store: s1, cashier: "7"',
        f"{at}, do: issue, partner: A, member: bo, {purchase}",
        f"{at}, do: issue, partner: B, member: bo, {purchase}",
    )

    assert found[0] == {"n": 1, "ok": True, "points": 0}
    assert found[1]["points"] == 2
    assert found[2]["code"] == "no_earning_rule"


async def test_a_story_without_steps_has_its_members(postgres_url: str) -> None:
    empty = _HEAD.removesuffix("steps:\n") + "steps: []\n"

    outcome = plain(await tell(empty, postgres_url))

    assert outcome["steps"] == []
    assert set(outcome["members"]) == {"anna", "bo"}
    assert (outcome["statements"], outcome["netting"]) == ({}, [])
    assert (outcome["revenue"], outcome["memberships"]) == ({}, {})


def test_a_step_before_the_day_to_which_the_nights_went_by_is_refused() -> None:
    content = story(
        "at: 2026-03-01T12:00:00+01:00, do: advance, until: 2026-03-02",
        "at: 2026-03-01T13:00:00+01:00, do: expire",
    )

    with pytest.raises(BadDocumentError) as raised:
        loading.load(content.encode())

    assert [problem.text for problem in raised.value.problems] == [
        "time goes back here: the nights went by until 2026-03-01T23:00:00+00:00"
    ]
