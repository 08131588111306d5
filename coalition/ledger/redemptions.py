"""Redeeming and holding: lots are taken in spending order, those that end first before others."""

from collections.abc import Sequence

from coalition.kernel.database import Connection
from coalition.ledger import passages
from coalition.ledger.accounts import OUT_OF_LOT, Account, Kind
from coalition.ledger.drafts import Hold, Outcome, Posted, Redeem
from coalition.ledger.funds import Funds
from coalition.ledger.holds import Holds
from coalition.ledger.journal import Journal
from coalition.ledger.lots import LotChanges
from coalition.ledger.passages import Passage
from coalition.ledger.refusals import NotEnoughPoints
from coalition.ledger.waiting import Waiting

_REDEEM, _REDEEMED = Kind.REDEEM, Account.REDEEMED  # looked up once: see `issues`


async def redeem(
    connection: Connection,
    journal: Journal,
    drafts: Sequence[Redeem],
    waiting: Waiting | None = None,
) -> list[Outcome]:
    """Post `drafts` whose holders are locked; refuse one that its holder's points do not cover.

    Points of others that its sources let it take count as well; these holders are locked too. Lots
    that nobody else acts on in this batch may be left to `waiting`, which is told what there was.
    """
    changes = LotChanges()
    outcomes: list[Outcome] = []
    passed: list[Passage] = []
    funds = await Funds.of(connection, journal, drafts, waiting)
    for draft in drafts:
        taken = funds.take(draft, changes)
        if isinstance(taken, NotEnoughPoints):
            outcomes.append(taken)
            continue
        for lot, points in taken.legs:
            changes.take_out(lot, draft.holder, points=points)
        posting = journal.add(
            kind=_REDEEM,
            holder=draft.holder,
            till=draft.till,
            currency_no=draft.currency_no,
            direction=OUT_OF_LOT,
            legs=[(lot, points, None) for lot, points in taken.legs],
            account=_REDEEMED,
        )
        posted = Posted(posting, draft.holder, draft.points, currency_no=draft.currency_no)
        if taken.passed:
            posted.shares = taken.shares
            passed += taken.of(posting)
        outcomes.append(posted)
    await changes.write(connection if waiting is None else waiting.later)
    await passages.write(connection, passed)
    return outcomes


async def hold(
    connection: Connection,
    journal: Journal,
    drafts: Sequence[Hold],
    waiting: Waiting | None = None,
) -> list[Outcome]:
    """Reserve the points of `drafts` whose holders are locked, as `redeem` would take them."""
    changes = LotChanges()
    outcomes: list[Outcome] = []
    passed: list[Passage] = []
    holds = Holds(journal, changes)
    funds = await Funds.of(connection, journal, drafts, waiting)
    for draft in drafts:
        taken = funds.take(draft, changes)
        if isinstance(taken, NotEnoughPoints):
            outcomes.append(taken)
            continue
        held = holds.add(
            draft.holder, draft.till, draft.currency_no, taken.legs, expires_at=draft.expires_at
        )
        if taken.passed:
            held.shares = taken.shares
            passed += taken.of(held.hold)
        outcomes.append(held)
    by = connection if waiting is None else waiting.later
    await changes.write(by)
    await holds.write(by)
    await passages.write(connection, passed)
    return outcomes
