"""Sharing a plan: who pays names others of its family, who have the plan while both holds.

What a seat gives is derived like every membership, in the transaction in which the payer's changes,
so it ends at the same instant. All that changes a seat locks both members first.
"""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from billing.benefits import entitlement_rows
from billing.benefits.entitlements import Entitlement, Ground
from billing.plans.catalogue import Plans
from billing.subscriptions import deriving, register
from billing.subscriptions.house import House
from billing.subscriptions.register import Membership
from billing.subscriptions.seats import rows
from billing.subscriptions.seats.refusals import (
    HasAPlan,
    NoSeats,
    NotOfYourFamily,
    SeatsTaken,
    UnknownSeat,
)
from billing.subscriptions.seats.rows import Seat
from billing.subscriptions.telling import of_seats
from billing.subscriptions.views import Relative, SeatsView, SeatView
from coalition.families.kin import places
from coalition.kernel import outbox
from coalition.kernel.database import Connection, retrying, transaction
from coalition.kernel.ids import MemberId, bucket_of, shard_of, uuid7
from coalition.kernel.outbox import Delivery, Event, Subscriber
from coalition.members import queries

PAGE = 500
_NOBODY = UUID(int=0)


async def view(house: House, member: MemberId, *, at: datetime) -> SeatsView:
    """Return the seats of a member's plan, or the one that it holds; see `Memberships.seats`."""
    async with transaction() as connection:
        plans = await house.shelf.read(connection)
        own = await register.live(connection, member)
        current = None if own is None else await _current(connection, own, at)
        paid = await rows.paid_by_member(connection, member)
        held = await rows.held_by(connection, member)
    seats = 0 if current is None else plans.plan(current.plan_no).document.seats
    return SeatsView(
        seats=seats,
        items=tuple(_view(seat) for seat in paid),
        shared_by=held[0].payer if held else None,
    )


async def family_of(house: House, member: MemberId) -> tuple[Relative, ...]:
    """Return the others of a member's families; see `Memberships.family_of`."""
    async with transaction() as connection:
        others: dict[MemberId, None] = {}
        for group in (await places.groups_of(connection, [member]))[member]:
            for place in await places.read_places(connection, group):
                if place.member_id is not None and place.member_id != member:
                    others[MemberId(place.member_id)] = None
        found = []
        for other in others:
            person = await house.person(connection, other)
            known = [part for part in (person.first_name, person.last_name) if part]
            found.append(Relative(member_id=other, name=" ".join(known) or None))
    return tuple(found)


async def add(house: House, member: MemberId, other: MemberId, *, at: datetime) -> SeatsView:
    """Give a seat to another of the family; see `Memberships.add_seat`."""

    async def attempt() -> None:
        async with transaction() as connection:
            await queries.lock_members(connection, [member, other])
            plans = await deriving.plans_now(connection)
            await _add(connection, plans, member, other, at=at)

    await retrying(attempt)
    return await view(house, member, at=at)


async def remove(house: House, member: MemberId, other: MemberId, *, at: datetime) -> SeatsView:
    """Take a seat back, or give up the own one; see `Memberships.remove_seat`."""
    async with transaction() as connection:
        held = await rows.held_by(connection, other)
    mine = [seat for seat in held if member in {seat.payer, seat.member_id}]
    if not mine:
        raise UnknownSeat
    for seat in mine:
        await _end(seat, why="given_up" if member == seat.member_id else "taken_back", at=at)
    return await view(house, member, at=at)


async def check(seats: Iterable[Seat], at: datetime) -> int:
    """End those of `seats` whose members have no family in common any more; return how many."""
    ended = 0
    for seat in seats:
        async with transaction() as connection:
            is_family = await _is_family(connection, seat.payer, seat.member_id)
        if not is_family:
            await _end(seat, why="left_family", at=at)
            ended += 1
    return ended


async def check_all(at: datetime) -> int:
    """Do as `check` with all seats: what an event has not told, if anything."""
    ended, after = 0, _NOBODY
    while True:
        async with transaction() as connection:
            page = await rows.some(connection, after, PAGE)
        ended += await check(page, at)
        if len(page) < PAGE:
            return ended
        after = page[-1].id


