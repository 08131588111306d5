"""`coalition debt`: what members owe, and what two of the staff together do about it."""

from datetime import datetime
from uuid import UUID

import msgspec
import rich_click as click

from coalition.federation.catalogue import Catalogue
from coalition.kernel.money import POINTS_MAX
from coalition.kernel.settings import Settings
from coalition.ledger.debts import ListedDebt
from coalition.oversight.approvals import Approval
from coalition.points import debts
from coalition.points.debts import Act, PreparedAct
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

_SHOWN = ("member_id", "issue", "issuer", "since", "open", "booked", "recovered", "written_off")


@click.group()
def debt() -> None:
    """Points that were spent before their issue was reversed: list them, recover them, forgive.

    A second person approves what becomes of a debt. Contracts with the reversal policy `recover`
    let later points pay by themselves.
    """


@debt.command("list")
@click.option("--member", "member_id", type=click.UUID, help="Of this member only.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=1000, show_default=True)
@place_options
@as_json_option
@click.pass_context
@example("coalition debt list", "coalition debt list --json")
def list_debts(
    context: click.Context, *, member_id: UUID | None, limit: int, as_json: bool
) -> None:
    """List what is open, the oldest debt first."""

    async def work(_: Settings) -> list[dict[str, object]]:
        known = await read_catalogue()
        return [_row(known, one) for one in await debts.list_open(member_id, limit=limit)]

    rows = do(place_of(context), work)
    answer({"items": rows}, as_json=as_json, table=lambda: table_of(rows, _SHOWN))


@debt.command()
@click.argument("member_id", type=click.UUID)
@click.option("--points", type=click.IntRange(1, POINTS_MAX), help="[default: all there are]")
@click.option("--issue", type=click.UUID, help="Only the debt that this issue left.")
@click.option("--reason", required=True, help="Why; it is kept with the postings.")
@prepared_by_option
@place_options
@as_json_option
@click.pass_context
@example(
    "coalition debt recover 8cf51be2-9d72-458f-a1d0-370077b9240b --points 50"
    ' --reason "agreed by phone" --prepared-by anna'
)
def recover(
    context: click.Context,
    *,
    member_id: UUID,
    points: int | None,
    issue: UUID | None,
    reason: str,
    prepared_by: str,
    as_json: bool,
) -> None:
    """Propose that points which MEMBER_ID has pay what it owes, the oldest debt first."""
    wanted = PreparedAct(Act.RECOVER, member_id, reason, points, issue)
    _prepare(context, wanted, prepared_by, as_json=as_json)


@debt.command("write-off")
@click.argument("member_id", type=click.UUID)
@click.option("--points", type=click.IntRange(1, POINTS_MAX), help="[default: all that is owed]")
@click.option("--issue", type=click.UUID, help="Only the debt that this issue left.")
@click.option("--reason", required=True, help="Why; it is kept with the debt.")
@prepared_by_option
@place_options
@as_json_option
@click.pass_context
@example(
    "coalition debt write-off 8cf51be2-9d72-458f-a1d0-370077b9240b"
    ' --reason "our own mistake" --prepared-by anna'
)
def write_off(
    context: click.Context,
    *,
    member_id: UUID,
    points: int | None,
    issue: UUID | None,
    reason: str,
    prepared_by: str,
    as_json: bool,
) -> None:
    """Propose that MEMBER_ID need not pay what it owes; no points move."""
    wanted = PreparedAct(Act.WRITE_OFF, member_id, reason, points, issue)
    _prepare(context, wanted, prepared_by, as_json=as_json)


def _prepare(
    context: click.Context, wanted: PreparedAct, prepared_by: str, *, as_json: bool
) -> None:
    async def prepare(at: datetime) -> UUID:
        return await debts.prepare(
            act=wanted.act,
            member=wanted.member_id,
            reason=wanted.reason,
            prepared_by=prepared_by,
            at=at,
            points=wanted.points,
            issue=wanted.issue,
        )

    _SECOND.propose(context, prepare, as_json=as_json)


def _described(_: Catalogue, one: Approval) -> Row:
    wanted = msgspec.json.decode(one.payload, type=PreparedAct)
    return msgspec.structs.asdict(wanted) | {"points": wanted.points or "all"}


async def _approve(by: Signature) -> Row:
    settled = await debts.approve(by.approval_id, approved_by=by.approved_by, at=by.at)
    return msgspec.structs.asdict(settled)


def _row(known: Catalogue, listed: ListedDebt) -> dict[str, object]:
    return {
        "member_id": listed.holder,
        "issue": listed.posting,
        "issuer": known.partner(listed.issuer_no).name,
        "since": listed.made_at,
        "open": listed.points,
        "booked": listed.booked,
        "recovered": listed.recovered,
        "written_off": listed.written_off,
        "recover_percent": listed.recover_percent,
    }


_SECOND = SecondPerson(
    kind=debts.KIND,
    command="debt",
    approves="Do what was proposed under APPROVAL_ID, as another person than who proposed it.",
    describe=_described,
    approve=_approve,
    waiting_columns=(
        "approval_id", "act", "member_id", "points", "reason", "prepared_by", "expires_at",
    ),
    done_columns=("act", "member_id", "points", "owes"),
)  # fmt: skip
_SECOND.add_to(debt)
