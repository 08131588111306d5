"""Statements as they stand: frozen ones as they were closed, all others made from the books now.

Both have the same shape and come from the same `rules.compose`; a live one also counts what waits
for a drain. Money is positive where the partner pays.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
import msgspec

from coalition.federation.catalogue import Catalogue
from coalition.federation.terms import Contract
from coalition.kernel.database import Connection, transaction
from partners.settlement import draining, feed, periods, sums, waiting
from partners.settlement.calendars import Period
from partners.settlement.kinds import OPERATOR, ChargeKind, StatementState
from partners.settlement.refusals import UnknownPeriod
from partners.settlement.rules import Composed, Fee, FeeOf, Group, Line, Total, compose, totals_of
from partners.settlement.sums import Groups
from partners.settlement.waiting import MOST, NOTHING, Bound

FROZEN = frozenset({StatementState.CLOSED, StatementState.APPROVED, StatementState.PAID})
"""The states in which a statement never changes."""

_SNAPSHOT = feed.PLANS | {
    "transaction_isolation": "repeatable read",
    "transaction_read_only": "on",
}

_HEAD_OF = """
SELECT period.*, statement.id, coalesce(statement.state, 'open') AS state, statement.number,
       statement.sealed_at, statement.closed_at, statement.approved_at, {persons},
       coalesce(statement.charges, 0) AS charges, statement.digest
FROM settlement_period AS period
LEFT JOIN statement ON statement.partner_no = period.partner_no AND statement.period_no = period.no
"""
_HEAD = _HEAD_OF.format(persons="statement.closed_by, statement.approved_by")
# Who of the staff decided is nobody's business outside: the tenant role may not read it.
_HEAD_TOLD = _HEAD_OF.format(persons="NULL::text AS closed_by, NULL::text AS approved_by")
_NAMED = _HEAD + "WHERE period.partner_no = $1 AND period.name = $2"
_OF_ID = _HEAD + "WHERE statement.id = $1"
_OF_ID_TOLD = _HEAD_TOLD + "WHERE statement.id = $1"
_OF_IDS = _HEAD + "WHERE statement.id = ANY ($1::uuid[])"
# Periods are closed in order, so these are all after the last closed one.
_UNCLOSED = (
    _HEAD  # noqa: S608 - put together from the texts here
    + """
WHERE period.partner_no = $1 AND period.starts_at <= $2
  AND period.no > coalesce((
      SELECT closed.period_no FROM statement AS closed
      WHERE closed.partner_no = $1 AND closed.closed_at IS NOT NULL
      ORDER BY closed.period_no DESC LIMIT 1), 0)
ORDER BY period.no
"""
)
_OF_PARTNER = (
    _HEAD
    + """
