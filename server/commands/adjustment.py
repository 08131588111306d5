"""`coalition adjustment`: staff give a member points, or take some, two persons together."""

from datetime import datetime
from uuid import UUID

import msgspec
import rich_click as click

from coalition.federation.catalogue import Catalogue
from coalition.oversight.approvals import Approval
from coalition.points import adjusting
from coalition.points.adjusting import OPERATOR, PreparedAdjustment
from server.commands.known import find_partner, read_catalogue
from server.commands.options import as_json_option, example, place_options
from server.commands.second_person import Row, SecondPerson, Signature, prepared_by_option


@click.group()
def adjustment() -> None:
    """Give points to a member, or take some, for what no till can put right.

    One person prepares it, another approves. What the operator gives nobody pays for.
    """


@adjustment.command(context_settings={"ignore_unknown_options": True})
@click.argument("member_id", type=click.UUID)
@click.argument("points", type=int)
@click.option("--reason", required=True, help="Why; it is kept with the posting.")
@prepared_by_option
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

    async def proposed(at: datetime) -> UUID:
        known = await read_catalogue()
        return await adjusting.prepare(
            member=member_id,
            points=points,
            reason=reason,
            prepared_by=prepared_by,
            at=at,
            partner_no=find_partner(known, partner_name).no if partner_name else OPERATOR,
            expires_on=expires.date() if expires else None,
        )

    _SECOND.propose(context, proposed, as_json=as_json)


def _described(known: Catalogue, one: Approval) -> Row:
    wanted = msgspec.json.decode(one.payload, type=PreparedAdjustment)
    is_operator = wanted.partner_no == OPERATOR
    giver = "operator" if is_operator else known.partner(wanted.partner_no).name
    return {
        "member_id": wanted.member_id,
        "points": wanted.points,
        "giver": giver if wanted.points > 0 else None,
        "expires_on": wanted.expires_on,
        "reason": wanted.reason,
    }


async def _approve(by: Signature) -> Row:
    adjusted = await adjusting.approve(by.approval_id, approved_by=by.approved_by, at=by.at)
    return msgspec.structs.asdict(adjusted)


_SECOND = SecondPerson(
    kind=adjusting.KIND,
    command="adjustment",
    approves="Give or take what was proposed under APPROVAL_ID, as another person than who"
    " proposed it.",
    describe=_described,
    approve=_approve,
    waiting_columns=(
        "approval_id", "member_id", "points", "giver", "reason", "prepared_by", "expires_at",
    ),
    done_columns=("posting_id", "member_id", "points", "balance"),
)  # fmt: skip
_SECOND.add_to(adjustment, waiting="list")
