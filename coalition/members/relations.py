"""Which partner knows which member: made by enrolment and postings, needed to read who it is."""

from collections.abc import Iterable
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from coalition.kernel.database import Connection, bound_engine
from coalition.kernel.database.later import Later
from coalition.kernel.ids import MemberId, bucket_of

if TYPE_CHECKING:
    from piccolo.engine.postgres import PostgresTransaction

Pair = tuple[MemberId, int]

REMEMBERED_PAIRS = 156_000
"""Some 12 MB at most; with a few more in each half its set would take twice the room."""

_ADD = """
INSERT INTO partner_member (bucket, member_id, partner_no, since)
SELECT bucket, member_id, partner_no, $4
FROM unnest($1::int2[], $2::uuid[], $3::int4[]) AS wanted (bucket, member_id, partner_no)
ORDER BY bucket, member_id, partner_no
ON CONFLICT (bucket, member_id, partner_no) DO NOTHING
"""
_ADD_AND_TELL = f"{_ADD}RETURNING member_id, partner_no"

_EXISTS = """
SELECT EXISTS (SELECT FROM partner_member
               WHERE bucket = $1 AND member_id = $2 AND partner_no = $3)
"""


_GIVE_UP = """
DELETE FROM partner_member WHERE bucket = $1 AND member_id = $2 RETURNING partner_no, since
"""

_TAKE_OVER = """
INSERT INTO partner_member AS kept (bucket, member_id, partner_no, since)
SELECT $1, $2, partner_no, since
FROM unnest($3::int4[], $4::timestamptz[]) AS taken (partner_no, since)
ORDER BY partner_no
ON CONFLICT (bucket, member_id, partner_no) DO UPDATE SET since = least(kept.since, excluded.since)
"""


class PairMemory:
    """Remembers about the last `most` pairs it was given; the older half is forgotten at once.

    A pair is kept as one number, a third as large as its tuple and id.
    """

    def __init__(self, most: int) -> None:
        """Remember nothing yet."""
        self._half = most // 2
        self._recent: set[int] = set()
        self._older: set[int] = set()

    def __contains__(self, pair: Pair) -> bool:
        number = _number(pair)
        return number in self._recent or number in self._older

    def __len__(self) -> int:
        return len(self._recent) + len(self._older)

    def without_known(self, pairs: Iterable[Pair]) -> set[Pair]:
        """Return those of `pairs` that are not remembered."""
        recent, older = self._recent, self._older
        return {
            pair
            for pair in pairs
            if (number := pair[0].int << 32 | pair[1]) not in recent and number not in older
        }

    def add(self, pair: Pair) -> None:
        """Remember `pair`."""
        if len(self._recent) >= self._half:
            self._older, self._recent = self._recent, set()
        self._recent.add(_number(pair))

    def clear(self) -> None:
        """Forget everything."""
        self._recent, self._older = set(), set()


def _number(pair: Pair) -> int:
    return pair[0].int << 32 | pair[1]


_known = PairMemory(REMEMBERED_PAIRS)

# What each open transaction has added itself. It may still be rolled back, so it is not yet known.
_added_by: "WeakKeyDictionary[PostgresTransaction, set[Pair]]" = WeakKeyDictionary()


async def ensure(by: Connection | Later, pairs: Iterable[Pair], at: datetime) -> None:
    """See to it that each pair of member and partner number is related, at the latest from `at`.

    Inside the caller's transaction, for members that exist (call it for postings that were
    accepted). A pair becomes known to this process, and then costs nothing, when the database has
    it from another transaction: that one has committed, while our own may still be rolled back.
    `Later` tells when it has not. Relations end only with their member, which is final, so what is
    known stays true.
    """
    unknown = _known.without_known(pairs)
    if not unknown:
        return
    rows = sorted((bucket_of(member), member.bytes, partner, member) for member, partner in unknown)
    columns = [row[0] for row in rows], [row[3] for row in rows], [row[2] for row in rows]
    if isinstance(by, Later):
        await by.execute(_ADD, *columns, at)
        by.when_committed(partial(_remember, unknown))
        return
    found = await by.fetch(_ADD_AND_TELL, *columns, at)
    current = bound_engine().current_transaction.get()
    if current is None or current.connection is not by:
        return  # nothing tells when the transaction of such a connection ends
    added = _added_by.setdefault(current, set())
    added.update((MemberId(row[0]), row[1]) for row in found)
    _remember(unknown - added)


def _remember(pairs: Iterable[Pair]) -> None:
    for pair in pairs:
        _known.add(pair)


async def take_over(connection: Connection, *, from_id: MemberId, into_id: MemberId) -> None:
    """Let whoever knows `from_id` know `into_id`, since the earlier day; both are locked."""
    rows = await connection.fetch(_GIVE_UP, bucket_of(from_id), from_id)
    await connection.execute(
        _TAKE_OVER, bucket_of(into_id), into_id, [row[0] for row in rows], [row[1] for row in rows]
    )


async def exists(connection: Connection, member_id: MemberId, partner_no: int) -> bool:
    """Tell whether the partner knows the member."""
    return bool(await connection.fetchval(_EXISTS, bucket_of(member_id), member_id, partner_no))


def forget() -> None:
    """Forget which relations are known; after a database was restored to an earlier time."""
    _known.clear()
