"""How a story closes and nets: what is refused, what is told, and what is not."""

import io
from typing import Any

import pytest
from rich.console import Console

from server.scenario import loading, playing
from server.scenario.printing import Reader
from tests.scenarios.bad import FIRST, of_steps
from tests.scenarios.telling import plain, tell

_HEAD = """\
coalition: {currency: EUR, timezone: Europe/Oslo}
partners:
  A: {contract: {valid_from: 2026-01-01, issue_price: "0.01", redemption_price: "0.01"}}
  B:
    contract:
      valid_from: 2026-03-01
      issue_price: "0.01"
      redemption_price: "0.01"
      cut_off_grace_hours: 48
members:
  anna:
steps:
"""
IN_MARCH = "at: 2026-03-05T12:00:00+01:00"
IN_APRIL = "at: 2026-04-05T12:00:00+02:00"
IN_MAY = "at: 2026-05-05T12:00:00+02:00"
GIVE = "do: issue, member: anna, points: 100, partner:"


def story(*steps: str) -> str:
    """Return a story with these steps."""
    return _HEAD + "".join(f"  - {{{step}}}\n" for step in steps)


async def told(postgres_url: str, *steps: str) -> Any:  # Any: JSON
    """Play these steps; return what came of them."""
    outcome = plain(await tell(story(*steps), postgres_url))
    assert outcome["audit"]["ok"]
    return outcome


def codes(outcome: Any) -> list[str | None]:  # Any: JSON
    """Return the code of each step; None of what was done."""
    return [step.get("code") for step in outcome["steps"]]


def states(outcome: Any) -> dict[str, dict[str, str]]:  # Any: JSON
    """Return the state of each statement that is told."""
    return {
        partner: {period: one["state"] for period, one in held.items()}
        for partner, held in outcome["statements"].items()
    }


async def test_a_close_that_one_partner_s_grace_refuses_closes_nobody_s(postgres_url: str) -> None:
    early = "at: 2026-04-01T06:00:00+02:00"
    outcome = await told(
        postgres_url,
        f"{IN_MARCH}, {GIVE} A",
        f"{early}, do: close, period: 2026-03",
        f"{early}, {GIVE} A, occurred_at: 2026-03-31T12:00:00+02:00",
        f"{early}, do: close, period: 2026-03, partner: A",
        "at: 2026-04-03T06:00:00+02:00, do: close, period: 2026-03",
        "at: 2026-04-03T06:00:00+02:00, do: close, period: 2026-03",
    )
    assert codes(outcome) == [None, "period_not_over", None, None, None, "period_closed"]
    # What came in after the refused close is in the period: nothing of it had been sealed.
    assert outcome["statements"]["A"]["2026-03"]["lines"][0]["points"] == 200
    assert states(outcome) == {"A": {"2026-03": "closed"}}


async def test_an_earlier_period_is_closed_along_only_when_nothing_is_on_it(
    postgres_url: str,
) -> None:
    outcome = await told(
        postgres_url,
        f"{IN_MARCH}, {GIVE} A",
        f"{IN_APRIL}, {GIVE} A",
        f"{IN_MAY}, do: close, period: 2026-04, partner: A",
        f"{IN_MAY}, do: close, period: 2026-03, partner: A",
        f"{IN_MAY}, do: close, period: 2026-04, partner: A",
    )
    assert codes(outcome) == [None, None, "earlier_period_open", None, None]
    assert states(outcome) == {"A": {"2026-03": "closed", "2026-04": "closed"}}


async def test_what_is_open_is_told_of_a_partner_whom_the_story_has_begun_to_close(
    postgres_url: str,
) -> None:
    outcome = await told(
        postgres_url,
        f"{IN_MARCH}, {GIVE} A",
        f"{IN_MARCH}, {GIVE} B",
        f"{IN_APRIL}, do: close, period: 2026-03, partner: A",
        f"{IN_APRIL}, {GIVE} A",
        f"{IN_MAY}, do: redeem, member: anna, points: 30, partner: A",
    )
    assert states(outcome) == {"A": {"2026-03": "closed", "2026-04": "open", "2026-05": "open"}}
    nets = [one["net_minor"] for one in outcome["statements"]["A"].values()]
    assert nets == [100, 100, -30]


async def test_a_story_that_closes_nothing_tells_no_statements(postgres_url: str) -> None:
    outcome = await told(postgres_url, f"{IN_MARCH}, {GIVE} A", f"{IN_MAY}, {GIVE} B")
    assert (outcome["statements"], outcome["netting"]) == ({}, [])


async def test_nobody_s_period_is_refused(postgres_url: str) -> None:
    outcome = await told(
        postgres_url,
        f"{IN_APRIL}, do: close, period: 2026-W10",
        f"{IN_APRIL}, do: close, period: 2026-02, partner: B",
        f"{IN_APRIL}, do: close, period: 2026-04",
    )
    assert codes(outcome) == ["period_not_found", "period_not_found", "period_not_over"]


async def test_two_versions_in_one_month_make_lines_that_tell_their_version(
    postgres_url: str,
) -> None:
    dearer = '{valid_from: 2026-03-15, issue_price: "0.02", redemption_price: "0.01"}'
    outcome = await told(
        postgres_url,
        f"{IN_MARCH}, {GIVE} A",
        f"{IN_MARCH}, do: contract, partner: A, contract: {dearer}",
        f"at: 2026-03-20T12:00:00+01:00, {GIVE} A",
        f"{IN_APRIL}, do: close, period: 2026-03, partner: A",
    )
    first, second = outcome["statements"]["A"]["2026-03"]["lines"]
    assert (first["amount_minor"], first["contract_version"]) == (100, 1)
    assert (second["amount_minor"], second["contract_version"]) == (200, 2)
    assert second["vat_code"] == "none"


