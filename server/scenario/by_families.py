"""What families do, by the services that serve members: transfers, groups, approvals."""

import hashlib
from collections.abc import Awaitable, Callable
from typing import Any, Final
from uuid import UUID

import msgspec

from coalition.families.groups import (
    contributing,
    entering,
    forming,
    gathering,
    invitations,
    leaving,
)
from coalition.families.groups.entering import Newcomer
from coalition.families.groups.invitation_rows import Invitation
from coalition.families.groups.invitations import Accepted
from coalition.families.kin.group_refusals import GroupRefused, GuardianNeeded
from coalition.families.kin.speaking import By
from coalition.families.rule_sets.notation import Money
from coalition.families.rule_sets.vocabulary import TransferState
from coalition.families.transfers import deciding
from coalition.families.transfers.judging import Book
from coalition.families.transfers.wishes import TransferAnswer, Wish
from coalition.kernel.database import Connection, transaction
from coalition.kernel.errors import Refused
from coalition.kernel.ids import MemberId, random_id
from coalition.ledger import posting
from coalition.ledger.partitions import ensure_partition
from coalition.members.circumstances import name_digest
from server.scenario.by_households import family_of, fee_told, in_family, newcomer_of
from server.scenario.family_founding import activate
from server.scenario.family_steps import (
    STAFF,
    Approve,
    Join,
    Leave,
    Pool,
    Reject,
    RuleSetStep,
    Transfer,
    Undo,
)
from server.scenario.founding import ACTOR, name_of
from server.scenario.world import Done, World

_STAFF = By.staff(ACTOR)


async def _transfer(world: World, step: Transfer, n: int) -> Done:
    del n
    await ensure_partition(world.at)
    async with transaction(posting.PINNED) as connection:
        (answer,) = await world.transfers.make(connection, [_wish(world, step)], world.at)
    if isinstance(answer, Refused):
        raise answer
    if answer.state is TransferState.AWAITING_PAYMENT:
        answer = await _pay(world, answer)
    said = f"{step.from_member} sends {step.points:,} to {step.to}"
    return _done(answer, said)


def _wish(world: World, step: Transfer) -> Wish:
    sender = MemberId(world.members[step.from_member])
    asking = world.members[step.by] if step.by is not None else sender
    first, last = _named(world, step)
    device = step.device and hashlib.sha256(step.device.encode()).digest()
    return Wish(
        sender=sender,
        receiver=MemberId(world.members[step.to]),
        points=step.points,
        requested_by=By.of(asking).name,
        channel=step.channel,
        point_currency=step.currency,
        purpose=step.purpose,
        relationship=step.relationship,
        given_name=name_digest(world.keys, first, last),
        device=device or None,
        stepped_up_at=world.at if step.signed_in else None,
        pays_in_points=step.fee_in_points,
    )


def _named(world: World, step: Transfer) -> tuple[str, str]:
    """Return the first and last name that the sender gives for the receiver."""
    if step.name is not None:
        first, _, last = step.name.rpartition(" ")
        return first, last
    return name_of(step.to, world.story.members[step.to])


async def _approve(world: World, step: Approve, n: int) -> Done:
    del n
    by = _by(world, step.by)
    answer = await deciding.approve(world.transfers, _meant(world, step.id), by=by, at=world.at)
    if answer.state is TransferState.AWAITING_PAYMENT:
        answer = await _pay(world, answer)
    return _done(answer, f"{step.by} agrees to {step.id}: it is {answer.state}")


async def _reject(world: World, step: Reject, n: int) -> Done:
    del n
    by = _by(world, step.by)
    answer = await deciding.reject(world.transfers, _meant(world, step.id), by=by, at=world.at)
    return _done(answer, f"{step.by} turns {step.id} down")


async def _undo(world: World, step: Undo, n: int) -> Done:
    del n
    before = world.done.get(step.id)
    by = By.of(before.sender) if before is not None and before.sender is not None else _STAFF
    answer = await deciding.undo(world.transfers, _meant(world, step.id), by=by, at=world.at)
    return _done(answer, f"{step.id} is taken back")


async def _pay(world: World, answer: TransferAnswer) -> TransferAnswer:
    """Pay the fee of a transfer, as a card that works would."""
    assert isinstance(answer.fee, Money), "what waits for payment has a fee"
    return await deciding.fee_paid(
        world.transfers, answer.transfer_id, paid=answer.fee, at=world.at
    )


