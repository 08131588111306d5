"""What members and staff see of transfers: a page of their own, one with its steps."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from coalition.families.doors.finding import Somebody
from coalition.families.kin import guardians, places
from coalition.families.kin.speaking import By
from coalition.families.kin.transfer_refusals import UnknownTransfer
from coalition.families.rule_sets.vocabulary import TransferState
from coalition.families.transfers import transfers
from coalition.families.transfers.judging import Book
from coalition.families.transfers.recording import answer_of
from coalition.families.transfers.transfers import Transfer, Word
from coalition.families.transfers.wishes import TransferAnswer
from coalition.kernel.database import Connection
from coalition.kernel.ids import MemberId
from coalition.kernel.web.fields import Body, CodeText, PointsAmount, ShortText

_LAST = UUID(int=2**128 - 1)


class TransferStep(msgspec.Struct, frozen=True):
    """That a transfer came into a state: when, by whom, and why if somebody said.

    `by` is a member's id, or `operator` for staff and what runs by the clock.
    """

    state: str
    at: datetime
    by: str
    reason: str | None


class TransferWord(msgspec.Struct, frozen=True):
    """An agreement that a transfer needs, and since when it is given."""

    approver: str
    given_at: datetime | None


class TransferView(msgspec.Struct, frozen=True, kw_only=True):
    """A transfer with what it has been through, and whose word it needs or needed."""

    transfer: TransferAnswer
    steps: list[TransferStep]
    words: list[TransferWord]


class TransferPage(msgspec.Struct, frozen=True):
    """Transfers, the latest first; ask again with `cursor` for those before."""

    items: list[TransferAnswer]
    next_cursor: UUID | None


class TransferBody(Body, frozen=True, kw_only=True):
    """A wish to send points."""

    to: Somebody
    points: PointsAmount
    sender: Annotated[
        UUID | None,
        Meta(description="Whose points; a head or a guardian may name a member of its group"),
    ] = None
    point_currency: CodeText | None = None
    purpose: Annotated[ShortText | None, Meta(description="The reward that the points are for")] = (
        None
    )
    relationship: Annotated[
        CodeText | None, Meta(description="What the receiver is to the sender, as it says itself")
    ] = None
    receiver_first_name: ShortText | None = None
    receiver_last_name: ShortText | None = None
    pay_fee_in_points: bool = False


class TransfersQuery(Body, frozen=True):
    """Which transfers are wanted."""

    member: Annotated[
        UUID | None, Meta(description="A ward of yours; without it your own transfers")
    ] = None
    limit: Annotated[int, Meta(ge=1, le=100, description="How many at most")] = 50
    cursor: Annotated[UUID | None, Meta(description="The `next_cursor` of the page before")] = None


class ReasonBody(Body, frozen=True):
    """Why, if somebody wants to say so; both sides read it."""

    reason: ShortText | None = None


async def page(
    connection: Connection, member: UUID, book: Book, asked: TransfersQuery
) -> TransferPage:
    """Return a page of what a member sent and received."""
    found = await transfers.of_member(
        connection, MemberId(member), before=asked.cursor or _LAST, limit=asked.limit + 1
    )
    shown = found[: asked.limit]
    items = [await _answer(connection, one, book) for one in shown]
    return TransferPage(items, shown[-1].id if len(found) > asked.limit else None)


async def show(connection: Connection, transfer_id: UUID, book: Book, *, by: By) -> TransferView:
    """Return one transfer to who is concerned. Raises `UnknownTransfer` for everybody else."""
    found = await visible(connection, transfer_id, by=by)
    steps = await transfers.steps(connection, transfer_id)
    words = await transfers.approvals(connection, transfer_id)
    return TransferView(
        transfer=await _answer(connection, found, book),
        steps=[
            TransferStep(step.state, step.at, _named(step.actor, by), step.reason) for step in steps
        ],
        words=[TransferWord(word.approver, word.given_at) for word in words],
    )


async def visible(connection: Connection, transfer_id: UUID, *, by: By) -> Transfer:
    """Return a transfer to both sides, their guardians, the head of its group, and staff.

    Raises `UnknownTransfer` for everybody else, as if there were none.
    """
    found = await transfers.read(connection, transfer_id)
    if found is None:
        raise UnknownTransfer
    if by.is_staff or by.member in {found.sender, found.receiver}:
        return found
    words: Sequence[Word] = await transfers.approvals(connection, transfer_id)
    guarding = await guardians.guardians_of(connection, [found.sender, found.receiver])
    concerned = {one for some in guarding.values() for one in some} | {w.member for w in words}
    if found.group_id is not None:
        group = await places.read_group(connection, found.group_id)
        concerned.add(None if group is None else MemberId(group.head))
    if by.member not in concerned:
        raise UnknownTransfer
    return found


async def _answer(connection: Connection, one: Transfer, book: Book) -> TransferAnswer:
    bound = book.rules.of_version(one.rule_set_no, one.rule_version)
    assert bound is not None, "versions of rule sets are never removed"
    waits_for = []
    if one.state is TransferState.REQUESTED:
        words = await transfers.approvals(connection, one.id)
        waits_for = [word.approver for word in words if word.given_at is None]
    return answer_of(one, bound.name, waits_for)


def _named(actor: str, by: By) -> str:
    """Return who did a step: to members all of the staff are the operator."""
    if by.is_staff:
        return actor
    kind, _, name = actor.partition(":")
    return name if kind == "member" else "operator"
