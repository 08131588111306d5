"""Fees, VAT, credit and rates of money on the command line."""

from datetime import timedelta
from pathlib import Path

from coalition.kernel.clock import SystemClock
from tests.server.processes import Ended, within
from tests.server.test_serving import assert_stopped

CONTRACT = ("partner", "contract")
RATE = ("currency", "money-rate")
SOON = (SystemClock().now() + timedelta(days=40)).date().isoformat()


def propose(data: Path, *words: str) -> Ended:
    """Propose a later version of the contract that says `words`."""
    named = ("--valid-from", SOON, "--prepared-by", "anna")
    return within(*CONTRACT, "propose", "handlarn", *named, *words, "--data", data, "--json")


def test_a_partner_is_made_with_all_terms_of_settlement(data: Path) -> None:
    fees = ("--service-fee", "0.0008", "--service-fee-percent", "1.5", "--fixed-fee", "100")
    steps = ("--volume-step", "1000000:0.0006", "--volume-step", "5000000:0.0004")
    vat = ("--vat", "service_fee=0.25", "--vat", "issuance=E:0")
    period = ("--calendar", "weekly", "--grace-hours", "48", "--minimum-fee", "500.50")
    paid = ("--payment", "gross", "--payment-days", "14", "--breakage-share", "0.4")
    credit = ("--credit", "block:10000.00", "--low-water", "1000", "--on-default", "suspend")
    words = (*fees, *steps, *vat, *period, *paid, *credit, "--refund-order", "proportional")
    made = within("partner", "create", "--name", "Fuel", *words, "--data", data, "--json")
    assert made.status == 0, made.err
    shown = within(*CONTRACT, "show", "fuel", "--data", data, "--json").document["items"][0]
    assert (shown["service_fee_per_point"], shown["service_fee_percent"]) == ("0.0008", "1.5")
    assert (shown["fixed_fee_minor"], shown["minimum_fee_minor"]) == (10_000, 50_050)
    assert shown["volume_steps"] == [
        {"from_points": 1_000_000, "fee_per_point": "0.0006"},
        {"from_points": 5_000_000, "fee_per_point": "0.0004"},
    ]
    assert shown["vat"] == {
        "issuance": {"code": "E", "rate": "0"},
        "service_fee": {"code": "standard", "rate": "0.25"},
    }
    assert (shown["calendar"], shown["cut_off_grace_hours"]) == ("weekly", 48)
    assert (shown["payment"], shown["payment_days"]) == ("gross", 14)
    assert (shown["breakage_share"], shown["refund_order"]) == ("0.4", "proportional")
    assert (shown["credit_mode"], shown["credit_limit_minor"]) == ("block", 1_000_000)
    assert (shown["low_water_minor"], shown["on_default"]) == (100_000, "suspend")
    assert "block" in within(*CONTRACT, "show", "fuel", "--data", data).out


def test_a_partner_is_made_without_any_of_them(data: Path) -> None:
    (shown,) = within(*CONTRACT, "show", "handlarn", "--data", data, "--json").document["items"]
    assert (shown["fixed_fee_minor"], shown["vat"], shown["volume_steps"]) == (0, {}, [])
    assert (shown["credit_mode"], shown["credit_limit_minor"]) == ("none", None)
    assert (shown["low_water_minor"], shown["calendar"]) == (None, "monthly")


def test_what_is_not_proposed_stays_and_what_is_can_be_taken_out(data: Path) -> None:
    words = ("--vat", "service_fee=0.25", "--credit", "warn:50", "--low-water", "5")
    first = propose(data, *words, "--volume-step", "10:0.1").document
    approving = ("--approved-by", "bo", "--data", data)
    signed = within(*CONTRACT, "approve", first["approval_id"], *approving)
    assert signed.status == 0, signed.err

    later = ("--valid-from", "2090-01-01", "--prepared-by", "anna", "--data", data, "--json")
    again = ("--credit", "block:75.00", "--fixed-fee", "9.99")
    found = within(*CONTRACT, "propose", "handlarn", *again, *later).document
    assert found["changes"] == {
        "credit_mode": {"from": "warn", "to": "block"},
        "credit_limit_minor": {"from": 5_000, "to": 7_500},
        "fixed_fee_minor": {"from": 0, "to": 999},
    }
    bare = ("--vat", "none", "--volume-step", "none", "--credit", "none", "--low-water", "none")
    found = within(*CONTRACT, "propose", "handlarn", *bare, *later).document
    terms = found["terms"]
    assert (terms["vat"], terms["volume_steps"], terms["credit_mode"]) == ({}, [], "none")
    assert (terms["credit_limit_minor"], terms["low_water_minor"]) == (None, None)


