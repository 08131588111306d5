"""The command line: what it takes, what it says, how it ends."""

import json
import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest
import rich_click as click
from click.testing import CliRunner

from server.cli import main
from tests.server.processes import PATIENCE_S, Ended, coalition, within
from tests.server.test_serving import assert_stopped

KEYS = {
    "COALITION_BLIND_INDEX_KEY": secrets.token_hex(32),
    "COALITION_MASTER_KEY": secrets.token_hex(32),
}


def commands(group: click.Group, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Return the words of every command that is no group."""
    context = click.Context(group)
    found = []
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            found += commands(command, (*path, name))
        else:
            found.append((*path, name))
    return found


@pytest.mark.parametrize("words", [("--help",), ("partner", "create", "--help")], ids=" ".join)
def test_a_reader_that_has_seen_enough_is_no_failure(words: tuple[str, ...]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as nobody_reads:
        ended = subprocess.run(
            [sys.executable, "-m", "server.cli", *words],
            stdout=nobody_reads,
            stderr=subprocess.PIPE,
            timeout=PATIENCE_S,
            check=False,
        )
    assert (ended.returncode, ended.stderr) == (1, b"")


@pytest.mark.parametrize("words", commands(main), ids=" ".join)
def test_every_command_shows_how_it_is_used_with_an_example(words: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(main, [*words, "--help"], prog_name="coalition")
    assert shown.exit_code == 0, shown.output
    assert f"coalition {' '.join(words)}" in shown.output.partition("Try:")[2]


def test_commands_of_partners_answer_in_json_alone(data: Path) -> None:
    def run(*words: str) -> Ended:
        ended = within(*words, "--data", data, "--json")
        assert ended.status == 0, ended.err
        return ended

    added = run("partner", "store", "add", "handlarn", "--code", "17", "--name", "Storgatan")
    assert added.document["code"] == "17"
    assert len(run("partner", "store", "list", "1").document["items"]) == 1
    (partner,) = run("partner", "list").document["items"]
    assert (partner["name"], partner["stores"], partner["state"]) == ("Handlarn", 1, "active")
    (contract,) = run("partner", "contract", "show", partner["partner_id"]).document["items"]
    assert (contract["currency"], contract["issues"]) == ("SEK", True)
    (rule,) = run("earning", "rates").document["items"]
    assert (rule["points"], rule["per_amount"], rule["currency"]) == (1, "1.00", "SEK")
    assert run("earning", "set", "handlarn", "2/1.00").document["points"] == 2
    till = run("client", "create", "handlarn", "--name", "till", "--store", "17").document
    rotated = run("client", "rotate", till["client_id"]).document
    assert rotated["client_secret"] != till["client_secret"]
    listed = run("client", "list", "handlarn").document["items"]
    assert [one["store"] for one in listed] == [None, "17"]
    assert within("client", "revoke", till["client_id"], "--data", data).status == 0
    assert run("client", "list").document["items"][1]["state"] == "revoked"
    suspended = within("partner", "suspend", "1", "--reason", "unpaid", "--data", data)
    assert (suspended.status, suspended.err) == (0, "Handlarn is suspended.\n")
    assert run("partner", "list").document["items"][0]["state"] == "suspended"


def test_input_that_is_wrong_ends_with_2_and_what_would_be_right(data: Path) -> None:
    cases = [
        (("partner", "list", "--colour"), "No such option"),
        (("partner", "create", "--name", "A", "--currency", "XYZ"), "ISO 4217"),
        (("partner", "create", "--name", "A", "--roles", "own"), "issue,accept"),
        (("partner", "create", "--name", "A", "--earn", "a/1"), "2/1.00"),
        (("partner", "create", "--name", "A", "--earn", "1/0.001"), "finer than its minor unit"),
        (("partner", "create", "--name", "A", "--issue-price", "x"), "not a decimal number"),
        (("partner", "create", "--name", "A", "--timezone", "Mars/Base"), "Europe/Stockholm"),
        (("partner", "store", "list", "Nobody"), "no such partner"),
        (("earning", "set", "handlarn", "none"), "name a rule"),
        (("member", "show"), "exactly one of"),
        (("member", "show", "--card", "KORT9"), "no such member"),
        (("partner", "list", "--database-url", "postgresql://x/y"), "not both"),
    ]
    for words, says in cases:
        ended = within(*words, "--data", data)
        assert_stopped(ended, 2, says)


def test_a_refusal_by_the_present_state_ends_with_1(data: Path) -> None:
    words = ("partner", "store", "add", "handlarn", "--code", "1", "--name", "A", "--data", data)
    assert within(*words).status == 0
    assert_stopped(within(*words), 1, "[duplicate_store_code]")


def test_a_directory_without_a_coalition_is_not_made_by_looking(tmp_path: Path) -> None:
    missing = tmp_path / "typo"
    assert_stopped(within("audit", "--data", missing), 2, "there is no coalition in")
    assert not missing.exists()


def test_settings_that_are_wrong_are_named(tmp_path: Path) -> None:
    ended = coalition("serve", "--data", tmp_path, "--port", "0", COALITION_POOL_SIZE="many")
    assert_stopped(ended, 2, "COALITION_POOL_SIZE must be a whole number")
    ended = within("serve", "--port", "0", COALITION_DATABASE_URL="postgresql://x/y")
    assert_stopped(ended, 2, "COALITION_MASTER_KEY")


def test_a_database_that_cannot_be_reached_ends_with_3() -> None:
    nowhere = "postgresql://nobody:secret@127.0.0.1:1/coalition"
    ended = coalition("audit", "--database-url", nowhere, **KEYS)
    assert_stopped(ended, 3, "the database cannot be reached")
    assert "secret" not in ended.err


def test_a_database_without_its_migrations_is_not_served(postgres_url: str) -> None:
    # The one that the server itself came with.
    ended = coalition("serve", "--port", "0", "--database-url", postgres_url, **KEYS)
    assert_stopped(ended, 3, "run `coalition migrate`")


def test_the_doctor_names_a_variable_that_nobody_reads(data: Path) -> None:
    ended = within("doctor", "--data", data, "--json", COALITION_PROT="80")
    assert ended.status == 1
    (finding,) = [one for one in ended.document["findings"] if not one["ok"]]
    assert finding["found"] == "nobody reads COALITION_PROT"
    assert json.dumps(finding["mend"])
