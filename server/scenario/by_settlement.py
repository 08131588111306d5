"""How periods are closed and netted in a story, by the services of finance, two persons at once."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from coalition.federation import catalogue, defaults, money_rates
from coalition.kernel.database import Connection, transaction
from partners.settlement import (
    clearing,
    closing,
    cycles,
    defaulting,
    draining,
    netting,
    periods,
    prepaying,
    sealing,
    statements,
)
from partners.settlement.calendars import Period
from partners.settlement.cycles import PreparedLeg
from partners.settlement.kinds import OPERATOR
from partners.settlement.netting import Claim, Leg
from partners.settlement.refusals import (
    EarlierPeriodOpen,
    NothingToClear,
    OwesNothing,
    PeriodClosed,
    PeriodNotOver,
    UnknownPeriod,
)
from server.scenario.founding import ACTOR, SECOND
from server.scenario.settlement_steps import (
    Close,
    Default,
    EndDefault,
    MoneyRate,
    Net,
    Position,
    Prepay,
)
from server.scenario.world import Cycle, Done, World


async def _close(world: World, step: Close, n: int) -> Done:
    """Look whether all of it can be done first: a step that is refused has changed nothing."""
    del n
    await draining.drain_all(world.at)
    wanted = await _wanted(world, step)
    due = [period for one in wanted for period in await _with_earlier(one, world.at)]
    if not due:
        raise PeriodClosed(period=step.period)
    of_operator = await _of_operator(step, world.at)
    await sealing.seal_all([*due, *of_operator], world.at)
    async with transaction():
        for period in (*due, *of_operator):
            await _close_one(period, world.at)
    closed = {period.partner_no for period in due}
    world.closed |= closed
    who = ", ".join(name for name, no in world.partners.items() if no in closed)
    return Done(f"{step.period} of {who} is closed")


async def _close_one(period: Period, at: datetime) -> None:
    approval = await closing.prepare(
        period=period.name, partner_no=period.partner_no, prepared_by=ACTOR, at=at
    )
    await closing.approve(approval, approved_by=SECOND, at=at)


async def _wanted(world: World, step: Close) -> list[Period]:
    """Return the periods that a step names, of partners of the story."""
    async with transaction() as connection:
        if step.partner is not None:
            return [await periods.named(connection, world.partners[step.partner], step.period)]
        found = await periods.all_named(connection, step.period)
    of_partners = [period for period in found if period.partner_no != OPERATOR]
    if not of_partners:
        raise UnknownPeriod(period=step.period)
    return of_partners


async def _with_earlier(wanted: Period, at: datetime) -> list[Period]:
    """Return the period after the earlier ones that are closed with it; none when it is closed.

    Only those in which nothing was charged are: what has something on it is closed by its own name.
    """
    if at < wanted.cut_off_at:
        raise PeriodNotOver(period=wanted.name, cut_off_at=wanted.cut_off_at.isoformat())
    live = await statements.live(wanted.partner_no, at)
    unclosed = [one for one in live.statements if one.head.period.no <= wanted.no]
    for one in unclosed:
        if one.head.period.no < wanted.no and one.head.charges:
            raise EarlierPeriodOpen(period=one.head.period.name)
    periods_in_order = [one.head.period for one in unclosed]
    return periods_in_order if wanted in periods_in_order else []


async def _of_operator(step: Close, at: datetime) -> list[Period]:
    """Return the operator's own periods that go with a close of all partners' periods."""
    if step.partner is not None:
        return []
    live = await statements.live(OPERATOR, at)
    names = [one.head.period.name for one in live.statements]
    through = names.index(step.period) + 1 if step.period in names else 0
    due = [one.head.period for one in live.statements[:through]]
    return due if due and due[-1].cut_off_at <= at else []


async def _net(world: World, step: Net, n: int) -> Done:
    del n
    await periods.ensure(world.at)
    positions: dict[str, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for currency, legs in (await _cleared(world, step)).items():
        _add(positions[currency], legs)
    if world.positions:
        _add(positions[world.story.coalition.currency], netting.net_bilateral(world.positions).legs)
        world.positions.clear()
    for currency, held in sorted(positions.items()):
        world.cycles.append(Cycle(step.periods, currency, netting.net(held)))
    payments = sum(bool(net) for held in positions.values() for net in held.values())
    return Done(f"netted into {payments} payments through the operator")


async def _cleared(world: World, step: Net) -> dict[str, tuple[PreparedLeg, ...]]:
    """Clear the statements of the periods by two persons; return the legs by currency.

    Nothing to clear is no refusal where positions wait to be netted.
    """
    names, partner_nos = await _charged(world, step)
    try:
        async with transaction():
            prepared = await clearing.prepare(
                names=names, partner_nos=partner_nos, prepared_by=ACTOR, at=world.at
            )
            cycles = [
                await clearing.approve(approval, approved_by=SECOND, at=world.at)
                for approval in prepared
            ]
    except NothingToClear:
        if not world.positions:
            raise
        return {}
    return {cycle.currency: cycle.legs for cycle in cycles}


async def _charged(world: World, step: Net) -> tuple[set[str], set[int]]:
    """Return of the periods and partners those that have something, closed or to be closed.

    A cycle is whole: it waits for every statement of its periods. Those of whom nothing was charged
    would keep it waiting for nothing.
    """
    async with transaction() as connection:
        named = [
            period
            for name in step.periods
            for period in await periods.all_named(connection, name)
            if period.partner_no != OPERATOR
        ]
    heads = [(await statements.read(one.partner_no, one.name, world.at)).head for one in named]
    held = [one.period for one in heads if one.is_frozen or one.charges]
    return {period.name for period in held}, {period.partner_no for period in held}


def _add(positions: dict[int, int], legs: Iterable[Leg | PreparedLeg]) -> None:
    """Add the legs of partners to `positions`; the operator's follows from them."""
    for leg in legs:
        if leg.partner_no != OPERATOR:
            positions[leg.partner_no] += leg.amount_minor


