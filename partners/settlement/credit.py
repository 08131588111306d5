"""Credit: what each partner owes as of the last drain, and who may issue no more.

`Judge.judge` belongs after each round of drains: one short transaction that adds up what was posted
to the money book since, ends leases whose time is over, and writes `partner_limit` where something
has changed. Tills read it with the catalogue, whose version moves only when a partner is blocked or
released. Exposure is behind the tills by what is not drained yet, so `warn` and `block` may be
overshot by that much; prepaid money never is (see docs/adr/0034).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal

import msgspec

from coalition.federation import catalogue
from coalition.federation.catalogue import Catalogue
from coalition.federation.refusals import NoContract
from coalition.federation.terms import Contract, CreditMode
from coalition.kernel import outbox
from coalition.kernel.database import Connection, retrying, transaction
from coalition.kernel.outbox import Event
from coalition.ledger import money
from partners.settlement import limits
from partners.settlement.limits import Limit, Owed

# One judges at a time. Taken first, before the catalogue's lock and those of rows.
_LOCK = "LOCK TABLE money_balance IN SHARE ROW EXCLUSIVE MODE"

# A lease that a posting is just being written against ends with the next round.
_END_LEASES = """
DELETE FROM prepaid_lease WHERE id IN (
    SELECT id FROM prepaid_lease WHERE expires_at <= $1 FOR UPDATE SKIP LOCKED
)
"""

_FORGET_DRAINED = """
DELETE FROM prepaid_spend AS spend WHERE NOT EXISTS (
    SELECT FROM generate_series(0, 15) AS number
    JOIN settlement_queue AS queue ON queue.shard = number AND queue.batch = spend.batch
)
"""

# One snapshot for all of it: see `coalition.points.leases.HEADROOM`.
_OWED = """
SELECT partner_no, currency, sum(amount), 0::int8, 0::int8 FROM (
    SELECT partner_no, currency, amount FROM money_balance
    UNION ALL
    SELECT partner_no, currency, amount FROM money_delta
) AS posted GROUP BY partner_no, currency
UNION ALL
SELECT partner_no, NULL, 0, sum(amount_minor)::int8, 0 FROM prepaid_spend AS spend
WHERE EXISTS (
    SELECT FROM generate_series(0, 15) AS number
    JOIN settlement_queue AS queue ON queue.shard = number AND queue.batch = spend.batch
) GROUP BY partner_no
UNION ALL
SELECT partner_no, NULL, 0, 0, sum(amount_minor - used_minor)::int8 FROM prepaid_lease
GROUP BY partner_no
"""

_LIMITS = """
SELECT partner_no, currency, blocked, is_reached, is_low, exposure_minor, prepaid_minor,
       spent_minor, leased_minor
FROM partner_limit
"""

_WRITE = """
INSERT INTO partner_limit AS kept
    (partner_no, currency, blocked, is_reached, is_low, exposure_minor, prepaid_minor,
     spent_minor, leased_minor, judged_at)
SELECT given.*, $10
FROM unnest($1::int4[], $2::text[], $3::bool[], $4::bool[], $5::bool[], $6::int8[], $7::int8[],
            $8::int8[], $9::int8[]) AS given (partner_no)
ORDER BY given.partner_no
ON CONFLICT (partner_no) DO UPDATE
SET currency = excluded.currency, blocked = excluded.blocked, is_reached = excluded.is_reached,
    is_low = excluded.is_low, exposure_minor = excluded.exposure_minor,
    prepaid_minor = excluded.prepaid_minor, spent_minor = excluded.spent_minor,
    leased_minor = excluded.leased_minor, judged_at = excluded.judged_at
"""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How a partner stood when it was last judged, in minor units of `currency`."""

    partner_no: int
    mode: CreditMode
    currency: str
    limit_minor: int | None
    low_water_minor: int | None
    exposure_minor: int
    prepaid_minor: int
    leased_minor: int
    left_minor: int | None
    """Of the limit, or of what is paid in; None where nothing limits the partner."""
    is_low: bool
    is_reached: bool
    blocked: bool
    judged_at: datetime