async def test_a_statement_is_netted_once_and_a_position_too(postgres_url: str) -> None:
    outcome = await told(
        postgres_url,
        f"{IN_MARCH}, {GIVE} A",
        f"{IN_APRIL}, do: net, periods: []",
        f"{IN_APRIL}, do: net, periods: [2026-03]",
        f"{IN_APRIL}, do: position, from: B, to: A, amount_minor: 70",
        f"{IN_APRIL}, do: net, periods: []",
        f"{IN_APRIL}, do: close, period: 2026-03",
        f"{IN_APRIL}, do: position, from: B, to: A, amount_minor: 30",
        f"{IN_APRIL}, do: net, periods: [2026-03]",
        f"{IN_APRIL}, do: net, periods: [2026-03]",
    )
    assert codes(outcome) == [
        *(None, "nothing_to_clear", "statement_not_closed", None, None, None, None, None),
        "nothing_to_clear",
    ]
    legs = [[(leg["partner"], leg["amount_minor"]) for leg in one["legs"]] for one in
            outcome["netting"]]  # fmt: skip
    assert legs == [
        [("A", -70), ("B", 70)],
        [("A", 70), ("B", 30), ("operator", -100)],
    ]


async def test_who_has_nothing_in_a_period_keeps_nobody_from_netting_it(postgres_url: str) -> None:
    outcome = await told(
        postgres_url,
        f"{IN_MARCH}, {GIVE} A",
        f"{IN_APRIL}, do: close, period: 2026-03, partner: A",
        f"{IN_APRIL}, do: net, periods: [2026-03, 2026-04]",
        f"{IN_APRIL}, do: position, from: A, to: B, amount_minor: 5",
        f"{IN_APRIL}, do: net, periods: [2026-04]",
        f"{IN_APRIL}, {GIVE} B",
        f"{IN_APRIL}, do: net, periods: [2026-04]",
    )
    assert codes(outcome) == [*(None,) * 6, "statement_not_closed"]
    assert [cycle["legs"] for cycle in outcome["netting"]] == [
        [{"partner": "A", "amount_minor": 100}, {"partner": "operator", "amount_minor": -100}],
        [{"partner": "A", "amount_minor": 5}, {"partner": "B", "amount_minor": -5}],
    ]


def test_steps_of_settlement_that_could_not_be_are_refused_before_anything_runs() -> None:
    assert of_steps(
        "do: close, period: october",
        "do: close, period: 2026-10, partner: X",
        "do: position, from: A, to: X, amount_minor: 1",
    ) == [
        (
            f"line {FIRST}: steps[0].period: expected text of the form "
            "^[0-9]{4}-([0-9]{2}(-H[12]|-[0-9]{2})?|W[0-9]{2})$"
            " (the name of a period, such as 2026-10, 2026-10-H1, 2026-W41 or 2026-10-02),"
            " and this is 'october'"
        ),
        (
            f"line {FIRST + 1}: steps[1].partner: 'X' is not among the partners of this story; "
            "declare it there"
        ),
        (
            f"line {FIRST + 2}: steps[2].to: 'X' is not among the partners of this story; "
            "declare it there"
        ),
    ]


@pytest.mark.parametrize(
    ("step", "problem"),
    [
        (
            "do: position, from: A, to: A, amount_minor: 1",
            "steps[0].to: A cannot pay itself; name another partner",
        ),
        (
            'do: money_rate, from: EUR, to: EUR, rate: "1"',
            "steps[0]: A rate is between two currencies; name two",
        ),
        (
            'do: money_rate, from: EUR, to: JPY, rate: "0"',
            (
                "steps[0]: A rate is between two currencies, above 0 and below 1,000,000,000, "
                "to nine decimals."
            ),
        ),
    ],
)
def test_a_position_or_rate_that_is_none_is_refused(step: str, problem: str) -> None:
    assert of_steps(step) == [f"line {FIRST}: {problem}"]


async def test_statements_and_netting_are_read_by_people_in_major_units(postgres_url: str) -> None:
    loaded = loading.load(
        story(
            f"{IN_MARCH}, id: sale, {GIVE} A",
            f"{IN_APRIL}, do: close, period: 2026-03",
            f"{IN_APRIL}, do: reverse, posting: sale, points: 40",
            f"{IN_MAY}, do: close, period: 2026-04",
            f"{IN_MAY}, do: net, periods: [2026-03, 2026-04]",
        ).encode()
    )
    reader = Reader(loaded)
    outcome = await playing.play(loaded, server_url=postgres_url, told=reader.told)
    page = io.StringIO()
    Console(file=page, width=120, markup=False, highlight=False).print(reader.page(outcome))
    rows = [[cell.strip() for cell in row.split("│")[1:-1]] for row in page.getvalue().split("\n")]
    assert ["A", "2026-03", "net EUR, closed", "", "1.00", ""] in rows
    assert ["A", "2026-04", "issuance of 2026-03", "-40", "-0.40", "0.00"] in rows
    assert ["2026-03, 2026-04", "EUR", "operator", "-0.60"] in rows
