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
from coalition.ledger.journal import Journal
from coalition.ledger.onward import send_on
from coalition.ledger.recoveries import recover
from coalition.ledger.redemptions import hold, redeem
from coalition.ledger.transferring import transfer
from coalition.ledger.undoing import undo
from coalition.ledger.waiting import Waiting

_Run = Callable[[Connection, Journal, Sequence[Any]], Awaitable[list[Outcome]]]  # Any: its kind

_STAGES: dict[type[Draft], tuple[int, _Run]] = {
    Redeem: (1, redeem),
    Hold: (2, hold),
    Capture: (3, resolutions.resolve_holds),
    Void: (3, resolutions.resolve_holds),
    Reverse: (4, reversals.reverse),
    Adjust: (5, adjust),
    Recover: (6, recover),
    Convert: (7, convert),
    Transfer: (8, transfer),
    UndoTransfer: (10, undo),
}
"""In which stage of a wave drafts of each kind run, and what posts them; issues come before.

For who receives a transfer the stage counts as the one after it."""

_ISSUES = 0


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
        stage = _ISSUES if kind is Issue else _STAGES[kind][0]
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
    if kind is Issue:
        later = None if waiting is None else waiting.later
        outcomes = await issue(connection, batch.journal, drafts, batch.owing, later)
        await send_on(connection, batch.journal, drafts, outcomes)
    elif kind is Redeem:
        outcomes = await redeem(connection, batch.journal, drafts, waiting)
    elif kind is Hold:
        outcomes = await hold(connection, batch.journal, drafts, waiting)
    elif kind is Reverse:
        outcomes = await reversals.reverse(connection, batch.journal, drafts, batch.survivors)
        _note_debts(batch, outcomes)
    elif kind is UndoTransfer:
        outcomes = await undo(connection, batch.journal, drafts, batch.heirs)
    else:
        _, run = _STAGES[kind]
        outcomes = await run(connection, batch.journal, drafts)
    for i, outcome in zip(positions, outcomes, strict=True):
        batch.outcomes[i] = outcome
    if waiting is not None:
        waiting.note(batch, zip(drafts, outcomes, strict=True))


def _note_debts(batch: Batch, outcomes: list[Outcome]) -> None:
    """Remember who owes from now on, for issues that come later in the batch."""
    for outcome in outcomes:
        if isinstance(outcome, Owed) or (isinstance(outcome, Posted) and outcome.debt):
            batch.owing[outcome.holder] = batch.standings[outcome.holder]
