"""Plays an act of a history in a world."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import NamedTuple

from msgspec import structs

from coalition.federation.terms import ContractTerms, OnDefault
from coalition.ledger.drafts import Issue, Redeem
from coalition.ledger.selecting import KEEP, Onward, Sources, SpendOrder
from partners.settlement import adjusting, closing, draining, periods, sealing, statements
from partners.settlement.calendars import Period
from partners.settlement.kinds import StatementState
from partners.settlement.refusals import PeriodNotOver
from tests.properties.settlement.facts import OPERATOR
from tests.properties.settlement.histories import MEMBERS, PARTNERS, Act
from tests.properties.settlement.world import ANNA, BO, World
from tests.support.ledger import balance

_PAIRS = [("EUR", "SEK"), ("SEK", "EUR"), ("JPY", "EUR"), ("JPY", "SEK")]
_RATES = {"EUR": "11.234567891", "SEK": "0.089", "JPY": "0.006123457"}
_EXCHANGES = [(1, 2), (2, 1), (5, 2), (3, 1)]


class History(NamedTuple):
    """A world, and terms that partners may agree on later."""

    world: World
    spare: Sequence[ContractTerms]


async def play(history: History, act: Act) -> None:
    """Do what an act says."""
    await _ACTS[act.what](history, act)


def _partner(world: World, number: int) -> int:
    return world.partners[number % PARTNERS]


async def _issue(history: History, act: Act) -> None:
    world = history.world
    partner = _partner(world, act.b)
    await world.post([world.issue(act.a % MEMBERS, partner, [(partner, act.points)], act.back)])


async def _split(history: History, act: Act) -> None:
    world = history.world
    partner, other = _partner(world, act.b), _partner(world, act.a)
    shares = {partner: act.points, OPERATOR: act.a, other: act.points // 3 + 1}
    grants = [(funder, points) for funder, points in shares.items() if points]
    await world.post([world.issue(act.a % MEMBERS, partner, grants, act.back)])


async def _redeem(history: History, act: Act) -> None:
    world = history.world
    partner = _partner(world, act.b)
    await world.post([world.redeem(act.a % MEMBERS, partner, act.points, act.back)])


async def _reverse(history: History, act: Act) -> None:
    world = history.world
    order = ("reverse", "proportional")[act.b % 2]
    await world.post([world.reverse(-1 - act.a % 12, None, order=order)])


async def _part(history: History, act: Act) -> None:
    world = history.world
    order = ("reverse", "proportional")[act.b % 2]
    await world.post([world.reverse(-1 - act.a % 8, act.points // 3 + 1, order=order)])


async def _regret(history: History, act: Act) -> None:
    """Take back an issue, partly another's promotion, whose points are spent by then."""
    world = history.world
    partner, other, member = _partner(world, act.b), _partner(world, act.a), act.a % MEMBERS
    await world.post([world.issue(member, partner, [(partner, act.points), (other, 5)], act.back)])
    issued = len(world.reversible) - 1
    spent = await balance(world.members[member], world.at)
    await world.post([world.redeem(member, other, spent, timedelta(0)) if spent else None])
    await world.post([world.reverse(issued, None)])


async def _batch(history: History, act: Act) -> None:
    """Several at once: one batch, in many shards."""
    world = history.world
    drafts = [
        world.issue(member, partner, [(partner, act.points + member)], act.back)
        for member in range(MEMBERS)
        for partner in world.partners
    ]
    taken = [world.redeem(member, _partner(world, act.a), 5, act.back) for member in range(MEMBERS)]
    await world.post([*drafts, *taken])


async def _adjust(history: History, act: Act) -> None:
    world = history.world
    giver = OPERATOR if act.b % 3 == 0 else _partner(world, act.b)
    await world.post([world.adjust(act.a % MEMBERS, giver, act.points)])


async def _take(history: History, act: Act) -> None:
    world = history.world
    await world.post([world.adjust(act.a % MEMBERS, OPERATOR, -act.points)])


async def _convert(history: History, act: Act) -> None:
    world = history.world
    rate = _EXCHANGES[act.b % len(_EXCHANGES)]
    await world.post([world.convert(act.a % MEMBERS, act.points, rate)])


async def _recover(history: History, act: Act) -> None:
    await history.world.post([history.world.recover(act.a % MEMBERS)])


async def _expire(history: History, act: Act) -> None:
    del act
    await history.world.expire()


async def _send(history: History, act: Act) -> None:
    world = history.world
    sender, receiver = act.a % MEMBERS, (act.a + 1) % MEMBERS
    await world.post([world.transfer(sender, receiver, act.points, act.b % 3)])


async def _undo(history: History, act: Act) -> None:
    await history.world.post([history.world.undo(-1 - act.a % 4)])


async def _together(history: History, act: Act) -> None:
    """Redeem what several have: points pass through the lots of who spends, and come back so."""
    world = history.world
    spender, partner = act.a % MEMBERS, _partner(world, act.b)
    draft = world.redeem(spender, partner, act.points, act.back)
    if isinstance(draft, Redeem):
        others = tuple(one for one in world.members if one != draft.holder)
        orders = list(SpendOrder)
        sources = Sources(order=orders[act.b % len(orders)], holders=others, own=act.a % 3 > 0)
        await world.post([structs.replace(draft, sources=sources)])


