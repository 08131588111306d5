"""`coalition verify` needs a file and nothing else."""

import json
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from partners.settlement.statement_file import Head
from server.cli import main
from server.commands import verify as verify_module
from tests.partners.statements import files


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return the file of a statement."""
    kept = tmp_path / "statement.ndjson"
    kept.write_bytes(b"".join(files.whole()))
    return kept


def run(*words: str) -> Result:
    return CliRunner().invoke(main, ["verify", *words], prog_name="coalition")


def digest_of(file: Path) -> str:
    return str(json.loads(file.read_bytes().partition(b"\n")[0])["digest"])


def test_a_statement_that_holds_is_told_in_a_sentence(file: Path) -> None:
    ended = run(str(file))
    assert ended.exit_code == 0, ended.output
    assert ended.stdout == (
        "Statement 42 of partner 3, period 2026-11, holds: 15.85 EUR.\n"
        f"Charges: 7, drains: 2, digest: {digest_of(file)}\n"
    )


def test_a_machine_is_told_the_same(file: Path) -> None:
    ended = run(str(file), "--json", "--digest", digest_of(file))
    verdict = json.loads(ended.stdout)
    assert ended.exit_code == 0
    assert (verdict["ok"], verdict["charges"], verdict["differences"]) == (True, 7, [])
    assert verdict["statement"]["digest"] == digest_of(file)


def test_what_was_changed_is_named_and_the_exit_status_says_no(file: Path) -> None:
    file.write_bytes(file.read_bytes().replace(b'"amount_minor":1200', b'"amount_minor":1100'))
    ended = run(str(file))
    assert ended.exit_code == 1
    assert "amount_minor of line 1 of the statement" in ended.stdout
    told = json.loads(run(str(file), "--json").stdout)
    assert not told["ok"]
    assert {"line": 9, "what": "amount_minor of line 1 of the statement"} | {
        "told": "1100",
        "found": "1200",
    } in told["differences"]


def test_another_digest_than_the_one_that_was_told_is_a_difference(file: Path) -> None:
    ended = run(str(file), "--digest", "ab" * 32)
    assert ended.exit_code == 1
    assert "the digest of the statement" in ended.stdout


def test_a_file_that_is_not_there_is_said_to_be_so(tmp_path: Path) -> None:
    ended = run(str(tmp_path / "nothing"))
    assert ended.exit_code == 2
    assert "cannot be read" in ended.stderr


def test_any_other_file_is_no_statement(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(bytes(range(256)))
    assert run(str(other)).exit_code == 1


def test_a_line_without_an_end_is_not_read_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify_module, "LINE_MOST", 1000)
    other = tmp_path / "other"
    other.write_bytes(b"{" + b" " * 1_000_000)
    ended = run(str(other), "--json")
    assert ended.exit_code == 1
    assert [one["line"] for one in json.loads(ended.stdout)["differences"]] == [1]


def test_what_a_file_says_cannot_move_the_cursor_of_a_terminal(tmp_path: Path) -> None:
    head, *rest = files.objects()
    assert isinstance(head, Head)
    named = msgspec.structs.replace(head, period="2026-11\x1b[2J, holds")
    file = tmp_path / "statement.ndjson"
    file.write_bytes(b"".join(files.ended([named, *rest])))
    ended = run(str(file))
    assert "\x1b" not in ended.stdout
    assert "2026-11\\x1b[2J" in ended.stdout


def test_the_digest_is_taken_as_it_was_copied_and_anything_else_is_no_digest(file: Path) -> None:
    assert run(str(file), "--digest", f" {digest_of(file).upper()}\n").exit_code == 0
    ended = run(str(file), "--digest", "zz")
    assert ended.exit_code == 2
    assert "64" in ended.stderr
