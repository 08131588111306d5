"""How finance's writes are answered: once per idempotency key, the first answer again and again."""

from collections.abc import Awaitable, Callable
from uuid import UUID

import msgspec

from coalition.federation.catalogue import Catalogue
from coalition.kernel import idempotency
from coalition.kernel.database import Connection, transaction
from coalition.kernel.idempotency import Claim, KeyReused
from coalition.kernel.web.decoding import encode
from coalition.kernel.web.hot import REPLAYED, Answer, Call
from coalition.oversight.approvals import Approval
from partners.settlement.finance_words import Prepared, prepared_view

Work = Callable[[Connection], Awaitable[object]]
"""Does what is asked for in the transaction of the claim, and returns the Struct to answer."""


async def answer_once(call: Call, address: str, status: int, work: Work) -> Answer:
    """Do `work` with the claim of the call in one transaction, or give the first answer again.

    Raises `KeyReused`, `RequestInProgress`, and whatever `work` refuses; nothing is kept then.
    """

    async def done(connection: Connection) -> idempotency.Answer:
        content = encode(await work(connection), call.media)
        return idempotency.Answer(status, call.media.value, content)

    return _answer(await idempotency.once(_claim(call, address), call.at, done))


async def answered_before(call: Call, address: str) -> Answer | None:
    """Return the first answer to the call, if it had one; raise `KeyReused` for another body.

    For work that takes several transactions, and does no harm when it is done again: it is done
    before `answer_once` keeps its answer.
    """
    claim = _claim(call, address)
    async with transaction() as connection:
        known = idempotency.replay(claim, await idempotency.find(connection, [claim]))
    if isinstance(known, KeyReused):
        raise known
    return None if known is None else _answer(known)


async def prepared(connection: Connection, known: Catalogue, approval_id: UUID) -> Prepared:
    """Return what has just been prepared, as it is shown."""
    row = await connection.fetchrow("SELECT * FROM approval WHERE id = $1", approval_id)
    return prepared_view(known, msgspec.convert(dict(row), Approval))


def _claim(call: Call, address: str) -> Claim:
    return Claim.of(call.caller.client_no, call.idempotency_key, address, call.body_digest)


def _answer(known: idempotency.Answer) -> Answer:
    headers = (REPLAYED,) if known.replayed else ()
    return Answer(known.status, known.body, headers, known.media_type)
