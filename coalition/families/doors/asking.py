"""How every door of families treats a member: who it is, whether it may write, each key once."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar
from uuid import UUID

from coalition.access import standing
from coalition.access.refusals import MemberFrozen, MembershipEnded
from coalition.families.groups import paying
from coalition.families.groups.groups import Groups
from coalition.families.groups.paying import Runs, WaitingAct
from coalition.families.kin.speaking import By
from coalition.families.transfers.judging import Book
from coalition.kernel import idempotency
from coalition.kernel.database import Connection, transaction
from coalition.kernel.errors import Forbidden, Refused
from coalition.kernel.idempotency import Claim, KeyReused
from coalition.kernel.idempotency.claims import RequestInProgress
from coalition.kernel.identity import MEMBER_SCOPE, Caller
from coalition.kernel.web.decoding import encode
from coalition.kernel.web.hot import REPLAYED, Answer, Call, HotEndpoint
from coalition.ledger.partitions import ensure_partition
from coalition.ledger.refusals import HolderMerged, HolderNotActive, UnknownHolder

Result = TypeVar("Result")
Owned = Callable[[Caller, Mapping[str, Any]], Awaitable[None]]  # Any: as of a path

OF_READS: tuple[type[Refused], ...] = (MembershipEnded, HolderMerged)
"""What any look may be refused for, beyond what its door says."""
OF_WRITES: tuple[type[Refused], ...] = (
    *OF_READS,
    *(KeyReused, RequestInProgress, MemberFrozen, HolderNotActive, UnknownHolder),
)
"""What any act may be refused for, likewise."""


WAITING = 202
"""The status of an act that waits for its fee."""


def member_of(caller: Caller) -> UUID:
    """Return the member who asks. A client is refused."""
    if caller.member_id is None:
        raise Forbidden("Only a member who has signed in may do this")
    return caller.member_id


def by_of(caller: Caller) -> By:
    """Return who acts: a member in its own name, or a client of the staff in its own."""
    return By(caller.member_id, caller.actor)


def claim_of(call: Call, address: str) -> Claim:
    """Return the claim that whoever calls lays on its key."""
    caller, key = call.caller, call.idempotency_key
    if caller.member_id is not None:
        return Claim.of_member(caller.member_id, key, address, call.body_digest)
    return Claim.of(caller.client_no, key, address, call.body_digest)


async def discreetly(call: Call, work: Awaitable[Result]) -> Result:
    """Await `work`; another who was merged is nobody to a member, who is not told into whom.

    Of itself a member hears it: it signs in again.
    """
    try:
        return await work
    except HolderMerged as refusal:
        if call.caller.member_id is None:
            raise
        async with transaction() as connection:
            await standing.check(connection, call.caller.member_id, writes=False)
        raise UnknownHolder from refusal


async def read(
    groups: Groups,
    call: Call,
    work: Callable[[Connection, Book], Awaitable[Result]],
    *,
    writes: bool = False,
) -> Result:
    """Return what a member may see; of staff nothing is asked but their scope.

    `writes` is for a look before an act, which is not for who may only look.
    """

    async def looked() -> Result:
        async with transaction() as connection:
            if call.caller.member_id is not None:
                await standing.check(connection, call.caller.member_id, writes=writes)
            return await work(connection, await groups.book(connection, call.at))

    return await discreetly(call, looked())


async def act(
    groups: Groups,
    call: Call,
    address: str,
    status: int,
    work: Callable[[Connection, Book], Awaitable[object]],
    *,
    waits: bool = True,
) -> Answer:
    """Do `work` with the claim of the call in one transaction, or give the first answer again.

    The answer is 202 where the act `waits` for its fee.
    """
    await ensure_partition(call.at)

    async def done(connection: Connection) -> idempotency.Answer:
        if call.caller.member_id is not None:
            await standing.check(connection, call.caller.member_id, writes=True)
        made = await groups.do(work, call.at)
        status_now = WAITING if waits and isinstance(made, WaitingAct) else status
        return idempotency.Answer(status_now, call.media.value, encode(made, call.media))

    once = idempotency.once(claim_of(call, address), call.at, done)
    return given(await discreetly(call, once))


def given(known: idempotency.Answer) -> Answer:
    """Return what was answered under a claim, now or before."""
    headers = (REPLAYED,) if known.replayed else ()
    return Answer(known.status, known.body, headers, known.media_type)


def looking(
    groups: Groups,
    look: Callable[[Connection, Book, Call], Awaitable[object]],
    answer: type,
    summary: str,
    *,
    tags: tuple[str, ...],
    description: str | None = None,
    scope: str | tuple[str, ...] = MEMBER_SCOPE,
    query: type | None = None,
    owned: Owned | None = None,
    refusals: tuple[type[Refused], ...] = (),
) -> HotEndpoint:
    """Return the door of a look, for members or whoever has another scope."""

    async def looked(call: Call) -> Answer:
        return Answer(200, await read(groups, call, lambda c, b: look(c, b, call)))

    return HotEndpoint(
        method="GET",
        summary=summary,
        description=description,
        handle=looked,
        owned=owned,
        query=query,
        answers={200: answer},
        scope=scope,
        refusals=(*(OF_READS if scope == MEMBER_SCOPE else ()), *refusals),
        tags=tags,
    )


async def perform(
    call: Call,
    wanted: Runs[Result],
    told: Callable[[Result], object | Awaitable[object]],
    connection: Connection,
    book: Book,
) -> object:
    """Do what is wanted and return what is `told` of it, or the act where it waits for its fee."""
    done = await paying.perform(connection, book, wanted, by_of(call.caller))
    if isinstance(done, WaitingAct):
        return done
    answer = told(done)
    return await answer if isinstance(answer, Awaitable) else answer
