"""What a batch has to know of acts that several holders take part in: who, and whether it may be.

Others take part by a plan, whose holders a draft names, or because points had passed between them
and the holder for what is resolved or reversed now. All are locked with the takers of a batch.
"""

from collections.abc import Mapping
from uuid import UUID

from msgspec import structs

from coalition.kernel.database import Connection
from coalition.ledger import holders, passages
from coalition.ledger.accounts import HolderState
from coalition.ledger.batch import Batch
from coalition.ledger.drafts import Capture, Draft, Hold, Issue, Redeem, Reverse, Void
from coalition.ledger.halves import OPERATOR
from coalition.ledger.holders import Standing
from coalition.ledger.originals import KeptPosting
from coalition.ledger.refusals import NeedsPlan
from coalition.ledger.resolutions import KeptHold


async def find_others(
    connection: Connection, batch: Batch, kept: Mapping[UUID, KeptHold | KeptPosting]
) -> None:
    """Find out with whom points had passed for what is resolved or reversed; mostly nobody."""
    acts = [act for act, one in kept.items() if one.has_passages]
    if not acts:
        return
    others = await passages.others(connection, acts)
    for i in batch.open():
        draft = batch.drafts[i]
        if isinstance(draft, Capture | Void):
            batch.others[i] = others.get(draft.hold, ())
        elif isinstance(draft, Reverse):
            batch.others[i] = others.get(draft.posting, ())


async def lock_survivors(connection: Connection, batch: Batch) -> None:
    """Lock who has taken over from others that points go back to, or come back from.

    That is out of the order of the holders, as it is for reversals: see `posting`.
    """
    survivors = {
        standing.merged_into
        for i, others in batch.others.items()
        if isinstance(batch.drafts[i], Capture | Void | Reverse)
        for other in others
        if (standing := batch.standings.get(other)) is not None and standing.merged_into is not None
    }
    if survivors:
        batch.standings |= await holders.lock(connection, survivors)


def refuse_unplanned(batch: Batch) -> None:
    """Refuse acts of holders who share of which nobody has asked with whom; mostly there is none.

    Issues do not lock their holders: one that begins to share meanwhile earns this once alone.
    """
    if any(standing.shares for standing in batch.standings.values()):
        for i in batch.open():
            holder = batch.holders[i]
            if batch.standings[holder].shares and _is_unplanned(batch.drafts[i]):
                batch.outcomes[i] = NeedsPlan(holder)


def leave_out_inactive(batch: Batch) -> None:
    """Let nobody take part by a plan who is frozen or closed."""
    for i in batch.others:
        if batch.is_open(i):
            batch.drafts[i] = _only_active(batch.drafts[i], batch.standings)


def _is_unplanned(draft: Draft) -> bool:
    """Tell whether nobody has asked yet who takes part in a partner's act.

    What the operator does is about the holder's own points unless it says otherwise.
    """
    if isinstance(draft, Redeem | Hold):
        return draft.sources is None and draft.till.partner_no != OPERATOR
    if isinstance(draft, Issue):
        return draft.onward is None and draft.till.partner_no != OPERATOR
    return False


_PAYING = (Redeem, Hold)  # a union would be made anew wherever it is asked for


def others_of(draft: Draft) -> tuple[UUID, ...]:
    """Return whose points an act moves beside its holder's, as planned."""
    if isinstance(draft, _PAYING):
        if draft.sources is None:
            return ()
        planned = draft.sources.holders
    elif isinstance(draft, Issue):
        planned = tuple(one.receiver for one in draft.onward or ())
    else:
        return ()
    return tuple(other for other in planned if other != draft.holder)


def _only_active(draft: Draft, standings: Mapping[UUID, Standing]) -> Draft:
    """Return `draft` without holders that are frozen or closed; a share of theirs stays."""
    if isinstance(draft, Redeem | Hold) and draft.sources is not None:
        sources = draft.sources
        active = tuple(one for one in sources.holders if _is_active(one, standings))
        if len(active) < len(sources.holders):
            # Its own points, if they count, are told by `own`: so it stands even without others.
            return structs.replace(draft, sources=structs.replace(sources, holders=active))
    elif isinstance(draft, Issue) and draft.onward:
        onward = tuple(one for one in draft.onward if _is_active(one.receiver, standings))
        if len(onward) < len(draft.onward):
            return structs.replace(draft, onward=onward)
    return draft


def _is_active(holder: UUID, standings: Mapping[UUID, Standing]) -> bool:
    standing = standings.get(holder)
    return standing is not None and standing.state == HolderState.ACTIVE
