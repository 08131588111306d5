"""Receipts of a batch: each draft that stands on one claims it first, a refused one gives it back.

A receipt that was used before refuses its draft.
"""

from collections.abc import Mapping
from typing import NamedTuple
from uuid import UUID

from coalition.kernel.database import Connection
from coalition.kernel.errors import Refused
from coalition.ledger import receipts, resolutions
from coalition.ledger.accounts import Kind
from coalition.ledger.batch import Batch
from coalition.ledger.drafts import (
    Capture,
    Convert,
    Draft,
    Hold,
    Issue,
    Redeem,
    Reverse,
    Till,
    Void,
)
from coalition.ledger.refusals import DuplicateReceipt
from coalition.ledger.waiting import Waiting

_PAYMENT = Kind.REDEEM
_KINDS_OF_RECEIPTS: dict[type[Draft], Kind | None] = {
    Issue: Kind.ISSUE,
    Convert: Kind.CONVERSION,
    Hold: None,
    Reverse: None,
}
"""Under which kind a receipt is used up, or that none is; all others take points as payment."""

_PLAIN = {Issue, Redeem, Hold, Capture, Void, Reverse}
"""Drafts that are posted once their holders may act and the points are there, or the act is as it
was read."""


class Claimed(NamedTuple):
    """The receipts of gifts, which are being claimed since before there were drafts.

    They are trusted to be unused. No holder may be locked after that: it is known of all of them
    before how they stand, that they owe nothing and share nothing, and that no gift is open.
    """

    batch: UUID
    """The id of the batch that they were claimed for."""
    digests: dict[int, bytes]
    """Of its drafts, by position; not of those whose holders are refused."""


def find_digests(batch: Batch) -> dict[int, bytes]:
    """Find the digests of the receipts that drafts stand on, for `claim_receipts`."""
    batch.digests = {}
    for i in batch.open():
        digest = receipt_digest(batch.drafts[i], batch.tills.get(i))
        if digest is not None:
            batch.digests[i] = digest
    return batch.digests


async def claim_receipts(
    connection: Connection,
    batch: Batch,
    waiting: Waiting | None = None,
    claimed: Claimed | None = None,
) -> dict[int, bytes]:
    """Claim the receipt of each draft that stands on one; refuse those that were used before.

    Return what can be given back, by position. Where the batch is plain and its lots wait,
    `waiting` may trust that receipts are unused: `claim_trusted` claims them when it is posted.
    Of what is `claimed` already only those stand back that come twice.
    """
    found = batch.digests if batch.digests is not None else find_digests(batch)
    digests = {i: found[i] for i in batch.open() if i in found}
    first = {digest: i for i, digest in reversed(digests.items())}
    if waiting is not None and waiting.trusts and len(first) == len(digests) and _is_plain(batch):
        batch.trusted = digests
        return {}
    used: list[int] = []
    if len(first) < len(digests):
        used = _stand_back(batch, digests, first)
    if first and claimed is None:
        taken = await receipts.claim(connection, first, batch.journal.batch)
        if taken:
            used += [i for i, digest in digests.items() if digest in taken]
    if used:
        await _refuse_used(connection, batch, used)
    return {i: digest for i, digest in digests.items() if batch.outcomes[i] is None}


def _is_plain(batch: Batch) -> bool:
    return batch.only_gives or _PLAIN.issuperset(map(type, batch.drafts))


async def claim_trusted(connection: Connection, batch: Batch, waiting: Waiting | None) -> None:
    """Leave it to `waiting` to claim the receipts that are trusted, of drafts that are posted.

    Whoever was refused hears first that its receipt was used. If that of one that is posted was,
    the claim fails; the batch then is posted again without trust, so nothing else needs to be right
    of what it has taken from others.
    """
    if waiting is None or not batch.trusted:
        return
    refused = {i: digest for i, digest in batch.trusted.items() if batch.is_refused(i)}
    if refused:
        used = await receipts.used_of(connection, refused.values(), batch.journal.batch)
        await _refuse_used(connection, batch, [i for i in refused if refused[i] in used])
    posted = [digest for i, digest in batch.trusted.items() if i not in refused]
    if posted:
        receipts.claim_unused(waiting.later, posted, batch.journal.batch)


def _stand_back(batch: Batch, digests: dict[int, bytes], first: Mapping[bytes, int]) -> list[int]:
    """Take out of `digests` the drafts whose receipt an earlier one stands on; return them."""
    for i, digest in digests.items():
        earlier = first[digest]
        if earlier != i and not _capture_one_hold(batch.drafts[earlier], batch.drafts[i]):
            batch.repeats[i] = digest
    for i in batch.repeats:
        del digests[i]
    return list(batch.repeats)


def _capture_one_hold(one: Draft, other: Draft) -> bool:
    """Tell whether two drafts share a claim: they capture the same hold, so one at most passes."""
    return isinstance(one, Capture) and isinstance(other, Capture) and one.hold == other.hold


async def _refuse_used(connection: Connection, batch: Batch, used: list[int]) -> None:
    """Refuse drafts whose receipt was used; a capture hears first if its hold was resolved."""
    captures = {draft.hold: draft for i in used if isinstance(draft := batch.drafts[i], Capture)}
    kept = await resolutions.read_holds(connection, captures) if captures else {}
    for i in used:
        draft = batch.drafts[i]
        refusal = None
        if isinstance(draft, Capture):
            refusal = resolutions.refusal(kept[draft.hold], draft, batch.journal.at)
        batch.outcomes[i] = refusal or _duplicate(batch.tills[i])


async def give_back_receipts(
    connection: Connection, batch: Batch, claims: dict[int, bytes]
) -> None:
    """Give up the claims of drafts that were refused after all; a refusal leaves nothing.

    Drafts that had to stand back for them hear that the receipt is free again.
    """
    refused = {i for i in claims if isinstance(batch.outcomes[i], Refused)}
    if not refused:
        return
    used = {digest for i, digest in claims.items() if i not in refused}
    free = {claims[i] for i in refused} - used
    await receipts.give_back(connection, sorted(free))
    for i, digest in batch.repeats.items():
        if digest in free and isinstance(batch.outcomes[i], DuplicateReceipt):
            batch.outcomes[i] = _came_second(batch.tills[i])


def _came_second(till: Till) -> DuplicateReceipt:
    return DuplicateReceipt(
        f"receipt {till.receipt!r} of this store stood in another request that came just before "
        "this one and was refused; the receipt is unused, so send this one again",
        receipt=till.receipt,
    )


def _duplicate(till: Till) -> DuplicateReceipt:
    return DuplicateReceipt(
        f"receipt {till.receipt!r} of this store was used on {till.business_day} already; "
        "send the first request's idempotency key again to get its answer",
        receipt=till.receipt,
    )


def receipt_digest(draft: Draft, till: Till | None) -> bytes | None:
    """Return the digest under which the receipt of `draft` is claimed; None: it stands on none."""
    kind = _KINDS_OF_RECEIPTS.get(type(draft), _PAYMENT)
    if kind is None or till is None or till.receipt is None:
        return None
    return receipts.digest(
        partner_no=till.partner_no,
        store_no=till.store_no,
        receipt=till.receipt,
        business_day=till.business_day,
        kind=kind,
    )
