"""Resolving holds: captured in whole or part, voided, or expired; each exactly once."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

from coalition.kernel.database import Connection
from coalition.kernel.database.later import OutdatedError, write_counted
from coalition.kernel.ids import bucket_of
from coalition.ledger import holders, passages
from coalition.ledger.accounts import OUT_OF_LOT, Account, HoldState, Kind
from coalition.ledger.drafts import Capture, Held, Outcome, Posted, Share, Till, Void
from coalition.ledger.homecoming import Homecoming
from coalition.ledger.journal import Journal
from coalition.ledger.lots import LotChanges
from coalition.ledger.refusals import CaptureExceedsHold, HoldResolved
from coalition.ledger.rules import Available, take_in_order
from coalition.ledger.trust import Trusted

# Legs come in lot order, which is by the earliest date, whatever clocks have done meanwhile. OFFSET
# 0 keeps the planner from turning the look-ups round while the tables are small.
_READ = """
SELECT kept.id, kept.holder, kept.partner_no, kept.store_no, kept.client_no, kept.receipt,
       kept.business_day, kept.occurred_at, kept.currency_no, kept.points, kept.state,
       kept.expires_at, kept.cashier, leg.lot, leg.points,
       coalesce((SELECT true FROM passage
                 WHERE passage.bucket = wanted.bucket AND passage.act = wanted.id LIMIT 1), false)
FROM unnest($1::int2[], $2::uuid[]) AS wanted (bucket, id), LATERAL (
    SELECT * FROM hold WHERE hold.bucket = wanted.bucket AND hold.id = wanted.id
    OFFSET 0) AS kept, LATERAL (
    SELECT * FROM hold_leg WHERE hold_leg.bucket = wanted.bucket AND hold_leg.hold = wanted.id
    OFFSET 0) AS leg
ORDER BY kept.id, leg.lot
"""

# An open hold is found by its id alone: asked for by its state as well, the planner took the index
# of open holds and read all of them for each.
_RESOLVE = """
UPDATE hold SET state = resolved.state, resolved_at = $5, posting = resolved.posting
FROM unnest($1::int2[], $2::uuid[], $3::int2[], $4::uuid[]) AS resolved (bucket, id, state, posting)
WHERE hold.bucket = resolved.bucket AND hold.id = resolved.id AND hold.resolved_at IS NULL
RETURNING true
"""

_DUE = """
SELECT id, holder, (SELECT true FROM passage
                    WHERE passage.bucket = hold.bucket AND passage.act = hold.id LIMIT 1)
