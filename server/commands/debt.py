"""`coalition debt`: what members owe, and what two of the staff together do about it."""

from uuid import UUID

import msgspec
import rich_click as click

from coalition.federation.catalogue import Catalogue
from coalition.kernel.clock import SystemClock
from coalition.kernel.money import POINTS_MAX
from coalition.kernel.settings import Settings
from coalition.ledger.debts import ListedDebt
from coalition.oversight import approvals
from coalition.oversight.approvals import Approval
from coalition.points import debts
from coalition.points.debts import Act, PreparedAct, Settled
from server.commands.known import read_catalogue
from server.commands.options import (
    answer,
    as_json_option,
    example,
    place_of,
    place_options,
    say,
    table_of,
)
from server.commands.proposal import PersonName
from server.databases import do

_SHOWN = ("member_id", "issue", "issuer", "since", "open", "booked", "recovered", "written_off")
_WAITING = ("approval_id", "act", "member_id", "points", "reason", "prepared_by", "expires_at")
_SETTLED = ("act", "member_id", "points", "owes")


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
@click.option("--prepared-by", type=PersonName(), required=True, help="Who proposes it.")
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
@click.option("--prepared-by", type=PersonName(), required=True, help="Who proposes it.")
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


@debt.command()
@place_options
@as_json_option
@click.pass_context
@example("coalition debt waiting --json")
def waiting(context: click.Context, *, as_json: bool) -> None:
    """List what waits for its second person."""

    async def work(_: Settings) -> list[dict[str, object]]:
        rows = await approvals.waiting(at=SystemClock().now(), kind=debts.KIND)
        return [_waiting_row(one) for one in rows]

    rows = do(place_of(context), work)
    answer({"items": rows}, as_json=as_json, table=lambda: table_of(rows, _WAITING))


@debt.command()
@click.argument("approval_id", type=click.UUID)
@click.option("--approved-by", type=PersonName(), required=True, help="Who signs it.")
@place_options
@as_json_option
@click.pass_context
@example("coalition debt approve 0c6b1c2e-6f0b-4b57-9a3a-1f3f6e0d2c11 --approved-by bertil")
def approve(context: click.Context, *, approval_id: UUID, approved_by: str, as_json: bool) -> None:
    """Do what was proposed under APPROVAL_ID, as another person than who proposed it."""

    async def work(_: Settings) -> Settled:
        return await debts.approve(approval_id, approved_by=approved_by, at=SystemClock().now())

    row = msgspec.to_builtins(do(place_of(context), work))
    answer(row, as_json=as_json, table=lambda: table_of([row], _SETTLED))


@debt.command()
@click.argument("approval_id", type=click.UUID)
@click.option("--rejected-by", type=PersonName(), required=True, help="Who says no.")
@click.option("--reason", required=True, help="Why; it is kept in the audit log.")
@place_options
@click.pass_context
@example(
    "coalition debt reject 0c6b1c2e-6f0b-4b57-9a3a-1f3f6e0d2c11 --rejected-by bertil"
    ' --reason "the member has paid"'
)
def reject(context: click.Context, *, approval_id: UUID, rejected_by: str, reason: str) -> None:
    """Let what was proposed under APPROVAL_ID never be done."""

    async def work(_: Settings) -> None:
        at = SystemClock().now()
        await approvals.reject(
            approval_id, rejected_by=rejected_by, reason=reason, at=at, kind=debts.KIND
        )

    do(place_of(context), work)
    say("The proposal is rejected.")


def _prepare(
    context: click.Context, wanted: PreparedAct, prepared_by: str, *, as_json: bool
) -> None:
    async def work(_: Settings) -> dict[str, object]:
        at = SystemClock().now()
        approval_id = await debts.prepare(
            act=wanted.act,
            member=wanted.member_id,
            reason=wanted.reason,
            prepared_by=prepared_by,
            at=at,
            points=wanted.points,
            issue=wanted.issue,
        )
        rows = await approvals.waiting(at=at, kind=debts.KIND)
        (prepared,) = (one for one in rows if one.id == approval_id)
        return _waiting_row(prepared)

    row = do(place_of(context), work)
    answer(row, as_json=as_json, table=lambda: table_of([row], _WAITING))


def _waiting_row(approval: Approval) -> dict[str, object]:
    """Return what a second person must see."""
    wanted = msgspec.json.decode(approval.payload, type=PreparedAct)
    return {
        "approval_id": approval.id,
        **msgspec.structs.asdict(wanted),
        "points": wanted.points or "all",
        "prepared_by": approval.prepared_by,
        "prepared_at": approval.prepared_at,
        "expires_at": approval.expires_at,
    }


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
