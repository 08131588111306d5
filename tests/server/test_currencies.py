"""Point currencies, rates and expiry on the command line."""

from datetime import timedelta
from pathlib import Path

from coalition.kernel.clock import SystemClock
from tests.server.processes import within
from tests.server.test_serving import assert_stopped

RATE = ("currency", "rate")
SOON = (SystemClock().now() + timedelta(days=40)).date().isoformat()


def test_a_partner_gets_a_currency_and_issues_in_it(data: Path) -> None:
    at = ("--data", data)
    made = within(
        *("currency", "create", "MILES", "--name", "Miles", "--partner", "handlarn"), *at, "--json"
    )
    assert made.status == 0, made.err
    assert made.document["partner"] == "Handlarn"
    twice = within("currency", "create", "MILES", "--name", "Miles", *at)
    assert_stopped(twice, 1, "[point_currency_taken]")
    listed = within("currency", "list", *at, "--json").document["items"]
    assert [(one["code"], one["partner"]) for one in listed] == [
        ("POINT", None),
        ("MILES", "Handlarn"),
    ]
    words = ("--valid-from", SOON, "--prepared-by", "anna", "--point-currency")
    propose = ("partner", "contract", "propose", "handlarn", *words)
    proposed = within(*propose, "MILES", *at, "--json")
    assert proposed.document["terms"]["point_currency_no"] == 2
    unknown = within(*propose, "STARS", *at)
    assert_stopped(unknown, 2, "[unknown_point_currency]")


def test_two_persons_agree_on_a_rate(data: Path) -> None:
    at = ("--data", data)
    within("currency", "create", "MILES", "--name", "Miles", *at)
    proposed = within(
        *RATE, "propose", "POINT", "MILES", "10:4", "--prepared-by", "anna", *at, "--json"
    )
    assert (proposed.document["rate"], proposed.document["valid_from"]) == ("5:2", "when approved")
    approval = proposed.document["approval_id"]
    assert "5:2" in within(*RATE, "waiting", *at).out
    alone = within(*RATE, "approve", approval, "--approved-by", "Anna", *at)
    assert_stopped(alone, 1, "[second_person_needed]")
    agreed = within(*RATE, "approve", approval, "--approved-by", "bo", *at, "--json")
    assert (agreed.document["from"], agreed.document["to"]) == ("POINT", "MILES")
    assert within(*RATE, "list", *at, "--json").document == {"items": [agreed.document]}
    assert within(*RATE, "waiting", *at, "--json").document == {"items": []}


def test_a_rate_that_is_rejected_never_holds(data: Path) -> None:
    at = ("--data", data)
    within("currency", "create", "MILES", "--name", "Miles", *at)
    words = ("MILES", "POINT", "1:1", "--from", SOON, "--prepared-by", "anna")
    proposed = within(*RATE, "propose", *words, *at, "--json").document
    reject = (*RATE, "reject", proposed["approval_id"], "--rejected-by", "bo", "--reason", "no")
    assert within(*reject, *at).err == "The proposal is rejected.\n"
    assert within(*RATE, "list", *at, "--json").document == {"items": []}


def test_a_rate_that_is_none_is_refused_with_what_would_be_right(data: Path) -> None:
    at = ("--data", data)
    wrong = within(*RATE, "propose", "POINT", "MILES", "5/2", "--prepared-by", "anna", *at)
    assert wrong.status == 2
    assert "5:2" in wrong.err
    unknown = within(*RATE, "propose", "POINT", "MILES", "5:2", "--prepared-by", "anna", *at)
    assert_stopped(unknown, 2, "[unknown_point_currency]")


def test_expiry_is_run_and_forecast(data: Path) -> None:
    at = ("--data", data)
    assert within("expiry", "run", *at, "--json").document == {"points": 0, "notices": 0}
    assert within("expiry", "run", *at).out == "0 points have expired; 0 notices were given.\n"
    assert within("expiry", "forecast", *at, "--json").document == {"items": []}


def test_tiers_suspend_expiry_until_others_are_named(data: Path) -> None:
    at = ("--data", data)
    named = within("expiry", "suspend", "gold", "platinum", *at)
    assert named.err == "Expiry is suspended for gold, platinum: of 0 members so far.\n"
    assert within("expiry", "suspend", *at).err == "No tier suspends expiry.\n"


def test_the_expiry_of_a_contract_is_proposed_in_words(data: Path) -> None:
    propose = ("partner", "contract", "propose", "handlarn", "--prepared-by", "anna")
    asked = [
        (("--expiry-rule", "end_of_year", "--expiry-months", "0"), ("end_of_year", 0)),
        (("--expiry-rule", "months", "--expiry-months", "6"), ("months", 6)),
        (("--expiry-months", "6"), ("end_of_month", 6)),
        (("--expiry-months", "0"), ("never", None)),
        (("--expiry-rule", "never"), ("never", None)),
    ]
    for words, (rule, months) in asked:
        found = within(*propose, "--valid-from", SOON, *words, "--data", data, "--json").document
        assert (found["terms"]["expiry_rule"], found["terms"]["expiry_months"]) == (rule, months)
    more = ("--inactivity-months", "24", "--notice-days", "7, 30")
    found = within(*propose, "--valid-from", SOON, *more, "--data", data, "--json").document
    assert found["terms"]["inactivity_months"] == 24
    assert found["terms"]["expiry_notice_days"] == [30, 7]
    wrong = within(*propose, "--valid-from", SOON, "--notice-days", "soon", "--data", data)
    assert (wrong.status, "such as 30,7" in wrong.err) == (2, True)
    wrong = within(*propose, "--valid-from", SOON, "--expiry-rule", "months", "--data", data)
    assert_stopped(wrong, 2, "[invalid_terms]")