FROM hold WHERE state = 1 AND expires_at <= $1 ORDER BY expires_at LIMIT $2
"""


class KeptHold(NamedTuple):
    """A hold as it stands, with its legs in the order in which they are captured."""

    id: UUID
    holder: UUID
    partner_no: int
    store_no: int | None
    client_no: int | None
    receipt: str
    business_day: date
    occurred_at: datetime
    currency_no: int
    points: int
    state: int
    expires_at: datetime
    cashier: str | None
    has_passages: bool
    """Whether some of what it reserves is of others."""
    legs: list[Available]


async def read_holds(connection: Connection, ids: Iterable[UUID]) -> dict[UUID, KeptHold]:
    """Return each of the holds `ids` that exists."""
    wanted = list(ids)
    buckets = [bucket_of(hold) for hold in wanted]
    found: dict[UUID, KeptHold] = {}
    for row in await connection.fetch(_READ, buckets, wanted):
        kept = found.get(row[0])
        if kept is None:
            kept = found[row[0]] = KeptHold._make([*row[:13], row[15], []])
        kept.legs.append(Available(row[13], row[14]))
    return found


def till_of(kept: KeptHold, client_no: int | None) -> Till:
    """Return where the hold was made, with the client that resolves it."""
    return Till(
        kept.partner_no,
        kept.store_no,
        client_no,
        kept.receipt,
        kept.business_day,
        kept.occurred_at,
        kept.cashier,
    )


class Resolutions:
    """The holds that a batch resolves."""

    def __init__(self, at: datetime) -> None:
        """Resolve at `at`."""
        self._at = at
        self.changes = LotChanges()
        self._rows: list[tuple[int, UUID, int, UUID | None]] = []
        self._currencies: dict[UUID, int] = {}

    def resolve(self, kept: KeptHold, state: HoldState, posting: UUID | None = None) -> None:
        """Release all of an open hold, which comes to `state` by `posting`."""
        for lot, points, _ in kept.legs:
            self.changes.take_out(lot, kept.holder, held=-points)
            self._currencies[lot] = kept.currency_no
        self._rows.append((bucket_of(kept.id), kept.id, state, posting))

    async def write(self, connection: Connection, trusted: Trusted[KeptHold] | None = None) -> None:
        """Write the changes of lots, and the holds; later, where these are `trusted` to be open.

        Raises `OutdatedError` if one of them is resolved by then.
        """
        if trusted is None:
            await self.changes.write(connection)
        else:
            await trusted.write_lots(connection, self.changes, self._currencies)
        if self._rows:
            rows = sorted(self._rows, key=lambda row: (row[0], row[1].bytes))
            given = *zip(*rows, strict=True), self._at
            by = connection if trusted is None else trusted.later
            await write_counted(by, len(rows), OutdatedError(), _RESOLVE, *given)


async def resolve_holds(
    connection: Connection,
    journal: Journal,
    drafts: Sequence[Capture | Void],
    trusted: Trusted[KeptHold] | None = None,
) -> list[Outcome]:
    """Capture and void the holds of `drafts`, which are there and whose holders are locked.

    Those that are `trusted` are not read again.
    """
    wanted = {draft.hold for draft in drafts}
    found = (
        {one: trusted.kept[one] for one in wanted}
        if trusted
        else await read_holds(connection, wanted)
    )
    resolutions = Resolutions(journal.at)
    passed = await _passed(connection, journal, resolutions, found.values())
    outcomes: list[Outcome] = []
    for draft in drafts:
        kept = found[draft.hold]
        refused = refusal(kept, draft, journal.at)
        if refused is not None:
            outcomes.append(refused)
            continue
        found[draft.hold] = kept._replace(state=HoldState.CAPTURED)  # or voided: open no more
        if isinstance(draft, Void):
            resolutions.resolve(kept, HoldState.VOIDED)
            released = Held(kept.id, kept.holder, kept.points, currency_no=kept.currency_no)
            released.shares = _send_home(passed, kept)
            outcomes.append(released)
        else:
            outcomes.append(_capture(resolutions, passed, journal, kept, draft))
    await resolutions.write(connection, trusted)
    await passed.write(connection)
    return outcomes


async def _passed(
    connection: Connection, journal: Journal, resolutions: Resolutions, found: Iterable[KeptHold]
) -> Homecoming:
    """Find out where points of others in holds go back to; mostly there are none."""
    acts = {kept.id: kept.holder for kept in found if kept.has_passages}
    return await Homecoming.of(connection, journal, resolutions.changes, acts)


def _send_home(
    passed: Homecoming,
    kept: KeptHold,
    captured: Sequence[tuple[UUID, int]] = (),
    *,
    by: UUID | None = None,
) -> tuple[Share, ...]:
    """Let what was not captured of others go back to them, to the lots it came from.

    Also to those that have ended meanwhile: held points do not outlive their last day. What was
    captured has passed for the redemption `by` which that is.
    """
    if not kept.has_passages:
        return ()
    taken = dict(captured)
    for lot, points, _ in kept.legs:
        of_others = passed.left(kept.id, lot)
        own = points - of_others
        if by is not None and (gone := taken.get(lot, 0) - own) > 0:
            passed.move_on(kept.id, lot, gone, by)
        back = passed.share(kept.id, lot, passed.left(kept.id, lot), 0, "reverse")
        passed.send_back(kept.holder, back)
    return passed.finish_act()


def refusal(
    kept: KeptHold, draft: Capture | Void, at: datetime
) -> HoldResolved | CaptureExceedsHold | None:
    """Return why a hold, as it stands at `at`, cannot be resolved as `draft` wants, or None."""
    if kept.state != HoldState.OPEN or kept.expires_at <= at:
        return HoldResolved()
    if isinstance(draft, Capture) and draft.points is not None and draft.points > kept.points:
        return CaptureExceedsHold(
            f"the hold reserves {kept.points} points; capture at most that", limit=kept.points
        )
    return None


def _capture(
    resolutions: Resolutions,
    passed: Homecoming,
    journal: Journal,
    kept: KeptHold,
    draft: Capture,
) -> Posted:
    points = draft.points or kept.points
    # Of others no more than is needed: a stable sort, so that what ends first goes first of each.
    legs = sorted(kept.legs, key=lambda leg: passed.left(kept.id, leg.lot) > 0)
    taken = take_in_order(points, legs)
    assert taken is not None, "the legs of a hold add up to its points"
    for lot, part in taken:
        resolutions.changes.take_out(lot, kept.holder, points=part)
    posting = journal.add(
        kind=Kind.REDEEM,
        holder=kept.holder,
        till=till_of(kept, draft.client_no),
        currency_no=kept.currency_no,
        direction=OUT_OF_LOT,
        legs=[(lot, part, None) for lot, part in taken],
        account=Account.REDEEMED,
    )
    resolutions.resolve(kept, HoldState.CAPTURED, posting)
    shares = _send_home(passed, kept, taken, by=posting)
    return Posted(posting, kept.holder, points, currency_no=kept.currency_no, shares=shares)


async def expire_holds(connection: Connection, at: datetime, limit: int = 1000) -> int:
    """Release up to `limit` holds whose time has run out by `at`; return how many there were."""
    due = await connection.fetch(_DUE, at, limit)
    owners = {row[1] for row in due}
    others = await passages.others(connection, [row[0] for row in due if row[2]])
    await holders.lock(connection, owners.union(*others.values()))
    # Read again under the locks: a hold may have been captured between the two statements.
    found = await read_holds(connection, [row[0] for row in due])
    journal = Journal(at, at.date())
    resolutions = Resolutions(at)
    passed = await _passed(connection, journal, resolutions, found.values())
    expired = [kept for kept in found.values() if kept.state == HoldState.OPEN]
    for kept in expired:
        resolutions.resolve(kept, HoldState.EXPIRED)
        _send_home(passed, kept)
    await resolutions.write(connection)
    await passed.write(connection)
    await journal.write(connection)
    return len(expired)
