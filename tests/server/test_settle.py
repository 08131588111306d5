"""`coalition settle`: a month from the till to its clearing cycle, and what is refused then."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from coalition.kernel import embedded_postgres
from coalition.kernel.database import transaction
from coalition.kernel.settings import Settings
from server.databases import do
from server.place import Place
from tests.partners.settlement.world import EXAMPLE_A, make_world, play_example_a
from tests.server.processes import Ended, within
from tests.server.test_serving import assert_stopped

OCTOBER = ("--period", "2026-10")


class Finance:
    """The command line of those who settle, on one data directory."""

    def __init__(self, data: Path) -> None:
        self.data = data

    def run(self, *words: str) -> Ended:
        """Run `coalition settle` with these words."""
        return within("settle", *words, "--data", self.data)

    def told(self, *words: str) -> Any:  # Any: JSON
        """Return the document of a command that did what it was told."""
        ended = self.run(*words, "--json")
        assert ended.status == 0, ended.err
        return ended.document

    def agreed(self, *words: str) -> Any:  # Any: JSON
        """Let Anna propose and Bo approve; return what was done."""
        proposed = self.told(*words, "--prepared-by", "anna")
        (one,) = proposed.get("items", [proposed])
        return self.told("approve", one["approval_id"], "--approved-by", "bo")

    def closed(self) -> Any:  # Any: JSON
        """Seal and close October."""
        self.told("seal", *OCTOBER)
        return self.agreed("close", *OCTOBER)

    def statement(self, partner: str, *words: str) -> Any:  # Any: JSON
        return self.told("statement", partner, *words)


@pytest.fixture
def finance(tmp_path: Path) -> Iterator[Finance]:
    """Yield the command line in the month of worked example A, posted and not drained."""
    directory = tmp_path / "data"

    async def play(_: Settings) -> None:
        await play_example_a(await make_world(EXAMPLE_A))

    with embedded_postgres.start(directory):
        do(Place(environ={}, data=directory), play, makes=True)
        yield Finance(directory)


def nets(statements: Any) -> dict[str, int]:  # Any: JSON
    """Return what each partner pays, of statements by partner."""
    return {name: one["totals"][0]["net_minor"] for name, one in statements.items()}


NETS = {"A": 28_950_00, "B": 14_000_00, "C": -8_365_00}


def test_a_month_goes_from_the_tills_to_the_clearing_cycle(finance: Finance) -> None:
    before = finance.told("status")
    assert before["queue"]["postings"] == 8
    assert {one["partner"]: one["net_minor"] for one in before["partners"]} == {
        name: {"EUR": net} for name, net in NETS.items()
    }
    assert before["operator"]["to_seal"] == ["2026-10"]
    assert before["next"] == ["coalition settle seal"]
    assert "8 postings wait for a drain" in finance.run("status").out
    live = {name: finance.statement(name, *OCTOBER) for name in NETS}
    assert nets(live) == NETS
    assert finance.told("drain") == {"postings": 8}
    assert finance.told("drain") == {"postings": 0}

    sealed = finance.told("seal", *OCTOBER)["items"]
    assert [one["partner"] for one in sealed] == ["operator", *NETS]
    assert finance.statement("A", *OCTOBER)["state"] == "provisional"
    assert finance.told("status")["next"] == [
        "coalition settle close --period 2026-10 --prepared-by NAME"
    ]
    proposed = finance.told("close", *OCTOBER, "--prepared-by", "Anna")
    assert proposed["about"][1:] == [
        "2026-10: A pays 28,950.00 EUR",
        "2026-10: B pays 14,000.00 EUR",
        "2026-10: C receives 8,365.00 EUR",
    ]
    assert finance.told("status")["next"][0] == "coalition settle waiting"
    alone = finance.run("approve", proposed["approval_id"], "--approved-by", " ANNA ")
    assert_stopped(alone, 1, "[second_person_needed]")
    done = finance.told("approve", proposed["approval_id"], "--approved-by", "bo")
    assert [one["number"] for one in done["statements"]] == [1, 2, 3, 4]

    frozen = {name: finance.statement(name, *OCTOBER) for name in NETS}
    assert nets(frozen) == NETS
    for name, one in frozen.items():
        assert one["state"] == "closed"
        assert (one["closed_by"], one["approved_by"]) == ("staff:anna", "staff:bo")
        assert one["lines"] == live[name]["lines"]
        assert len(one["digest"]) == 64

    cycle = finance.agreed("net", *OCTOBER)
    legs = {one["partner"]: one["amount_minor"] for one in cycle["legs"]}
    assert legs == NETS | {"operator": -34_585_00}
    ended = finance.told("status")
    assert (ended["next"], ended["operator"]["settled"]) == ([], 1)
    assert "No posting waits for a drain." in finance.run("status").out
    after = {one["partner"]: one for one in ended["partners"]}
    assert [(one["settled"], one["to_net"]) for one in after.values()] == [(1, [])] * 3
    assert finance.statement("A", *OCTOBER)["state"] == "approved"
    (listed,) = finance.told("clearing", "list")["items"]
    assert finance.told("clearing", "show", listed["cycle_id"])["legs"] == cycle["legs"]


def test_the_tables_say_the_same_in_words(finance: Finance) -> None:
    shown = finance.run("statement", "a", *OCTOBER).out
    assert shown.startswith("A, 2026-10: open\n")
    assert "A pays 28,950.00 EUR, for 4950000 points paid for and 3000000 redeemed." in shown
    live = finance.run("statement", "C", "--live").out
    assert "In all -8,365.00 EUR; 8 postings wait for a drain, and are counted." in live
    finance.closed()
    assert finance.run("statement", "A", *OCTOBER).out.startswith("A, 2026-10: closed, number 2\n")
    nothing = finance.run("statement", "operator", *OCTOBER).out
    assert "Nothing was charged." in nothing
    proposed = finance.run("net", *OCTOBER, "--prepared-by", "anna").out
    assert "C receives 8,365.00 EUR" in proposed
    assert "operator receives 34,585.00 EUR" in proposed


def test_a_statement_of_several_currencies_says_which_each_line_is_in(finance: Finance) -> None:
    assert "currency" not in finance.run("statement", "A", *OCTOBER).out
    finance.agreed("adjust", "A", "7.77", "--currency", "USD", "--reason", "paid in dollars")
    shown = finance.run("statement", "A", *OCTOBER).out
    assert "currency" in shown
    (of_dollars,) = [row for row in shown.splitlines() if "adjustment" in row]
    assert "USD" in of_dollars
    assert "A pays 7.77 USD" in shown


def test_a_line_opens_down_to_its_postings_page_by_page_and_back(finance: Finance) -> None:
    finance.closed()
    words = ("A", *OCTOBER, "--lines", "1", "--limit", "1")
    first = finance.statement(*words)
    second = finance.statement(*words, "--after", first["next"])
    both = [*first["charges"], *second["charges"]]
    assert [(one["points"], one["amount"]) for one in both] == [
        (5_000_000, "50000.00"),
        (-50_000, "-500.00"),
    ]
    assert second["next"] is None
    assert "The next page: --after" in finance.run("statement", *words).err

    passport = finance.told("passport", both[0]["posting"])
    assert (passport["kind"], passport["partner"], passport["points"]) == ("issue", "A", 5_000_000)
    assert [(one["issuer"], one["funder"]) for one in passport["legs"]] == [("A", "A")]
    assert [(one["kind"], one["amount"], one["line"]) for one in passport["charges"]] == [
        ("issuance", "50000.00", 1),
        ("service_fee", "4000.00", 3),
    ]
    assert "issue at A" in finance.run("passport", both[0]["posting"]).out

    assert_stopped(finance.run("statement", *words[:3], "--lines", "9"), 2, "has 3 lines")
    assert_stopped(finance.run("statement", *words, "--after", "here"), 2, "is not what a page")
    unknown = finance.run("passport", "01a2002b-a045-7632-8982-1587a375b00b")
    assert_stopped(unknown, 2, "[posting_not_found]")


def test_the_file_of_a_closed_statement_proves_itself(finance: Finance, tmp_path: Path) -> None:
    file = tmp_path / "october.ndjson"
    words = ("export", "A", *OCTOBER, "--out", str(file))
    assert_stopped(finance.run(*words), 1, "[statement_not_closed]")
    finance.closed()
    nowhere = tmp_path / "nowhere" / "october.ndjson"
    assert_stopped(finance.run(*words[:-1], str(nowhere)), 2, "cannot be written: No such file")
    written = finance.told(*words)
    assert (written["number"], written["charges"]) == (2, 7)
    proved = within("verify", file, "--digest", written["digest"], "--json")
    assert (proved.status, proved.document["differences"]) == (0, [])
    file.write_bytes(file.read_bytes().replace(b'"points":4950000', b'"points":4950001', 1))
    assert within("verify", file).status == 1
    assert written["digest"] in finance.run(*words).out


def test_an_adjustment_stands_on_the_statement_of_the_open_period(finance: Finance) -> None:
    closed = finance.closed()["statements"]
    (statement,) = (one["statement_id"] for one in closed if one["partner"] == "A")
    why = ("--reason", "counted twice")
    done = finance.agreed(*("adjust", "A", "-12.50", *why, "--statement", statement, "--line", "1"))
    assert (done["partner"], done["amount"], done["currency"]) == ("A", "-12.50", "EUR")
    live = finance.statement("A", "--period", done["period"])
    (line,) = live["lines"]
    assert (line["kind"], line["amount_minor"], line["origin"]) == ("adjustment", -1250, "2026-10")
    behind = finance.statement("A", "--period", done["period"], "--lines", "1")
    assert behind["charges"] == []
    (by_hand,) = behind["by_hand"]
    assert (by_hand["reason"], by_hand["amount"]) == ("counted twice", "-12.50")
    shown = finance.run("statement", "A", "--period", done["period"], "--lines", "1").out
    assert "counted twice" in shown

    named = ("--prepared-by", "anna")
    assert_stopped(finance.run("adjust", "A", "0.001", *why, *named), 2, "finer than its minor")
    assert_stopped(finance.run("adjust", "A", "0", *why, *named), 2, "[invalid_adjustment]")
    alone = finance.run("adjust", "A", "1", *why, *named, "--line", "1")
    assert_stopped(alone, 2, "--statement and --line go together")


def test_what_waits_is_listed_together_and_what_is_rejected_never_is(finance: Finance) -> None:
    finance.told("seal", *OCTOBER)
    finance.told("close", *OCTOBER, "--partner", "B", "--prepared-by", "anna")
    words = ("adjust", "B", "5", "--reason", "late fee", "--prepared-by", "anna")
    finance.told(*words)
    close, adjust = finance.told("waiting")["items"]
    assert (close["act"], close["about"]) == ("close", ["2026-10: B pays 14,000.00 EUR"])
    assert (adjust["act"], adjust["about"]) == (
        "adjust",
        ["B pays 5.00 EUR before VAT: late fee"],
    )
    assert finance.told("status")["waiting_for_a_second_person"] == 2
    for one in (close, adjust):
        no = ("--rejected-by", "bo", "--reason", "not agreed")
        rejected = finance.run("reject", one["approval_id"], *no)
        assert (rejected.status, rejected.err) == (0, "The proposal is rejected.\n")
        late = finance.run("approve", one["approval_id"], "--approved-by", "bo")
        assert_stopped(late, 1, "[approval_decided]")
    assert finance.told("waiting") == {"items": []}
    assert finance.statement("B", *OCTOBER)["state"] == "provisional"


def test_approving_here_signs_nothing_that_is_not_of_settlement(finance: Finance) -> None:
    words = ("--valid-from", "2099-01-01", "--issue-price", "0.02", "--prepared-by", "anna")
    contract = within(
        *("partner", "contract", "propose", "A", *words, "--data", finance.data, "--json")
    ).document
    signed = finance.run("approve", contract["approval_id"], "--approved-by", "bo")
    assert_stopped(signed, 2, "[approval_not_found]")


def test_a_default_is_borne_by_reserve_and_creditors(finance: Finance) -> None:
    finance.closed()
    cycle = finance.agreed("net", *OCTOBER)["cycle_id"]
    words = ("default", cycle, "B", "--reserve", "13000", "--prepared-by", "anna")
    proposed = finance.told(*words)
    assert proposed["about"] == [
        "B does not pay 14,000.00 EUR",
        "guarantee 0.00, reserve 13,000.00, creditors 1,000.00",
    ]
    done = finance.told("approve", proposed["approval_id"], "--approved-by", "bo")
    assert [one["version"] for one in done["versions"]] == [1, 2]
    claims = {one["creditor"]: one["amount_minor"] for one in done["claims"]}
    assert claims == {"operator": 805_24, "C": 194_76}
    shown = finance.run("clearing", "show", cycle).out
    assert "14,000.00" in shown
    assert "194.76" in shown
    (noted,) = finance.told("end-default", "B", "--prepared-by", "anna")["about"]
    assert noted == "B is in default no more"
    ended = finance.agreed("end-default", "B")
    assert (ended["act"], ended["partner"]) == ("end-default", "B")
    again = finance.run("end-default", "B", "--prepared-by", "anna")
    assert_stopped(again, 1, "[not_in_default]")


@pytest.mark.parametrize("amount", ["NaN", "sNaN", "Infinity", "1e999999999", "-12,50"])
def test_what_is_no_amount_is_wrong_input(amount: str) -> None:
    words = ("settle", "adjust", "A", amount, "--reason", "why", "--prepared-by", "anna")
    assert_stopped(within(*words), 2, "is not a decimal number such as 0.01")


def test_prepaid_money_is_booked_by_two_persons_once_per_reference(finance: Finance) -> None:
    words = ("prepay", "A", "5000.00", "--reference", "bank 4711")
    waiting = finance.told(*words, "--prepared-by", "anna")
    assert (waiting["act"], waiting["about"]) == (
        "prepay",
        ["A has paid in 5,000.00 EUR: bank 4711"],
    )
    alone = finance.run("approve", waiting["approval_id"], "--approved-by", "anna")
    assert_stopped(alone, 1, "[second_person_needed]")
    made = finance.told("approve", waiting["approval_id"], "--approved-by", "bo")
    assert (made["partner"], made["amount_minor"], made["currency"]) == ("A", 500_000, "EUR")
    again = finance.run(*words, "--prepared-by", "anna")
    assert_stopped(again, 1, "[prepayment_booked]")
    less = ("prepay", "A", "-5", "--reference", "bank 4712", "--prepared-by", "anna")
    assert_stopped(finance.run(*less), 2, "[invalid_prepayment]")
    (held,) = finance.told("credit")["items"]
    assert (held["partner"], held["paid_in"], held["blocked"]) == ("A", "5,000.00", False)
    live = finance.statement("A", "--live")
    assert live["credit"] == held
    assert "paid in" in finance.run("statement", "A", "--live").out
    assert finance.statement("B", "--live")["credit"] is None


def test_the_trial_balance_is_even_and_a_book_that_is_not_is_named(finance: Finance) -> None:
    finance.closed()
    found = finance.told("balance", "--proof")
    assert (found["ok"], found["out_of_balance"]) == (True, {})
    accounts = {(one["account"], one["partner"]): one for one in found["accounts"]}
    assert accounts["partner", "A"]["debit"] == "28950.00"
    assert accounts["partner", "C"]["credit"] == "8365.00"
    assert accounts["fund", None]["credit"] == "26510.00"
    (proof,) = found["proof"]
    assert (proof["fund"], proof["difference"]) == ("26510.00", "0.00")
    assert "sum" in finance.run("balance", "--proof").out

    async def spoil(_: Settings) -> None:
        async with transaction() as connection:
            await connection.execute(
                "INSERT INTO money_entry SELECT id, 99, 10, 0, 'EUR', 0.5 FROM money_posting"
                " ORDER BY id LIMIT 1"
            )

    do(Place(environ={}, data=finance.data), spoil)
    broken = finance.run("balance", "--json")
    assert broken.status == 1
    assert broken.document["out_of_balance"] == {"EUR": "0.50"}


def test_periods_and_partners_that_are_not_there_are_wrong_input(finance: Finance) -> None:
    assert_stopped(finance.run("statement", "Z", *OCTOBER), 2, "[partner_not_found]")
    assert_stopped(finance.run("statement", "A", "--period", "x"), 2, "[period_not_found]")
    assert_stopped(finance.run("seal", "--period", "2026-10-H1"), 2, "[period_not_found]")
    early = finance.run("close", *OCTOBER, "--prepared-by", "anna")
    assert_stopped(early, 1, "[period_not_sealed]")
    unclosed = finance.run("net", *OCTOBER, "--prepared-by", "anna")
    assert_stopped(unclosed, 1, "[statement_not_closed]")


def test_without_a_period_all_that_is_due_is_sealed(finance: Finance) -> None:
    first, *_ = finance.told("seal", "--partner", "A")["items"]
    assert (first["partner"], first["period"]) == ("A", "2026-10")
    partners = {one["partner"] for one in finance.told("seal")["items"]}
    assert partners == {"operator", "B", "C"}
