"""The rows of seats, and what they entitle to: what the payer is entitled to, while they are held.

A seat entitles while the payer's plan has so many: when it changes to a plan with fewer, the last
ones rest. What is shared is not shared on.
"""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

import msgspec

from billing.benefits import entitlement_rows
from billing.benefits.entitlements import Entitlement, Ground, Pool
from billing.plans.catalogue import Plans
from billing.subscriptions.states import Given
from coalition.kernel.database import Connection
from coalition.kernel.ids import MemberId, bucket_of


class Seat(msgspec.Struct, frozen=True, kw_only=True):
    """A seat of the membership `paid_by`, held by a member from `begins` until before `ends`."""

    paid_by: UUID
    id: UUID
    no: int
    payer: MemberId
    member_id: MemberId
    membership_id: UUID
    begins: datetime
    ends: datetime | None = None
    why: str | None = None


_FIELDS = Seat.__struct_fields__
_COLUMNS = ", ".join(_FIELDS)
_SELECT = f"SELECT {_COLUMNS} FROM membership_seat "  # noqa: S608 - names of our own
_PAID_BY = _SELECT + "WHERE bucket = $1 AND paid_by = $2 ORDER BY begins, id"
_OF_MEMBERSHIP = _SELECT + "WHERE membership_id = $1 ORDER BY begins, id"
_HELD_BY = _SELECT + "WHERE member_id = $1 AND ends IS NULL ORDER BY begins, id"
_PAID_BY_MEMBER = _SELECT + "WHERE bucket = $1 AND payer = $2 AND ends IS NULL ORDER BY begins, id"
_SOME = _SELECT + "WHERE ends IS NULL AND id > $1 ORDER BY id LIMIT $2"
_ADD = (
    f"INSERT INTO membership_seat (bucket, {_COLUMNS}) VALUES ($1, "  # noqa: S608 - our own names
    + ", ".join(f"${no}" for no in range(2, len(_FIELDS) + 2))
    + ")"
)
_END = """
UPDATE membership_seat SET ends = greatest($4, begins), why = $5
WHERE bucket = $1 AND paid_by = $2 AND id = $3 AND ends IS NULL RETURNING true
"""


async def add(connection: Connection, seat: Seat) -> None:
    """Store a seat that is held from now on."""
    values = [getattr(seat, name) for name in _FIELDS]
    await connection.execute(_ADD, bucket_of(seat.paid_by), *values)


async def end(connection: Connection, seat: Seat, *, why: str, at: datetime) -> bool:
    """Let a seat end; return False for one that has ended before."""
    place = bucket_of(seat.paid_by), seat.paid_by, seat.id
    return bool(await connection.fetchval(_END, *place, at, why))


async def paid_by(connection: Connection, membership_id: UUID) -> list[Seat]:
    """Return all seats that a membership ever paid for."""
    return _seats(await connection.fetch(_PAID_BY, bucket_of(membership_id), membership_id))


async def held_by(connection: Connection, member: MemberId) -> list[Seat]:
    """Return the seats that a member holds now: one at most, but for what is being changed."""
    return _seats(await connection.fetch(_HELD_BY, member))


async def paid_by_member(connection: Connection, member: MemberId) -> list[Seat]:
    """Return the seats that are held now and paid by a member."""
    return _seats(await connection.fetch(_PAID_BY_MEMBER, bucket_of(member), member))


async def some(connection: Connection, after: UUID, most: int) -> list[Seat]:
    """Return seats that are held now, the next ones after `after`."""
    return _seats(await connection.fetch(_SOME, after, most))


async def given(connection: Connection, membership_id: UUID, plans: Plans) -> list[Given]:
    """Return what a membership has by its seats, as its entitlements need it."""
    found: list[Given] = []
    for seat in _seats(await connection.fetch(_OF_MEMBERSHIP, membership_id)):
        held = await entitlement_rows.read(connection, seat.payer)
        payers = [one.entitlement for one in held if one.membership_id == seat.paid_by]
        found += _shared(seat, payers, plans)
    return found


def _shared(seat: Seat, payers: Iterable[Entitlement], plans: Plans) -> Iterable[Given]:
    for one in payers:
        document = plans.plan(one.plan_no).document
        begins = max(one.begins, seat.begins)
        ends = one.ends if seat.ends is None else min(one.ends, seat.ends)
        if one.ground is not Ground.SHARED and seat.no <= document.seats and begins < ends:
            yield Given(
                ground=Ground.SHARED,
                plan_no=one.plan_no,
                rank=document.rank,
                begins=begins,
                ends=ends,
                source=f"seat:{seat.id}",
                taken_back=one.taken_back and ends == one.ends,
                pool=Pool(seat.payer, seat.paid_by),
            )


def _seats(rows: Iterable[object]) -> list[Seat]:
    return [msgspec.convert(dict(row), Seat) for row in rows]  # type: ignore[call-overload]  # a record is a mapping
