"""Later versions of a contract on the command line: proposed by one person, signed by another."""

from datetime import timedelta
from pathlib import Path

from coalition.kernel.clock import SystemClock
from tests.server.processes import within
from tests.server.test_serving import assert_stopped

CONTRACT = ("partner", "contract")
SOON = (SystemClock().now() + timedelta(days=40)).date().isoformat()


def test_a_second_person_signs_what_the_first_proposed(data: Path) -> None:
    at = ("--data", data)
    words = ("--valid-from", SOON, "--issue-price", "0.0125", "--expiry-months", "24")
    proposed = within(*CONTRACT, "propose", "handlarn", *words, "--prepared-by", "Anna", *at)
    assert proposed.status == 0, proposed.err
    assert "issue_price: 0.01 -> 0.0125" in proposed.out
    assert "expiry_months: None -> 24" in proposed.out
    (waiting,) = within(*CONTRACT, "waiting", *at, "--json").document["items"]
    assert waiting["changes"]["issue_price"] == {"from": "0.01", "to": "0.0125"}
    assert waiting["prepared_by"] == "staff:anna"
    approval = waiting["approval_id"]

    alone = within(*CONTRACT, "approve", approval, "--approved-by", " ANNA ", *at)
    assert_stopped(alone, 1, "Who prepares does not approve; ask a second person")
    signed = within(*CONTRACT, "approve", approval, "--approved-by", "Bertil", *at, "--json")

    assert signed.status == 0, signed.err
    shown = within(*CONTRACT, "show", "handlarn", *at, "--json").document["items"]
    assert shown[1] == signed.document
    assert [one["issue_price"] for one in shown] == ["0.01", "0.0125"]
    assert [one["service_fee_per_point"] for one in shown] == ["0", "0"]
    assert [one["redemption_price"] for one in shown] == ["0.01", "0.01"]
    assert shown[1]["valid_from"] == SOON
    assert (shown[1]["prepared_by"], shown[1]["approved_by"]) == ("staff:anna", "staff:bertil")
    assert within(*CONTRACT, "waiting", *at, "--json").document == {"items": []}
    again = within(*CONTRACT, "approve", approval, "--approved-by", "Cecilia", *at)
    assert_stopped(again, 1, "[approval_decided]")


def test_a_proposal_that_is_rejected_never_holds(data: Path) -> None:
    at = ("--data", data)
    words = ("--valid-from", SOON, "--mode", "hybrid", "--prefunded-share", "0.5")
    proposed = within(
        *CONTRACT, "propose", "handlarn", *words, "--prepared-by", "anna", *at, "--json"
    ).document
    rejecting = ("--rejected-by", "bertil", "--reason", "too dear")

    assert proposed["terms"]["prefunded_share"] == "0.5"
    rejected = within(*CONTRACT, "reject", proposed["approval_id"], *rejecting, *at)

    assert (rejected.status, rejected.err) == (0, "The proposal is rejected.\n")
    assert len(within(*CONTRACT, "show", "handlarn", *at, "--json").document["items"]) == 1
    late = within(*CONTRACT, "approve", proposed["approval_id"], "--approved-by", "bertil", *at)
    assert_stopped(late, 1, "[approval_decided]")


def test_a_proposal_for_a_day_gone_by_is_refused(data: Path) -> None:
    words = ("--valid-from", "2020-01-01", "--prepared-by", "anna", "--data", data)
    ended = within(*CONTRACT, "propose", "handlarn", *words)
    assert_stopped(ended, 2, "A contract cannot begin before today")
