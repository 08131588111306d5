"""What happens in a family beside joining and leaving, by the services that serve its members."""

from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar
from uuid import UUID

import msgspec

from coalition.families.groups import (
    departing,
    dying,
    family_cards,
    gathering,
    invitations,
    leaving,
    place_changes,
    sealed_names,
    separating,
)
from coalition.families.groups.entering import Newcomer
from coalition.families.groups.place_changes import HowAsked
from coalition.families.kin import guardians, relationships
from coalition.families.kin.group_refusals import UnknownInvitation
from coalition.families.kin.speaking import By
from coalition.families.rule_sets.notation import Money
from coalition.families.transfers.judging import Book
from coalition.kernel.database import Connection, transaction
from coalition.kernel.ids import random_id
from coalition.ledger import posting
from coalition.ledger.partitions import ensure_partition
from server.scenario.family_founding import form
from server.scenario.family_steps import STAFF, Join
from server.scenario.founding import ACTOR, SECOND
from server.scenario.household_steps import (
    Accept,
    Change,
    CloseFamily,
    Death,
    Decline,
    Form,
    FurtherCard,
    Invite,
    LetGoOn,
    Nominate,
    Relate,
    Separate,
    Settle,
    Stop,
    Strike,
    WouldTakeOut,
)
from server.scenario.world import Done, World

Result = TypeVar("Result")

_FEES = """
SELECT id, (payload->>'amount_minor')::int8 AS amount_minor, payload->>'currency' AS currency
FROM outbox WHERE kind = 'families.fee_due' AND payload ? 'on' AND NOT id = ANY($1)
"""


async def in_family(world: World, work: Callable[[Connection, Book], Awaitable[Result]]) -> Result:
    """Do `work` in one transaction, with what is agreed on now."""
    await ensure_partition(world.at)
    async with transaction(posting.PINNED) as connection:
        return await work(connection, await world.transfers.book(connection, world.at))


async def fee_told(world: World) -> Money | None:
    """Return the fee in money that the last act in a family asked for, if it asked for any."""
    async with transaction() as connection:
        rows = await connection.fetch(_FEES, list(world.fees_told))
    world.fees_told |= {row["id"] for row in rows}
    fees = [Money(amount_minor=row["amount_minor"], currency=row["currency"]) for row in rows]
    return fees[0] if fees else None


def family_of(world: World, name: str) -> UUID:
    """Return the id of a family; one that was not formed is not there."""
    return world.families.get(name) or random_id()


def newcomer_of(world: World, step: Join | Invite) -> Newcomer:
    """Return who is to join by a step, as what."""
    return Newcomer(
        member=world.members[step.member],
        role=step.role,
        future_percent=step.share,
        relationship=step.relationship,
    )


async def _form(world: World, step: Form, n: int) -> Done:
    del n
    await form(world, step.family, world.story.families[step.family], world.at)
    return Done(f"the family {step.family} is formed")


async def _invite(world: World, step: Invite, n: int) -> Done:
    del n
    newcomer = newcomer_of(world, step)

    async def work(connection: Connection, book: Book) -> UUID:
        group = await gathering.lock(
            connection, family_of(world, step.family), book, also=[newcomer.member]
        )
        by = By.of(group.row.head)
        return (await invitations.invite(connection, group, newcomer, by=by)).id

    world.invitations[step.family, step.member] = await in_family(world, work)
    return Done(f"{step.member} is invited into {step.family}")


async def _accept(world: World, step: Accept, n: int) -> Done:
    del n
    invitation, by = _invitation(world, step)

    async def work(connection: Connection, book: Book) -> bool:
        accepted = await invitations.accept(connection, invitation, book, by=by)
        return accepted.place is not None

    has_joined = await in_family(world, work)
    said = "and joins" if has_joined else "and waits for another word"
    return Done(f"{step.by or step.member} accepts for {step.member} {said}")


async def _decline(world: World, step: Decline, n: int) -> Done:
    del n
    invitation, by = _invitation(world, step)
    await in_family(
        world, lambda connection, book: invitations.decline(connection, invitation, book, by=by)
    )
    return Done(f"{step.by or step.member} declines for {step.member}")


def _invitation(world: World, step: Accept | Decline) -> tuple[UUID, By]:
    known = world.invitations.get((step.family, step.member))
    if known is None:
        raise UnknownInvitation
    return known, By.of(world.members[step.by or step.member])


async def _change(world: World, step: Change, n: int) -> Done:
    del n
    family, member = family_of(world, step.family), world.members[step.member]

    async def work(connection: Connection, book: Book) -> None:
        head = By.of((await gathering.look(connection, family, book)).row.head)
        if step.role is not None:
            await place_changes.change_role(connection, family, member, step.role, book, by=head)
        elif step.share is not None:
            await place_changes.change_share(
                connection, family, member, step.share, book, by=By.of(member)
            )
        elif step.may_spend is not None:
            await place_changes.change_right(
                connection, family, member, book, by=head, may_spend=step.may_spend
            )
        else:
            await place_changes.change_head(connection, family, member, book, by=head)

    await in_family(world, work)
    said = f"the place of {step.member} in {step.family} is another"
    return Done(said, fee=await fee_told(world))


