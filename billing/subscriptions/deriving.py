"""A membership is derived anew from what is kept: pictures, grounds and the plans.

The same again writes nothing. The caller has locked the member, so that of one member one is
derived at a time.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from weakref import WeakKeyDictionary

import msgspec
import structlog

from billing.benefits import applying
from billing.benefits.entitlements import Entitlement
from billing.gateway.shapes import Picture, Subscription
from billing.plans.catalogue import PlanPrice, Plans, Shelf
from billing.subscriptions import changes, entries, grounds, register
from billing.subscriptions.bookings import bookings
from billing.subscriptions.register import Membership
from billing.subscriptions.seats import rows as seats
from billing.subscriptions.states import State, entitlements, standing
from billing.subscriptions.stretches import Terms, is_over
from billing.subscriptions.telling import of_changes
from coalition.kernel import outbox
from coalition.kernel.database import Connection, Engine, bound_engine
from coalition.kernel.ids import MemberId, bucket_of, uuid7
from coalition.members import queries
from coalition.members.states import MemberState

_logger = structlog.get_logger(__name__)
_shelves: WeakKeyDictionary[Engine, Shelf] = WeakKeyDictionary()
"""Plans as they were last read, by database."""


async def plans_now(connection: Connection) -> Plans:
    """Return the plans as they are in the caller's transaction."""
    return await _shelves.setdefault(bound_engine(), Shelf()).read(connection)


def terms_of(plans: Plans, pictures: Iterable[Picture]) -> Mapping[str, Terms]:
    """Return what counts of the plans that `pictures` speak of, by Stripe's ids of their prices."""
    wanted: set[str | None] = set()
    for picture in pictures:
        wanted.add(picture.subscription.price_id)
        wanted |= {line.price_id for one in picture.invoices for line in one.lines}
    found = {}
    for price_id in wanted - {None}:
        price = plans.price_at_stripe(str(price_id))
        if price is not None:
            found[str(price_id)] = _terms(plans, price)
    return found


def _terms(plans: Plans, price: PlanPrice) -> Terms:
    document = plans.plan(price.plan_no).document
    return Terms(
        plan_no=price.plan_no,
        rank=document.rank,
        grace=timedelta(days=document.grace_days),
        grace_after_trial=timedelta(days=document.grace_after_trial_days),
        price_no=price.no,
        price_minor=price.money.amount_minor,
    )


async def begin(
    connection: Connection, member: MemberId, *, plan_no: int, started_at: datetime, at: datetime
) -> Membership:
    """Return a membership that begins; its row is stored, and is to be derived next.

    The caller has seen, under the member's lock, that there is no other.
    """
    made = Membership(
        id=uuid7(at, bucket_of(member)),
        member_id=member,
        state=State.SUSPENDED,
        ground=None,
        plan_no=plan_no,
        price_no=None,
        subscription=None,
        customer_id=None,
        started_at=started_at,
        entitled_until=None,
        period_start=None,
        period_end=None,
        turns_at=None,
        ended_at=None,
        changed_at=at,
    )
    assert await register.add(connection, made), "a member has one live membership"
    return made


async def begin_with(
    connection: Connection, member: MemberId, picture: Picture, *, plans: Plans, at: datetime
) -> Membership | None:
    """Return the membership that a subscription begins; None while it gives and cost nothing.

    Money that was paid is in our books even where it was taken back before it gave anything.
    """
    terms = terms_of(plans, [picture])
    held = entitlements([picture], terms)
    its_terms = terms.get(picture.subscription.price_id)
    if held:
        plan_no, started_at = held[0].plan_no, held[0].begins
    elif bookings(picture) and its_terms is not None:
        plan_no, started_at = its_terms.plan_no, picture.subscription.created_at
    else:
        return None
    return await begin(connection, member, plan_no=plan_no, started_at=started_at, at=at)


