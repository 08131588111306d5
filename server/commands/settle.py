"""`coalition settle`: from postings to statements that are closed and netted, for finance."""

import rich_click as click

from server.commands import settle_books, settle_charges, settle_progress, settle_statement


@click.group()
def settle() -> None:
    """Settle with the partners: what is open, sealed, closed and netted, down to the receipts.

    The worker drains postings into money all day and seals periods at their cut-off. Closing,
    clearing and adjustments take two persons. docs/guides/finance.md walks through a month.
    """


settle.add_command(settle_progress.status)
settle.add_command(settle_progress.drain)
settle.add_command(settle_statement.statement)
settle.add_command(settle_charges.show_passport)
settle.add_command(settle_books.balance)
