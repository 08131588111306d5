"""Reversing: points go back through the legs that moved them, never more than the original.

What a member bought who was merged since is reversed in that member's own lots, so that original,
reversal and what was counted stay in one bucket. The points come from the survivor, or go on to it,
by the two halves of a merge.
"""

from collections.abc import Mapping, Sequence
from uuid import UUID

from coalition.kernel.database import Connection
from coalition.kernel.database.later import OutdatedError
from coalition.kernel.errors import Refused
from coalition.kernel.ids import bucket_of
from coalition.ledger import lots, merging
from coalition.ledger.accounts import INTO_LOT, OUT_OF_LOT, Account, Kind
from coalition.ledger.drafts import Outcome, Owed, Posted, Reverse, Share
from coalition.ledger.journal import Journal, Leg
from coalition.ledger.lots import KeptLot
from coalition.ledger.originals import KeptPosting, read_postings
from coalition.ledger.provenance import NO_CLOCK, Provenance, lot_id
from coalition.ledger.refusals import (
    NotReversible,
    PointsAlreadySpent,
    ReversalExceedsOriginal,
)
from coalition.ledger.reversal_stage import Stage
from coalition.ledger.rules import IssuedLeg, ReturnableLeg, choose_legs, take_back
from coalition.ledger.trust import Trusted

NOBODY_MERGED: Mapping[UUID, UUID] = {}
_REVERSIBLE = {
    Kind.ISSUE: Account.ISSUED,
    Kind.REDEEM: Account.REDEEMED,
    Kind.BENEFIT: Account.ISSUED,
}


async def reverse(
    connection: Connection,
    journal: Journal,
    drafts: Sequence[Reverse],
    survivors: Mapping[UUID, UUID] = NOBODY_MERGED,
    trusted: Trusted[KeptPosting] | None = None,
) -> list[Outcome]:
    """Post the reversals of `drafts`, whose originals are there and whose holders are locked.

    Two reversals of one posting in one batch are posted one after the other, each seeing what the
    one before it took back; what follows them in the same bucket, so for the same holder, waits
    with the second. `survivors` names who has taken over from the holders of originals that were
    merged; those, locked as well, are reversed one by one. Where each original is named once and
    nobody was merged, those that are `trusted` are not read again.
    """
    outcomes: list[Outcome | None] = [None] * len(drafts)
    rest = list(range(len(drafts)))
    if survivors or len({draft.posting for draft in drafts}) < len(drafts):
        trusted = None
    while rest:
        survivor = survivors.get(drafts[rest[0]].posting)
        chosen = rest[:1] if survivor else _distinct(drafts, rest, survivors)
        wanted = [drafts[i] for i in chosen]
        answers = await _reverse_distinct(connection, journal, wanted, survivor, trusted)
        for i, answer in zip(chosen, answers, strict=True):
            outcomes[i] = answer
        rest = [i for i in rest if outcomes[i] is None]
    return [outcome for outcome in outcomes if outcome is not None]


def _distinct(
    drafts: Sequence[Reverse], positions: list[int], survivors: Mapping[UUID, UUID]
) -> list[int]:
    """Return the `positions` that can be posted together without changing any holder's order."""
    chosen: list[int] = []
    seen: set[UUID] = set()
    waiting: set[int] = set()
    for i in positions:
        posting = drafts[i].posting
        if posting in survivors:
            break
        if posting in seen:
            waiting.add(bucket_of(posting))
        elif bucket_of(posting) not in waiting:
            seen.add(posting)
            chosen.append(i)
    return chosen


async def _reverse_distinct(
    connection: Connection,
    journal: Journal,
    drafts: Sequence[Reverse],
    survivor: UUID | None,
    trusted: Trusted[KeptPosting] | None,
) -> list[Outcome]:
    wanted = [draft.posting for draft in drafts]
    originals = (
        {one: trusted.kept[one] for one in wanted}
        if trusted
        else await read_postings(connection, wanted)
    )
    kept_lots = await _read_lots(connection, journal, originals, survivor)
    stage = Stage(journal, kept_lots, survivor)
    await stage.read_ended(connection, drafts, originals)
    await stage.read_passages(connection, originals.values())
    outcomes: list[Outcome] = []
    for draft in drafts:
        original = originals[draft.posting]
        points = _points_to_reverse(draft, original)
        if isinstance(points, Refused):
            outcomes.append(points)
        elif original.gave:
            outcomes.append(_take_back(stage, draft, original, points))
        else:
            outcomes.append(_give_back(stage, draft, original, points))
    if trusted:
        refused = [wanted[i] for i, one in enumerate(outcomes) if isinstance(one, Refused)]
        await _check(connection, refused, originals)
    await stage.write(connection, trusted)
    return outcomes


