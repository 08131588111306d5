"""`coalition member merge propose|waiting|approve|reject`: one member of two, by two persons."""

from datetime import datetime
from uuid import UUID

import msgspec
import rich_click as click

from coalition.federation.catalogue import Catalogue
from coalition.kernel.ids import MemberId
from coalition.members import merging
from coalition.members.merging import PreparedMerge
from coalition.members.sealing import MemberKeys
from coalition.oversight.approvals import Approval
from server import people
from server.commands.options import as_json_option, example, place_options
from server.commands.second_person import Row, SecondPerson, Signature, prepared_by_option


@click.group()
def merge() -> None:
    """Make one member of two that are the same person; it takes a second person's approval."""


@merge.command()
@click.argument("from_id", type=click.UUID)
@click.argument("into_id", type=click.UUID)
@prepared_by_option
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

    async def prepare(at: datetime) -> UUID:
        return await merging.prepare(
            from_id=MemberId(from_id),
            into_id=MemberId(into_id),
            reason=reason,
            prepared_by=prepared_by,
            at=at,
        )

    _SECOND.propose(context, prepare, as_json=as_json)


def _described(_: Catalogue, one: Approval) -> Row:
    return msgspec.structs.asdict(msgspec.json.decode(one.payload, type=PreparedMerge))


async def _approve(by: Signature) -> Row:
    merged = await merging.approve(
        by.approval_id,
        approved_by=by.approved_by,
        keys=MemberKeys.of(by.settings),
        followers=people.FOLLOWERS,
        at=by.at,
    )
    return msgspec.structs.asdict(merged)


_SECOND = SecondPerson(
    kind=merging.KIND,
    command="member merge",
    noun="merge",
    approves="Merge what was proposed under APPROVAL_ID, as another person. It cannot be undone.",
    describe=_described,
    approve=_approve,
    waiting_columns=("approval_id", "from_id", "into_id", "reason", "prepared_by", "expires_at"),
    done_columns=("from_id", "into_id", "points", "owed"),
)
_SECOND.add_to(merge)