async def _nominate(world: World, step: Nominate, n: int) -> Done:
    del n
    family, asked = family_of(world, step.family), HowAsked(pays_in_points=step.fee_in_points)

    async def work(connection: Connection, book: Book) -> None:
        head = By.of((await gathering.look(connection, family, book)).row.head)
        await place_changes.name(connection, family, step.nominee, book, by=head, asked=asked)

    await in_family(world, work)
    return Done(f"{step.nominee} is named in {step.family}", fee=await fee_told(world))


async def _strike(world: World, step: Strike, n: int) -> Done:
    del n
    family, asked = family_of(world, step.family), HowAsked(pays_in_points=step.fee_in_points)

    async def work(connection: Connection, book: Book) -> None:
        group = await gathering.look(connection, family, book)
        known = await sealed_names.names(connection, group)
        no = next((no for no, name in known.items() if name == step.nominee), 0)
        by = By.of(group.row.head)
        await place_changes.strike(connection, family, no, book, by=by, asked=asked)

    await in_family(world, work)
    return Done(f"{step.nominee} is struck from {step.family}", fee=await fee_told(world))


async def _further_card(world: World, step: FurtherCard, n: int) -> Done:
    member, by = world.members[step.member], By.staff(ACTOR)
    await in_family(
        world,
        lambda connection, book: family_cards.add_card(
            connection, member, f"FURTHER{n:04d}", book, by=by
        ),
    )
    return Done(f"{step.member} gets a further card", fee=await fee_told(world))


async def _separate(world: World, step: Separate, n: int) -> Done:
    del n
    by = By.of(world.members[step.by or step.member])
    family, member = family_of(world, step.family), world.members[step.member]
    await in_family(
        world,
        lambda connection, book: separating.begin(connection, family, member, book, by=by),
    )
    return Done(f"{step.member} separates from {step.family}")


async def _settle(world: World, step: Settle, n: int) -> Done:
    del n
    family = family_of(world, step.family)
    if step.by == STAFF:
        async with transaction(posting.PINNED):
            approval = await separating.prepare_settlement(
                family, step.outcome, reason="settled", prepared_by=ACTOR, at=world.at
            )
            await world.groups.approve(approval, separating.KIND, approved_by=SECOND, at=world.at)
        return Done(f"staff settle the separation in {step.family}: {step.outcome}")
    by = By.of(world.members[step.by])
    now = await in_family(
        world,
        lambda connection, book: separating.want(connection, family, step.outcome, book, by=by),
    )
    said = "and so it is settled" if now.outcome is not None else "and waits for the other"
    return Done(f"{step.by} wants: {step.outcome}, {said}")


async def _close_family(world: World, step: CloseFamily, n: int) -> Done:
    del n
    family = family_of(world, step.family)

    async def work(connection: Connection, book: Book) -> None:
        head = (await gathering.look(connection, family, book)).row.head
        await leaving.close(connection, family, book, by=By.of(head))

    await in_family(world, work)
    return Done(f"{step.family} closes")


async def _would_take_out(world: World, step: WouldTakeOut, n: int) -> Done:
    del n
    member = world.members[step.member]

    async def work(connection: Connection, book: Book) -> int:
        group = await gathering.look(connection, family_of(world, step.family), book)
        return (await departing.would_take_out(connection, group, member)).takes_out

    points = await in_family(world, work)
    return Done(f"{step.member} would take {points:,} out of {step.family}", points)


async def _relate(world: World, step: Relate, n: int) -> Done:
    del n
    pair, at = (world.members[step.member], world.members[step.to]), world.at
    if step.relationship is not None:
        await relationships.declare(*pair, step.relationship, at=at)
        return Done(f"{step.to} is {step.relationship} to {step.member}")
    if step.evidence == "asked":
        await relationships.ask_for_evidence(*pair, actor=ACTOR, at=at)
    else:
        await relationships.prove(*pair, actor=ACTOR, at=at)
    return Done(f"what {step.to} is to {step.member} has to be proved: {step.evidence}")


async def _stop(world: World, step: Stop, n: int) -> Done:
    del n
    await guardians.stop(world.members[step.member], world.members[step.by], at=world.at)
    return Done(f"{step.by} stops what {step.member} spends")


async def _let_go_on(world: World, step: LetGoOn, n: int) -> Done:
    del n
    await guardians.let_go_on(world.members[step.member], world.members[step.by], at=world.at)
    return Done(f"{step.by} lets {step.member} spend again")


async def _death(world: World, step: Death, n: int) -> Done:
    del n
    await ensure_partition(world.at)
    named = {
        field: world.members[name] if name is not None else None
        for field, name in (("heir", step.heir), ("successor", step.successor))
    }
    async with transaction(posting.PINNED):
        approval = await dying.prepare(
            world.members[step.member],
            **named,
            reason="a certificate was shown",
            prepared_by=ACTOR,
            at=world.at,
        )
        await world.groups.approve(approval, dying.KIND, approved_by=SECOND, at=world.at)
    return Done(f"the death of {step.member} is noted")


ACTS: Final[dict[type[msgspec.Struct], Callable[[World, Any, int], Awaitable[Done]]]] = {
    Form: _form,
    Invite: _invite,
    Accept: _accept,
    Decline: _decline,
    Change: _change,
    Nominate: _nominate,
    Strike: _strike,
    FurtherCard: _further_card,
    Separate: _separate,
    Settle: _settle,
    CloseFamily: _close_family,
    WouldTakeOut: _would_take_out,
    Relate: _relate,
    Stop: _stop,
    LetGoOn: _let_go_on,
    Death: _death,
}