WHERE period.partner_no = $1 AND period.starts_at <= $2 AND ($3::int4 IS NULL OR period.no < $3)
ORDER BY period.no DESC LIMIT $4
"""
)
_LINES = "SELECT * FROM statement_line WHERE statement = $1 ORDER BY no"
_TOTALS = """
SELECT * FROM statement_total WHERE statement = ANY($1::uuid[]) ORDER BY statement, currency
"""


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """How far a partner's period has come; without an id while it is open.

    `closed_by` prepared the close and `approved_by` approved it. `charges` is their number; from
    the close on, `digest` stands for all of them and for the lines that they come to.
    """

    period: Period
    state: StatementState
    id: UUID | None
    number: int | None
    sealed_at: datetime | None
    closed_at: datetime | None
    approved_at: datetime | None
    closed_by: str | None
    approved_by: str | None
    charges: int
    digest: bytes | None

    @property
    def is_frozen(self) -> bool:
        """Tell whether the statement never changes again."""
        return self.state in FROZEN


class Summary(msgspec.Struct, frozen=True):
    """A statement in a list: its totals are told from the close on."""

    head: Head
    totals: tuple[Total, ...]


class Statement(msgspec.Struct, frozen=True):
    """A statement with its lines and totals: as frozen, or as it stands now.

    `unpriced_since` is None where it counts everything. It is when the oldest posting was queued
    where so much waits for a drain that nothing of it is priced for a look: see `waiting`.
    """

    head: Head
    lines: tuple[Line, ...]
    totals: tuple[Total, ...]
    unpriced_since: datetime | None = None

    @property
    def prior_period(self) -> tuple[Total, ...]:
        """Return what of the totals belongs to earlier periods."""
        return totals_of(line for line in self.lines if line.prior_period)


class Live(msgspec.Struct, frozen=True):
    """A partner's statements that are not closed, the oldest first, as of `at`.

    The last is of the period that `at` lies in. `unsettled_postings` wait for a drain, of all
    partners; they are priced in, and make `unsettled_charges` to this one. Where too many wait,
    `unpriced_since` is when the oldest did: there are at least as many, nothing of them is priced
    in, and what they are to this partner is not known.
    """

    at: datetime
    unsettled_postings: int
    unsettled_charges: int | None
    statements: tuple[Statement, ...]

    @property
    def unpriced_since(self) -> datetime | None:
        """Return since when postings wait that are not priced in; None where all are."""
        return self.statements[-1].unpriced_since

    @property
    def net_minor(self) -> dict[str, int]:
        """Return the provisional net position by currency, all open statements together."""
        net: dict[str, int] = defaultdict(int)
        for statement in self.statements:
            for total in statement.totals:
                net[total.currency] += total.net_minor
        return dict(net)


async def live(partner_no: int, at: datetime, most: Bound = MOST) -> Live:
    """Return what of a partner is not closed at `at`, in one snapshot.

    Of what waits for a drain it prices `most`, or nothing. Raises `UnknownPeriod` for a partner
    that has no contract yet.
    """
    await periods.ensure(at)
    async with waiting.turn(), transaction(_SNAPSHOT) as connection:
        heads = await _heads(connection, _UNCLOSED, partner_no, at)
        if not heads:
            raise UnknownPeriod(partner_no=partner_no)
        return await _live(connection, heads, at, most)


async def read(partner_no: int, name: str, at: datetime, most: Bound = MOST) -> Statement:
    """Return the statement of a partner's period by its name, as `live` makes it.

    Raises `UnknownPeriod`.
    """
    await periods.ensure(at)
    async with waiting.turn(), transaction(_SNAPSHOT) as connection:
        found = await _heads(connection, _NAMED, partner_no, name)
        if not found:
            raise UnknownPeriod(partner_no=partner_no, period=name[:64])
        if found[0].is_frozen:
            return await frozen(connection, found[0])
        # Reversals are priced by the fees of the periods before, so those are made too.
        heads = await _heads(connection, _UNCLOSED, partner_no, found[0].period.starts_at)
        return (await _live(connection, heads, at, most)).statements[-1]


async def head_of(
    connection: Connection, statement: UUID, *, names_staff: bool = True
) -> Head | None:
    """Return the head of a statement by its id; None when there is none to be seen.

    Under the role of tenants it can be read without the names of staff only.
    """
    found = await _heads(connection, _OF_ID if names_staff else _OF_ID_TOLD, statement)
    return found[0] if found else None


async def frozen(connection: Connection, head: Head) -> Statement:
    """Return a closed statement with lines and totals as they were frozen."""
    assert head.is_frozen, "only what is closed is frozen"
    lines = await connection.fetch(_LINES, head.id)
    totals = await connection.fetch(_TOTALS, [head.id])
    return Statement(
        head,
        tuple(_line(row, head.period.no) for row in lines),
        tuple(_total(row) for row in totals),
    )


async def list_(
    connection: Connection, partner_no: int, at: datetime, *, before_no: int | None, limit: int
) -> list[Summary]:
    """Return at most `limit` statements of a partner, the latest first, of periods begun by `at`.

    `before_no` is the period number of the last one on the page before.
    """
    return await _summaries(
        connection, await _heads(connection, _OF_PARTNER, partner_no, at, before_no, limit)
    )


async def summaries(connection: Connection, wanted: Sequence[UUID]) -> list[Summary]:
    """Return these statements, of any partners, in the order in which they are named."""
    found = await _summaries(connection, await _heads(connection, _OF_IDS, wanted))
    by_id = {one.head.id: one for one in found}
    return [by_id[statement] for statement in wanted]


async def _summaries(connection: Connection, heads: Sequence[Head]) -> list[Summary]:
    totals: dict[UUID, list[Total]] = defaultdict(list)
    for row in await connection.fetch(_TOTALS, [head.id for head in heads if head.is_frozen]):
        totals[row["statement"]].append(_total(row))
    return [Summary(head, tuple(totals[head.id]) if head.id else ()) for head in heads]


async def composed(
    connection: Connection,
    unclosed: Sequence[Period],
    known: Catalogue,
    groups: Groups,
) -> list[Composed]:
    """Return what a partner's `unclosed` periods, ascending, come to; `groups` by period number."""
    fees = await earlier_fees(connection, unclosed, known, groups)
    versions = versions_of(known, groups)
    made = []
    for period in unclosed:
        one = compose(
            groups.get(period.no, ()),
            period_no=period.no,
            standing=standing(known, period),
            versions=versions,
            earlier_fees=fees,
        )
        fees |= one.fees
        made.append(one)
    return made


