"""The one way points move: a batch of drafts, posted set by set in one transaction.

A batch locks its takers first, claims its receipts, then runs wave by wave and kind by kind. A
draft that cannot be done gets its refusal and does not spoil the others.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from functools import partial
from typing import Any
from uuid import UUID

from coalition.kernel.database import Connection, bound_engine
from coalition.kernel.database.meanwhile import meanwhile
from coalition.kernel.errors import Refused
from coalition.ledger import claiming, holders, lots, pooling, resolutions, reversals
from coalition.ledger.activity import Clockwork, one_after_another
from coalition.ledger.adjustments import adjust
from coalition.ledger.batch import Batch
from coalition.ledger.classes import ONLY_BUILT_IN, LotClasses
from coalition.ledger.clocks import Clock, lapsed
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
from coalition.ledger.ended import book_ended
from coalition.ledger.exchanging import convert
from coalition.ledger.holders import Standing
from coalition.ledger.issues import issue
from coalition.ledger.journal import Journal
from coalition.ledger.lacking import tell_bound, tell_suspended
from coalition.ledger.onward import send_on
from coalition.ledger.originals import read_postings
from coalition.ledger.recoveries import recover
from coalition.ledger.redemptions import hold, redeem
from coalition.ledger.refusals import UnknownHold, UnknownPosting
from coalition.ledger.resolutions import KeptHold
from coalition.ledger.sides import find_heirs, find_sides, refusal_of_sides, set_sides
from coalition.ledger.transferring import transfer
from coalition.ledger.undoing import read_transfers, undo
from coalition.ledger.waiting import Waiting, lots_may_wait

POSTER_ROLE = "coalition_poster"

PINNED = {
    # Every join of a batch is a key look-up from an array: without these the planner turns batches
    # quadratic as tables grow, and the sixth execution of a prepared batch flips its plan.
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "plan_cache_mode": "force_generic_plan",
    # With rows as the only cost, a look-up by key is cheaper than reading a table of two rows: a
    # plan that was made while tables were small is still right when they have grown.
    "seq_page_cost": "0",
    "random_page_cost": "0",
    "cpu_operator_cost": "0",
    "jit": "off",
}
"""The settings of every transaction that posts; a test guards the plans they lead to."""

PINNED_FOR_LINES = PINNED | {"plan_cache_mode": "force_custom_plan"}
"""The same for thousands of lines at once: planning anew costs them nothing, and a plan made when
there was a single lot would read a whole table for each of them."""

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
_OF_HOLDS = (Capture, Void)  # a union would be made anew wherever it is asked for

Decide = Callable[[list[int]], Awaitable[dict[int, Draft | Refused]]]
"""Decides drafts that depend on what their holders have had so far.

Called with the positions of the drafts that are not refused, once the holders of those that take
points, and of open issues, are locked and the receipts are claimed. It returns what stands in place
of a draft: the decided one, of the same kind and holder, or its refusal.
"""

WhileWritten = Callable[[Sequence[Outcome | None]], None]
"""What a caller does while the server writes postings.

