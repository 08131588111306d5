"""The rows of acts that wait for their fee, or did: one waits at a time of the same."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec

from coalition.families.kin.group_refusals import UnknownAct
from coalition.kernel.database import Connection
from coalition.kernel.ids import bucket_of

AT_ONCE = 1000
"""How many acts a run of the job lets expire in one transaction."""
LISTED_MOST = 100


class ActState(StrEnum):
    """Where an act stands that costs money."""

    AWAITING_PAYMENT = "awaiting_payment"
    DONE = "done"
    REFUSED = "refused"
    """Paid for, but no longer allowed; what was paid is to be given back."""
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


class ActRow(msgspec.Struct, frozen=True, kw_only=True):
    """An act as it is kept."""

    id: UUID
    group_id: UUID
    digest: bytes
    document: str
    sealed: bytes | None
    sealed_for: UUID | None
    asked_by: str
    asked_member: UUID | None
    payer: UUID
    fee_minor: int
    fee_currency: str
    state: ActState
    made_at: datetime
    expires_at: datetime
    paid_at: datetime | None = None
    ended_at: datetime | None = None
    refusal: str | None = None


_COLUMNS = ", ".join(ActRow.__struct_fields__)

_ADD = f"""
INSERT INTO group_act (bucket, {_COLUMNS})
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
ON CONFLICT (bucket, digest) WHERE state = 'awaiting_payment' DO NOTHING RETURNING id
"""  # noqa: S608 - our own columns

_SAME = f"""
SELECT {_COLUMNS} FROM group_act
WHERE bucket = $1 AND digest = $2 AND state = 'awaiting_payment'
"""  # noqa: S608 - our own columns

_READ = f"SELECT {_COLUMNS} FROM group_act WHERE bucket = $1 AND id = $2"  # noqa: S608 - our own columns

_OF_MEMBER = f"""
SELECT {_COLUMNS} FROM group_act WHERE payer = $1 OR asked_member = $1
ORDER BY made_at DESC, id DESC LIMIT $2
"""  # noqa: S608 - our own columns

# What is over needs neither what was wanted of whom, nor words about a person.
_END = """
UPDATE group_act SET state = $3, paid_at = $4, ended_at = $5, refusal = $6, sealed = NULL,
    sealed_for = NULL
WHERE bucket = $1 AND id = $2
"""

_END_OF_GROUP = """
UPDATE group_act SET state = 'withdrawn', ended_at = $3, sealed = NULL, sealed_for = NULL
WHERE bucket = $1 AND group_id = $2 AND state = 'awaiting_payment'
"""

_END_OF_MEMBER = """
UPDATE group_act SET state = 'withdrawn', ended_at = $2, sealed = NULL, sealed_for = NULL
WHERE (payer = $1 OR asked_member = $1) AND state = 'awaiting_payment'
"""

# In the order of the key, as every act that locks several.
_EXPIRE = """
UPDATE group_act SET state = 'expired', ended_at = $1, sealed = NULL, sealed_for = NULL
FROM (SELECT bucket, id FROM group_act
      WHERE state = 'awaiting_payment' AND expires_at <= $1
      ORDER BY bucket, id LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED) AS due
WHERE group_act.bucket = due.bucket AND group_act.id = due.id
"""


async def add(connection: Connection, row: ActRow) -> tuple[ActRow, bool]:
    """Store an act, unless the same waits already; return which waits, and whether it is new."""
    values = msgspec.structs.astuple(row)
    while True:
        if await connection.fetchval(_ADD, bucket_of(row.group_id), *values) is not None:
            return row, True
        same = await connection.fetchrow(_SAME, bucket_of(row.group_id), row.digest)
        if same is not None:
            return msgspec.convert(dict(same), ActRow), False


async def read(connection: Connection, act: UUID, *, is_to_be_locked: bool = False) -> ActRow:
    """Return an act, locked until the transaction ends if wanted. Raises `UnknownAct`."""
    lock = " FOR NO KEY UPDATE" if is_to_be_locked else ""
    row = await connection.fetchrow(_READ + lock, bucket_of(act), act)
    if row is None:
        raise UnknownAct
    return msgspec.convert(dict(row), ActRow)


async def of_member(connection: Connection, member: UUID) -> list[ActRow]:
    """Return the acts that a member asked for or pays, the latest first."""
    rows = await connection.fetch(_OF_MEMBER, member, LISTED_MOST)
    return [msgspec.convert(dict(row), ActRow) for row in rows]


async def end(connection: Connection, row: ActRow) -> None:
    """Store how an act is over, which is locked."""
    await connection.execute(
        _END, bucket_of(row.id), row.id, row.state, row.paid_at, row.ended_at, row.refusal
    )


async def end_of_group(connection: Connection, group: UUID, at: datetime) -> None:
    """Withdraw what waits in a group that closes."""
    await connection.execute(_END_OF_GROUP, bucket_of(group), group, at)


async def end_of_member(connection: Connection, member: UUID, at: datetime) -> None:
    """Withdraw what waits of somebody whose membership ends."""
    await connection.execute(_END_OF_MEMBER, member, at)


async def expire(connection: Connection, at: datetime) -> int:
    """Let some acts expire that nobody paid for in time; return how many."""
    return int((await connection.execute(_EXPIRE, at, AT_ONCE)).split()[-1])
