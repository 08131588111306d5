"""`coalition adjustment`: staff give a member points, or take some, two persons together."""

from datetime import datetime
from uuid import UUID

import msgspec
import rich_click as click

from coalition.federation.catalogue import Catalogue
from coalition.kernel.clock import SystemClock
from coalition.kernel.settings import Settings
from coalition.oversight import approvals
from coalition.oversight.approvals import Approval
from coalition.points import adjusting
from coalition.points.adjusting import OPERATOR, Adjusted, PreparedAdjustment
from server.commands.known import find_partner, read_catalogue
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

_WAITING = ("approval_id", "member_id", "points", "giver", "reason", "prepared_by", "expires_at")
_DONE = ("posting_id", "member_id", "points", "balance")


@click.group()
def adjustment() -> None:
    """Give points to a member, or take some, for what no till can put right.

    One person prepares it, another approves. What the operator gives nobody pays for.
    """


@adjustment.command(context_settings={"ignore_unknown_options": True})
@click.argument("member_id", type=click.UUID)
@click.argument("points", type=int)
@click.option("--reason", required=True, help="Why; it is kept with the posting.")
@click.option("--prepared-by", type=PersonName(), required=True, help="Who proposes it.")
@click.option("--partner", "partner_name", help="Who gives them.  [default: the operator]")
@click.option(
    "--expires",
    type=click.DateTime(["%Y-%m-%d"]),
    help="The last day to spend points of the operator.  [default: never]",
)
@place_options
@as_json_option
@click.pass_context
@example(
    "coalition adjustment prepare 8cf51be2-9d72-458f-a1d0-370077b9240b 200"
    ' --reason "a till was down" --prepared-by anna',
    "coalition adjustment prepare 8cf51be2-9d72-458f-a1d0-370077b9240b -50"
    ' --reason "given twice" --prepared-by anna',
)
def prepare(
    context: click.Context,
    *,
    member_id: UUID,
    points: int,
    reason: str,
    prepared_by: str,
    partner_name: str | None,
    expires: datetime | None,
    as_json: bool,
) -> None:
    """Propose to give MEMBER_ID so many POINTS, or to take them where POINTS is below zero.

    A partner (its name, number or id) gives under its contract, with the expiry that this says.
    """

    async def work(_: Settings) -> dict[str, object]:
        at = SystemClock().now()
        known = await read_catalogue()
        approval_id = await adjusting.prepare(
            member=member_id,
            points=points,
            reason=reason,
            prepared_by=prepared_by,
            at=at,
            partner_no=find_partner(known, partner_name).no if partner_name else OPERATOR,
            expires_on=expires.date() if expires else None,
        )
        rows = await approvals.waiting(at=at, kind=adjusting.KIND)
        (prepared,) = (one for one in rows if one.id == approval_id)
        return _waiting_row(known, prepared)

    row = do(place_of(context), work)
    answer(row, as_json=as_json, table=lambda: table_of([row], _WAITING))


@adjustment.command("list")
@place_options
@as_json_option
@click.pass_context
@example("coalition adjustment list --json")
def list_waiting(context: click.Context, *, as_json: bool) -> None:
    """List what waits for its second person."""

    async def work(_: Settings) -> list[dict[str, object]]:
        known = await read_catalogue()
        rows = await approvals.waiting(at=SystemClock().now(), kind=adjusting.KIND)
        return [_waiting_row(known, one) for one in rows]

    rows = do(place_of(context), work)
    answer({"items": rows}, as_json=as_json, table=lambda: table_of(rows, _WAITING))


@adjustment.command()
@click.argument("approval_id", type=click.UUID)
@click.option("--approved-by", type=PersonName(), required=True, help="Who signs it.")
@place_options
@as_json_option
@click.pass_context
@example("coalition adjustment approve 0c6b1c2e-6f0b-4b57-9a3a-1f3f6e0d2c11 --approved-by bertil")
def approve(context: click.Context, *, approval_id: UUID, approved_by: str, as_json: bool) -> None:
    """Give or take what was proposed under APPROVAL_ID, as another person than who proposed it."""

    async def work(_: Settings) -> Adjusted:
        return await adjusting.approve(approval_id, approved_by=approved_by, at=SystemClock().now())

    row = msgspec.to_builtins(do(place_of(context), work))
    answer(row, as_json=as_json, table=lambda: table_of([row], _DONE))


@adjustment.command()
@click.argument("approval_id", type=click.UUID)
@click.option("--rejected-by", type=PersonName(), required=True, help="Who says no.")
@click.option("--reason", required=True, help="Why; it is kept in the audit log.")
@place_options
@click.pass_context
@example(
    "coalition adjustment reject 0c6b1c2e-6f0b-4b57-9a3a-1f3f6e0d2c11 --rejected-by bertil"
    ' --reason "the points were there already"'
)
def reject(context: click.Context, *, approval_id: UUID, rejected_by: str, reason: str) -> None:
    """Let what was proposed under APPROVAL_ID never be done."""

    async def work(_: Settings) -> None:
        at = SystemClock().now()
        await approvals.reject(
            approval_id, rejected_by=rejected_by, reason=reason, at=at, kind=adjusting.KIND
        )

    do(place_of(context), work)
    say("The proposal is rejected.")


def _waiting_row(known: Catalogue, approval: Approval) -> dict[str, object]:
    """Return what a second person must see."""
    wanted = msgspec.json.decode(approval.payload, type=PreparedAdjustment)
    is_operator = wanted.partner_no == OPERATOR
    giver = "operator" if is_operator else known.partner(wanted.partner_no).name
    return {
        "approval_id": approval.id,
        "member_id": wanted.member_id,
        "points": wanted.points,
        "giver": giver if wanted.points > 0 else None,
        "expires_on": wanted.expires_on,
        "reason": wanted.reason,
        "prepared_by": approval.prepared_by,
        "prepared_at": approval.prepared_at,
        "expires_at": approval.expires_at,
    }
