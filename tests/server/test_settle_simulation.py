"""`coalition settle simulate`: a month under another contract, from the command line."""

from pathlib import Path

from coalition.kernel.clock import SystemClock
from tests.server.processes import Ended, within
from tests.server.test_serving import assert_stopped

MONTH = f"{SystemClock().now():%Y-%m}"


def simulate(data: Path, *words: str) -> Ended:
    """Simulate this month, in which the contract of the partner began."""
    return within("settle", "simulate", "handlarn", "--from", MONTH, *words, "--data", data)


def test_what_a_draft_would_have_cost_is_told_by_line_and_party(data: Path) -> None:
    found = simulate(data, "--fixed-fee", "100", "--vat", "fixed=0.25", "--json")
    assert found.status == 0, found.err
    (line,) = found.document["lines"]
    told = {name: line[name] for name in ("kind", "was", "would_be", "would_be_vat", "more")}
    assert told == {
        "kind": "fixed",
        "was": "0.00",
        "would_be": "100.00",
        "would_be_vat": "25.00",
        "more": "125.00",
    }
    parties = {one["party"]: one["more"] for one in found.document["parties"]}
    accounts = {one["party"]: one["more"] for one in found.document["accounts"]}
    assert parties == {"Handlarn pays": "125.00"}
    assert accounts == {
        "operator's fee gets": "100.00",
        "operator's vat gets": "25.00",
        "operator's rounding gets": "0.00",
    }
    shown = simulate(data, "--fixed-fee", "100")
    assert "fixed" in shown.out
    assert "Handlarn pays" in shown.out


def test_the_contract_as_it_is_changes_nothing(data: Path) -> None:
    found = simulate(data, "--to", MONTH, "--json").document
    assert found["lines"] == []
    assert [one["more_minor"] for one in found["parties"]] == [0]


def test_months_without_a_period_and_terms_that_cannot_be_are_refused(data: Path) -> None:
    early = within("settle", "simulate", "handlarn", "--from", "2020-01", "--data", data)
    assert_stopped(early, 2, "no period of the partner begins from 2020-01 to 2020-01")
    wrong = simulate(data, "--mode", "hybrid")
    assert_stopped(wrong, 2, "hybrid asks for a prefunded_share")