async def _check(
    connection: Connection, refused: Sequence[UUID], originals: Mapping[UUID, KeptPosting]
) -> None:
    """Raise `OutdatedError` unless the originals of what is `refused` stand as they were read."""
    if refused and any(
        originals[one] != kept for one, kept in (await read_postings(connection, refused)).items()
    ):
        raise OutdatedError


async def _read_lots(
    connection: Connection,
    journal: Journal,
    originals: Mapping[UUID, KeptPosting],
    survivor: UUID | None,
) -> dict[UUID, KeptLot]:
    """Return the lots of `originals`; of a merged holder as they stand with the `survivor`."""
    wanted = {(leg.lot, kept.holder) for kept in originals.values() for leg in kept.legs}
    wanted_lots, owners = zip(*wanted, strict=True)
    if survivor is None:
        return await lots.read(connection, wanted_lots, owners, journal.today)
    # An issue that was under way when its holder was merged may have left something there.
    await merging.move_late(connection, journal, owners[0], survivor)
    return await lots.read_of_merged(connection, wanted_lots, owners[0], survivor, journal.today)


def _points_to_reverse(draft: Reverse, original: KeptPosting) -> int | Refused:
    if original.kind not in _REVERSIBLE:
        return NotReversible("only what was issued, redeemed or given as a benefit can be reversed")
    left = sum(leg.points - leg.reversed for leg in original.legs)
    points = left if draft.points is None else draft.points
    if points > left or points == 0:
        return ReversalExceedsOriginal(
            f"{left} points of this posting are not yet reversed; reverse at most that",
            limit=sum(leg.points for leg in original.legs),
            remaining=left,
        )
    return points


def _take_back(stage: Stage, draft: Reverse, original: KeptPosting, points: int) -> Outcome:
    """Take issued points back out of their lots, last leg first; what is spent is owed or refused.

    Points that have expired are gone for the member: nobody takes them and nobody owes them, also
    where their lot lives again.
    """
    contracts = {leg.lot: stage.kept_lots[leg.lot].provenance.contract_no for leg in original.legs}
    may_owe = draft.debts.keys() >= set(contracts.values())
    issued = [_issued_leg(stage, original, leg, may_owe=may_owe) for leg in original.legs]
    back = take_back(points, issued, _wished(stage, draft, original))
    if not back.points or (back.points < points and not may_owe):
        return _already_spent(points, back.points)
    posting = None
    shares: tuple[Share, ...] = ()
    if back.taken:
        legs: list[Leg] = [(lot, part, None) for lot, part in back.taken]
        own, shares = _bring_home(stage, original, back.taken)
        stage.bring_back(original, own)
        posting = _add(stage.journal, draft, original, legs)
        for lot, part in own:
            stage.unspent[lot] -= part
    for lot, part in back.taken:
        stage.changes.take_out(lot, original.holder, points=part)
        stage.changes.take_back(lot, original.holder, part)
        stage.count(original, lot, part)
    for lot, part in back.owed:
        stage.debts.book(
            original.holder,
            original.id,
            lot,
            provenance=stage.kept_lots[lot].provenance,
            recover_percent=draft.debts[contracts[lot]],
            points=part,
            reversal=posting,
        )
        stage.changes.take_back(lot, original.holder, part)
        stage.count(original, lot, part)
    taken, owed = (sum(part for _, part in parts) for parts in back)
    holder = stage.survivor or original.holder
    if posting is None:
        return Owed(holder, owed)
    return Posted(
        posting, holder, taken, debt=owed, currency_no=original.currency_no, shares=shares
    )


