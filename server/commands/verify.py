"""`coalition verify`: proves a closed statement from its file alone."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec
import rich_click as click

from partners.settlement.rules import Total, major
from partners.settlement.verifying import Verdict
from partners.settlement.verifying import verify as verified
from server.commands.options import answer, as_json_option, example, table_of
from server.exits import ANSWER_IS_NO, WRONG_INPUT, Stopped

LINE_MOST = 2**28
"""A longer line is cut, and then no line of a statement: four million charges take as much."""

_SHOWN = ("line", "what", "told", "found")


class DigestText(click.ParamType[str]):
    """A digest as it is copied from a statement."""

    name = "digest"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        """Return the digest in small letters."""
        digest = str(value).strip().lower()
        if not re.fullmatch("[0-9a-f]{64}", digest):
            self.fail(f"{value!r} is no digest: it has 64 hexadecimal digits", param, ctx)
        return digest


@click.command()
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
@click.option(
    "--digest",
    type=DigestText(),
    metavar="HEX",
    help="The digest you were told: it must be the file's.",
)
@as_json_option
@click.pass_context
@example("coalition verify statement-42.ndjson", "coalition verify statement-42.ndjson --json | jq")
def verify(context: click.Context, file: Path, digest: str | None, *, as_json: bool) -> None:
    """Prove a closed statement from its file, without a database and without a network.

    FILE is what GET /v1/statements/{id}/download answered. The digests of all drains, their chain,
    points, rounded lines, VAT and totals are made again from the charges. Ends with 1 when anything
    differs. That the file is the statement which was closed is proved by its digest alone: compare
    it with the one that your statement shows, or give it as --digest. It stands for partner,
    period, charges and lines; compare what only names them, such as number and dates, yourself.
    """
    try:
        with file.open("rb") as lines:
            verdict = verified(_cut(lines), expected_digest=digest)
    except OSError as error:
        message = f"{file} cannot be read: {error.strerror}"
        raise Stopped(message, exit_code=WRONG_INPUT) from error
    rows = [
        {name: _plain(str(value)) for name, value in msgspec.structs.asdict(difference).items()}
        for difference in verdict.differences
    ]
    answer(
        verdict,
        as_json=as_json,
        table=lambda: _plain(_sentence(verdict)) if verdict.ok else table_of(rows, _SHOWN),
    )
    if not verdict.ok:
        context.exit(ANSWER_IS_NO)


def _cut(file: BinaryIO) -> Iterator[bytes]:
    """Yield the lines of a file, and of one without end no more than a part at once."""
    return iter(lambda: file.readline(LINE_MOST), b"")


def _plain(text: str) -> str:
    """Return what a file says without the signs that a terminal obeys."""
    return "".join(
        sign if sign.isprintable() or sign == "\n" else sign.encode("unicode_escape").decode()
        for sign in text
    )


def _sentence(verdict: Verdict) -> str:
    named = verdict.statement
    assert named is not None, "what is proved is the statement of somebody"
    totals = ", ".join(_text(total) for total in verdict.totals)
    return (
        f"Statement {named.number} of partner {named.partner_no}, period {named.period}, holds: "
        f"{totals or 'nothing'}.\n"
        f"Charges: {verdict.charges}, drains: {verdict.drains}, digest: {named.digest}"
    )


def _text(total: Total) -> str:
    return f"{major(total.net_minor, total.currency):,} {total.currency}"
