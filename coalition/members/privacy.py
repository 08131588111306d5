"""A person's right to a copy of what is kept, and to be forgotten.

Each package that keeps something about members is a `Keeper`; the server names them all. An export
is one JSON document, written piece by piece from one snapshot. An erasure is asked for once and
done in steps, each in a transaction of its own that also writes down that it is done: killed
anywhere, it goes on with the first step that is not.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

from coalition.kernel.database import Connection, retrying, transaction
from coalition.kernel.ids import MemberId, bucket_of
from coalition.kernel.jobs import JobKind, JobRequest, enqueue
from coalition.ledger import forfeits
from coalition.ledger.partitions import ensure_partition
from coalition.members import closing, queries
from coalition.members.locking import check_merged
from coalition.members.refusals import UnknownErasure, UnknownMember
from coalition.members.states import MemberState
from coalition.oversight import audit_log
from coalition.oversight.reasons import valid_reason

JOB = "members.erase"
SYSTEM = "system:privacy"
"""Who does, by the audit log, what a person was promised."""

SNAPSHOT = {"transaction_isolation": "repeatable read", "transaction_read_only": "on"}

Piece = tuple[str, object]
"""A name and what is kept under it: a value, or an asynchronous iterator of the rows of a list."""

Export = Callable[[Connection, MemberId, datetime], AsyncIterator[Piece]]
Erase = Callable[[Connection, MemberId, datetime], Awaitable[None]]


class Keeper(NamedTuple):
    """A package that keeps something about members; its name is kept in the database.

    `export` yields everything it keeps of one member at an instant. `erase` removes what names the
    person or tells of the person's habits, and gets the instant at which the person asked; run
    again it does nothing more. One that cannot be done yet raises, and is tried again.
    """

    name: str
    export: Export
    erase: Erase
    prepare: Erase | None = None
    """What has to be done while the account is still open; it gets the present instant."""


class Erasure(msgspec.Struct, frozen=True, kw_only=True):
    """An erasure that was asked for, and how far it is."""

    member_id: MemberId
    reason: str
    asked_by: str
    asked_at: datetime
    finished_at: datetime | None
    steps: list[str]


class EraseJob(msgspec.Struct, frozen=True):
    """The payload of the job that does an erasure."""

    member_id: MemberId


_ASK = """
INSERT INTO erasure (bucket, member_id, reason, asked_by, asked_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (bucket, member_id) DO NOTHING
"""

_LOCK = """
SELECT asked_at, finished_at FROM erasure WHERE bucket = $1 AND member_id = $2 FOR UPDATE
"""

_READ = """
SELECT member_id, reason, asked_by, asked_at, finished_at,
       (SELECT coalesce(array_agg(step ORDER BY done_at, step), '{}') FROM erasure_step
        WHERE erasure_step.bucket = erasure.bucket
            AND erasure_step.member_id = erasure.member_id) AS steps
FROM erasure WHERE bucket = $1 AND member_id = $2
"""

_LIST = """
SELECT * FROM (
    SELECT member_id, reason, asked_by, asked_at, finished_at,
           (SELECT coalesce(array_agg(step ORDER BY done_at, step), '{}') FROM erasure_step
            WHERE erasure_step.bucket = erasure.bucket
                AND erasure_step.member_id = erasure.member_id) AS steps
    FROM erasure ORDER BY asked_at DESC, member_id DESC LIMIT $1) AS latest
ORDER BY asked_at, member_id
"""

_UNFINISHED = """
SELECT count(*) AS number, min(asked_at) AS oldest FROM erasure WHERE finished_at IS NULL
"""

_IS_DONE = """
SELECT EXISTS (SELECT FROM erasure_step WHERE bucket = $1 AND member_id = $2 AND step = $3)
"""

_DONE = "INSERT INTO erasure_step (bucket, member_id, step, done_at) VALUES ($1, $2, $3, $4)"

_FINISH = "UPDATE erasure SET finished_at = $3 WHERE bucket = $1 AND member_id = $2"

_JSON = msgspec.json.Encoder(enc_hook=str)


async def export(
    member_id: MemberId, keepers: Sequence[Keeper], *, at: datetime
) -> AsyncGenerator[bytes]:
    """Yield one JSON document of everything that `keepers` keep of a member, as of one instant.

    Who was merged into the member is in it, each under an own id. Raises `UnknownMember`, and
    `HolderMerged` for one who was merged, before the first piece. Whoever does not take it to the
    end closes it (`contextlib.aclosing`).
    """
    async with transaction(SNAPSHOT) as connection:
        await _check_exportable(connection, member_id)
        yield b'{"exported_at": ' + _JSON.encode(at)
        async for piece in _account(connection, member_id, keepers, at):
            yield piece
        yield b',\n"merged_members": ['
        before = b"\n"
        for merged in await queries.merged_into(connection, member_id):
            yield before + b'{"merged_into": ' + _JSON.encode(member_id)
            async for piece in _account(connection, merged, keepers, at):
                yield piece
            yield b"}"
            before = b",\n"
        yield b"]}\n"


async def note_export(member_id: MemberId, *, actor: str, at: datetime) -> None:
    """Write into the audit log who takes a copy of what is kept of a member.

    Raises `UnknownMember` and `HolderMerged`.
    """
    async with transaction() as connection:
        await _check_exportable(connection, member_id)
        await _record(connection, "member.exported", member_id, actor=actor, at=at)


async def _check_exportable(connection: Connection, member_id: MemberId) -> None:
    standing = await queries.read_standing(connection, member_id)
    if standing is None:
        raise UnknownMember
    check_merged(standing)


async def _account(
    connection: Connection, member_id: MemberId, keepers: Sequence[Keeper], at: datetime
) -> AsyncIterator[bytes]:
    yield b', "member_id": ' + _JSON.encode(member_id)
    for keeper in keepers:
        async for name, value in keeper.export(connection, member_id, at):
            yield b",\n" + _JSON.encode(name) + b": "
            if isinstance(value, AsyncIterator):
                async for row in _list(value):
                    yield row
            else:
                yield _JSON.encode(value)


async def _list(rows: AsyncIterator[object]) -> AsyncIterator[bytes]:
    before = b"[\n"
    async for row in rows:
        yield before + _JSON.encode(row)
        before = b",\n"
    yield b"]" if before == b",\n" else b"[]"


async def ask(member_id: MemberId, *, reason: str, actor: str, at: datetime) -> Erasure:
    """Write down that a member wishes to be forgotten, and have a worker see to it.

    `reason` says how the wish was heard and names nobody. Asked again, the first time counts.
    Raises `ReasonNeeded`, `UnknownMember`, `HolderMerged`, and `HolderHasHolds` while points are
    held for a purchase.
    """
    why = valid_reason(reason)
    await ensure_partition(at)
    async with transaction() as connection:
        standing = (await queries.lock_members(connection, [member_id])).get(member_id)
        if standing is None:
            raise UnknownMember
        check_merged(standing)
        today = await closing.day(connection, at)
        await forfeits.remains(connection, member_id, at=at, today=today)
        done = await connection.execute(_ASK, bucket_of(member_id), member_id, why, actor, at)
        await enqueue(connection, [_request(member_id)])
        if done == "INSERT 0 1":
            await _record(connection, "member.erasure_asked", member_id, actor=actor, at=at)
    return await show(member_id)


async def show(member_id: MemberId) -> Erasure:
    """Return how far the erasure of a member is. Raises `UnknownErasure`."""
    async with transaction() as connection:
        row = await connection.fetchrow(_READ, bucket_of(member_id), member_id)
    if row is None:
        raise UnknownErasure
    return msgspec.convert(dict(row), Erasure)


async def list_latest(limit: int = 1000) -> list[Erasure]:
    """Return at most `limit` erasures, those that were asked for last, the oldest of them first."""
    async with transaction() as connection:
        rows = await connection.fetch(_LIST, limit)
    return [msgspec.convert(dict(row), Erasure) for row in rows]


async def unfinished(connection: Connection) -> tuple[int, datetime | None]:
    """Return how many erasures are not done, and when the oldest of them was asked for."""
    number, oldest = await connection.fetchrow(_UNFINISHED)
    return number, oldest


async def erase(member_id: MemberId, keepers: Sequence[Keeper], *, at: datetime) -> None:
    """Do what is not yet done of an erasure; two who do it at once wait for each other.

    The account is closed and its points forfeited, then each of `keepers` removes what is its own:
    the members' own, with the key to the person's data, first. Raises `UnknownErasure`, and what a
    step cannot do yet; then the steps before it stay done.
    """
    await ensure_partition(at)

    async def end_account(connection: Connection, one: MemberId, asked_at: datetime) -> None:
        del asked_at
        await _end_account(connection, one, at)

    async def clear_up(connection: Connection, one: MemberId, asked_at: datetime) -> None:
        """Do it for what a purchase that was under way has brought meanwhile."""
        del asked_at
        await _forfeit(connection, one, at)
        await queries.forget(connection, one)

    def now(work: Erase) -> Erase:
        async def prepare(connection: Connection, one: MemberId, asked_at: datetime) -> None:
            del asked_at
            await work(connection, one, at)

        return prepare

    steps: list[tuple[str, Erase]] = [
        *((f"before {one.name}", now(one.prepare)) for one in keepers if one.prepare),
        ("account", end_account),
        *((keeper.name, keeper.erase) for keeper in keepers),
        ("leftovers", clear_up),
    ]
    for name, work in steps:

        async def attempt(name: str = name, work: Erase = work) -> None:
            await _do(name, work, member_id, at)

        await retrying(attempt)
    await retrying(lambda: _finish(member_id, at))


def job_kind(keepers: Sequence[Keeper]) -> JobKind[EraseJob]:
    """Return the kind of job by which a worker does erasures."""

    async def handle(job: EraseJob, at: datetime) -> None:
        await erase(job.member_id, keepers, at=at)

    return JobKind(name=JOB, handle=handle, payload=EraseJob, attempts=1000)


async def _do(name: str, work: Erase, member_id: MemberId, at: datetime) -> None:
    """Do one step, for the member and all who were merged into it, unless it is done."""
    key = (bucket_of(member_id), member_id)
    async with transaction() as connection:
        asked = await connection.fetchrow(_LOCK, *key)
        if asked is None:
            raise UnknownErasure
        if await connection.fetchval(_IS_DONE, *key, name):
            return
        for one in (member_id, *await queries.merged_into(connection, member_id)):
            await work(connection, one, asked["asked_at"])
        await connection.execute(_DONE, *key, name, at)


async def _finish(member_id: MemberId, at: datetime) -> None:
    key = (bucket_of(member_id), member_id)
    async with transaction() as connection:
        asked = await connection.fetchrow(_LOCK, *key)
        if asked is not None and asked["finished_at"] is None:
            await connection.execute(_FINISH, *key, at)
            await _record(connection, "member.erased", member_id, actor=SYSTEM, at=at)


async def _end_account(connection: Connection, member_id: MemberId, at: datetime) -> None:
    standing = (await queries.lock_members(connection, [member_id]))[member_id]
    if standing.state is not MemberState.CLOSED:
        await _forfeit(connection, member_id, at)
        await closing.end(connection, member_id, actor=SYSTEM, at=at)


async def _forfeit(connection: Connection, member_id: MemberId, at: datetime) -> None:
    today = await closing.day(connection, at)
    await forfeits.forfeit(connection, member_id, at=at, today=today, actor=SYSTEM)


def _request(member_id: MemberId) -> JobRequest:
    return JobRequest(JOB, EraseJob(member_id), dedupe_key=f"erase:{member_id}")


async def _record(
    connection: Connection, action: str, member_id: MemberId, *, actor: str, at: datetime
) -> None:
    subject = f"member:{member_id}"
    await audit_log.record(connection, actor=actor, action=action, subject=subject, facts={}, at=at)