def test_money_is_written_in_the_currency_of_the_contract(data: Path) -> None:
    assert propose(data, "--fixed-fee", "10").document["terms"]["fixed_fee_minor"] == 1_000
    yen = propose(data, "--fixed-fee", "10", "--currency", "JPY")
    assert yen.document["terms"]["fixed_fee_minor"] == 10
    broken = propose(data, "--fixed-fee", "10.5", "--currency", "JPY")
    assert_stopped(broken, 2, "fixed_fee is an amount in JPY, with at most 0 decimals")
    assert_stopped(propose(data, "--minimum-fee", "0.001"), 2, "[invalid_terms]")


def test_terms_that_cannot_be_are_refused_with_what_would_be_right(data: Path) -> None:
    for words, remedy in [
        (("--volume-step", "many:0.1"), "1000000:0.0006"),
        (("--vat", "service=0.25"), "service_fee=0.25"),
        (("--vat", "service_fee=much"), "decimal number"),
        (("--credit", "trust"), "block:AMOUNT"),
        (("--fixed-fee", "much"), "decimal number"),
        (("--calendar", "yearly"), "half_monthly"),
    ]:
        refused = propose(data, *words)
        assert (refused.status, remedy in refused.err) == (2, True), refused.err
    for wrong in (
        "--credit block",
        "--credit prepaid:10",
        "--vat service_fee=25",
        "--volume-step 5:1 --volume-step 5:2",
        "--low-water 5",
    ):
        assert_stopped(propose(data, *wrong.split()), 2, "[invalid_terms]")


def test_two_persons_agree_on_a_rate_of_money(data: Path) -> None:
    at = ("--data", data)
    words = ("EUR", "SEK", "11.2500", "--prepared-by", "anna")
    proposed = within(*RATE, "propose", *words, *at, "--json").document
    assert (proposed["rate"], proposed["valid_from"]) == ("11.25", "when approved")
    assert "11.25" in within(*RATE, "waiting", *at).out
    approval = proposed["approval_id"]
    alone = within(*RATE, "approve", approval, "--approved-by", "Anna", *at)
    assert_stopped(alone, 1, "[second_person_needed]")
    agreed = within(*RATE, "approve", approval, "--approved-by", "bo", *at, "--json")
    assert (agreed.document["from"], agreed.document["to"]) == ("EUR", "SEK")
    assert within(*RATE, "list", *at, "--json").document == {"items": [agreed.document]}
    assert within(*RATE, "waiting", *at, "--json").document == {"items": []}


def test_a_rate_of_money_that_is_rejected_or_is_none_never_holds(data: Path) -> None:
    at = ("--data", data)
    words = ("EUR", "SEK", "11", "--from", SOON, "--prepared-by", "anna")
    proposed = within(*RATE, "propose", *words, *at, "--json").document
    reject = (*RATE, "reject", proposed["approval_id"], "--rejected-by", "bo", "--reason", "no")
    assert within(*reject, *at).err == "The proposal is rejected.\n"
    for wrong, code in [
        (("EUR", "SEK", "0"), "[invalid_money_rate]"),
        (("EUR", "EUR", "1"), "[invalid_money_rate]"),
        (("EUR", "XXX", "1"), "[unknown_currency]"),
    ]:
        assert_stopped(within(*RATE, "propose", *wrong, "--prepared-by", "anna", *at), 2, code)
    assert within(*RATE, "list", *at, "--json").document == {"items": []}