def _bring_home(
    stage: Stage, original: KeptPosting, taken: Sequence[tuple[UUID, int]]
) -> tuple[list[tuple[UUID, int]], tuple[Share, ...]]:
    """Let what went on of an issue come back as far as it is taken; return what is taken besides.

    Others bear as much of it as their share was, and more where the earner has spent its own.
    """
    if not original.has_passages:
        return list(taken), ()
    own = []
    legs = {leg.lot: leg for leg in original.legs}
    for lot, part in taken:
        back = stage.passed.part_of_others(original.id, legs[lot], part, unspent=stage.unspent[lot])
        if back:
            provenance = stage.kept_lots[lot].provenance
            stage.passed.bring_back(original.id, original.holder, lot, provenance, back)
        if part > back:
            own.append((lot, part - back))
    return own, stage.passed.finish_act()


def _wished(stage: Stage, draft: Reverse, original: KeptPosting) -> dict[UUID, int]:
    """Return how many points of each lot go back first; lots of one funder from the last one."""
    left = dict(draft.by_funder)
    wished: dict[UUID, int] = {}
    for leg in reversed(original.legs):
        funder = stage.kept_lots[leg.lot].provenance.funder_no
        wished[leg.lot] = min(left.get(funder, 0), leg.points - leg.reversed)
        left[funder] = left.get(funder, 0) - wished[leg.lot]
    return wished


def _issued_leg(
    stage: Stage, original: KeptPosting, leg: ReturnableLeg, *, may_owe: bool
) -> IssuedLeg:
    left = leg.points - leg.reversed
    lives = stage.kept_lots[leg.lot].live and not stage.has_ended(original, leg.lot)
    there = stage.unspent[leg.lot] + stage.passed.bringable(original.id, leg.lot)
    return IssuedLeg(leg.lot, min(left, there), left if may_owe and lives else 0)


def _give_back(stage: Stage, draft: Reverse, original: KeptPosting, points: int) -> Outcome:
    """Put redeemed points back into the lots of their legs; replace a lot that has expired."""
    legs: list[Leg] = []
    given: list[tuple[Provenance, int]] = []
    for lot, whole in choose_legs(points, original.legs, draft.order):
        stage.count(original, lot, whole)
        kept = stage.kept_lots[lot]
        provenance = kept.provenance
        sent = _send_home(stage, draft, original, lot, whole)
        own = whole - sent
        # What goes back to others only passes, whether or not the lot has ended.
        through = whole if kept.live else sent
        if through:
            stage.changes.put_in(original.holder, provenance, through, comes_again=True)
            legs.append((lot, through, None))
        if own and not kept.live:
            # Without its clock: that has run out, or would end the grace before its day.
            provenance = provenance._replace(expires_on=draft.grace_expires_on, clock_no=NO_CLOCK)
            there = stage.changes.put_in(original.holder, provenance, own, comes_again=True)
            legs.append((there, own, lot))
        if own:
            given.append((provenance, own))
            stage.returned(lot_id(original.holder, provenance), own)
    posting = _add(stage.journal, draft, original, legs)
    shares = stage.passed.finish_act()
    stage.pass_on(original, given)
    holder = stage.survivor or original.holder
    return Posted(posting, holder, points, currency_no=original.currency_no, shares=shares)


def _send_home(stage: Stage, draft: Reverse, original: KeptPosting, lot: UUID, points: int) -> int:
    """Let what others had given go back to them; return how much of `points` that is."""
    if not original.has_passages:
        return 0
    leg = next(leg for leg in original.legs if leg.lot == lot)
    own = max(leg.points - leg.reversed - stage.passed.left(original.id, lot), 0)
    shares = stage.passed.share(original.id, lot, points, own, draft.order)
    grace = draft.grace_expires_on
    for place, part in stage.passed.send_back(original.holder, shares, grace=grace):
        stage.returned(place, part)
    return sum(part for _, part in shares)


def _already_spent(points: int, remaining: int) -> PointsAlreadySpent:
    return PointsAlreadySpent(
        f"{remaining} of these points are unspent; reverse at most that",
        points=points,
        remaining=remaining,
    )


def _add(journal: Journal, draft: Reverse, original: KeptPosting, legs: list[Leg]) -> UUID:
    return journal.add(
        kind=Kind.REVERSAL,
        holder=original.holder,
        till=draft.till,
        currency_no=original.currency_no,
        direction=OUT_OF_LOT if original.gave else INTO_LOT,
        legs=legs,
        account=_REVERSIBLE[Kind(original.kind)],
        reverses=original.id,
        reason=draft.reason,
    )