Called with what has become of each draft. That something was posted or held is final then; a
refusal, or None in its place, may still change.
"""


async def pin(connection: Connection) -> None:
    """Give the open transaction of a caller that posts now and then the settings `PINNED`."""
    pinned = bound_engine().suited(PINNED)
    await connection.execute(";".join(f"SET LOCAL {one} = '{to}'" for one, to in pinned.items()))


async def post(
    connection: Connection,
    drafts: Sequence[Draft],
    *,
    at: datetime,
    today: date,
    decide: Decide | None = None,
    clocks: Sequence[Clock] = (),
    classes: LotClasses = ONLY_BUILT_IN,
    suspended: Collection[int] = (),
    standings: dict[UUID, Standing] | None = None,
    locked: Collection[UUID] = (),
    while_written: WhileWritten = lambda _: None,
    waiting: Waiting | None = None,
) -> tuple[UUID, list[Outcome]]:
    """Post `drafts`; return the batch's id and an outcome for each draft, in their order.

    The caller holds the transaction, opened with `PINNED` or, for many lines, `PINNED_FOR_LINES`;
    `today` is the day of `at` in the coalition's zone and decides what has expired. `clocks` and
    `classes` are all that are registered; points of `suspended` funders are not spent. `standings`
    tells how holders stand, as far as the caller has read it in this transaction; what is read here
    comes to it. Those who are `locked` already are all from whom points are taken. What can wait is
    left to `waiting`; the caller writes its `later`. Database errors pass: nothing is then done.
    """
    journal = Journal(at, today, clocks, suspended, classes)
    batch = Batch(drafts, journal, locked)
    if standings is not None:
        batch.standings = standings
    if not batch.only_gives:  # such a batch knows by itself
        await _find_holders(connection, batch)
    lapsed = await _check_holders(connection, batch, has_clocks=bool(clocks))
    if lapsed:
        # Before it becomes active again: what its clock has ended does not live again.
        await book_ended(connection, journal, lapsed & batch.concerned())
    waits = lots_may_wait(waiting, batch) if decide is None else None
    claims = await claiming.claim_receipts(connection, batch, waits)
    if decide is not None:
        _settle(batch, await decide(batch.open()))
        pooling.leave_out_inactive(batch)
        waits = lots_may_wait(waiting, batch)
    clockwork = _clockwork(batch, has_lapsed=bool(lapsed))
    for stage in _waves(batch):
        await _run_stage(connection, batch, stage, waits)
        if clockwork is not None:
            done = [(batch.drafts[i], batch.outcomes[i]) for i in stage]
            await clockwork.follow(connection, done)
    if clockwork is not None:
        await clockwork.finish(connection)
    await claiming.claim_trusted(connection, batch, waits)
    work = partial(while_written, batch.outcomes)
    later, all_waits = (waiting.later, waiting.defers) if waiting else (None, False)
    await journal.write(connection, work, later, all_waits=all_waits)
    await claiming.give_back_receipts(connection, batch, claims)
    await tell_suspended(connection, batch)
    await tell_bound(connection, batch)
    outcomes = [outcome for outcome in batch.outcomes if outcome is not None]
    assert len(outcomes) == len(drafts), "every draft has its outcome"
    return journal.batch, outcomes


def _clockwork(batch: Batch, *, has_lapsed: bool) -> Clockwork | None:
    """Return what sets clocks back; None where there are none."""
    if not batch.journal.clocks:
        return None
    acting = [(batch.holders[i], batch.drafts[i]) for i in batch.open()]
    return Clockwork(batch.journal, at_once=has_lapsed or one_after_another(acting))


def _settle(batch: Batch, decided: dict[int, Draft | Refused]) -> None:
    for i, instead in decided.items():
        if isinstance(instead, Refused):
            batch.outcomes[i] = instead
        else:
            batch.drafts[i] = instead


async def balances(
    connection: Connection,
    wanted: Iterable[UUID],
    *,
    currency_no: int,
    today: date,
    suspended: Collection[int] = (),
    standings: Mapping[UUID, Standing] | None = None,
) -> dict[UUID, int]:
    """Return what each holder can spend on `today`, in whole points, nothing of `suspended`.

    `standings` tells how they stand, as far as the caller has read it in this transaction.
    """
    return await lots.balances(
        connection, wanted, currency_no, today, suspended, standings=standings
    )


async def _find_holders(connection: Connection, batch: Batch) -> None:
    """Find out whose points each draft moves, and where the act stands."""
    holds = {draft.hold for draft in batch.drafts if isinstance(draft, _OF_HOLDS)}
    kept_holds = await resolutions.read_holds(connection, holds) if holds else {}
    wanted = {draft.posting for draft in batch.drafts if isinstance(draft, Reverse)}
    originals = await read_postings(connection, wanted) if wanted else {}
    undone = {draft.posting for draft in batch.drafts if isinstance(draft, UndoTransfer)}
    transfers = await read_transfers(connection, undone) if undone else {}
    for i, draft in enumerate(batch.drafts):
        if isinstance(draft, _OF_HOLDS):
            _find_hold(batch, i, draft, kept_holds.get(draft.hold))
        elif isinstance(draft, Reverse):
            original = originals.get(draft.posting)
            if original is None or original.partner_no != draft.till.partner_no:
                batch.outcomes[i] = UnknownPosting()
                continue
            batch.holders[i] = original.holder
            batch.tills[i] = draft.till
        elif isinstance(draft, UndoTransfer):
            find_sides(batch, i, transfers.get(draft.posting))
        else:
            batch.holders[i] = draft.holder
            batch.tills[i] = draft.till
            if isinstance(draft, Transfer):
                set_sides(batch, i, draft.holder, draft.receiver)
            elif others := pooling.others_of(draft):
                batch.others[i] = others
    await pooling.find_others(connection, batch, {**kept_holds, **originals})


def _find_hold(batch: Batch, i: int, draft: Capture | Void, kept: KeptHold | None) -> None:
    if kept is None or kept.partner_no != draft.partner_no:
        batch.outcomes[i] = UnknownHold()
        return
    batch.holders[i] = kept.holder
    if isinstance(draft, Capture):
        batch.tills[i] = resolutions.till_of(kept, draft.client_no)


async def _lapsed(connection: Connection, batch: Batch) -> set[UUID]:
    """Return the holders of the batch who have been inactive for too long."""
    return await lapsed(connection, batch.concerned(), batch.journal.today)


async def _check_holders(connection: Connection, batch: Batch, *, has_clocks: bool) -> set[UUID]:
    """Check who acts, and return those of them whose clocks have lapsed, which are locked."""
    lapsed = await _lapsed(connection, batch) if has_clocks else set()
    await _lock_holders(connection, batch, lapsed)
    if has_clocks and batch.survivors:
        lapsed |= await _lapsed(connection, batch)  # now that it is known who has survived
    return lapsed


async def _lock_holders(connection: Connection, batch: Batch, lapsed: set[UUID]) -> None:
    """Lock all from whom points may be taken, before anything else is locked; read the rest.

    From those who have `lapsed` points are taken too, as expired, and from those who owe, of what
    they are issued.
    """
    takers: set[UUID] = set()
    receivers: set[UUID] = set()
    for i in batch.open():
        draft = batch.drafts[i]
        is_receiver = (
            type(draft) is Issue
            and not (draft.is_open or draft.onward)
            and batch.holders[i] not in lapsed
        )
        (receivers if is_receiver else takers).add(batch.holders[i])
    takers.update(*(others for i, others in batch.others.items() if batch.is_open(i)))
    receivers -= takers
    if unread := receivers - batch.standings.keys():
        reading = holders.read_states(connection, unread)
        read, _ = await meanwhile(reading, partial(claiming.find_digests, batch))
        batch.standings |= read
    standing_of = batch.standings
    takers |= {one for one in receivers if one in standing_of and standing_of[one].owes}
    if takers:
        if not takers.issubset(batch.locked):
            batch.standings |= await holders.lock(connection, takers)
        await _find_survivors(connection, batch)
        await find_heirs(connection, batch)
        await pooling.lock_survivors(connection, batch)
    pooling.leave_out_inactive(batch)
    for i in batch.open():
        batch.outcomes[i] = (
            refusal_of_sides(batch, i)
            if i in batch.sides
            else holders.refusal_by_state(batch.standings, batch.holders[i])
        )
    pooling.refuse_unplanned(batch)
    batch.owing = {
        holder: standing
        for holder, standing in batch.standings.items()
        if standing.owes and holder in takers
    }


async def _find_survivors(connection: Connection, batch: Batch) -> None:
    """Let reversals of what a merged holder did act on its survivor, which is locked as well.

    That is out of the order of the holders, so two batches may wait for each other here: the
    database ends one of them, and it is tried again.
    """
    merged = {
        i: standing.merged_into
        for i in batch.open()
        if isinstance(batch.drafts[i], Reverse)
        and (standing := batch.standings.get(batch.holders[i])) is not None
        and standing.merged_into is not None
    }
    if not merged:
        return
    batch.standings |= await holders.lock(connection, set(merged.values()))
    for i, survivor in merged.items():
        draft = batch.drafts[i]
        assert isinstance(draft, Reverse), "only reversals follow a merge"
        batch.survivors[draft.posting] = survivor
        batch.holders[i] = survivor


def _waves(batch: Batch) -> list[list[int]]:
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


async def _run_stage(
    connection: Connection, batch: Batch, positions: list[int], waiting: Waiting | None
) -> None:
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
