"""`coalition currency money-rate`: what money is worth in other money, agreed on by two persons."""

from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import msgspec
import rich_click as click

from coalition.federation import money_rates
from coalition.federation.catalogue import Catalogue
from coalition.federation.money_rates import PreparedMoneyRate
from coalition.federation.terms import MoneyRate
from coalition.kernel.settings import Settings
from coalition.oversight.approvals import Approval
from server.commands.known import read_catalogue
from server.commands.options import (
    answer,
    as_json_option,
    example,
    place_of,
    place_options,
    table_of,
)
from server.commands.second_person import Row, SecondPerson, Signature, prepared_by_option
from server.commands.settlement_terms import Amount
from server.databases import do

_AGREED = ("no", "from", "to", "rate", "valid_from", "prepared_by", "approved_by")


@click.group("money-rate")
def money_rate() -> None:
    """Propose, approve and list rates between the currencies that contracts settle in."""


@money_rate.command()
@click.argument("from_currency", metavar="FROM")
@click.argument("to_currency", metavar="TO")
@click.argument("rate", type=Amount(), metavar="RATE")
@click.option(
    "--from",
    "valid_from",
    type=click.DateTime(["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d"]),
    help="From when (UTC).  [default: when it is approved]",
)
@prepared_by_option
@place_options
@as_json_option
@click.pass_context
@example("coalition currency money-rate propose EUR SEK 11.25 --prepared-by anna")
def propose(
    context: click.Context,
    *,
    from_currency: str,
    to_currency: str,
    rate: Decimal,
    valid_from: datetime | None,
    prepared_by: str,
    as_json: bool,
) -> None:
    """Propose that one unit of FROM is RATE units of TO, until the next rate begins.

    The other way round it is the inverse, unless a rate of that direction is agreed on as well.
    """

    async def prepare(at: datetime) -> UUID:
        return await money_rates.prepare(
            from_currency=from_currency,
            to_currency=to_currency,
            rate=rate,
            valid_from=valid_from.replace(tzinfo=UTC) if valid_from else None,
            prepared_by=prepared_by,
            at=at,
        )

    _SECOND.propose(context, prepare, as_json=as_json)


@money_rate.command("list")
@place_options
@as_json_option
@click.pass_context
@example("coalition currency money-rate list --json")
def list_rates(context: click.Context, *, as_json: bool) -> None:
    """List the rates that were agreed on, the first first."""

    async def work(_: Settings) -> list[Row]:
        return [_agreed_row(one) for one in (await read_catalogue()).money_rates]

    rows = do(place_of(context), work)
    answer({"items": rows}, as_json=as_json, table=lambda: table_of(rows, _AGREED))


def _agreed_row(one: MoneyRate) -> Row:
    return {
        "no": one.no,
        "from": one.from_currency,
        "to": one.to_currency,
        "rate": _shown(one.rate),
        "valid_from": one.valid_from,
        "prepared_by": one.prepared_by,
        "approved_by": one.approved_by,
    }


def _shown(rate: Decimal) -> str:
    return f"{rate.normalize():f}"


def _described(_: Catalogue, one: Approval) -> Row:
    wanted = msgspec.json.decode(one.payload, type=PreparedMoneyRate)
    return {
        "from": wanted.from_currency,
        "to": wanted.to_currency,
        "rate": _shown(wanted.rate),
        "valid_from": wanted.valid_from or "when approved",
    }


async def _approve(by: Signature) -> Row:
    agreed = await money_rates.approve(by.approval_id, approved_by=by.approved_by, at=by.at)
    return _agreed_row(agreed)


_SECOND = SecondPerson(
    kind=money_rates.KIND,
    command="currency money-rate",
    approves="Agree on what was proposed under APPROVAL_ID, as another person than who proposed"
    " it.",
    describe=_described,
    approve=_approve,
    waiting_columns=(
        "approval_id", "from", "to", "rate", "valid_from", "prepared_by", "expires_at",
    ),
    done_columns=_AGREED,
)  # fmt: skip
_SECOND.add_to(money_rate)
