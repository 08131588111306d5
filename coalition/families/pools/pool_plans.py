"""From a group and a member to whose points it spends, and where what it earns goes. Pure."""

from datetime import timedelta
from uuid import UUID

from coalition.families.evaluator.spending import may_spend_pool
from coalition.families.groups.gathering import OpenGroup
from coalition.families.groups.group_facts import place_facts
from coalition.families.kin.places import GroupState
from coalition.families.pools.pools_read import Known
from coalition.families.rule_sets import lots
from coalition.families.rule_sets.vocabulary import CountsAsActivity, DebitOrder, Mechanism
from coalition.families.transfers.drafting import Terminations
from coalition.families.transfers.judging import Book
from coalition.ledger.selecting import Onward, Sources, SpendOrder
from coalition.points.pools import PoolPlan, PoolWish

_ORDERS = {
    DebitOrder.PROPORTIONAL: SpendOrder.PROPORTIONAL,
    DebitOrder.EARLIEST_EXPIRY: SpendOrder.EARLIEST_EXPIRY,
    DebitOrder.OLDEST_EARNED: SpendOrder.OLDEST_EARNED,
    DebitOrder.OWN_FIRST: SpendOrder.OWN_FIRST,
    DebitOrder.ONE_OWNER: SpendOrder.OWN_FIRST,
}

_OF_OWNERS = (CountsAsActivity.SENDER, CountsAsActivity.BOTH)
"""When it is activity of owners that others spend their points, as if they had sent them."""

_ALL = 100
_terminations = Terminations()


def group_for(known: Known, wish: PoolWish) -> OpenGroup | None:
    """Return the group by which a member spends: the first whose pool it may, else the first."""
    groups = [one for one in known.groups[wish.member] if one.row.currency_no == wish.currency_no]
    for group in groups:
        place = group.find(wish.member)
        if place is not None and may_spend_pool(group.rules.group, place_facts(place)):
            return group
    return groups[0] if groups else None


def sources(group: OpenGroup, member: UUID, known: Known) -> Sources:
    """Return whose points a member spends that may spend the pool.

    In a pool view those of all who do not have to wait for that any more, and whom no guardian has
    stopped; else the pot's.
    """
    order = group.rules.debit.order
    is_of_one = order is DebitOrder.ONE_OWNER
    counted = None
    if group.rules.mechanism is Mechanism.POOL_VIEW and not is_of_one:
        others = _others(group, member, known)
        counted = lots.filter_of(group.rules.contribution.lots, group.book.terms, group.at)
    else:
        owner = group.pot or group.row.head
        others = () if owner == member else (owner,)
    return Sources(
        order=_ORDERS[order],
        holders=others,
        own=not (is_of_one and others),
        lots=counted,
        pot=group.pot if order is DebitOrder.PROPORTIONAL else None,
        protected=_protected(group, known),
        binding=lots.binding_of(group.rules),
        is_activity=group.rules.expiry.counts_as_activity in _OF_OWNERS,
    )


def _protected(group: OpenGroup, known: Known) -> frozenset[UUID]:
    if not group.rules.debit.protected_last:
        return frozenset()
    return known.protected.intersection(group.members)


def earning(known: Known, wish: PoolWish, book: Book) -> PoolPlan:
    """Return where shares go of what a member earns: into the pots of its groups."""
    left = _ALL
    onward: list[Onward] = []
    first: UUID | None = None
    for group in known.groups[wish.member]:
        place = group.find(wish.member)
        if (
            place is None
            or group.pot in (None, wish.member)
            or group.row.state is not GroupState.ACTIVE
            or group.row.currency_no != wish.currency_no
        ):
            continue
        percent = min(place.future_percent, left)
        if percent and group.pot is not None:
            onward.append(_onward(group, group.pot, percent, book))
            first, left = first or group.id, left - percent
    return PoolPlan(onward=tuple(onward), group=first)


def _others(group: OpenGroup, member: UUID, known: Known) -> tuple[UUID, ...]:
    waits = timedelta(hours=group.rules.join.freeze_hours)
    return tuple(
        place.member_id
        for place in group.places
        if place.member_id not in (None, member)
        and place.member_id not in known.stopped
        and place.joined_at + waits <= group.at
        and place.member_id is not None
    )


def _onward(group: OpenGroup, receiver: UUID, percent: int, book: Book) -> Onward:
    expiry = group.rules.expiry
    treatment = expiry.earned_later or expiry.treatment
    return Onward(
        receiver=receiver,
        percent=percent,
        lots=lots.filter_of(group.rules.contribution.lots, book.terms, book.at),
        endings=_terminations.of(book.terms, treatment, expiry.months, book.at),
        classes=book.terms.catalogue.classes.when_pooled(lots.binding_of(group.rules)),
    )
