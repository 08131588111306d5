"""The one way points move: a batch of drafts, posted set by set in one transaction.

A batch locks its takers first, claims its receipts, then runs wave by wave and kind by kind. A
draft that cannot be done gets its refusal and does not spoil the others.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from functools import partial
from uuid import UUID

from coalition.kernel.database import Connection, bound_engine
from coalition.kernel.database.meanwhile import meanwhile
from coalition.kernel.errors import Refused
from coalition.ledger import claiming, holders, lots, pooling, resolutions
from coalition.ledger.activity import Clockwork, one_after_another
from coalition.ledger.batch import Batch
from coalition.ledger.classes import ONLY_BUILT_IN, LotClasses
from coalition.ledger.clocks import Clock, lapsed
from coalition.ledger.drafts import (
    Capture,
    Draft,
    Issue,
    Outcome,
    Reverse,
    Transfer,
    UndoTransfer,
    Void,
)
from coalition.ledger.ended import book_ended
from coalition.ledger.holders import Standing
from coalition.ledger.journal import Journal
from coalition.ledger.lacking import tell_bound, tell_suspended
from coalition.ledger.originals import read_postings
from coalition.ledger.refusals import UnknownHold, UnknownPosting
from coalition.ledger.resolutions import KeptHold
from coalition.ledger.sides import find_heirs, find_sides, refusal_of_sides, set_sides
from coalition.ledger.stages import run_stage, waves
from coalition.ledger.undoing import read_transfers
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
    claimed: claiming.Claimed | None = None,
) -> tuple[UUID, list[Outcome]]:
    """Post `drafts`; return the batch's id and an outcome for each draft, in their order.

    The caller holds the transaction, opened with `PINNED` or, for many lines, `PINNED_FOR_LINES`;
    `today` is the day of `at` in the coalition's zone and decides what has expired. `clocks` and
    `classes` are all that are registered; points of `suspended` funders are not spent. `standings`
    tells how holders stand, as far as the caller has read it in this transaction; what is read here
    comes to it. Those who are `locked` already are all from whom points are taken. What can wait is
    left to `waiting`; the caller writes its `later`. Receipts of gifts may be `claimed` already.
    Database errors pass: nothing is then done.
    """
    journal = Journal(at, today, clocks, suspended, classes)
    batch = Batch(drafts, journal, locked)
    if claimed is not None:
        journal.batch, batch.is_claimed = claimed.batch, True
        batch.digests = claimed.digests
    if standings is not None:
        batch.standings = standings
    if not batch.only_gives:  # such a batch knows by itself
        await _find_holders(connection, batch)
    lapsed = await _check_holders(connection, batch, has_clocks=bool(clocks))
    if lapsed:
        # Before it becomes active again: what its clock has ended does not live again.
        await book_ended(connection, journal, lapsed & batch.concerned())
    waits = lots_may_wait(waiting, batch) if decide is None else None
    if waiting is not None and (waits is None or not batch.only_gives):
        await waiting.later.settle()  # more is asked than is written
    claims = await claiming.claim_receipts(connection, batch, waits, claimed)
    if decide is not None:
        _settle(batch, await decide(batch.open()))
        pooling.leave_out_inactive(batch)
        waits = lots_may_wait(waiting, batch)
    await _run(connection, batch, waiting, while_written, waits, has_lapsed=bool(lapsed))
    await claiming.give_back_receipts(connection, batch, claims)
    await tell_suspended(connection, batch)
    await tell_bound(connection, batch)
    outcomes = [outcome for outcome in batch.outcomes if outcome is not None]
    assert len(outcomes) == len(drafts), "every draft has its outcome"
    return journal.batch, outcomes


async def _run(
    connection: Connection,
    batch: Batch,
    waiting: Waiting | None,
    while_written: WhileWritten,
    lots_wait: Waiting | None,
    *,
    has_lapsed: bool,
) -> None:
    """Post the drafts that are not refused; of gifts that wait nothing is asked of the server."""
    clockwork = _clockwork(batch, has_lapsed=has_lapsed)
    for stage in waves(batch):
        await run_stage(connection, batch, stage, lots_wait)
        if clockwork is not None:
            done = [(batch.drafts[i], batch.outcomes[i]) for i in stage]
            await clockwork.follow(connection, done)
    if clockwork is not None:
        await clockwork.finish(connection)
    await claiming.claim_trusted(connection, batch, lots_wait)
    work = partial(while_written, batch.outcomes)
    later, all_waits = (waiting.later, waiting.defers) if waiting else (None, False)
    await batch.journal.write(connection, work, later, all_waits=all_waits)


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
    batch.kept_holds = kept_holds
    wanted = {draft.posting for draft in batch.drafts if isinstance(draft, Reverse)}
    originals = await read_postings(connection, wanted) if wanted else {}
    batch.originals = originals
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
    if batch.is_claimed:
        assert not lapsed, "where clocks are, holders are locked before receipts"
        for i in batch.open():  # all are read, and nothing is taken from anybody
            batch.outcomes[i] = holders.refusal_by_state(batch.standings, batch.holders[i])
        return
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