async def derive(
    connection: Connection,
    before: Membership,
    *,
    plans: Plans,
    at: datetime,
    has_begun: bool = False,
) -> Membership:
    """Let a membership stand as what is kept says; return it as it stands now.

    `has_begun` when it was not there before this transaction.
    """
    kept = await register.kept_of(connection, before.id)
    pictures = [one.picture for one in kept if one.picture is not None]
    given = await grounds.of_membership(connection, before.id, plans)
    given += await seats.given(connection, before.id, plans)
    held = entitlements(pictures, terms_of(plans, pictures), given)
    subscriptions = [picture.subscription for picture in pictures]
    now = standing_now(before, held, subscriptions, plans, at)
    if await _is_beside_another(connection, before, now):
        now = msgspec.structs.replace(before, turns_at=None)
    told = [booking for one in pictures for booking in bookings(one)]
    booked = await entries.agree(
        connection, member=before.member_id, membership_id=before.id, told=told, at=at
    )
    is_held_otherwise = await _apply(connection, now, held, plans, at)
    if is_held_otherwise:
        now = msgspec.structs.replace(now, changed_at=at)
    if now != before:
        await register.change(connection, now)
    if is_held_otherwise:
        await _let_follow(connection, now, plans, at)
    told_of = changes.events(None if has_begun else before, now, booked, plans)
    await outbox.append(connection, told_of, at)
    await of_changes.tell_of(connection, before, now, pictures, plans, at=at)
    return now


async def _let_follow(
    connection: Connection, payers: Membership, plans: Plans, at: datetime
) -> None:
    """Let those with whom a plan is shared have what is left of it."""
    for seat in await seats.paid_by(connection, payers.id):
        await queries.lock_members(connection, [seat.member_id])
        shared = await register.by_id(connection, seat.membership_id, lock=True)
        assert shared is not None, "memberships are never deleted"
        await derive(connection, shared, plans=plans, at=at)


async def _is_beside_another(connection: Connection, before: Membership, now: Membership) -> bool:
    """Tell whether a membership that had ended would come to life beside another one."""
    if before.ended_at is None or now.ended_at is not None:
        return False
    if await register.live(connection, before.member_id) is None:
        return False
    _logger.warning("membership_stays_ended", membership=str(before.id))
    return True


def standing_now(
    before: Membership,
    held: Sequence[Entitlement],
    subscriptions: Sequence[Subscription],
    plans: Plans,
    at: datetime,
) -> Membership:
    """Return a membership as it stands at `at` by what it `held` and holds: `before` where it does.

    That it does not come to life beside another one the caller sees to.
    """
    stands = standing(held, subscriptions, at)
    shown = stands.current or _latest(held, at)
    main = _main(subscriptions)
    price = None if main is None else plans.price_at_stripe(main.price_id)
    now = msgspec.structs.replace(
        before,
        state=stands.state,
        ground=None if stands.current is None else stands.current.ground,
        plan_no=before.plan_no if shown is None else shown.plan_no,
        price_no=None if price is None else price.no,
        subscription=None if main is None else main.id,
        customer_id=None if main is None else main.customer_id,
        entitled_until=stands.entitled_until,
        period_start=None if shown is None else shown.period_start,
        period_end=None if shown is None else shown.period_end,
        turns_at=stands.turns_at,
        ended_at=stands.ended_at if before.ended_at is None else _still(before, stands.ended_at),
    )
    return before if now == before else msgspec.structs.replace(now, changed_at=at)


def _still(before: Membership, ended_at: datetime | None) -> datetime | None:
    """Return when a membership that has ended did: what it was told once stays."""
    return None if ended_at is None else before.ended_at


def _latest(held: Sequence[Entitlement], at: datetime) -> Entitlement | None:
    past = [one for one in held if one.begins <= at]
    return past[-1] if past else next(iter(held), None)


def _main(subscriptions: Sequence[Subscription]) -> Subscription | None:
    """Return the subscription that lives, or else the last one."""
    ordered = sorted(subscriptions, key=lambda one: (not is_over(one), one.created_at, one.id))
    return ordered[-1] if ordered else None


async def _apply(
    connection: Connection,
    now: Membership,
    held: Sequence[Entitlement],
    plans: Plans,
    at: datetime,
) -> bool:
    """Let benefits follow, for whoever is a member still; who left keeps what has ended.

    Of whom was merged only what was taken back follows: it goes back of the survivor's points.
    Returns whether the member is entitled to anything else than before.
    """
    stands = await queries.read_standing(connection, now.member_id)
    if stands is not None and stands.merged_into is not None:
        return await applying.apply_merged(
            connection, now.member_id, now.id, entitlements=held, plans=plans, at=at
        )
    if stands is None or stands.state is MemberState.CLOSED:
        _logger.warning("benefits_of_nobody", membership=str(now.id))
        return False
    return await applying.apply_locked(
        connection,
        member=now.member_id,
        membership_id=now.id,
        entitlements=held,
        plans=plans,
        at=at,
    )