async def _shared(history: History, act: Act) -> None:
    """Earn what goes on in part to others, as the rest may before or after it is taken back."""
    world = history.world
    earner, partner, other = act.a % MEMBERS, _partner(world, act.b), _partner(world, act.a)
    draft = world.issue(earner, partner, [(partner, act.points), (other, act.b + 1)], act.back)
    if isinstance(draft, Issue):
        percents = ((100,), (50, 30), (33,))[act.b % 3]
        others = [one for one in world.members if one != draft.holder]
        onward = tuple(
            Onward(receiver=receiver, percent=percent)
            for receiver, percent in zip(others, percents, strict=False)
        )
        await world.post([structs.replace(draft, onward=onward)])


async def _bring(history: History, act: Act) -> None:
    """Bring points into a pool, where they stay those of who brought them."""
    world = history.world
    draft = world.transfer(act.a % MEMBERS, (act.a + 2) % MEMBERS, act.points, 0)
    await world.post([structs.replace(draft, contributor=KEEP)])


async def _merge(history: History, act: Act) -> None:
    """Rarely, since nothing comes back from it."""
    if act.b % 4 == 0:
        await history.world.merge(act.a % MEMBERS, (act.a + 1) % MEMBERS)


async def _rate(history: History, act: Act) -> None:
    source, target = _PAIRS[act.b % len(_PAIRS)]
    await history.world.agree_on_rate(source, target, _RATES[source])


async def _version(history: History, act: Act) -> None:
    world = history.world
    terms = history.spare[act.a % len(history.spare)]
    await world.sign(_partner(world, act.b), terms, days=act.points % 3)


async def _default(history: History, act: Act) -> None:
    """Let a partner be in default, or pay again; mostly its points are honoured."""
    becomes = OnDefault.HONOUR if act.a % 4 else OnDefault.SUSPEND
    await history.world.default(_partner(history.world, act.b), becomes)


async def _drain(history: History, act: Act) -> None:
    del act
    world = history.world
    await draining.drain_all(world.at)
    world.tick()


async def _drain_some(history: History, act: Act) -> None:
    """Drain a little of half of the shards."""
    world = history.world
    await periods.ensure(world.at)
    for shard in range(act.a % 2, 16, 2):
        await draining.drain(shard, world.at, limit=1 + act.b % 3)
    world.tick()


async def _by_hand(history: History, act: Act) -> None:
    """Let two of the staff adjust what a partner owes, or is owed."""
    world = history.world
    partner = _partner(world, act.a)
    amount = act.points * (-1 if act.b % 2 else 1)
    approval = await adjusting.prepare(
        partner_no=partner,
        amount_minor=amount,
        currency=("EUR", "SEK", "JPY")[act.b % 3],
        reason="agreed by telephone",
        prepared_by=ANNA,
        at=world.at,
    )
    await adjusting.approve(approval, approved_by=BO, at=world.tick())
    world.tick()


async def _close(history: History, act: Act) -> None:
    """Close sealed periods of one partner, or of the operator."""
    world = history.world
    partner = OPERATOR if act.b % 5 == 0 else _partner(world, act.a)
    await _close_some(world, partner, 1 + act.b % 9)


async def close_all(world: World) -> None:
    """Seal and close everything that is over."""
    _note(world, await sealing.seal_due(world.at))
    for partner in (OPERATOR, *world.partners):
        await _close_some(world, partner, None)


async def _close_some(world: World, partner: int, most: int | None) -> None:
    live = await statements.live(partner, world.at)
    sealed = [one for one in live.statements if one.head.state == StatementState.PROVISIONAL]
    for one in sealed[:most]:
        approval = await closing.prepare(
            period=one.head.period.name, partner_no=partner, prepared_by=ANNA, at=world.at
        )
        await closing.approve(approval, approved_by=BO, at=world.tick())
    world.tick()


async def _seal_due(history: History, act: Act) -> None:
    """Seal what is due of all, or of one."""
    world = history.world
    whose = None if act.b % 2 else [_partner(world, act.a), OPERATOR]
    _note(world, await sealing.seal_due(world.at, whose))


async def _seal(history: History, act: Act) -> None:
    """Seal the next period of one partner, if it is over."""
    world = history.world
    partner = _partner(world, act.a)
    sealed = sum(one == partner for one, _ in world.seals)
    try:
        _note(world, [await sealing.seal(partner, sealed + 1, world.at)])
    except PeriodNotOver:
        world.tick()


def _note(world: World, sealed: Sequence[Period]) -> None:
    world.seals += [(period.partner_no, world.at) for period in sealed]
    world.tick()


def _time(unit: str, most: int) -> Callable[[History, Act], Awaitable[None]]:
    async def pass_by(history: History, act: Act) -> None:
        history.world.tick(timedelta(**{unit: 1 + act.a % most}))

    return pass_by


_ACTS: dict[str, Callable[[History, Act], Awaitable[None]]] = {
    "issue": _issue,
    "split": _split,
    "redeem": _redeem,
    "reverse": _reverse,
    "part": _part,
    "batch": _batch,
    "regret": _regret,
    "adjust": _adjust,
    "take": _take,
    "convert": _convert,
    "recover": _recover,
    "expire": _expire,
    "send": _send,
    "undo": _undo,
    "together": _together,
    "shared": _shared,
    "bring": _bring,
    "merge": _merge,
    "rate": _rate,
    "version": _version,
    "default": _default,
    "drain": _drain,
    "drain_some": _drain_some,
    "by_hand": _by_hand,
    "close": _close,
    "seal_due": _seal_due,
    "seal": _seal,
    "hours": _time("hours", 30),
    "days": _time("days", 9),
    "weeks": _time("weeks", 2),
}
