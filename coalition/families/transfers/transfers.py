"""The rows of transfers: written many at once, read under a lock, each step kept as a fact."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

import msgspec

from coalition.families.rule_sets.vocabulary import Approver, Channel, TransferState
from coalition.kernel.database import Connection
from coalition.kernel.ids import MemberId, bucket_of

_COLUMNS = (
    "id, sender, receiver, requested_by, group_id, rule_set_no, rule_version, currency_no, points,"
    " fee_points, fee_minor, fee_currency, fee_paid_at, purpose, channel, device, state,"
    " requested_at, day, expires_at, hold_hours, held_until, undo_hours, undo_until, hold, posting,"
    " fee_posting, undone_by"
)

_ADD = f"""
INSERT INTO transfer (bucket, {_COLUMNS})
SELECT * FROM unnest($1::int2[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::uuid[],
    $7::int4[], $8::int4[], $9::int2[], $10::int4[], $11::int4[], $12::int8[], $13::text[],
    $14::timestamptz[], $15::text[], $16::text[], $17::bytea[], $18::text[], $19::timestamptz[],
    $20::date[], $21::timestamptz[], $22::int4[], $23::timestamptz[], $24::int4[],
    $25::timestamptz[], $26::uuid[], $27::uuid[], $28::uuid[], $29::uuid[])
"""  # noqa: S608 - our own columns

_ADD_EVENTS = """
INSERT INTO transfer_event (bucket, transfer, no, state, at, actor, reason)
SELECT * FROM unnest($1::int2[], $2::uuid[], $3::int4[], $4::text[], $5::timestamptz[], $6::text[],
                     $7::text[])
"""

_NEXT_EVENT = """
INSERT INTO transfer_event (bucket, transfer, no, state, at, actor, reason)
SELECT $1, $2, coalesce(max(no), 0) + 1, $3, $4, $5, $6
FROM transfer_event WHERE bucket = $1 AND transfer = $2
"""

_ADD_APPROVALS = """
INSERT INTO transfer_approval (bucket, transfer, approver, member_id)
SELECT * FROM unnest($1::int2[], $2::uuid[], $3::text[], $4::uuid[])
"""

_READ = f"SELECT {_COLUMNS} FROM transfer WHERE bucket = $1 AND id = $2"  # noqa: S608 - our own columns
_LOCK = "SELECT FROM transfer WHERE bucket = $1 AND id = $2 FOR NO KEY UPDATE"

_APPROVALS = """
SELECT approver, member_id, given_at, given_by FROM transfer_approval
WHERE bucket = $1 AND transfer = $2 ORDER BY approver
"""

_GIVE = """
UPDATE transfer_approval SET given_at = $4, given_by = $5
WHERE bucket = $1 AND transfer = $2 AND approver = $3 AND given_at IS NULL
"""

_MOVE_ON = """
UPDATE transfer SET state = $3, expires_at = $4, held_until = $5, undo_until = $6, hold = $7,
    posting = $8, fee_posting = $9, undone_by = $10, fee_paid_at = $11
WHERE bucket = $1 AND id = $2
"""

_DUE = """
SELECT id FROM transfer
WHERE state IN ('requested', 'awaiting_payment', 'held') AND least(expires_at, held_until) <= $1
ORDER BY least(expires_at, held_until) LIMIT $2
"""

_OF_MEMBER = f"""
SELECT {_COLUMNS} FROM transfer
WHERE id < $3 AND (bucket = $1 AND sender = $2 OR receiver = $2)
ORDER BY id DESC LIMIT $4
"""  # noqa: S608 - our own columns

_WAITING_OF = """
SELECT id FROM transfer
WHERE (bucket = $1 AND sender = $2 OR receiver = $2)
  AND state IN ('requested', 'awaiting_payment', 'held')
ORDER BY id
"""

_EVENTS = """
SELECT state, at, actor, reason FROM transfer_event
WHERE bucket = $1 AND transfer = $2 ORDER BY no
"""

_SEE_DEVICES = """
INSERT INTO known_device (bucket, member_id, device, first_seen_at)
SELECT bucket, member_id, device, $4
FROM unnest($1::int2[], $2::uuid[], $3::bytea[]) AS seen (bucket, member_id, device)
ON CONFLICT DO NOTHING
"""

_KNOWN_DEVICES = """
SELECT member_id, device
FROM unnest($1::int2[], $2::uuid[], $3::bytea[]) AS wanted (bucket, member_id, device)
WHERE EXISTS (
    SELECT FROM known_device
    WHERE known_device.bucket = wanted.bucket AND known_device.member_id = wanted.member_id
      AND known_device.device = wanted.device)
"""


class Transfer(msgspec.Struct, frozen=True, kw_only=True):
    """A transfer as it stands; of those that wait, `hold` reserves its points at the sender."""

    id: UUID
    sender: MemberId
    receiver: MemberId
    requested_by: str
    group_id: UUID | None = None
    rule_set_no: int
    rule_version: int
    currency_no: int
    points: int
    fee_points: int = 0
    fee_minor: int = 0
    fee_currency: str | None = None
    fee_paid_at: datetime | None = None
    purpose: str | None = None
    channel: Channel
    device: bytes | None = None
    state: TransferState
    requested_at: datetime
    day: date
    """The local day of the rule set under which its usage is counted."""
    expires_at: datetime | None = None
    """When a request that waits for approvals or for its fee is given up."""
    hold_hours: int = 0
    held_until: datetime | None = None
    undo_hours: int = 0
    undo_until: datetime | None = None
    hold: UUID | None = None
    posting: UUID | None = None
    """The half that left the sender."""
    fee_posting: UUID | None = None
    undone_by: UUID | None = None


class Step(NamedTuple):
    """That a transfer came into a state: when, by whom, and why if somebody said."""

    state: str
    at: datetime
    actor: str
    reason: str | None


class Word(NamedTuple):
    """An approval that a transfer needs, and who gave it when."""

    approver: Approver
    member: MemberId | None
    """Whose word it is; None is any of the staff."""
    given_at: datetime | None
    given_by: str | None


async def add(
    connection: Connection,
    made: Sequence[Transfer],
    steps: Sequence[tuple[UUID, Sequence[Step]]],
    approvals: Sequence[tuple[UUID, Approver, MemberId | None]],
) -> None:
    """Write new transfers with what they have been through and whose word they need."""
    if not made:
        return
    rows = [(bucket_of(one.id), *msgspec.structs.astuple(one)) for one in made]
    await connection.execute(_ADD, *zip(*rows, strict=True))
    events = [
        (bucket_of(transfer), transfer, no, *step)
        for transfer, taken in steps
        for no, step in enumerate(taken, 1)
    ]
    await connection.execute(_ADD_EVENTS, *zip(*events, strict=True))
    if approvals:
        words = [(bucket_of(one[0]), *one) for one in approvals]
        await connection.execute(_ADD_APPROVALS, *zip(*words, strict=True))


async def read(connection: Connection, transfer: UUID) -> Transfer | None:
    """Return a transfer as it stands."""
    row = await connection.fetchrow(_READ, bucket_of(transfer), transfer)
    return None if row is None else msgspec.convert(dict(row), Transfer)


async def lock(connection: Connection, transfer: UUID) -> Transfer | None:
    """Return a transfer, locked until the transaction ends; its holders are locked before it."""
    await connection.execute(_LOCK, bucket_of(transfer), transfer)
    return await read(connection, transfer)


async def approvals(connection: Connection, transfer: UUID) -> list[Word]:
    """Return the approvals that a transfer needs, given or not."""
    rows = await connection.fetch(_APPROVALS, bucket_of(transfer), transfer)
    return [Word(Approver(row[0]), *row[1:]) for row in rows]


async def give(
    connection: Connection, transfer: UUID, approver: Approver, *, by: str, at: datetime
) -> None:
    """Note an approval; the transfer is locked."""
    await connection.execute(_GIVE, bucket_of(transfer), transfer, approver, at, by)


async def move_on(connection: Connection, one: Transfer, step: Step) -> None:
    """Let a transfer, which is locked, stand as `one` says, and keep the step as a fact."""
    bucket = bucket_of(one.id)
    await connection.execute(
        _MOVE_ON, bucket, one.id, one.state, one.expires_at, one.held_until, one.undo_until,
        one.hold, one.posting, one.fee_posting, one.undone_by, one.fee_paid_at,
    )  # fmt: skip
    await connection.execute(_NEXT_EVENT, bucket, one.id, *step)


async def due(connection: Connection, at: datetime, limit: int) -> list[UUID]:
    """Return transfers whose wait has ended by `at`: held ones, and those nobody agreed to."""
    return [row[0] for row in await connection.fetch(_DUE, at, limit)]


async def waiting_of(connection: Connection, member: UUID) -> list[UUID]:
    """Return the transfers that a member sends or is to have and that have not moved yet."""
    rows = await connection.fetch(_WAITING_OF, bucket_of(member), member)
    return [row[0] for row in rows]


async def of_member(
    connection: Connection, member: MemberId, *, before: UUID, limit: int
) -> list[Transfer]:
    """Return what a member sent and received, the latest first."""
    rows = await connection.fetch(_OF_MEMBER, bucket_of(member), member, before, limit)
    return [msgspec.convert(dict(row), Transfer) for row in rows]


async def steps(connection: Connection, transfer: UUID) -> list[Step]:
    """Return what a transfer has been through, the first step first."""
    return [Step(*row) for row in await connection.fetch(_EVENTS, bucket_of(transfer), transfer)]


async def see_devices(
    connection: Connection, seen: Sequence[tuple[MemberId, bytes]], at: datetime
) -> None:
    """Remember from which devices members have acted."""
    if seen:
        rows = sorted({(bucket_of(member), member, device) for member, device in seen})
        await connection.execute(_SEE_DEVICES, *zip(*rows, strict=True), at)


async def known_devices(
    connection: Connection, asked: Sequence[tuple[MemberId, bytes]]
) -> set[tuple[MemberId, bytes]]:
    """Return which pairs of member and device have acted before."""
    if not asked:
        return set()
    rows = [(bucket_of(member), member, device) for member, device in asked]
    found = await connection.fetch(_KNOWN_DEVICES, *zip(*rows, strict=True))
    return {(MemberId(row[0]), row[1]) for row in found}
