"""`coalition settle net|clearing|default`: closed statements netted, and a partner that fails."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from uuid import UUID

import rich_click as click

from coalition.federation import defaults
from coalition.kernel.database import transaction
from coalition.kernel.settings import Settings
from partners.settlement import clearing, cycles, defaulting
from server.commands.amounts import in_minor
from server.commands.known import find_partner, find_party, read_catalogue
from server.commands.options import (
    answer,
    as_json_option,
    example,
    place_of,
    place_options,
    table_of,
)
from server.commands.second_person import Row, prepared_by_option
from server.commands.settle_approvals import SECOND, legs_table, shown_cycle
from server.commands.settlement_terms import Amount
from server.databases import do

_CYCLE = ("cycle_id", "currency", "periods", "approved_at", "prepared_by", "approved_by")
_DEFAULT = ("defaulter", "loss", "guarantee", "reserve", "creditors", "version")
_CLAIM = ("creditor", "against", "amount", "open")
_SET_OFF = ("creditor", "against", "amount", "cycle")
_EXAMPLE_ID = "0c6b1c2e-6f0b-4b57-9a3a-1f3f6e0d2c11"


@click.command("net")
@click.option(
    "--period", "names", multiple=True, required=True, help="Such as 2026-10; repeatable."
)
@click.option("--currency", help="Only this one.  [default: a cycle for each]")
@click.option("--partner", "partner_names", multiple=True, help="Only these.  [default: all]")
@prepared_by_option
@place_options
@as_json_option
@click.pass_context
@example(
    "coalition settle net --period 2026-10 --prepared-by anna",
    "coalition settle net --period 2026-10 --period 2026-10-H1 --period 2026-10-H2"
    " --prepared-by anna",
)
def net(
    context: click.Context,
    *,
    names: Sequence[str],
    currency: str | None,
    partner_names: Sequence[str],
    prepared_by: str,
    as_json: bool,
) -> None:
    """Propose a clearing cycle: what all pay and receive for closed statements, as one amount each.

    Invoices and VAT stay as they are. Statements that are paid gross are approved, and in no leg.
    """

    async def prepare(at: datetime) -> Sequence[UUID]:
        known = await read_catalogue()
        return await clearing.prepare(
            names=names,
            prepared_by=prepared_by,
            at=at,
            currency=currency,
            partner_nos=[find_party(known, one) for one in partner_names] or None,
        )

    SECOND.propose_several(context, prepare, as_json=as_json)


@click.group("clearing")
def clearing_group() -> None:
    """Show clearing cycles: who pays and receives what through the operator."""


@clearing_group.command("list")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
@place_options
@as_json_option
@click.pass_context
@example("coalition settle clearing list --json")
def list_cycles(context: click.Context, *, limit: int, as_json: bool) -> None:
    """List the cycles that were approved, the latest first."""

    async def work(_: Settings) -> list[Row]:
        async with transaction() as connection:
            heads = await cycles.latest(connection, limit=limit)
        return [
            {
                "cycle_id": one.id,
                "currency": one.currency,
                "periods": ", ".join(one.periods),
                "approved_at": one.approved_at,
                "prepared_by": one.prepared_by,
                "approved_by": one.approved_by,
            }
            for one in heads
        ]

    rows = do(place_of(context), work)
    answer({"items": rows}, as_json=as_json, table=lambda: table_of(rows, _CYCLE))


@clearing_group.command("show")
@click.argument("cycle_id", type=click.UUID)
@place_options
@as_json_option
@click.pass_context
@example(f"coalition settle clearing show {_EXAMPLE_ID}")
def show_cycle(context: click.Context, *, cycle_id: UUID, as_json: bool) -> None:
    """Show the legs of a cycle as they stand, and what became of them by defaults."""

    async def work(_: Settings) -> Row:
        async with transaction() as connection:
            cycle = await cycles.read(connection, cycle_id)
        return shown_cycle(await read_catalogue(), cycle)

    row = do(place_of(context), work)
    answer(row, as_json=as_json, table=lambda: legs_table(row))
    for name, columns in (("defaults", _DEFAULT), ("claims", _CLAIM), ("set_offs", _SET_OFF)):
        rows = row[name]
        assert isinstance(rows, list), "rows"
        if rows and not as_json:
            answer(None, as_json=False, table=lambda: table_of(rows, columns))  # noqa: B023 - now


@click.command("default")
@click.argument("cycle_id", type=click.UUID)
@click.argument("partner_name", metavar="PARTNER")
@click.option("--reserve", type=Amount(), required=True, help="The most that the reserve bears.")
@click.option("--guarantee", type=Amount(), help="[default: what the partner has paid in]")
@prepared_by_option
@place_options
@as_json_option
@click.pass_context
@example(
    f'coalition settle default {_EXAMPLE_ID} "Corner Shop" --reserve 500.00 --prepared-by anna'
)
def default(
    context: click.Context,
    *,
    cycle_id: UUID,
    partner_name: str,
    reserve: Decimal,
    guarantee: Decimal | None,
    prepared_by: str,
    as_json: bool,
) -> None:
    """Propose what becomes of a cycle in which PARTNER does not pay.

    Its guarantee bears the loss, then the operator's reserve, then those who would have received
    something, by their shares; they keep claims against it. The cycle keeps both versions. From
    then on PARTNER issues no points; who pays for those it funded stands in its contract.
    """

    async def prepare(at: datetime) -> UUID:
        known = await read_catalogue()
        async with transaction() as connection:
            currency = (await cycles.read(connection, cycle_id)).currency
        return await defaulting.prepare(
            cycle=cycle_id,
            defaulter_no=find_partner(known, partner_name).no,
            reserve_minor=in_minor(reserve, currency),
            guarantee_minor=None if guarantee is None else in_minor(guarantee, currency),
            prepared_by=prepared_by,
            at=at,
        )

    SECOND.propose(context, prepare, as_json=as_json)


@click.command("end-default")
@click.argument("partner_name", metavar="PARTNER")
@prepared_by_option
@place_options
@as_json_option
@click.pass_context
@example('coalition settle end-default "Corner Shop" --prepared-by anna')
def end_default(
    context: click.Context, *, partner_name: str, prepared_by: str, as_json: bool
) -> None:
    """Propose that PARTNER is in default no more, from when a second person approves it."""

    async def prepare(at: datetime) -> UUID:
        known = await read_catalogue()
        return await defaults.prepare_end(
            partner_no=find_partner(known, partner_name).no, prepared_by=prepared_by, at=at
        )

    SECOND.propose(context, prepare, as_json=as_json)
