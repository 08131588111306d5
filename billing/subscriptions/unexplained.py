"""What is at Stripe or here and belongs to nothing on the other side, however often one looks.

It is kept by name, counted once, and waits for staff, who set it aside with a reason. A whole
reconciliation that finds it no more closes it.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec

from billing.subscriptions.refusals import NothingUnexplained
from coalition.kernel.database import Connection
from coalition.oversight import audit_log

SET_ASIDE = "membership.unexplained_set_aside"


class Kind(StrEnum):
    """What nothing on the other side explains."""

    FOREIGN = "foreign"
    """A subscription at Stripe that is nobody's here, such as one of another shop's."""
    GONE = "gone"
    """A subscription that we know, or were told of, and Stripe does not know."""
    PRICE = "price"
    """A member's subscription to a price that is none of ours; it gives nothing."""
    INVOICE = "invoice"
    """A paid invoice of a customer of ours that is for no subscription."""
    PAYMENT = "payment"
    """A payment of a customer of ours for nothing that we sold, or of another amount."""
    ENTRY = "entry"
    """Money in our books that Stripe does not have."""
    CUSTOMER = "customer"
    """A customer that is a member's here and is not so at Stripe, or is not there at all."""


class Unexplained(msgspec.Struct, frozen=True, kw_only=True):
    """One such thing, by Stripe's id; `told` says in words what is wrong."""

    id: str
    kind: Kind
    told: str
    customer_id: str | None = None
    member_id: str | None = None


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One as staff see it."""

    id: str
    kind: Kind
    told: str
    customer_id: str | None
    member_id: UUID | None
    found_at: datetime
    seen_at: datetime
    explained_at: datetime | None
    set_aside_at: datetime | None
    set_aside_by: str | None
    reason: str | None


_COLUMNS = ", ".join(Row.__struct_fields__)
_KEEP = """
INSERT INTO membership_unexplained AS kept
    (id, kind, told, customer_id, member_id, found_at, seen_at)
SELECT id, kind, told, customer_id, member_id, $6, $6
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::uuid[])
    AS found (id, kind, told, customer_id, member_id)
ORDER BY id, kind
ON CONFLICT (id, kind) DO UPDATE
SET told = excluded.told, customer_id = excluded.customer_id, member_id = excluded.member_id,
    seen_at = greatest(kept.seen_at, excluded.seen_at), explained_at = NULL,
    found_at = CASE WHEN kept.explained_at IS NULL THEN kept.found_at ELSE excluded.found_at END,
    set_aside_at = CASE WHEN kept.explained_at IS NULL THEN kept.set_aside_at END,
    set_aside_by = CASE WHEN kept.explained_at IS NULL THEN kept.set_aside_by END,
    reason = CASE WHEN kept.explained_at IS NULL THEN kept.reason END
"""
_CLOSE = """
UPDATE membership_unexplained SET explained_at = $1 WHERE explained_at IS NULL AND seen_at < $1
"""
_WAITS = "explained_at IS NULL AND set_aside_at IS NULL"
_COUNT = f"SELECT count(*) FROM membership_unexplained WHERE {_WAITS}"  # noqa: S608 - of our own
_ASIDE = """
SELECT id, kind FROM membership_unexplained
WHERE id = ANY ($1) AND explained_at IS NULL AND set_aside_at IS NOT NULL
"""
_LIST = (
    f"SELECT {_COLUMNS} FROM membership_unexplained "  # noqa: S608 - names of our own
    f"WHERE $1 OR ({_WAITS}) ORDER BY found_at DESC, id, kind LIMIT $2"
)
_SET_ASIDE = f"""
UPDATE membership_unexplained SET set_aside_at = $4, set_aside_by = $3, reason = $5
WHERE {_WAITS} AND (id = ANY ($1) OR kind = $2)
RETURNING {_COLUMNS}
"""  # noqa: S608 - names of our own


async def keep(connection: Connection, found: Iterable[Unexplained], at: datetime) -> None:
    """Keep what was found at `at`; what is kept already stays one, and set aside if it was."""
    rows = {(one.id, one.kind): one for one in found}.values()
    if not rows:
        return
    columns = zip(*(_written(one) for one in rows), strict=True)
    await connection.execute(_KEEP, *(list(column) for column in columns), at)


async def close(connection: Connection, at: datetime) -> None:
    """Close what the whole reconciliation of `at` has not found any more."""
    await connection.execute(_CLOSE, at)


async def count(connection: Connection) -> int:
    """Return how many wait for staff."""
    return int(await connection.fetchval(_COUNT))


async def without_set_aside(
    connection: Connection, found: Sequence[Unexplained]
) -> list[Unexplained]:
    """Return those of `found` that staff have not set aside."""
    rows = await connection.fetch(_ASIDE, [one.id for one in found])
    aside = {(row["id"], row["kind"]) for row in rows}
    return [one for one in found if (one.id, one.kind) not in aside]


async def listed(connection: Connection, *, with_closed: bool, most: int) -> list[Row]:
    """Return what waits for staff, the latest first, or with all that waits no more."""
    rows = await connection.fetch(_LIST, with_closed, most)
    return [msgspec.convert(dict(row), Row) for row in rows]


async def set_aside(
    connection: Connection,
    ids: Sequence[str],
    *,
    kind: Kind | None = None,
    by: str,
    reason: str,
    at: datetime,
) -> list[Row]:
    """Set aside what waits under `ids`, or all of a `kind`, and write that into the audit log.

    Raises `NothingUnexplained` when nothing of it waits.
    """
    wanted = None if kind is None else kind.value
    rows = await connection.fetch(_SET_ASIDE, list(ids), wanted, by, at, reason)
    if not rows:
        raise NothingUnexplained(ids=list(ids))
    done = sorted((msgspec.convert(dict(row), Row) for row in rows), key=lambda one: one.id)
    for one in done:
        await audit_log.record(
            connection,
            actor=by,
            action=SET_ASIDE,
            subject=f"stripe:{one.id}",
            facts={"kind": one.kind, "told": one.told, "reason": reason},
            at=at,
        )
    return done


def _written(one: Unexplained) -> tuple[object, ...]:
    member = None if one.member_id is None else UUID(one.member_id)
    return one.id, one.kind.value, one.told, one.customer_id, member
