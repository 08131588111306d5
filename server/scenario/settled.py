"""How a story was settled: statements and netting, as `--json` tells them."""

from collections import Counter
from datetime import datetime
from typing import Final

import msgspec

from coalition.federation import catalogue
from coalition.federation.catalogue import Catalogue
from coalition.kernel.database import Connection, transaction
from partners.settlement import periods, statements
from partners.settlement.kinds import OPERATOR as OPERATOR_NO
from partners.settlement.kinds import StatementState
from partners.settlement.rules import Line
from partners.settlement.statements import Statement
from server.scenario.names import OPERATOR
from server.scenario.world import Cycle, World

_PERIODS_MOST: Final = 100_000


class LineOutcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A line of a statement, in minor units; positive is what the partner pays.

    The last four stand only where lines would look alike, or a currency is not the statement's.
    """

    kind: str
    points: int
    amount_minor: int
    vat_minor: int
    prior_period: bool
    origin_period: str | None = None
    currency: str | None = None
    contract_version: int | None = None
    vat_code: str | None = None
    vat_rate: str | None = None


class StatementOutcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A statement; `nets_minor` by currency where there are several, of which one is `currency`."""

    state: str
    currency: str
    net_minor: int
    lines: list[LineOutcome]
    nets_minor: dict[str, int] = {}


class LegOutcome(msgspec.Struct, frozen=True):
    """What a partner, or the operator, pays in all; below zero it receives."""

    partner: str
    amount_minor: int


class CycleOutcome(msgspec.Struct, frozen=True):
    """What was netted together, in one currency."""

    periods: tuple[str, ...]
    currency: str
    legs: list[LegOutcome]


async def of_statements(world: World) -> dict[str, dict[str, StatementOutcome]]:
    """Return the statements with lines of every partner of whom the story closed a period.

    What is not closed is told as it stands now, where something was charged.
    """
    told = {}
    for name, no in world.partners.items():
        if no in world.closed:
            held = await _statements(world, no)
            if held:
                told[name] = held
    return told


def of_cycles(world: World) -> list[CycleOutcome]:
    """Return what was netted, each leg that is something; the operator's comes last."""
    names = {no: name for name, no in world.partners.items()} | {OPERATOR_NO: OPERATOR}
    told = (_cycle(cycle, names) for cycle in world.cycles)
    return [cycle for cycle in told if cycle.legs]


def _cycle(cycle: Cycle, names: dict[int, str]) -> CycleOutcome:
    legs = sorted(cycle.legs, key=lambda leg: (leg.partner_no == OPERATOR_NO, leg.partner_no))
    told = [LegOutcome(names[leg.partner_no], leg.amount_minor) for leg in legs if leg.amount_minor]
    return CycleOutcome(cycle.periods, cycle.currency, told)


async def _statements(world: World, partner_no: int) -> dict[str, StatementOutcome]:
    live = await statements.live(partner_no, world.at)
    async with transaction() as connection:
        known = await catalogue.load(connection)
        names = {one.no: one.name for one in (await periods.load(connection))[partner_no]}
        frozen = await _frozen(connection, partner_no, world.at)
    unclosed = [one for one in live.statements if one.head.charges]
    tell = _Telling(known, names, known.contracts_of(partner_no)[0].currency)
    return {one.head.period.name: tell.of(one) for one in (*frozen, *unclosed) if one.lines}


async def _frozen(connection: Connection, partner_no: int, at: datetime) -> list[Statement]:
    """Return a partner's closed statements, the earliest first; a story has few."""
    found = await statements.list_(connection, partner_no, at, before_no=None, limit=_PERIODS_MOST)
    return [
        await statements.frozen(connection, one.head)
        for one in reversed(found)
        if one.head.is_frozen and one.totals
    ]


class _Telling:
    """Tells the statements of one partner: what it calls its periods, and its usual currency."""

    def __init__(self, known: Catalogue, names: dict[int, str], currency: str) -> None:
        self._known, self._names, self._currency = known, names, currency

    def of(self, one: Statement) -> StatementOutcome:
        """Return a statement as it is told."""
        nets = {total.currency: total.net_minor for total in one.totals}
        currency = self._currency if self._currency in nets else min(nets)
        alike = Counter(_looks(line) for line in one.lines)
        return StatementOutcome(
            # That it is cleared for payment is told by the netting.
            state=(StatementState.CLOSED if one.head.is_frozen else one.head.state).value,
            currency=currency,
            net_minor=nets[currency],
            lines=[
                self._line(line, currency, is_alone=alike[_looks(line)] == 1) for line in one.lines
            ],
            nets_minor=nets if len(nets) > 1 else {},
        )

    def _line(self, line: Line, currency: str, *, is_alone: bool) -> LineOutcome:
        return LineOutcome(
            kind=line.kind.name.lower(),
            points=line.points,
            amount_minor=line.amount_minor,
            vat_minor=line.vat_minor,
            prior_period=line.prior_period,
            origin_period=self._names[line.origin_no] if line.prior_period else None,
            currency=None if line.currency == currency else line.currency,
            contract_version=None if is_alone else self._version(line.contract_no),
            vat_code=None if is_alone else line.vat_code,
            vat_rate=None if is_alone else f"{line.vat_rate.normalize():f}",
        )

    def _version(self, contract_no: int) -> int | None:
        return None if contract_no == OPERATOR_NO else self._known.contract(contract_no).version


def _looks(line: Line) -> tuple[object, ...]:
    return line.kind, line.origin_no, line.currency
