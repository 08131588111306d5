"""`coalition settle`: from postings to statements that are closed and netted, for finance."""

import rich_click as click

from server.commands import (
    settle_books,
    settle_charges,
    settle_clearing,
    settle_close,
    settle_credit,
    settle_export,
    settle_progress,
    settle_simulation,
    settle_statement,
)
from server.commands.settle_approvals import SECOND


@click.group()
def settle() -> None:
    """Settle with the partners: what is open, sealed, closed and netted, down to the receipts.

    The worker drains postings into money all day and seals periods at their cut-off. Closing,
    clearing and adjustments take two persons. docs/guides/finance.md walks through a month.
    """


for command in (
    settle_progress.status,
    settle_statement.statement,
    settle_charges.show_passport,
    settle_progress.drain,
    settle_close.seal,
    settle_close.close,
    settle_close.adjust,
    settle_credit.credit,
    settle_credit.prepay,
    settle_clearing.net,
    settle_clearing.clearing_group,
    settle_clearing.default,
    settle_clearing.end_default,
    settle_books.balance,
    settle_export.export,
    settle_simulation.simulate,
):
    settle.add_command(command)
SECOND.add_to(settle)
