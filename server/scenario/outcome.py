"""What came of a story: the Structs of the answer, its JSON Schema at once, and how it is read."""

from collections.abc import Iterable
from datetime import date
from typing import Any, Final
from uuid import UUID

import msgspec
from asyncpg import Record

from coalition.families.kin import places
from coalition.families.rule_sets.notation import Money
from coalition.federation import catalogue
from coalition.federation.terms import COALITION_CURRENCY_NO
from coalition.kernel.database import transaction
from coalition.kernel.money import Money as BillingMoney
from coalition.ledger import posting
from server import proof
from server.scenario import by_memberships, settled
from server.scenario.by_memberships import MembershipOutcome
from server.scenario.names import OPERATOR
from server.scenario.settled import CycleOutcome, StatementOutcome
from server.scenario.world import World


class StepOutcome(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What became of one step, numbered from 1; a refused one says why by its `code`."""

    n: int
    id: str | None = None
    ok: bool
    posting: UUID | None = None
    hold: UUID | None = None
    points: int | None = None
    state: str | None = None
    """Of a transfer, while it waits, or when it has been turned down or taken back."""
    fee: Money | None = None
    fee_points: int | None = None
    paid: BillingMoney | None = None
    """What was charged at once for a paid membership; given back where it is negative."""
    code: str | None = None
    failures: list[dict[str, Any]] | None = None  # Any: limits, instants, as the refusal has them


class LotOutcome(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Unspent points of one issuer and funder whose last day is the same; null is none."""

    issuer: str
    funder: str
    expires: date | None
    remaining: int
    currency: str | None = None
    """The point currency, where it is not the coalition's own."""


class MemberOutcome(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What a member can spend at the end, owes, and where the unspent points come from."""

    balance: int
    debt: int
    lots: list[LotOutcome]
    balances: dict[str, int] = {}
    """What can be spent of other point currencies, where there is something."""


class FamilyOutcome(msgspec.Struct, frozen=True):
    """What lies in the account of a family at the end, and where it comes from."""

    balance: int
    lots: list[LotOutcome]


class Audited(msgspec.Struct, frozen=True):
    """Whether the books are right, and how many promises were proved."""

    ok: bool
    checks: int


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """All that came of a story. What later packages tell is there and empty until they come."""

    steps: list[StepOutcome]
    members: dict[str, MemberOutcome]
    families: dict[str, FamilyOutcome] | msgspec.UnsetType = msgspec.UNSET
    """Those that have an account of their own, where a story has any."""
    statements: dict[str, dict[str, StatementOutcome]] = {}
    """By partner and period."""
    netting: list[CycleOutcome] = []
    revenue: dict[str, Any] = {}  # Any: of accounting, which is to come
    memberships: dict[str, MembershipOutcome] = {}
    """By member: how paid memberships stand at the end, and what was paid for them."""
    audit: Audited


# The last day is the earlier of the fixed one and the clock's; while expiry is suspended for the
# holder at least the end of that; a suspension without an end is endless.
_LOTS: Final = """
SELECT lot.holder, issuer_no, funder_no, lot.currency_no,
       nullif(CASE WHEN least(expires_on, live_until) IS NOT NULL
           THEN greatest(least(expires_on, live_until), expiry_suspended_until, share.until) END,
           'infinity') AS last_day,
       sum(points_in - points_out)::int8 AS remaining
FROM lot
JOIN holder ON holder.bucket = lot.bucket AND holder.id = lot.holder
LEFT JOIN kept_share AS share ON share.bucket = lot.bucket AND share.holder = lot.holder
    AND share.contributor = lot.contributor
LEFT JOIN holder_clock AS clock ON clock.bucket = lot.bucket AND clock.holder = lot.holder
    AND clock.currency_no = lot.currency_no AND clock.clock_no = lot.clock_no
WHERE points_in > points_out
GROUP BY lot.holder, issuer_no, funder_no, lot.currency_no, last_day
"""

_DEBTS: Final = """
SELECT holder, sum(booked - recovered - written_off - moved)::int8 AS owed
FROM debt GROUP BY holder
"""

_CURRENCIES: Final = "SELECT no, code FROM point_currency ORDER BY no"


async def gather(world: World, steps: list[StepOutcome]) -> Outcome:
    """Return what came of the steps: the members as they stand now, and the proof of the books."""
    async with transaction() as connection:
        pools = {
            name: group.pool
            for name, group_id in world.families.items()
            if (group := await places.read_group(connection, group_id)) and group.pool
        }
        known = await catalogue.load(connection)
        lots = await connection.fetch(_LOTS)
        debts = {row["holder"]: row["owed"] for row in await connection.fetch(_DEBTS)}
        codes = {row["no"]: row["code"] for row in await connection.fetch(_CURRENCIES)}
        balances = {
            no: await posting.balances(
                connection,
                {*world.members.values(), *pools.values()},
                currency_no=no,
                today=world.day(),
                suspended=known.suspended_at(world.at),
            )
            for no in codes
        }
    issuers = {no: name for name, no in world.partners.items()}
    members = {}
    held = _lots_of(lots, issuers, codes)
    for name, holder in world.members.items():
        members[name] = MemberOutcome(
            balance=balances[COALITION_CURRENCY_NO][holder],
            debt=debts.get(holder, 0),
            lots=held.get(holder, []),
            balances={
                codes[no]: found[holder]
                for no, found in balances.items()
                if no != COALITION_CURRENCY_NO and found[holder]
            },
        )
    report = await proof.prove()
    return Outcome(
        steps=steps,
        members=members,
        families={
            name: FamilyOutcome(balances[COALITION_CURRENCY_NO][pool], held.get(pool, []))
            for name, pool in pools.items()
        }
        or msgspec.UNSET,
        statements=await settled.of_statements(world),
        netting=settled.of_cycles(world),
        memberships=await by_memberships.outcomes(world),
        audit=Audited(report.ok, report.checks),
    )


def _lots_of(
    rows: Iterable[Record], issuers: dict[int, str], codes: dict[int, str]
) -> dict[UUID, list[LotOutcome]]:
    """Return the unspent points of each holder, in their order."""
    held: dict[UUID, list[LotOutcome]] = {}
    for row in rows:
        lot = LotOutcome(
            issuer=issuers.get(row["issuer_no"], OPERATOR),
            funder=issuers.get(row["funder_no"], OPERATOR),
            expires=row["last_day"],
            remaining=row["remaining"],
            currency=_foreign(row["currency_no"], codes),
        )
        held.setdefault(row["holder"], []).append(lot)
    return {holder: sorted(lots, key=_order) for holder, lots in held.items()}


def _foreign(currency_no: int, codes: dict[int, str]) -> str | None:
    return None if currency_no == COALITION_CURRENCY_NO else codes[currency_no]


def _order(lot: LotOutcome) -> tuple[bool, date, str, str, str]:
    """By the day on which they end (never comes last), then issuer, then funder."""
    return (
        lot.expires is None,
        lot.expires or date.max,
        lot.issuer,
        lot.funder,
        lot.currency or "",
    )
