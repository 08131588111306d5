"""Sets off what a partner in default would receive against what its creditors claim from it.

While a partner is in default, what a cycle would pay it goes to those who bore its defaults, until
their claims are paid: the oldest default first, by the open amounts. It is part of the cycle, so
the same two persons decide it. Once two persons have said that the default is over, the partner
has paid, and what is left of the claims is not set off any more. See docs/adr/0039.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import msgspec

from coalition.federation.catalogue import Catalogue
from coalition.kernel.database import Connection
from coalition.kernel.money import exponent
from coalition.ledger import money
from coalition.ledger.money import MoneyAccount, MoneyEntry, MoneyKind
from partners.settlement.kinds import OPERATOR
from partners.settlement.netting import Leg, OpenClaim, net, positions_after, set_off

_EVER = datetime.min.replace(tzinfo=UTC)

_LOCK = """
SELECT FROM clearing_claim WHERE defaulter_no = ANY ($1::int4[])
ORDER BY cycle, version, creditor_no FOR NO KEY UPDATE
"""
_OPEN = """
SELECT claim.cycle, claim.version, claim.creditor_no, claim.defaulter_no,
       (claim.amount_minor - coalesce(paid.amount_minor, 0))::int8
FROM clearing_claim AS claim
JOIN clearing_cycle ON clearing_cycle.id = claim.cycle AND clearing_cycle.currency = $1
JOIN clearing_default AS made ON made.cycle = claim.cycle AND made.version = claim.version
JOIN unnest($2::int4[], $3::timestamptz[]) AS defaulted (partner_no, since)
    ON defaulted.partner_no = claim.defaulter_no AND made.made_at > defaulted.since
LEFT JOIN LATERAL (
    SELECT sum(amount_minor) AS amount_minor FROM clearing_set_off
    WHERE claim_cycle = claim.cycle AND claim_version = claim.version
      AND clearing_set_off.creditor_no = claim.creditor_no
) AS paid ON true
WHERE claim.amount_minor > coalesce(paid.amount_minor, 0)
ORDER BY made.made_at, claim.cycle, claim.version, claim.creditor_no
"""
_WRITE = """
INSERT INTO clearing_set_off
    (cycle, claim_cycle, claim_version, creditor_no, defaulter_no, amount_minor)
SELECT $1, *
FROM unnest($2::uuid[], $3::int4[], $4::int4[], $5::int4[], $6::int8[])
"""
_OF_CYCLE = """
SELECT claim_cycle AS cycle, claim_version AS version, creditor_no, defaulter_no, amount_minor
FROM clearing_set_off WHERE cycle = $1 ORDER BY claim_cycle, claim_version, creditor_no
"""


class SetOff(msgspec.Struct, frozen=True):
    """What of a claim is paid by what the defaulter would have received.

    `cycle` and `version` name the default in which the creditor came by the claim.
    """

    cycle: UUID
    version: int
    creditor_no: int
    defaulter_no: int
    amount_minor: int


async def due(
    connection: Connection,
    known: Catalogue,
    currency: str,
    positions: Mapping[int, int],
    at: datetime,
) -> tuple[SetOff, ...]:
    """Return what of open claims these positions of a cycle pay, by who is in default at `at`."""
    since = _in_default(known, at)
    if not since:
        return ()
    rows = await connection.fetch(_OPEN, currency, [*since], [*since.values()])
    return tuple(SetOff(*paid) for paid in set_off(positions, [OpenClaim(*row) for row in rows]))


def legs(positions: Mapping[int, int], paid: Sequence[SetOff]) -> tuple[Leg, ...]:
    """Return the legs of a cycle of these positions that pays these claims."""
    claims = [OpenClaim(*msgspec.structs.astuple(one)) for one in paid]
    return net(positions_after(positions, claims))


async def lock(connection: Connection, known: Catalogue, at: datetime) -> None:
    """Let no other cycle pay claims on partners in default until the transaction ends."""
    since = _in_default(known, at)
    if since:
        await connection.fetch(_LOCK, [*since])


async def book(
    connection: Connection, cycle: UUID, currency: str, paid: Sequence[SetOff], at: datetime
) -> None:
    """Write and book what a cycle pays of claims; the caller holds `lock`.

    The mirror of a default's booking: the defaulter is owed less, those who bore its loss more.
    """
    if not paid:
        return
    columns = zip(*(msgspec.structs.astuple(one) for one in paid), strict=True)
    await connection.execute(_WRITE, cycle, *columns)
    await money.post(
        connection,
        kind=MoneyKind.CLEARING,
        subject=f"cycle:{cycle}",
        entries=[side for one in paid for side in entries(one, currency)],
        at=at,
    )


def entries(paid: SetOff, currency: str) -> tuple[MoneyEntry, MoneyEntry]:
    """Return what a set-off books; what the operator bore as a creditor was its reserve's."""
    amount = Decimal(paid.amount_minor).scaleb(-exponent(currency))
    account = MoneyAccount.RESERVE if paid.creditor_no == OPERATOR else MoneyAccount.PARTNER
    return (
        MoneyEntry(MoneyAccount.PARTNER, paid.defaulter_no, currency, amount),
        MoneyEntry(account, paid.creditor_no, currency, -amount),
    )


async def of_cycle(connection: Connection, cycle: UUID) -> tuple[SetOff, ...]:
    """Return what a cycle paid of claims."""
    rows = await connection.fetch(_OF_CYCLE, cycle)
    return tuple(msgspec.convert(dict(row), SetOff) for row in rows)


def _in_default(known: Catalogue, at: datetime) -> dict[int, datetime]:
    """Return the partners in default at `at`, and when the default before ended for each."""
    found: dict[int, datetime] = {}
    for no in sorted({one.partner_no for one in known.defaults}):
        if known.default_at(no, at) is not None:
            ends = [
                one.begins_at
                for one in known.defaults
                if one.partner_no == no and one.on_default is None and one.begins_at <= at
            ]
            found[no] = max(ends, default=_EVER)
    return found
