"""Both sides of transfers in a batch: who sends, who receives, and who has taken over from them."""

from uuid import UUID

from coalition.kernel.database import Connection
from coalition.kernel.errors import Refused
from coalition.ledger import holders
from coalition.ledger.batch import Batch
from coalition.ledger.drafts import UndoTransfer
from coalition.ledger.refusals import NotReversible, TransferToItself, UnknownPosting
from coalition.ledger.selecting import Side
from coalition.ledger.undoing import KeptTransfer


def find_sides(batch: Batch, i: int, kept: KeptTransfer | None) -> None:
    """Let who received a transfer that is undone be from whom points are taken."""
    if kept is None:
        batch.outcomes[i] = UnknownPosting()
        return
    batch.holders[i] = kept.arrived.holder
    set_sides(batch, i, kept.left.holder, kept.arrived.holder)


def set_sides(batch: Batch, i: int, sender: UUID, receiver: UUID) -> None:
    """Let the draft at a position be between two; from whom points are taken is known."""
    if sender == receiver:
        batch.outcomes[i] = TransferToItself()
    batch.sides[i] = {sender: Side.SENDER, receiver: Side.RECEIVER}
    batch.others[i] = tuple(batch.sides[i].keys() - {batch.holders[i]})


def refusal_of_sides(batch: Batch, i: int) -> Refused | None:
    """Return why points do not go from one to the other, and because of whom; the sender first."""
    for holder, side in batch.sides[i].items():
        refusal = holders.refusal_by_state(batch.standings, holder)
        if refusal is not None:
            refusal.facts["party"] = side.value
            return refusal
    return None


async def find_heirs(connection: Connection, batch: Batch) -> None:
    """Let a transfer be undone between those who have become its sides, which are locked as well.

    That is out of the order of the holders, as it is for reversals: see `posting`.
    """
    undone = [i for i in batch.open() if isinstance(batch.drafts[i], UndoTransfer)]
    for i in undone:
        for holder in batch.sides[i]:
            standing = batch.standings.get(holder)
            if standing is not None and standing.merged_into is not None:
                batch.heirs[holder] = standing.merged_into
    if not batch.heirs:
        return
    heirs = batch.heirs
    batch.standings |= await holders.lock(connection, set(heirs.values()))
    for i in undone:
        sides = {heirs.get(holder, holder): side for holder, side in batch.sides[i].items()}
        if len(sides) == 1:
            batch.outcomes[i] = NotReversible("who sent and who received are one member now")
        batch.sides[i] = sides
        batch.holders[i] = heirs.get(batch.holders[i], batch.holders[i])
        batch.others[i] = tuple(sides.keys() - {batch.holders[i]})