class Judge:
    """Judges the credit of all partners, with the catalogue kept in memory between rounds."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._known: Catalogue | None = None

    async def judge(self, at: datetime) -> int:
        """Judge everybody as of what is drained; return for how many partners something changed.

        Emits `credit.low_water`, `credit.limit_reached` and `credit.released`, once per crossing.
        """

        async def attempt() -> int:
            async with transaction() as connection:
                await lock(connection)
                known = self._known
                if known is None or known.version != await catalogue.version(connection):
                    self._known = known = await catalogue.load(connection)
                return await judge_locked(connection, known, at)

        return await retrying(attempt)


async def judge(at: datetime) -> int:
    """Judge everybody once, as `Judge.judge` does."""
    return await Judge().judge(at)


async def lock(connection: Connection) -> None:
    """Let nobody else judge until the transaction ends."""
    await connection.execute(_LOCK)


async def standings(connection: Connection, at: datetime) -> list[Standing]:
    """Return how everybody stood who has a limit or prepaid money, by partner."""
    known = await catalogue.load(connection)
    rows = await connection.fetch("SELECT * FROM partner_limit ORDER BY partner_no")
    return [
        _standing(msgspec.convert(dict(row), Limit), row["judged_at"], known, at) for row in rows
    ]


async def standing(connection: Connection, partner_no: int, at: datetime) -> Standing | None:
    """Return how a partner stood; None for one whose credit was never judged."""
    row = await connection.fetchrow("SELECT * FROM partner_limit WHERE partner_no = $1", partner_no)
    if row is None:
        return None
    known = await catalogue.load(connection)
    return _standing(msgspec.convert(dict(row), Limit), row["judged_at"], known, at)


def _standing(limit: Limit, judged_at: datetime, known: Catalogue, at: datetime) -> Standing:
    contract = known.contract_at(limit.partner_no, at)
    left = None
    if contract.credit_mode == CreditMode.PREPAID:
        left = limit.prepaid_minor - limit.spent_minor
    elif contract.credit_limit_minor is not None:
        left = contract.credit_limit_minor - limit.exposure_minor
    return Standing(
        partner_no=limit.partner_no,
        mode=contract.credit_mode,
        currency=limit.currency,
        limit_minor=contract.credit_limit_minor,
        low_water_minor=contract.low_water_minor,
        exposure_minor=limit.exposure_minor,
        prepaid_minor=limit.prepaid_minor,
        leased_minor=limit.leased_minor,
        left_minor=left,
        is_low=limit.is_low,
        is_reached=limit.is_reached,
        blocked=limit.blocked,
        judged_at=judged_at,
    )


async def judge_locked(
    connection: Connection, known: Catalogue, at: datetime, paid_in: Mapping[int, int] | None = None
) -> int:
    """Judge within the caller's transaction, which holds `lock`; return how many changed.

    `paid_in` is by partner what was booked as paid in within this transaction, in minor units.
    """
    await money.add_up(connection)
    await connection.execute(_END_LEASES, at)
    await connection.execute(_FORGET_DRAINED)
    before = {
        row["partner_no"]: msgspec.convert(dict(row), Limit)
        for row in await connection.fetch(_LIMITS)
    }
    owed = await _read(connection, known, at)
    paid_in = paid_in or {}
    now = []
    for contract in _in_force(known, at):
        partner_no, held = contract.partner_no, before.get(contract.partner_no)
        if held is None and contract.credit_mode == CreditMode.NONE and partner_no not in paid_in:
            continue
        # What was paid in in another currency is still in the books, and no cover for this one.
        kept = held.prepaid_minor if held is not None and held.currency == contract.currency else 0
        now.append(
            limits.judge(
                contract,
                owed.get(partner_no, Owed()),
                prepaid_minor=kept + paid_in.get(partner_no, 0),
            )
        )
    changed = [limit for limit in now if before.get(limit.partner_no) != limit]
    if any(limit.blocked != _was_blocked(before, limit.partner_no) for limit in changed):
        await catalogue.bump(connection)
    if changed:
        columns = zip(*(msgspec.structs.astuple(limit) for limit in changed), strict=True)
        await connection.execute(_WRITE, *columns, at)
        await outbox.append(connection, _events(known, before, changed, at), at)
    return len(changed)


def _was_blocked(before: Mapping[int, Limit], partner_no: int) -> bool:
    return partner_no in before and before[partner_no].blocked


async def _read(connection: Connection, known: Catalogue, at: datetime) -> dict[int, Owed]:
    """Return what the books say of each partner in the currency of its contract."""
    currencies = {contract.partner_no: contract.currency for contract in _in_force(known, at)}
    sums: dict[int, list[Decimal]] = defaultdict(lambda: [Decimal(0)] * 3)
    for partner_no, currency, *amounts in await connection.fetch(_OWED):
        if currency in (None, currencies.get(partner_no)):
            sums[partner_no] = [
                kept + amount for kept, amount in zip(sums[partner_no], amounts, strict=True)
            ]
    return {
        partner_no: Owed(balance, int(undrained), int(leased))
        for partner_no, (balance, undrained, leased) in sums.items()
    }


def _in_force(known: Catalogue, at: datetime) -> Iterable[Contract]:
    for partner in known.partners:
        try:
            yield known.contract_at(partner.no, at)
        except NoContract:
            continue  # its first one begins later


def _events(
    known: Catalogue, before: Mapping[int, Limit], changed: Iterable[Limit], at: datetime
) -> list[Event]:
    told = []
    for limit in changed:
        contract = known.contract_at(limit.partner_no, at)
        facts = msgspec.structs.asdict(limit) | {
            "mode": contract.credit_mode,
            "limit_minor": contract.credit_limit_minor,
            "low_water_minor": contract.low_water_minor,
        }
        kinds = limits.news(before.get(limit.partner_no), limit)
        told += [Event(kind, facts) for kind in kinds]
    return told