async def _pool(world: World, step: Pool, n: int) -> Done:
    del n
    member = world.members[step.member]
    await in_family(
        world,
        lambda connection, book: contributing.contribute(
            connection,
            family_of(world, step.family),
            member,
            step.points,
            book,
            by=By.of(member),
        ),
    )
    return Done(f"{step.member} brings {step.points:,} into {step.family}", step.points)


async def _join(world: World, step: Join, n: int) -> Done:
    del n
    newcomer = newcomer_of(world, step)
    family = family_of(world, step.family)

    async def work(connection: Connection, book: Book) -> None:
        if step.by is not None:
            by = By.of(world.members[step.by])
            await forming.take_along(connection, family, newcomer, book, by=by)
            return
        group = await gathering.lock(connection, family, book, also=[newcomer.member])
        invited = await _invited(connection, group, newcomer)
        for by in _who_accepts(world, step.member):
            accepted = await _accepted(connection, invited.id, book, by)
            if accepted.place is not None:
                break

    await in_family(world, work)
    said = f"{step.member} joins {step.family} as {step.role}"
    return Done(said, fee=await fee_told(world))


async def _invited(
    connection: Connection, group: gathering.OpenGroup, newcomer: Newcomer
) -> Invitation:
    """Invite as the head; refused, tell all that stands in the way of joining, not room alone."""
    try:
        return await invitations.invite(connection, group, newcomer, by=By.of(group.row.head))
    except GroupRefused as refusal:
        _, verdict = await entering.tried(connection, group, newcomer)
        raise GroupRefused.of(verdict.failures, by_head=True) from refusal


async def _accepted(connection: Connection, invitation: UUID, book: Book, by: By) -> Accepted:
    """Accept; for a minor of whom the story names no guardian staff do, as at a counter."""
    try:
        return await invitations.accept(connection, invitation, book, by=by)
    except GuardianNeeded:
        return await invitations.accept(connection, invitation, book, by=_STAFF)


def _who_accepts(world: World, member: str) -> list[By]:
    part = world.story.members[member]
    own = By.of(world.members[member])
    if part is None or part.guardian is None:
        return [own]
    return [By.of(world.members[part.guardian]), own]


async def _leave(world: World, step: Leave, n: int) -> Done:
    del n
    left = await in_family(
        world,
        lambda connection, book: leaving.leave(
            connection,
            family_of(world, step.family),
            world.members[step.member],
            book,
            by=By.of(world.members[step.by or step.member]),
            successor=world.members[step.successor] if step.successor is not None else None,
        ),
    )
    said = f"{step.member} leaves {step.family} and takes {left.points:,} along"
    return Done(said, left.points)


async def _rule_set(world: World, step: RuleSetStep, n: int) -> Done:
    del n
    kept = await activate(world, step.name, step.rules)
    return Done(f"the rule set {kept.name} has its version {kept.version}")


def _by(world: World, name: str) -> By:
    return _STAFF if name == STAFF else By.of(world.members[name])


def _meant(world: World, name: str) -> UUID:
    """Return the transfer of an earlier step; one that was refused is not there."""
    before = world.done.get(name)
    return (before.transfer if before is not None else None) or random_id()


def _done(answer: TransferAnswer, said: str) -> Done:
    fee = answer.fee if isinstance(answer.fee, Money) else None
    is_done = answer.state is TransferState.COMPLETED
    posting_id = None if isinstance(answer.posting_id, msgspec.UnsetType) else answer.posting_id
    fee_points = 0 if isinstance(answer.fee_points, msgspec.UnsetType) else answer.fee_points
    return Done(
        said,
        answer.points,
        posting_id,
        transfer=answer.transfer_id,
        sender=answer.sender,
        state=None if is_done else answer.state,
        fee=fee,
        fee_points=fee_points or None,
    )


ACTS: Final[dict[type[Any], Callable[[World, Any, int], Awaitable[Done]]]] = {  # Any: by verb
    Transfer: _transfer,
    Approve: _approve,
    Reject: _reject,
    Undo: _undo,
    Pool: _pool,
    Join: _join,
    Leave: _leave,
    RuleSetStep: _rule_set,
}