async def leave(connection: Connection, member: MemberId, at: datetime) -> None:
    """End the seats of a member who leaves the coalition, also those it paid for.

    In the caller's transaction, which has locked the member.
    """
    paid = await rows.paid_by_member(connection, member)
    await queries.lock_members(connection, [seat.member_id for seat in paid])
    for seat in [*await rows.held_by(connection, member), *paid]:
        await rows.end(connection, seat, why="left", at=at)
        await _derive(connection, seat, await deriving.plans_now(connection), at=at)


async def _add(
    connection: Connection, plans: Plans, member: MemberId, other: MemberId, *, at: datetime
) -> None:
    own = await register.live(connection, member, lock=True)
    current = None if own is None else await _current(connection, own, at)
    if own is None or current is None or not plans.plan(current.plan_no).document.seats:
        raise NoSeats
    seats = plans.plan(current.plan_no).document.seats
    held = [seat for seat in await rows.paid_by(connection, own.id) if seat.ends is None]
    if any(seat.member_id == other for seat in held):
        return
    if other == member or not await _is_family(connection, member, other):
        raise NotOfYourFamily
    if await register.live(connection, other, lock=True) is not None:
        raise HasAPlan
    free = set(range(1, seats + 1)) - {seat.no for seat in held}
    if not free:
        raise SeatsTaken(seats=seats)
    made = await deriving.begin(connection, other, plan_no=current.plan_no, started_at=at, at=at)
    seat = Seat(
        paid_by=own.id,
        id=uuid7(at),
        no=min(free),
        payer=member,
        member_id=other,
        membership_id=made.id,
        begins=at,
    )
    await rows.add(connection, seat)
    await deriving.derive(connection, made, plans=plans, at=at, has_begun=True)
    await _tell(connection, "seat_given", seat, at)
    await of_seats.tell_of_given(connection, seat, plans.plan(made.plan_no).document.name, at=at)


async def _end(seat: Seat, *, why: str, at: datetime) -> None:
    async def attempt() -> None:
        async with transaction() as connection:
            await queries.lock_members(connection, [seat.payer, seat.member_id])
            if await rows.end(connection, seat, why=why, at=at):
                await _derive(connection, seat, await deriving.plans_now(connection), at=at)
                await _tell(connection, "seat_ended", seat, at, why=why)
                await of_seats.tell_of_ended(connection, seat, why=why, at=at)

    await retrying(attempt)


async def _derive(connection: Connection, seat: Seat, plans: Plans, *, at: datetime) -> None:
    shared = await register.by_id(connection, seat.membership_id, lock=True)
    assert shared is not None, "memberships are never deleted"
    await deriving.derive(connection, shared, plans=plans, at=at)


async def _current(
    connection: Connection, membership: Membership, at: datetime
) -> Entitlement | None:
    """Return what a member is entitled to now by its own plan, not by a seat."""
    held = await entitlement_rows.read(connection, membership.member_id)
    return next(
        (
            one.entitlement
            for one in held
            if one.membership_id == membership.id
            and one.entitlement.begins <= at < one.entitlement.ends
            and one.entitlement.ground is not Ground.SHARED
        ),
        None,
    )


async def _is_family(connection: Connection, one: MemberId, other: MemberId) -> bool:
    groups = await places.groups_of(connection, [one, other])
    return bool(set(groups[one]) & set(groups[other]))


async def _tell(connection: Connection, what: str, seat: Seat, at: datetime, **facts: str) -> None:
    told = {
        "member_id": str(seat.member_id),
        "payer": str(seat.payer),
        "membership_id": str(seat.membership_id),
    }
    shard = shard_of(bucket_of(seat.paid_by))
    await outbox.append(connection, [Event(f"membership.{what}", told | facts, shard=shard)], at)


def _view(seat: Seat) -> SeatView:
    return SeatView(member_id=seat.member_id, since=seat.begins)


async def _heard(delivery: Delivery, at: datetime) -> None:
    """Look at the seats of whoever left a family."""
    told = delivery.payload
    members = [told.get("member_id"), *(told.get("members") or ())]
    for member in {MemberId(UUID(str(one))) for one in members if one is not None}:
        async with transaction() as connection:
            seats = [
                *await rows.held_by(connection, member),
                *await rows.paid_by_member(connection, member),
            ]
        await check(seats, at)


SUBSCRIBER = Subscriber(
    "seats",
    frozenset({"families.left", "families.aged_out", "families.group_closed"}),
    _heard,
)
"""Who hears that a family is one no more."""