async def earlier_fees(
    connection: Connection, unclosed: Sequence[Period], known: Catalogue, groups: Groups
) -> dict[FeeOf, Fee]:
    """Return the frozen fees by which prior-period fees of versions with steps are priced."""
    origins = {
        group.origin_no
        for no, held in groups.items()
        for group in held
        if group.origin_no != no
        and group.kind == ChargeKind.SERVICE_FEE
        and known.contract(group.contract_no).volume_steps
    }
    if not origins:
        return {}
    return await sums.frozen_fees(connection, unclosed[0].partner_no, sorted(origins))


def versions_of(known: Catalogue, groups: Groups) -> dict[int, Contract]:
    """Return the contract versions that `groups` name."""
    numbers = {group.contract_no for held in groups.values() for group in held} - {OPERATOR}
    return {no: known.contract(no) for no in sorted(numbers)}


def standing(known: Catalogue, period: Period) -> Contract | None:
    """Return the version in force when a period began; the operator has none."""
    if period.partner_no == OPERATOR:
        return None
    return known.contract_at(period.partner_no, period.starts_at)


async def _live(connection: Connection, heads: Sequence[Head], at: datetime, most: Bound) -> Live:
    """Return `heads`, all of one partner and not closed, with what they come to now."""
    unclosed = [head.period for head in heads]
    partner_no = unclosed[0].partner_no
    booked = await sums.booked(connection, partner_no, [period.no for period in unclosed])
    book = await draining.read_book(connection)
    # What still waits comes into no period that is sealed in every shard.
    sealed = [head.state is StatementState.PROVISIONAL for head in heads]
    queued = NOTHING
    if not all(sealed):
        queued = await waiting.of_partner(connection, partner_no, book, most)
    groups = {
        no: [*booked.get(no, ()), *queued.groups.get(no, ())]
        for no in booked.keys() | queued.groups
    }
    made = await composed(connection, unclosed, book.catalogue, groups)
    charges = sum(group.charges for held in queued.groups.values() for group in held)
    return Live(
        at,
        queued.postings,
        None if queued.unpriced_since else charges,
        tuple(
            Statement(
                _counted(head, groups.get(head.period.no, ())),
                one.lines,
                one.totals,
                None if is_sealed else queued.unpriced_since,
            )
            for head, one, is_sealed in zip(heads, made, sealed, strict=True)
        ),
    )


def _counted(head: Head, groups: Iterable[Group]) -> Head:
    return msgspec.structs.replace(head, charges=sum(group.charges for group in groups))


async def _heads(connection: Connection, query: str, *arguments: object) -> list[Head]:
    return [_head(row) for row in await connection.fetch(query, *arguments)]


def _head(row: asyncpg.Record) -> Head:
    fields = dict(row)
    period = {field: fields.pop(field) for field in Period.__struct_fields__}
    return msgspec.convert(fields | {"period": period}, Head)


def _line(row: asyncpg.Record, period_no: int) -> Line:
    told = {field: row[field] for field in Line.__struct_fields__ if field != "prior_period"}
    told["kind"] = ChargeKind(row["kind"])
    return Line(**told, prior_period=row["origin_no"] != period_no)


def _total(row: asyncpg.Record) -> Total:
    return Total(**{field: row[field] for field in Total.__struct_fields__})
