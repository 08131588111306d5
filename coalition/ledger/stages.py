"""The stages of a batch: which drafts run together, in which order, and what posts each kind."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from uuid import UUID

from coalition.kernel.database import Connection
from coalition.ledger import resolutions, reversals
from coalition.ledger.adjustments import adjust
from coalition.ledger.batch import Batch
from coalition.ledger.drafts import (
    Adjust,
    Capture,
    Convert,
    Draft,
    Hold,
    Issue,
    Outcome,
    Owed,
    Posted,
    Recover,
    Redeem,
    Reverse,
    Transfer,
    UndoTransfer,
    Void,
)
from coalition.ledger.exchanging import convert
from coalition.ledger.issues import issue
from coalition.ledger.onward import send_on
from coalition.ledger.recoveries import recover
from coalition.ledger.redemptions import hold, redeem
from coalition.ledger.transferring import transfer
from coalition.ledger.trust import Trusted
from coalition.ledger.undoing import undo
from coalition.ledger.waiting import Waiting

_BY_JOURNAL: dict[type[Draft], Callable[..., Awaitable[list[Outcome]]]] = {
    Adjust: adjust,
    Recover: recover,
    Convert: convert,
    Transfer: transfer,
}
"""What posts drafts of a kind that are told nothing but the journal."""

_STAGE_OF: dict[type[Draft], int] = {
    Issue: 0,
    Redeem: 1,
    Hold: 2,
    Capture: 3,
    Void: 3,
    Reverse: 4,
    Adjust: 5,
    Recover: 6,
    Convert: 7,
    Transfer: 8,
    UndoTransfer: 10,
}
"""In which stage of a wave drafts of each kind run.

For who receives a transfer the stage counts as the one after it."""


def waves(batch: Batch) -> list[list[int]]:
    """Order the drafts into sets that may run together and keep each holder's own order.

    Within a wave the kinds run in a fixed order; a holder whose later draft is of an earlier kind
    goes on in the next wave. Nearly always there is one wave. Whoever receives a transfer has its
    points when the stage is done: it sends them in the next wave.
    """
    if batch.only_gives:
        return [given] if (given := batch.open()) else []
    last: dict[UUID, tuple[int, int]] = {}
    sets: dict[tuple[int, int], list[int]] = {}
    for i in batch.open():
        kind = type(batch.drafts[i])
        stage = _STAGE_OF[kind]
        holder = batch.holders[i]
        wave, before = last.get(holder, (0, 0))
        if stage < before:
            wave += 1
        if others := batch.others.get(i):
            later = stage + (kind is Transfer)
            for other in others:
                others_wave, others_before = last.get(other, (0, 0))
                wave = max(wave, others_wave + (later < others_before))
            last |= dict.fromkeys(others, (wave, later))
        last[holder] = (wave, stage)
        sets.setdefault((wave, stage), []).append(i)
    return [sets[key] for key in sorted(sets)]


async def run_stage(
    connection: Connection, batch: Batch, positions: list[int], waiting: Waiting | None
) -> None:
    """Post the drafts of a stage, all of one kind; what can wait is left to `waiting`."""
    drafts: list[Any] = [batch.drafts[i] for i in positions]  # Any: a stage has drafts of one kind
    kind = type(drafts[0])
    by_batch = _BY_BATCH.get(kind)
    if by_batch is not None:
        outcomes = await by_batch(connection, batch, drafts, waiting)
    else:
        outcomes = await _BY_JOURNAL[kind](connection, batch.journal, drafts)
    for i, outcome in zip(positions, outcomes, strict=True):
        batch.outcomes[i] = outcome
    if waiting is not None:
        waiting.note(batch, zip(drafts, outcomes, strict=True))


async def _issue(
    connection: Connection, batch: Batch, drafts: Sequence[Issue], waiting: Waiting | None
) -> list[Outcome]:
    later = None if waiting is None else waiting.later
    outcomes = await issue(connection, batch.journal, drafts, batch.owing, later)
    await send_on(connection, batch.journal, drafts, outcomes)
    return outcomes


async def _redeem(
    connection: Connection, batch: Batch, drafts: Sequence[Redeem], waiting: Waiting | None
) -> list[Outcome]:
    return await redeem(connection, batch.journal, drafts, waiting)


async def _hold(
    connection: Connection, batch: Batch, drafts: Sequence[Hold], waiting: Waiting | None
) -> list[Outcome]:
    return await hold(connection, batch.journal, drafts, waiting)


async def _resolve(
    connection: Connection,
    batch: Batch,
    drafts: Sequence[Capture | Void],
    waiting: Waiting | None,
) -> list[Outcome]:
    trusted = None
    if waiting is not None and waiting.trusts_acts:
        trusted = Trusted(batch.kept_holds, waiting.later, waiting.note_lot)
    return await resolutions.resolve_holds(connection, batch.journal, drafts, trusted)


async def _reverse(
    connection: Connection, batch: Batch, drafts: Sequence[Reverse], waiting: Waiting | None
) -> list[Outcome]:
    trusted = None
    if waiting is not None and waiting.trusts_acts:
        trusted = Trusted(batch.originals, waiting.later, waiting.note_lot)
    survivors = batch.survivors
    outcomes = await reversals.reverse(connection, batch.journal, drafts, survivors, trusted)
    _note_debts(batch, outcomes)
    return outcomes


async def _undo(
    connection: Connection, batch: Batch, drafts: Sequence[UndoTransfer], waiting: Waiting | None
) -> list[Outcome]:
    del waiting
    return await undo(connection, batch.journal, drafts, batch.heirs)


_BY_BATCH: dict[type[Draft], Callable[..., Awaitable[list[Outcome]]]] = {
    Issue: _issue,
    Redeem: _redeem,
    Hold: _hold,
    Capture: _resolve,
    Void: _resolve,
    Reverse: _reverse,
    UndoTransfer: _undo,
}
"""What posts drafts of a kind that are told more of their batch; what can wait is left to it."""


def _note_debts(batch: Batch, outcomes: list[Outcome]) -> None:
    """Remember who owes from now on, for issues that come later in the batch."""
    for outcome in outcomes:
        if isinstance(outcome, Owed) or (isinstance(outcome, Posted) and outcome.debt):
            batch.owing[outcome.holder] = batch.standings[outcome.holder]
