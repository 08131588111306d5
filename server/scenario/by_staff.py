"""What staff and the clock do, by the services of the command line and the worker.

Where two persons are needed both are there: a refusal of the second leaves nothing of the first.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from coalition.federation import contracts, rates
from coalition.kernel.database import transaction
from coalition.kernel.ids import MemberId, random_id
from coalition.ledger.partitions import ensure_partition
from coalition.members import closing, merging, privacy, service, standings
from coalition.members.sealing import MemberKeys
from coalition.members.standings import StandingKind
from coalition.points import adjusting, debts
from coalition.points.bonuses import store
from coalition.points.debts import Act
from coalition.points.guards import rulebook
from server import people, upkeep
from server.scenario import nights
from server.scenario.founding import ACTOR, SECOND, midnight
from server.scenario.staff_steps import (
    Adjust,
    Advance,
    CloseMember,
    Contract,
    Erase,
    Expire,
    Freeze,
    Guard,
    Merge,
    Rate,
    Recover,
    Rules,
    Standing,
    Unfreeze,
    WriteOff,
)
from server.scenario.terms import terms_of
from server.scenario.world import Done, World


async def _expire(world: World, step: Expire, n: int) -> Done:
    del step, n
    points = await upkeep.expire_points(world.at)
    return Done(f"{points:,} points are booked as expired", points)


async def _advance(world: World, step: Advance, n: int) -> Done:
    del n
    points = await nights.pass_until(world, step.until)
    return Done(f"the nights go by until {world.day()}; {points:,} points expired", points)


async def _contract(world: World, step: Contract, n: int) -> Done:
    del n
    wanted = step.contract
    async with transaction():
        approval = await contracts.prepare(
            partner_no=world.partners[step.partner],
            terms=terms_of(
                wanted,
                currency=world.story.coalition.currency,
                point_currency_no=world.currency_no(wanted.point_currency),
            ),
            valid_from=wanted.valid_from,
            prepared_by=ACTOR,
            at=world.at,
            timezone=wanted.timezone,
        )
        signed = await contracts.sign(approval, approved_by=SECOND, at=world.at)
    return Done(f"{step.partner} signs version {signed.version}, from {signed.valid_from}")


async def _rules(world: World, step: Rules, n: int) -> Done:
    del n
    async with transaction():
        approval = await store.prepare(step.rules, prepared_by=ACTOR, at=world.at)
        kept = await store.activate(approval, approved_by=SECOND, at=world.at)
    return Done(f"the rule {kept.code} has its version {kept.version}: {step.rules.name}")


async def _guard(world: World, step: Guard, n: int) -> Done:
    del n
    async with transaction():
        approval = await rulebook.propose(step.guard, prepared_by=ACTOR, at=world.at)
        await rulebook.approve(approval, approved_by=SECOND, at=world.at)
    return Done(f"the guard {step.guard.name} is active")


async def _adjust(world: World, step: Adjust, n: int) -> Done:
    del n
    adjusted = await adjusting.adjust(
        member=world.members[step.member],
        points=step.points,
        reason=step.reason,
        prepared_by=ACTOR,
        approved_by=SECOND,
        at=world.at,
        partner_no=adjusting.OPERATOR if step.partner is None else world.partners[step.partner],
        expires_on=step.expires,
        currency_no=world.currency_no(step.currency),
    )
    verb = "give" if step.points > 0 else "take"
    said = f"staff {verb} {abs(step.points):,}: {step.reason}"
    return Done(said, adjusted.points, adjusted.posting_id)


async def _recover(world: World, step: Recover, n: int) -> Done:
    del n
    return await _settle(world, step, Act.RECOVER, "what {member} has pays {points} of its debt")


async def _write_off(world: World, step: WriteOff, n: int) -> Done:
    del n
    return await _settle(world, step, Act.WRITE_OFF, "{points} that {member} owes are written off")


async def _settle(world: World, step: Recover | WriteOff, act: Act, said: str) -> Done:
    await ensure_partition(world.at)
    async with transaction():
        approval = await debts.prepare(
            act=act,
            member=world.members[step.member],
            reason=step.reason,
            prepared_by=ACTOR,
            at=world.at,
            points=step.points,
            issue=_issue_of(world, step.posting),
        )
        settled = await debts.approve(approval, approved_by=SECOND, at=world.at)
    return Done(said.format(member=step.member, points=f"{settled.points:,}"), settled.points)


def _issue_of(world: World, name: str | None) -> UUID | None:
    """Return the posting of an earlier step; one that was refused made none that owes anything."""
    if name is None:
        return None
    before = world.done.get(name)
    return (before.posting if before is not None else None) or random_id()


async def _rate(world: World, step: Rate, n: int) -> Done:
    del n
    async with transaction():
        approval = await rates.prepare(
            from_code=step.from_currency,
            to_code=step.to_currency,
            from_points=step.from_points,
            to_points=step.to_points,
            prepared_by=ACTOR,
            at=world.at,
        )
        await rates.approve(approval, approved_by=SECOND, at=world.at)
    sides = f"{step.from_points} {step.from_currency} become {step.to_points} {step.to_currency}"
    return Done(f"from now on {sides}")


async def _standing(world: World, step: Standing, n: int) -> Done:
    del n
    ((kind, value),) = step.named().items()
    end = None if step.until is None else midnight(step.until + timedelta(days=1), world.zone)
    async with transaction() as connection:
        await standings.grant(
            connection,
            member=MemberId(world.members[step.member]),
            kind=StandingKind(kind).value,
            value=value,
            valid_from=world.at,
            valid_until=end,
            source="story",
            at=world.at,
        )
    until = f" until {step.until}" if step.until is not None else ""
    return Done(f"{step.member} has the {kind} {value}{until}")


async def _merge(world: World, step: Merge, n: int) -> Done:
    del n
    await ensure_partition(world.at)
    async with transaction():
        approval = await merging.prepare(
            from_id=MemberId(world.members[step.member]),
            into_id=MemberId(world.members[step.into]),
            reason=step.reason,
            prepared_by=ACTOR,
            at=world.at,
        )
        merged = await merging.approve(
            approval,
            approved_by=SECOND,
            keys=world.keys,
            followers=people.FOLLOWERS,
            at=world.at,
        )
    return Done(f"{step.member} becomes part of {step.into}", merged.points)


async def _freeze(world: World, step: Freeze, n: int) -> Done:
    del n
    await service.freeze(MemberId(world.members[step.member]), actor=ACTOR, at=world.at)
    return Done(f"{step.member} is frozen")


async def _unfreeze(world: World, step: Unfreeze, n: int) -> Done:
    del n
    await service.unfreeze(MemberId(world.members[step.member]), actor=ACTOR, at=world.at)
    return Done(f"{step.member} is active again")


async def _close_member(world: World, step: CloseMember, n: int) -> Done:
    del n
    await ensure_partition(world.at)
    closed = await closing.close(
        MemberId(world.members[step.member]),
        actor=ACTOR,
        at=world.at,
        forfeit_points=step.forfeit_points,
        write_off_debt=step.write_off_debt,
        leavers=people.leavers(MemberKeys.of(world.settings)),
    )
    return Done(f"the membership of {step.member} ends", closed.forfeited_points)


async def _erase(world: World, step: Erase, n: int) -> Done:
    del n
    member = MemberId(world.members[step.member])
    await privacy.ask(member, reason=step.reason, actor=ACTOR, at=world.at)
    # In life a worker's job does it, soon after.
    await privacy.erase(member, people.keepers(world.settings), at=world.at)
    return Done(f"{step.member} is forgotten")


ACTS: Final[dict[type[Any], Callable[[World, Any, int], Awaitable[Done]]]] = {  # Any: by verb
    Expire: _expire,
    Advance: _advance,
    Contract: _contract,
    Rules: _rules,
    Guard: _guard,
    Adjust: _adjust,
    Recover: _recover,
    WriteOff: _write_off,
    Rate: _rate,
    Standing: _standing,
    Merge: _merge,
    Freeze: _freeze,
    Unfreeze: _unfreeze,
    CloseMember: _close_member,
    Erase: _erase,
}
