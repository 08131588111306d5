"""Plans for tills: whose points a member of a group spends, and where what it earns goes on to.

A member spends by the first group, in the order of joining, whose pool it may spend. Where it may
spend none, it spends what is its own, and more is refused by the rules of its first group.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime
from uuid import UUID

import msgspec

from coalition.families.evaluator import counting, limits, rules
from coalition.families.evaluator.acts import (
    Act,
    GroupFacts,
    Parties,
    Party,
    Usage,
    UsageMade,
    Verdict,
)
from coalition.families.groups.gathering import OpenGroup
from coalition.families.groups.group_facts import people_of, place_facts
from coalition.families.kin.group_refusals import FrozenByGuardian, GroupRefused
from coalition.families.kin.places import GroupState
from coalition.families.pools import coming_back, pool_plans, pools_read
from coalition.families.pools.coming_back import Bought
from coalition.families.pools.pools_read import Known
from coalition.families.rule_sets.books import RuleBook
from coalition.families.rule_sets.vocabulary import Event, Kind, Subject, WindowKind
from coalition.families.transfers import usage as usage_rows
from coalition.families.transfers.judging import Book
from coalition.kernel.database import Connection
from coalition.kernel.errors import Refused
from coalition.ledger import posting
from coalition.ledger.drafts import Held, Posted
from coalition.ledger.selecting import Sources
from coalition.members.sealing import MemberKeys
from coalition.points import terms as business
from coalition.points.pools import PoolAct, PoolPlan, PoolReturn, PoolUse, PoolWish
from coalition.points.terms import Terms


class _Spending(msgspec.Struct, kw_only=True):
    """A wish to spend by a group, on its way to its plan."""

    wish: PoolWish
    group: OpenGroup
    parties: Parties
    is_free: bool = False
    """Whether it may spend points of others, as many as there are."""

    def verdict(self, points: int, usage: Usage) -> Verdict:
        """Return what the rules say of redeeming so many points, but for whether they are there.

        The ledger knows that best.
        """
        group = self.group
        act = Act(event=Event.REDEEM, at=group.at, points=points, for_self=self.wish.for_self)
        said = rules.evaluate(group.rules, act, self.parties, usage, group.zone)
        failures = tuple(one for one in said.failures if one.rule != "balance")
        return msgspec.structs.replace(said, failures=failures) if said.failures else said


_People = dict[tuple[UUID, UUID], Party]
"""By group and member."""


class FamilyPools:
    """Plans what members of groups do at tills; implements `coalition.points.pools.Pools`."""

    def __init__(self, *, keys: MemberKeys) -> None:
        """Prepare; `keys` open addresses where rules ask for them at every purchase."""
        self._keys = keys
        self._terms: Terms | None = None
        self._rules: RuleBook | None = None

    async def plans(
        self, connection: Connection, wanted: Sequence[PoolWish], at: datetime
    ) -> list[PoolPlan | Refused]:
        """Return, for each wish in its place, how it may be done at `at`, or why it may not."""
        book = await self._book(connection, at)
        known = await pools_read.read(connection, {wish.member for wish in wanted}, book)
        return await _planned(connection, wanted, known, book)

    async def lock(
        self,
        connection: Connection,
        wanted: Sequence[PoolWish],
        plans: Sequence[PoolPlan],
        at: datetime,
    ) -> list[PoolPlan | Refused]:
        """Lock the groups of what is spent, and return how all plans stand now.

        Every change of a group locks its members' holders first, which are locked here already.
        """
        book = await self._book(connection, at)
        spending = [
            plan.group
            for wish, plan in zip(wanted, plans, strict=True)
            if plan.group is not None and wish.act is not PoolAct.ISSUE
        ]
        await pools_read.lock(connection, set(spending))
        known = await pools_read.read(connection, {wish.member for wish in wanted}, book)
        return await _planned(connection, wanted, known, book)

    async def used(self, connection: Connection, done: Sequence[PoolUse], at: datetime) -> None:
        """Count what was spent by groups whose rules limit that."""
        spent = [one for one in done if one.plan.is_counted]
        if not spent:
            return
        book = await self._book(connection, at)
        known = await pools_read.read(connection, {one.wish.member for one in spent}, book)
        made: list[UsageMade] = []
        bought: list[Bought] = []
        for one in spent:
            groups = known.groups[one.wish.member]
            group = next((found for found in groups if found.id == one.plan.group), None)
            if group is not None:
                made += _made(group, one.wish)
                bought.append(_bought(group, one))
        await usage_rows.add(connection, made)
        await coming_back.note(connection, bought)

    async def come_back(self, connection: Connection, back: Sequence[PoolReturn]) -> None:
        """Give back to limits on spending what has come back, or was reserved and not taken."""
        await coming_back.give_back(connection, back)

    async def _book(self, connection: Connection, at: datetime) -> Book:
        self._terms = await business.refresh(connection, self._terms)
        self._rules = await RuleBook.refresh(connection, self._rules, self._terms.catalogue)
        return Book(self._terms, self._rules, self._keys, at)


async def _planned(
    connection: Connection, wanted: Sequence[PoolWish], known: Known, book: Book
) -> list[PoolPlan | Refused]:
    plans: list[PoolPlan | Refused] = []
    parties = await _parties(connection, wanted, known)
    usage = await _usage(connection, parties.values())
    for i, wish in enumerate(wanted):
        if wish.act is PoolAct.ISSUE:
            plans.append(pool_plans.earning(known, wish, book))
        elif wish.member in known.stopped and wish.points:
            plans.append(FrozenByGuardian())
        elif i in parties:
            plan, usage = _spend(parties[i], known, usage)
            plans.append(plan)
        else:
            plans.append(PoolPlan())
    return plans


def _spend(one: _Spending, known: Known, usage: Usage) -> tuple[PoolPlan | Refused, Usage]:
    """Return how a wish to spend may be done, and what is used of limits when it is."""
    wish, group = one.wish, one.group
    if one.is_free:
        plan = PoolPlan(group=group.id, sources=pool_plans.sources(group, wish.member, known))
        return plan, usage
    own = one.parties.actor.balance
    beyond = one.verdict(max(wish.points, own + 1), usage)
    is_shared = not beyond.failures
    sources = pool_plans.sources(group, wish.member, known) if is_shared else None
    plan = PoolPlan(
        group=group.id,
        sources=sources or Sources(),
        is_counted=bool(limits.caps(group.rules, Event.REDEEM)),
    )
    if not wish.points:
        return plan, usage
    said = one.verdict(wish.points, usage)
    if said.failures:
        return GroupRefused.of(said.failures), usage
    return plan, usage_rows.counted(usage, _made(group, wish))


async def _parties(
    connection: Connection, wanted: Sequence[PoolWish], known: Known
) -> dict[int, _Spending]:
    """Return each wish to spend points beside the group by which it is judged."""
    chosen: dict[int, OpenGroup] = {}
    for i, wish in enumerate(wanted):
        group = None if wish.act is PoolAct.ISSUE else pool_plans.group_for(known, wish)
        if group is not None:
            chosen[i] = group
    spending = {i: _spending(wanted[i], group) for i, group in chosen.items()}
    judged = {i: one for i, one in spending.items() if not one.is_free}
    people = await _people(connection, [(one.group, one.wish.member) for one in judged.values()])
    for one in judged.values():
        one.parties = msgspec.structs.replace(
            one.parties,
            actor=people[one.group.id, one.wish.member],
            head=people.get((one.group.id, one.group.row.head)),
        )
    return spending


def _spending(wish: PoolWish, group: OpenGroup) -> _Spending:
    """Return a wish by the rules of a group, free where these ask nothing that has to be read.

    That is so where it passes for who has nothing of its own: who has more asks less of others.
    """
    parties = Parties(
        actor=Party(member=wish.member, joined=group.row.formed_at),
        group=_facts(group),
        actor_place=place_facts(group.place_of(wish.member)),
    )
    one = _Spending(wish=wish, group=group, parties=parties)
    if not (_asks_of_people(group) or limits.caps(group.rules, Event.REDEEM)):
        one.is_free = not one.verdict(max(wish.points, 1), Usage()).failures
    return one


async def _people(connection: Connection, spending: Iterable[tuple[OpenGroup, UUID]]) -> _People:
    """Return those who spend as their rules ask of them; where they ask nothing, by balance alone.

    These are nearly all, and are read at once, whatever groups they belong to.
    """
    groups: dict[UUID, OpenGroup] = {}
    members: dict[UUID, set[UUID]] = defaultdict(set)
    for group, member in spending:
        groups[group.id] = group
        members[group.id].add(member)
    found: _People = {}
    by_balance: dict[int, list[OpenGroup]] = defaultdict(list)
    for group in groups.values():
        if _asks_of_people(group):
            found |= await _as_asked(connection, group, members[group.id])
        else:
            by_balance[group.row.currency_no].append(group)
    for currency_no, some in by_balance.items():
        book = some[0].book
        balances = await posting.balances(
            connection,
            {member for group in some for member in members[group.id]},
            currency_no=currency_no,
            today=book.today,
            suspended=book.terms.catalogue.suspended_at(book.at),
        )
        found |= {
            (group.id, member): Party(
                member=member, joined=group.row.formed_at, balance=balances[member]
            )
            for group in some
            for member in members[group.id]
        }
    return found


async def _as_asked(connection: Connection, group: OpenGroup, members: Collection[UUID]) -> _People:
    # What is kept of people the role of tills may not read; nothing is written meanwhile.
    role = await connection.fetchval("SELECT current_user")
    await connection.execute("SET LOCAL ROLE NONE")
    found = await people_of(connection, group, (*members, group.row.head), Event.REDEEM)
    await connection.execute(f'SET LOCAL ROLE "{role}"')
    return {(group.id, member): party for member, party in found.items()}


def _asks_of_people(group: OpenGroup) -> bool:
    need = rules.needs(group.rules, Event.REDEEM)
    return need.personal or need.standings or _counts_from_joining(group)


def _counts_from_joining(group: OpenGroup) -> bool:
    """Tell whether a limit on spending counts in years since a member joined the coalition."""
    return any(
        limit.on is Event.REDEEM
        and limit.subject is Subject.MEMBER
        and limit.window == WindowKind.MEMBERSHIP_YEAR
        for limit in group.rules.limits
    )


async def _usage(connection: Connection, spending: Iterable[_Spending]) -> Usage:
    wanted = []
    for one in spending:
        act = Act(event=Event.REDEEM, at=one.group.at, points=one.wish.points)
        wanted += rules.wanted_usage(one.group.rules, act, one.parties, one.group.zone)
    return await usage_rows.read(connection, wanted)


def _facts(group: OpenGroup) -> GroupFacts:
    counts: dict[Kind, int] = {}
    for place in group.places:
        counts[place.kind] = counts.get(place.kind, 0) + 1
    return GroupFacts(
        group=group.id,
        formed_at=group.row.formed_at,
        counts=counts,
        is_frozen=group.row.state is GroupState.SEPARATING,
    )


def _bought(group: OpenGroup, one: PoolUse) -> Bought:
    outcome, wish = one.outcome, one.wish
    assert isinstance(outcome, Held | Posted), "only what was done is counted"
    is_hold = isinstance(outcome, Held)
    return Bought(
        act=outcome.hold if isinstance(outcome, Held) else outcome.posting,
        is_hold=is_hold,
        member_id=wish.member,
        group_id=group.id,
        day=group.today,
        points=wish.points,
    )


def _made(group: OpenGroup, wish: PoolWish) -> tuple[UsageMade, ...]:
    act = Act(event=Event.REDEEM, at=group.at, points=wish.points)
    parties = Parties(
        actor=Party(member=wish.member, joined=group.row.formed_at), group=_facts(group)
    )
    today: date = group.today
    return counting.made(act, parties, today, starts_session=False)
