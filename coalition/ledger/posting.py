"""The one way points move: a batch of drafts, posted set by set in one transaction.

A batch locks its takers first, claims its receipts, then runs wave by wave and kind by kind. A
draft that cannot be done gets its refusal and does not spoil the others.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from coalition.kernel.database import Connection
from coalition.kernel.errors import Refused
from coalition.ledger import holders, lots, receipts, resolutions, reversals
from coalition.ledger.accounts import Kind
from coalition.ledger.activity import Clockwork, one_after_another
from coalition.ledger.adjustments import adjust
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
    Till,
    Void,
)
from coalition.ledger.ended import book_ended
from coalition.ledger.exchanging import convert
from coalition.ledger.holders import Standing
from coalition.ledger.issues import issue
from coalition.ledger.journal import Journal
from coalition.ledger.recoveries import recover
from coalition.ledger.redemptions import hold, redeem
from coalition.ledger.refusals import DuplicateReceipt, UnknownHold, UnknownPosting

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
}
"""In which stage of a wave drafts of each kind run, and what posts them; issues come before."""

_ISSUES = 0
_KINDS_OF_RECEIPTS: dict[type[Draft], Kind] = {Issue: Kind.ISSUE, Convert: Kind.CONVERSION}
"""Under which kind a receipt is used up; all others take points as payment."""


Decide = Callable[[list[int]], Awaitable[dict[int, Draft | Refused]]]
"""Decides drafts that depend on what their holders have had so far.