async def _position(world: World, step: Position, n: int) -> Done:
    del n
    debtor_no, creditor_no = world.partners[step.from_partner], world.partners[step.to_partner]
    world.positions.append(Claim(debtor_no, creditor_no, step.amount_minor))
    owed = f"{step.amount_minor:,} in minor units of {world.story.coalition.currency}"
    return Done(f"{step.from_partner} owes {step.to_partner} {owed}")


async def _prepay(world: World, step: Prepay, n: int) -> Done:
    partner_no = world.partners[step.partner]
    async with transaction() as connection:
        known = await catalogue.load(connection)
        approval = await prepaying.prepare(
            partner_no=partner_no,
            amount_minor=step.amount_minor,
            currency=known.contract_at(partner_no, world.at).currency,
            reference=f"step-{n}",
            prepared_by=ACTOR,
            at=world.at,
        )
        paid = await prepaying.approve(approval, approved_by=SECOND, at=world.at)
    return Done(f"{step.partner} pays in {paid.amount_minor:,} minor units of {paid.currency}")


async def _money_rate(world: World, step: MoneyRate, n: int) -> Done:
    del n
    async with transaction():
        approval = await money_rates.prepare(
            from_currency=step.from_currency,
            to_currency=step.to_currency,
            rate=step.rate,
            prepared_by=ACTOR,
            at=world.at,
        )
        await money_rates.approve(approval, approved_by=SECOND, at=world.at)
    sides = f"1 {step.from_currency} is {step.rate.normalize():f} {step.to_currency}"
    return Done(f"from now on {sides}")


async def _default(world: World, step: Default, n: int) -> Done:
    del n
    partner_no = world.partners[step.partner]
    async with transaction() as connection:
        approval = await defaulting.prepare(
            cycle=await _last_owed(connection, partner_no),
            defaulter_no=partner_no,
            reserve_minor=step.reserve_minor,
            prepared_by=ACTOR,
            at=world.at,
        )
        cycle = await defaulting.approve(approval, approved_by=SECOND, at=world.at)
    loss = cycle.defaults[-1].loss_minor
    return Done(f"{step.partner} does not pay {loss:,} minor units of {cycle.currency}")


async def _last_owed(connection: Connection, partner_no: int) -> UUID:
    """Return the last cycle in which the partner has something to pay."""
    for head in await cycles.latest(connection):
        cycle = await cycles.read(connection, head.id)
        if any(leg.partner_no == partner_no and leg.amount_minor > 0 for leg in cycle.legs):
            return cycle.id
    raise OwesNothing(partner_no=partner_no)


async def _end_default(world: World, step: EndDefault, n: int) -> Done:
    del n
    async with transaction():
        approval = await defaults.prepare_end(
            partner_no=world.partners[step.partner], prepared_by=ACTOR, at=world.at
        )
        await defaults.approve_end(approval, approved_by=SECOND, at=world.at)
    return Done(f"{step.partner} is in default no more")


ACTS: Final[dict[type[Any], Callable[[World, Any, int], Awaitable[Done]]]] = {  # Any: by verb
    Close: _close,
    Net: _net,
    Position: _position,
    Prepay: _prepay,
    MoneyRate: _money_rate,
    Default: _default,
    EndDefault: _end_default,
}
