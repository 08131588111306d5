"""Clearing cycles as they stand: legs in all versions, defaults, claims and what paid them."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import TypeVar
from uuid import UUID

import asyncpg
import msgspec

from coalition.kernel.database import Connection
from partners.settlement import setting_off
from partners.settlement.refusals import UnknownCycle
from partners.settlement.setting_off import SetOff

_CYCLES = """
SELECT id, currency, periods, prepared_at, prepared_by, approved_at, approved_by
FROM clearing_cycle ORDER BY approved_at DESC, id LIMIT $1
"""
_ONE = """
SELECT id, currency, periods, prepared_at, prepared_by, approved_at, approved_by
FROM clearing_cycle WHERE id = $1
"""
_LEGS_OF = """
SELECT version, partner_no, amount_minor FROM clearing_leg WHERE cycle = $1
ORDER BY version, partner_no
"""
_STATEMENTS_OF = "SELECT statement FROM clearing_statement WHERE cycle = $1 ORDER BY statement"
_DEFAULTS_OF = """
SELECT version, defaulter_no, loss_minor, guarantee_minor, is_prepaid, reserve_minor,
       haircut_minor, made_at, prepared_by, approved_by
FROM clearing_default WHERE cycle = $1 ORDER BY version
"""
_CLAIMS_OF = """
SELECT version, creditor_no, defaulter_no, amount_minor, amount_minor - (
    SELECT coalesce(sum(paid.amount_minor), 0)::int8 FROM clearing_set_off AS paid
    WHERE paid.claim_cycle = claim.cycle AND paid.claim_version = claim.version
      AND paid.creditor_no = claim.creditor_no) AS open_minor
FROM clearing_claim AS claim WHERE cycle = $1 ORDER BY version, creditor_no
"""


class PreparedLeg(msgspec.Struct, frozen=True):
    """What a partner, or the operator (0), pays (positive) or receives."""

    partner_no: int
    amount_minor: int


class Version(msgspec.Struct, frozen=True):
    """The legs of a cycle as they stood: 1 as approved, each later one after a default."""

    version: int
    legs: tuple[PreparedLeg, ...]


class Default(msgspec.Struct, frozen=True):
    """What a default came to; `version` is that of the legs that it made."""

    version: int
    defaulter_no: int
    loss_minor: int
    guarantee_minor: int
    is_prepaid: bool
    """Whether the guarantee is money that the partner itself had paid in."""
    reserve_minor: int
    haircut_minor: int
    made_at: datetime
    prepared_by: str
    approved_by: str


class HeldClaim(msgspec.Struct, frozen=True):
    """What a creditor did not receive and has to claim from whoever defaulted.

    `open_minor` is what later cycles have not paid of it.
    """

    version: int
    creditor_no: int
    defaulter_no: int
    amount_minor: int
    open_minor: int


class CycleHead(msgspec.Struct, frozen=True):
    """A cycle that was cleared, and by whom."""

    id: UUID
    currency: str
    periods: tuple[str, ...]
    prepared_at: datetime
    prepared_by: str
    approved_at: datetime
    approved_by: str


class Cycle(CycleHead, frozen=True):
    """A cycle with its statements, every version of its legs, defaults and claims.

    `set_offs` are what it paid of claims that defaults in earlier cycles made.
    """

    statements: tuple[UUID, ...] = ()
    versions: tuple[Version, ...] = ()
    defaults: tuple[Default, ...] = ()
    claims: tuple[HeldClaim, ...] = ()
    set_offs: tuple[SetOff, ...] = ()

    @property
    def legs(self) -> tuple[PreparedLeg, ...]:
        """Return the legs as they stand now."""
        return self.versions[-1].legs


async def latest(connection: Connection, *, limit: int = 100) -> list[CycleHead]:
    """Return the cycles that were cleared, the latest first."""
    rows = await connection.fetch(_CYCLES, limit)
    return [msgspec.convert(dict(row), CycleHead) for row in rows]


async def read(connection: Connection, cycle: UUID) -> Cycle:
    """Return a cycle with everything that became of it. Raises `UnknownCycle`."""
    head = await connection.fetchrow(_ONE, cycle)
    if head is None:
        raise UnknownCycle
    legs: dict[int, list[PreparedLeg]] = defaultdict(list)
    for version, partner_no, amount_minor in await connection.fetch(_LEGS_OF, cycle):
        legs[version].append(PreparedLeg(partner_no, amount_minor))
    statements = await connection.fetch(_STATEMENTS_OF, cycle)
    return Cycle(
        **msgspec.structs.asdict(msgspec.convert(dict(head), CycleHead)),
        statements=tuple(row[0] for row in statements),
        versions=tuple(Version(version, tuple(held)) for version, held in sorted(legs.items())),
        defaults=_all(await connection.fetch(_DEFAULTS_OF, cycle), Default),
        claims=_all(await connection.fetch(_CLAIMS_OF, cycle), HeldClaim),
        set_offs=await setting_off.of_cycle(connection, cycle),
    )


AnyStruct = TypeVar("AnyStruct", bound=msgspec.Struct)


def _all(rows: Iterable[asyncpg.Record], kind: type[AnyStruct]) -> tuple[AnyStruct, ...]:
    return tuple(msgspec.convert(dict(row), kind) for row in rows)
