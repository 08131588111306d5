"""Groups begin: formed by a head under the rule set of a kind, with or without founding members."""

from collections.abc import Sequence
from uuid import UUID

from coalition.families.groups import gathering
from coalition.families.groups.entering import Newcomer, enter
from coalition.families.groups.gathering import OpenGroup
from coalition.families.groups.telling import note, tell
from coalition.families.kin import guardians, places
from coalition.families.kin.group_refusals import GroupActTaken, InvitationNeeded
from coalition.families.kin.places import GroupRow, GroupState, PlaceRow
from coalition.families.kin.speaking import By
from coalition.families.kin.transfer_refusals import NoRules
from coalition.families.rule_sets.vocabulary import Kind, Mechanism, Role
from coalition.families.transfers.judging import P2P, Book
from coalition.kernel.database import Connection
from coalition.kernel.ids import random_id
from coalition.ledger import holders


async def form(
    connection: Connection,
    kind: str,
    head: UUID,
    book: Book,
    *,
    group: UUID | None = None,
    founders: Sequence[Newcomer] = (),
    point_currency: str | None = None,
) -> OpenGroup:
    """Form a group of a bound kind; its head joins it first, then `founders`, all or nobody.

    `group` is the id that it gets; formed before by the same head, it is as it is. Raises
    `NoRules` for a kind that nothing is bound to, `GroupActTaken`, `UnknownHolder` and what
    `enter` does.
    """
    bound = None if kind == P2P else book.rules.bound(kind, book.at)
    if bound is None:
        raise NoRules
    wanted = group or random_id()
    states = await holders.lock(connection, {head, *(one.member for one in founders)})
    for one in (head, *(one.member for one in founders)):
        if (refusal := holders.refusal_by_state(states, one)) is not None:
            raise refusal
    known = await places.read_group(connection, wanted)
    if known is not None:
        if (known.head, known.kind) != (head, kind):
            raise GroupActTaken
        return await gathering.look(connection, wanted, book)
    pool = None
    if bound.rule_set.mechanism is Mechanism.POOL_ACCOUNT:
        pool = random_id()
        await holders.open_holders(connection, [pool], book.at)
    row = GroupRow(
        id=wanted,
        kind=kind,
        rule_set_no=bound.rule_set_no,
        rule_version=bound.version,
        currency_no=book.terms.catalogue.currency_no(point_currency),
        head=head,
        pool=pool,
        state=GroupState.ACTIVE,
        formed_at=book.at,
        change_session_at=None,
        closed_at=None,
    )
    await places.add_group(connection, row)
    formed = OpenGroup(row, [], bound, book)
    await tell(connection, "group_formed", formed, head=head)
    for newcomer in (Newcomer(member=head, role=Role.HEAD), *founders):
        await enter(connection, formed, newcomer)
    return formed


async def take_along(
    connection: Connection, group: UUID, newcomer: Newcomer, book: Book, *, by: By
) -> PlaceRow:
    """Let somebody join without an invitation: by staff, or a child by its guardian, the head.

    Who belongs to the group already keeps its place. Raises `InvitationNeeded` where the rules do
    not let the head do so, and what `enter` does.
    """
    found = await gathering.lock(connection, group, book, also=[newcomer.member])
    found.check_head(by)
    found.check_active()
    place = found.find(newcomer.member)
    if place is not None:
        return place
    if not by.is_staff:
        guarding = await guardians.guardians_of(connection, [newcomer.member])
        is_ward = found.row.head in guarding[newcomer.member]
        if not (found.rules.join.child_without_invitation and is_ward):
            raise InvitationNeeded
    joined = await enter(connection, found, newcomer)
    if not by.is_staff and joined.kind is Kind.ADULT:
        raise InvitationNeeded
    await note(connection, "joined", found, by, member=newcomer.member, role=joined.role)
    return joined
