"""`coalition audit`: proves the books."""

import msgspec
import rich_click as click

from coalition.kernel.settings import Settings
from coalition.ledger.audit import Report
from server.commands.options import (
    answer,
    as_json_option,
    example,
    place_of,
    place_options,
    table_of,
)
from server.databases import do
from server.exits import ANSWER_IS_NO
from server.proof import prove


@click.command()
@place_options
@as_json_option
@click.pass_context
@example("coalition audit", "coalition audit --json | jq .ok")
def audit(context: click.Context, *, as_json: bool) -> None:
    """Prove every invariant of ledger and settlement and the chain of the audit log.

    One query for each, over all of history, in one snapshot; tills go on meanwhile. Ends with 1
    when any is broken.
    """

    async def work(_: Settings) -> Report:
        return await prove()

    report = do(place_of(context), work)
    rows = [msgspec.to_builtins(breach) for breach in report.breaches]
    sentence = f"All {report.checks} checks hold."
    answer(
        report,
        as_json=as_json,
        table=lambda: (
            sentence if report.ok else table_of(rows, ("invariant", "promise", "rows", "first"))
        ),
    )
    if not report.ok:
        context.exit(ANSWER_IS_NO)
