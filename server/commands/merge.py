"""`coalition member merge propose|waiting|approve|reject`: one member of two, by two persons."""

from uuid import UUID

import msgspec
import rich_click as click

from coalition.kernel.clock import SystemClock
from coalition.kernel.ids import MemberId
from coalition.kernel.settings import Settings
from coalition.members import merging
from coalition.members.merging import Merged, PreparedMerge
from coalition.members.sealing import MemberKeys
from coalition.oversight import approvals
from coalition.oversight.approvals import Approval
from server import people
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

_SHOWN = ("approval_id", "from_id", "into_id", "reason", "prepared_by", "expires_at")
_DONE = ("from_id", "into_id", "points", "owed")


@click.group()
def merge() -> None:
    """Make one member of two that are the same person; it takes a second person's approval."""


@merge.command()
@click.argument("from_id", type=click.UUID)
@click.argument("into_id", type=click.UUID)
@click.option("--prepared-by", type=PersonName(), required=True, help="Who proposes it.")
@click.option("--reason", required=True, help="How you know that they are one; name nobody.")
@place_options
@as_json_option
@click.pass_context
@example(
    "coalition member merge propose 8cf51be2-9d72-458f-a1d0-370077b9240b"
    " 1f0c7d3e-52a4-4e6b-9d0a-6a1f4b8c9d21 --prepared-by anna"
    ' --reason "showed both cards at the desk"'
)
def propose(
    context: click.Context,
    *,
    from_id: UUID,
    into_id: UUID,
    prepared_by: str,
    reason: str,
    as_json: bool,
) -> None:
    """Propose that FROM_ID becomes part of INTO_ID, whose id, e-mail, phone and name stay."""

    async def work(_: Settings) -> dict[str, object]:
        at = SystemClock().now()
        approval_id = await merging.prepare(
            from_id=MemberId(from_id),
            into_id=MemberId(into_id),
            reason=reason,
            prepared_by=prepared_by,
            at=at,
        )
        rows = await approvals.waiting(at=at, kind=merging.KIND)
        (prepared,) = (one for one in rows if one.id == approval_id)
        return _row(prepared)

    row = do(place_of(context), work)
    answer(row, as_json=as_json, table=lambda: table_of([row], _SHOWN))


@merge.command()
@place_options
@as_json_option
@click.pass_context
@example("coalition member merge waiting --json")
def waiting(context: click.Context, *, as_json: bool) -> None:
    """List proposed merges that wait for their second person."""

    async def work(_: Settings) -> list[dict[str, object]]:
        rows = await approvals.waiting(at=SystemClock().now(), kind=merging.KIND)
        return [_row(one) for one in rows]

    rows = do(place_of(context), work)
    answer({"items": rows}, as_json=as_json, table=lambda: table_of(rows, _SHOWN))


@merge.command()
@click.argument("approval_id", type=click.UUID)
@click.option("--approved-by", type=PersonName(), required=True, help="The second person.")
@place_options
@as_json_option
@click.pass_context
@example("coalition member merge approve 0c6b1c2e-6f0b-4b57-9a3a-1f3f6e0d2c11 --approved-by bertil")
def approve(context: click.Context, *, approval_id: UUID, approved_by: str, as_json: bool) -> None:
    """Merge what was proposed under APPROVAL_ID, as another person. It cannot be undone."""

    async def work(settings: Settings) -> Merged:
        return await merging.approve(
            approval_id,
            approved_by=approved_by,
            keys=MemberKeys.of(settings),
            followers=people.FOLLOWERS,
            at=SystemClock().now(),
        )

    row = msgspec.structs.asdict(do(place_of(context), work))
    answer(row, as_json=as_json, table=lambda: table_of([row], _DONE))


@merge.command()
@click.argument("approval_id", type=click.UUID)
@click.option("--rejected-by", type=PersonName(), required=True, help="Who says no.")
@click.option("--reason", required=True, help="Why; it is kept in the audit log.")
@place_options
@click.pass_context
@example(
    "coalition member merge reject 0c6b1c2e-6f0b-4b57-9a3a-1f3f6e0d2c11 --rejected-by bertil"
    ' --reason "father and daughter"'
)
def reject(context: click.Context, *, approval_id: UUID, rejected_by: str, reason: str) -> None:
    """Let what was proposed under APPROVAL_ID never happen."""

    async def work(_: Settings) -> None:
        await approvals.reject(
            approval_id,
            rejected_by=rejected_by,
            reason=reason,
            at=SystemClock().now(),
            kind=merging.KIND,
        )

    do(place_of(context), work)
    say("The merge is rejected.")


def _row(approval: Approval) -> dict[str, object]:
    """Return what a second person must see of a proposed merge."""
    wanted = msgspec.json.decode(approval.payload, type=PreparedMerge)
    return {
        "approval_id": approval.id,
        **msgspec.structs.asdict(wanted),
        "prepared_by": approval.prepared_by,
        "prepared_at": approval.prepared_at,
        "expires_at": approval.expires_at,
    }
