"""`coalition currency rate`: what points are worth in other points, agreed on by two persons."""

from datetime import UTC, datetime
from uuid import UUID

import msgspec
import rich_click as click

from coalition.federation import rates
from coalition.federation.catalogue import Catalogue
from coalition.federation.rates import PreparedRate
from coalition.federation.terms import ExchangeRate
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
from server.databases import do

_AGREED = ("no", "from", "to", "rate", "valid_from", "prepared_by", "approved_by")


class Exchange(click.ParamType[tuple[int, int]]):
    """Points taken and given, such as 5:2."""

    name = "points:points"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        """Return the two numbers that `value` writes."""
        if isinstance(value, tuple):
            return value
        taken, _, given = str(value).partition(":")
        if not all(part.isascii() and part.isdigit() for part in (taken, given)):
            self.fail(f"{value!r} is not points taken and given, such as 5:2", param, ctx)
        return int(taken), int(given)


@click.group()
def rate() -> None:
    """Propose, approve and list exchange rates between point currencies."""


@rate.command()
@click.argument("from_code", metavar="FROM")
@click.argument("to_code", metavar="TO")
@click.argument("exchange", type=Exchange(), metavar="TAKEN:GIVEN")
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
@example("coalition currency rate propose POINT MILES 5:2 --prepared-by anna")
def propose(
    context: click.Context,
    *,
    from_code: str,
    to_code: str,
    exchange: tuple[int, int],
    valid_from: datetime | None,
    prepared_by: str,
    as_json: bool,
) -> None:
    """Propose that TAKEN points of FROM become GIVEN points of TO, until the next rate begins."""

    async def prepare(at: datetime) -> UUID:
        return await rates.prepare(
            from_code=from_code,
            to_code=to_code,
            from_points=exchange[0],
            to_points=exchange[1],
            valid_from=valid_from.replace(tzinfo=UTC) if valid_from else None,
            prepared_by=prepared_by,
            at=at,
        )

    _SECOND.propose(context, prepare, as_json=as_json)


@rate.command("list")
@place_options
@as_json_option
@click.pass_context
@example("coalition currency rate list --json")
def list_rates(context: click.Context, *, as_json: bool) -> None:
    """List the rates that were agreed on, by point currencies and by when they begin."""

    async def work(_: Settings) -> list[dict[str, object]]:
        known = await read_catalogue()
        return [_agreed_row(known, one) for one in known.rates]

    rows = do(place_of(context), work)
    answer({"items": rows}, as_json=as_json, table=lambda: table_of(rows, _AGREED))


def _agreed_row(known: Catalogue, one: ExchangeRate) -> dict[str, object]:
    return {
        "no": one.no,
        "from": known.currency_by_no(one.from_no).code,
        "to": known.currency_by_no(one.to_no).code,
        "rate": f"{one.from_points}:{one.to_points}",
        "valid_from": one.valid_from,
        "prepared_by": one.prepared_by,
        "approved_by": one.approved_by,
    }


async def _approve(by: Signature) -> Row:
    agreed = await rates.approve(by.approval_id, approved_by=by.approved_by, at=by.at)
    return _agreed_row(await read_catalogue(), agreed)


def _described(_: Catalogue, one: Approval) -> Row:
    wanted = msgspec.json.decode(one.payload, type=PreparedRate)
    return {
        "from": wanted.from_code,
        "to": wanted.to_code,
        "rate": f"{wanted.from_points}:{wanted.to_points}",
        "valid_from": wanted.valid_from or "when approved",
    }


_SECOND = SecondPerson(
    kind=rates.KIND,
    command="currency rate",
    approves="Agree on what was proposed under APPROVAL_ID, as another person than who proposed"
    " it.",
    describe=_described,
    approve=_approve,
    waiting_columns=(
        "approval_id", "from", "to", "rate", "valid_from", "prepared_by", "expires_at",
    ),
    done_columns=_AGREED,
)  # fmt: skip
_SECOND.add_to(rate)
