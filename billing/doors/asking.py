"""How every door of memberships treats a member, and gives the first answer again to a key.

Acts ask Stripe, so no transaction is open while they go on: what was answered is looked for before,
and kept after. What comes between is one act at Stripe under the same key.
"""

from collections.abc import Awaitable, Callable

from billing.gateway.refusals import (
    IntentReused,
    PaymentsNotSetUp,
    StripeRefused,
    StripeUnavailable,
)
from billing.subscriptions.refusals import ActInProgress
from coalition.access import standing
from coalition.access.refusals import MemberFrozen, MembershipEnded
from coalition.kernel import idempotency
from coalition.kernel.database import Connection, transaction
from coalition.kernel.errors import Forbidden, Refused
from coalition.kernel.idempotency import Claim, KeyReused
from coalition.kernel.idempotency.claims import RequestInProgress
from coalition.kernel.ids import MemberId
from coalition.kernel.web.decoding import encode
from coalition.kernel.web.hot import REPLAYED, Answer, Call
from coalition.ledger.refusals import HolderMerged

OF_READS: tuple[type[Refused], ...] = (MembershipEnded, HolderMerged)
"""What any look may be refused for, beyond what its door says."""
OF_STRIPE: tuple[type[Refused], ...] = (StripeUnavailable, StripeRefused, PaymentsNotSetUp)
"""What any question to Stripe may be refused for."""
OF_WRITES: tuple[type[Refused], ...] = (
    *OF_READS,
    *OF_STRIPE,
    *(KeyReused, RequestInProgress, MemberFrozen, ActInProgress, IntentReused),
)
"""What any act may be refused for."""

LANGUAGE = {"Accept-Language": "The language of texts, such as sv, nb, de, fr or en"}


def language_of(call: Call) -> str:
    """Return the language that is asked for first; English where none is named."""
    return first_language(call.headers.get("accept-language", ""))


def first_language(header: str) -> str:
    """Return the first language of an Accept-Language header."""
    return header.partition(",")[0].partition(";")[0].partition("-")[0].strip().lower() or "en"


def _member_of(call: Call) -> MemberId:
    if call.caller.member_id is None:
        raise Forbidden("Only a member who has signed in may do this")
    return MemberId(call.caller.member_id)


async def reader(call: Call) -> MemberId:
    """Return the member who looks. Raises what `standing.check` does."""
    member = _member_of(call)
    async with transaction() as connection:
        await standing.check(connection, member, writes=False)
    return member


async def act(
    call: Call,
    address: str,
    status: int,
    work: Callable[[MemberId, str], Awaitable[object]],
    *,
    by_frozen: bool = False,
) -> Answer:
    """Do `work` for the member, with its key, or give the first answer to the key again.

    `by_frozen` is for what a frozen member may do as well: to leave.
    """
    member = _member_of(call)
    claim = Claim.of_member(member, call.idempotency_key, address, call.body_digest)
    async with transaction() as connection:
        known = idempotency.replay(claim, await idempotency.find(connection, [claim]))
        if known is None:
            await standing.check(connection, member, writes=not by_frozen)
    if isinstance(known, KeyReused):
        raise known
    if known is None:
        content = encode(await work(member, call.idempotency_key), call.media)

        async def done(connection: Connection) -> idempotency.Answer:
            del connection
            return idempotency.Answer(status, call.media.value, content)

        known = await idempotency.once(claim, call.at, done)
    headers = (REPLAYED,) if known.replayed else ()
    return Answer(known.status, known.body, headers, known.media_type)