Called with the positions of the drafts that are not refused, once the holders of those that take
points, and of open issues, are locked and the receipts are claimed. It returns what stands in place
of a draft: the decided one, of the same kind and holder, or its refusal.
"""


async def pin(connection: Connection) -> None:
    """Give the open transaction of a caller that posts now and then the settings `PINNED`."""
    settings = (f"SET LOCAL {name} = '{value}'" for name, value in PINNED.items())
    await connection.execute(";".join(settings))


class Batch:
    """Drafts on their way: whose points they move, where they stand, and what became of each."""

    def __init__(self, drafts: Sequence[Draft], journal: Journal) -> None:
        """Take `drafts`; nothing is decided yet."""
        self.drafts = list(drafts)
        self.journal = journal
        self.outcomes: list[Outcome | None] = [None] * len(drafts)
        self.holders: dict[int, UUID] = {}
        self.standings: dict[UUID, Standing] = {}
        self.owing: dict[UUID, Standing] = {}
        """The holders, all locked, that have debts: something is taken of what they are issued."""
        self.survivors: dict[UUID, UUID] = {}
        """Of postings to be reversed whose holders were merged: who has taken over since."""
        self.tills: dict[int, Till] = {}
        self.repeats: dict[int, bytes] = {}
        """Drafts whose receipt an earlier draft of the batch stands on, with its digest."""

    def open(self) -> list[int]:
        """Return the positions of the drafts that are not refused so far."""
        return [i for i, outcome in enumerate(self.outcomes) if outcome is None]


async def post(
    connection: Connection,
    drafts: Sequence[Draft],
    *,
    at: datetime,
    today: date,
    decide: Decide | None = None,
    clocks: Sequence[Clock] = (),
    suspended: Collection[int] = (),
) -> tuple[UUID, list[Outcome]]:
    """Post `drafts`; return the batch's id and an outcome for each draft, in their order.

    The caller holds the transaction, opened with `PINNED` or, for many lines, `PINNED_FOR_LINES`;
    `today` is the day of `at` in the coalition's zone and decides what has expired. `clocks` are
    all that are registered; points of `suspended` funders are not spent. Database errors pass:
    nothing is then done.
    """
    journal = Journal(at, today, clocks, suspended)
    batch = Batch(drafts, journal)
    await _find_holders(connection, batch)
    lapsed = await _lapsed(connection, batch) if clocks else set()
    await _check_holders(connection, batch, lapsed)
    if lapsed:
        # Before it becomes active again: what its clock has ended does not live again.
        await book_ended(connection, journal, lapsed & {batch.holders[i] for i in batch.open()})
    claims = await _claim_receipts(connection, batch)
    if decide is not None:
        _settle(batch, await decide(batch.open()))
    clockwork = None
    if clocks:
        acting = [(batch.holders[i], batch.drafts[i]) for i in batch.open()]
        clockwork = Clockwork(journal, at_once=bool(lapsed) or one_after_another(acting))
    for stage in _waves(batch):
        await _run_stage(connection, batch, stage)
        if clockwork is not None:
            done = [(batch.drafts[i], batch.outcomes[i]) for i in stage]
            await clockwork.follow(connection, done)
    if clockwork is not None:
        await clockwork.finish(connection)
    await journal.write(connection)
    await _give_back_receipts(connection, batch, claims)
    outcomes = [outcome for outcome in batch.outcomes if outcome is not None]
    assert len(outcomes) == len(drafts), "every draft has its outcome"
    return journal.batch, outcomes


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
) -> dict[UUID, int]:
    """Return what each holder can spend on `today`, in whole points, nothing of `suspended`."""
    return await lots.balances(connection, wanted, currency_no, today, suspended)


async def _find_holders(connection: Connection, batch: Batch) -> None:
    """Find out whose points each draft moves, and where the act stands."""
    holds = {draft.hold for draft in batch.drafts if isinstance(draft, Capture | Void)}
    kept_holds = await resolutions.read_holds(connection, holds) if holds else {}
    wanted = {draft.posting for draft in batch.drafts if isinstance(draft, Reverse)}
    originals = await reversals.read_postings(connection, wanted) if wanted else {}
    for i, draft in enumerate(batch.drafts):
        if isinstance(draft, Capture | Void):
            kept = kept_holds.get(draft.hold)
            if kept is None or kept.partner_no != draft.partner_no:
                batch.outcomes[i] = UnknownHold()
                continue
            batch.holders[i] = kept.holder
            if isinstance(draft, Capture):
                batch.tills[i] = resolutions.till_of(kept, draft.client_no)
        elif isinstance(draft, Reverse):
            original = originals.get(draft.posting)
            if original is None or original.partner_no != draft.till.partner_no:
                batch.outcomes[i] = UnknownPosting()
                continue
            batch.holders[i] = original.holder
            batch.tills[i] = draft.till
        else:
            batch.holders[i] = draft.holder
            batch.tills[i] = draft.till


async def _lapsed(connection: Connection, batch: Batch) -> set[UUID]:
    """Return the holders of the batch who have been inactive for too long."""
    return await lapsed(connection, {batch.holders[i] for i in batch.open()}, batch.journal.today)


async def _check_holders(connection: Connection, batch: Batch, lapsed: set[UUID]) -> None:
    """Lock all from whom points may be taken, before anything else is locked; read the rest.

    From those who have `lapsed` points are taken too, as expired, and from those who owe, of what
    they are issued.
    """
    takers: set[UUID] = set()
    receivers: set[UUID] = set()
    for i in batch.open():
        draft = batch.drafts[i]
        is_receiver = (
            isinstance(draft, Issue) and not draft.is_open and batch.holders[i] not in lapsed
        )
        (receivers if is_receiver else takers).add(batch.holders[i])
    receivers -= takers
    if receivers:
        batch.standings |= await holders.read_states(connection, receivers)
        takers |= {holder for holder, standing in batch.standings.items() if standing.owes}
    if takers:
        batch.standings |= await holders.lock(connection, takers)
        await _find_survivors(connection, batch)
    for i in batch.open():
        batch.outcomes[i] = holders.refusal_by_state(batch.standings, batch.holders[i])
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


async def _claim_receipts(connection: Connection, batch: Batch) -> dict[int, bytes]:
    """Claim the receipt of each draft that stands on one; refuse those that were used before."""
    digests: dict[int, bytes] = {}
    first: dict[bytes, int] = {}
    used: list[int] = []
    for i in batch.open():
        digest = receipt_digest(batch.drafts[i], batch.tills.get(i))
        if digest is None:
            continue
        earlier = first.setdefault(digest, i)
        if earlier == i or _capture_one_hold(batch.drafts[earlier], batch.drafts[i]):
            digests[i] = digest
        else:
            batch.repeats[i] = digest
            used.append(i)
    if first:
        claimed = await receipts.claim(connection, list(first), batch.journal.batch)
        if len(claimed) < len(first):
            used += [i for i, digest in digests.items() if digest not in claimed]
    if used:
        await _refuse_used(connection, batch, used)
    return {i: digest for i, digest in digests.items() if batch.outcomes[i] is None}


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


async def _give_back_receipts(
    connection: Connection, batch: Batch, claims: dict[int, bytes]
) -> None:
    """Give up the claims of drafts that were refused after all; a refusal leaves nothing.

    Drafts that had to stand back for them hear that the receipt is free again.
    """
    used = {digest for i, digest in claims.items() if not isinstance(batch.outcomes[i], Refused)}
    free = set(claims.values()) - used
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
    if till is None or till.receipt is None or isinstance(draft, Hold | Reverse):
        return None
    kind = _KINDS_OF_RECEIPTS.get(type(draft), Kind.REDEEM)
    return receipts.digest(
        partner_no=till.partner_no,
        store_no=till.store_no,
        receipt=till.receipt,
        business_day=till.business_day,
        kind=kind,
    )


def _waves(batch: Batch) -> list[list[int]]:
    """Order the drafts into sets that may run together and keep each holder's own order.

    Within a wave the kinds run in a fixed order; a holder whose later draft is of an earlier kind
    goes on in the next wave. Nearly always there is one wave.
    """
    last: dict[UUID, tuple[int, int]] = {}
    sets: dict[tuple[int, int], list[int]] = {}
    for i in batch.open():
        kind = type(batch.drafts[i])
        stage = _ISSUES if kind is Issue else _STAGES[kind][0]
        holder = batch.holders[i]
        wave, before = last.get(holder, (0, 0))
        if stage < before:
            wave += 1
        last[holder] = (wave, stage)
        sets.setdefault((wave, stage), []).append(i)
    return [sets[key] for key in sorted(sets)]


async def _run_stage(connection: Connection, batch: Batch, positions: list[int]) -> None:
    drafts: list[Any] = [batch.drafts[i] for i in positions]  # Any: a stage has drafts of one kind
    kind = type(drafts[0])
    if kind is Issue:
        outcomes = await issue(connection, batch.journal, drafts, batch.owing)
    elif kind is Reverse:
        outcomes = await reversals.reverse(connection, batch.journal, drafts, batch.survivors)
        _note_debts(batch, outcomes)
    else:
        _, run = _STAGES[kind]
        outcomes = await run(connection, batch.journal, drafts)
    for i, outcome in zip(positions, outcomes, strict=True):
        batch.outcomes[i] = outcome


def _note_debts(batch: Batch, outcomes: list[Outcome]) -> None:
    """Remember who owes from now on, for issues that come later in the batch."""
    for outcome in outcomes:
        if isinstance(outcome, Owed) or (isinstance(outcome, Posted) and outcome.debt):
            batch.owing[outcome.holder] = batch.standings[outcome.holder]
