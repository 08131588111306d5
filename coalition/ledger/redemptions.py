"""Redeeming and holding: lots are taken in spending order, those that end first before others."""

from collections.abc import Sequence

from coalition.kernel.database import Connection
from coalition.kernel.ids import bucket_of, uuid7
from coalition.ledger import passages
from coalition.ledger.accounts import OUT_OF_LOT, Account, HoldState, Kind
from coalition.ledger.drafts import Held, Hold, Outcome, Posted, Redeem
from coalition.ledger.funds import Funds
from coalition.ledger.journal import Journal
from coalition.ledger.lots import LotChanges
from coalition.ledger.passages import Passage
from coalition.ledger.refusals import NotEnoughPoints

_HOLDS = """
INSERT INTO hold (bucket, id, holder, partner_no, store_no, client_no, receipt, currency_no, points,
                  state, business_day, occurred_at, made_at, expires_at, cashier)
SELECT bucket, id, holder, partner_no, store_no, client_no, receipt, currency_no, points, $1,
       business_day, occurred_at, $2, expires_at, cashier
FROM unnest($3::int2[], $4::uuid[], $5::uuid[], $6::int4[], $7::int4[], $8::int4[], $9::text[],
            $10::int2[], $11::int4[], $12::date[], $13::timestamptz[], $14::timestamptz[],
            $15::text[])
     AS made (bucket, id, holder, partner_no, store_no, client_no, receipt, currency_no, points,
              business_day, occurred_at, expires_at, cashier)
"""

_HOLD_LEGS = """
INSERT INTO hold_leg (bucket, hold, lot, points)
SELECT * FROM unnest($1::int2[], $2::uuid[], $3::uuid[], $4::int4[])
"""


async def redeem(
    connection: Connection, journal: Journal, drafts: Sequence[Redeem]
) -> list[Outcome]:
    """Post `drafts` whose holders are locked; refuse one that its holder's points do not cover.

    Points of others that its sources let it take count as well; these holders are locked too.
    """
    changes = LotChanges()
    outcomes: list[Outcome] = []
    passed: list[Passage] = []
    funds = await Funds.of(connection, journal, drafts)
    for draft in drafts:
        taken = funds.take(draft, changes)
        if isinstance(taken, NotEnoughPoints):
            outcomes.append(taken)
            continue
        for lot, points in taken.legs:
            changes.take_out(lot, draft.holder, points=points)
        posting = journal.add(
            kind=Kind.REDEEM,
            holder=draft.holder,
            till=draft.till,
            currency_no=draft.currency_no,
            direction=OUT_OF_LOT,
            legs=[(lot, points, None) for lot, points in taken.legs],
            account=Account.REDEEMED,
        )
        posted = Posted(posting, draft.holder, draft.points, currency_no=draft.currency_no)
        if taken.passed:
            posted.shares = taken.shares
            passed += taken.of(posting)
        outcomes.append(posted)
    await changes.write(connection)
    await passages.write(connection, passed)
    return outcomes


async def hold(connection: Connection, journal: Journal, drafts: Sequence[Hold]) -> list[Outcome]:
    """Reserve the points of `drafts` whose holders are locked, as `redeem` would take them."""
    changes = LotChanges()
    outcomes: list[Outcome] = []
    holds: list[tuple[object, ...]] = []
    legs: list[tuple[object, ...]] = []
    passed: list[Passage] = []
    funds = await Funds.of(connection, journal, drafts)
    for draft in drafts:
        taken = funds.take(draft, changes)
        if isinstance(taken, NotEnoughPoints):
            outcomes.append(taken)
            continue
        bucket = bucket_of(draft.holder)
        made = uuid7(journal.at, bucket)
        partner_no, store_no, client_no, receipt, business_day, occurred_at, cashier = draft.till
        holds.append(
            (
                bucket, made, draft.holder, partner_no, store_no, client_no, receipt,
                draft.currency_no, draft.points, business_day, occurred_at, draft.expires_at,
                cashier,
            )
        )  # fmt: skip
        for lot, points in taken.legs:
            changes.take_out(lot, draft.holder, held=points)
            legs.append((bucket, made, lot, points))
        held = Held(made, draft.holder, draft.points, draft.expires_at, draft.currency_no)
        if taken.passed:
            held.shares = taken.shares
            passed += taken.of(made)
        outcomes.append(held)
    await changes.write(connection)
    if holds:
        await connection.execute(_HOLDS, HoldState.OPEN, journal.at, *zip(*holds, strict=True))
        await connection.execute(_HOLD_LEGS, *zip(*legs, strict=True))
    await passages.write(connection, passed)
    return outcomes
