"""Checks of postings, lots, holds, receipts and totals: queries that return what breaks a promise.

The glossary lists the invariants and says what holds the others.
"""

from typing import NamedTuple


class Check(NamedTuple):
    """A promise, the invariant it belongs to, and the query that returns the rows that break it."""

    invariant: str
    promise: str
    query: str


_ENTRIES = Check(
    "I1",
    "the entries of a posting sum to zero, are at least two, and none is zero",
    """
    SELECT posting, currency_no, sum(amount) AS sum, count(*) AS entries
    FROM entry GROUP BY bucket, posting, currency_no
    HAVING sum(amount) <> 0 OR count(*) < 2 OR bool_or(amount = 0)
    """,
)

_COUNTERS = Check(
    "I2",
    "the counters of a lot are the sums of its legs and of the open holds on it",
    """
    WITH moved AS (
        SELECT bucket, lot, sum(points) FILTER (WHERE direction = 1) AS points_in,
               sum(points) FILTER (WHERE direction = -1) AS points_out
        FROM lot_leg GROUP BY bucket, lot
    ), reserved AS (
        SELECT hold_leg.bucket, hold_leg.lot, sum(hold_leg.points) AS held
        FROM hold_leg JOIN hold ON hold.bucket = hold_leg.bucket AND hold.id = hold_leg.hold
        WHERE hold.state = 1 GROUP BY hold_leg.bucket, hold_leg.lot
    )
    SELECT coalesce(every_lot.id, moved.lot) AS lot,
           every_lot.points_in, moved.points_in AS legs_in,
           every_lot.points_out, moved.points_out AS legs_out,
           every_lot.held, reserved.held AS holds
    FROM every_lot
    FULL JOIN moved ON moved.bucket = every_lot.bucket AND moved.lot = every_lot.id
    LEFT JOIN reserved ON reserved.bucket = every_lot.bucket AND reserved.lot = every_lot.id
    WHERE every_lot.points_in IS DISTINCT FROM coalesce(moved.points_in, 0)
       OR every_lot.points_out IS DISTINCT FROM coalesce(moved.points_out, 0)
       OR every_lot.held IS DISTINCT FROM coalesce(reserved.held, 0)
    """,
)

_BOUNDS = Check(
    "I3",
    "no lot holds or gives more than went into it, and nothing is held below zero",
    """
    SELECT id AS lot, points_in, points_out, held
    FROM (SELECT * FROM lot UNION ALL SELECT * FROM lot_history) AS kept
    WHERE held < 0 OR points_out < 0 OR points_out + held > points_in
    """,
)

_PROVENANCE = Check(
    "I4",
    "per issuer, contract, funder, month and currency what was issued is redeemed, expired, "
    "reversed or unspent",
    """
    WITH unspent AS (
        SELECT issuer_no, contract_no, funder_no, earned_month, currency_no,
               sum(points_in - points_out) AS points
        FROM every_lot GROUP BY 1, 2, 3, 4, 5
    ), flows AS (
        SELECT issuer_no, contract_no, funder_no, earned_month, every_lot.currency_no,
               sum(lot_leg.points * lot_leg.direction) AS points
        FROM lot_leg
        JOIN every_lot ON every_lot.bucket = lot_leg.bucket AND every_lot.id = lot_leg.origin_lot
        GROUP BY 1, 2, 3, 4, 5
    )
    SELECT coalesce(unspent.issuer_no, flows.issuer_no) AS issuer_no, unspent.points AS unspent,
           flows.points AS flows
    FROM unspent
    FULL JOIN flows USING (issuer_no, contract_no, funder_no, earned_month, currency_no)
    WHERE unspent.points IS DISTINCT FROM flows.points
    """,
)

_ISSUERS = Check(
    "I4",
    "a posting stands on the account of its kind and moves lots of its holder and point currency; "
    "points are issued, taken back and given by staff for the issuer that their lot names",
    """
    SELECT posting.id AS posting, posting.kind, posting.account, posting.account_partner_no,
           every_lot.issuer_no
    FROM posting
    JOIN lot_leg ON lot_leg.bucket = posting.bucket AND lot_leg.posting = posting.id
    JOIN every_lot ON every_lot.bucket = lot_leg.bucket AND every_lot.id = lot_leg.lot
    WHERE (posting.kind, posting.account, posting.direction) NOT IN (
              (1, 1, 1), (2, 2, -1), (3, 1, -1), (3, 2, 1), (4, 3, -1), (5, 4, 1), (5, 4, -1),
              (6, 5, 1), (6, 5, -1), (7, 6, 1), (7, 6, -1), (8, 7, -1), (9, 6, 1), (9, 6, -1),
              (3, 6, 1), (3, 6, -1), (10, 4, -1), (11, 1, 1))
       OR posting.account_partner_no
          <> CASE WHEN posting.account IN (3, 5, 6) THEN 0 ELSE posting.partner_no END
       OR (posting.holder, posting.currency_no) <> (every_lot.holder, every_lot.currency_no)
       OR ((posting.account = 1 OR (posting.account = 4 AND posting.direction = 1))
           AND posting.account_partner_no <> every_lot.issuer_no)
    """,
)

_HOLDS = Check(
    "I4",
    "a hold reserves what its legs do and resolves once: a captured one has one redemption or "
    "transfer of at most its points, others none",
    """
    SELECT hold.id AS hold, hold.state, hold.points, posting.points AS redeemed
    FROM hold
    LEFT JOIN posting ON posting.bucket = hold.bucket AND posting.id = hold.posting
    WHERE (hold.state = 2) <> (posting.id IS NOT NULL)
       OR posting.kind NOT IN (2, 9) OR posting.direction <> -1
       OR posting.holder <> hold.holder OR posting.points > hold.points
    UNION ALL
    SELECT min(id::text)::uuid, 2, count(*), NULL FROM hold WHERE posting IS NOT NULL
    GROUP BY bucket, posting HAVING count(*) > 1
    UNION ALL
    SELECT hold.id, hold.state, hold.points, sum(hold_leg.points)
    FROM hold LEFT JOIN hold_leg ON hold_leg.bucket = hold.bucket AND hold_leg.hold = hold.id
    GROUP BY hold.bucket, hold.id HAVING hold.points IS DISTINCT FROM sum(hold_leg.points)
    """,
)

_RECEIPTS = Check(
    "I5",
    "what moved points on a receipt has a claim of its own, so that it has one effect",
    """
    WITH claims AS (SELECT batch, count(*) AS claims FROM receipt_claim GROUP BY batch),
    posted AS (
        SELECT batch, count(*) AS postings FROM posting
        WHERE receipt IS NOT NULL AND kind IN (1, 2, 6) GROUP BY batch
    )
    SELECT coalesce(claims.batch, posted.batch) AS batch, claims.claims, posted.postings
    FROM claims FULL JOIN posted USING (batch) WHERE claims.claims IS DISTINCT FROM posted.postings
    """,
)

_REVERSALS = Check(
    "I6",
    "per leg of a posting, what was reversed or is owed never exceeds it and goes the other way",
    """
    WITH back AS (
        SELECT bucket, reverses AS posting, origin_lot AS lot, points, direction
        FROM lot_leg WHERE reverses IS NOT NULL
        UNION ALL
        -- What was spent is owed. A debt that came by a merge names a lot of the new holder.
        SELECT bucket, debt, lot, points, -1 FROM debt_entry
        WHERE kind = 1 AND EXISTS (
            SELECT FROM lot_leg WHERE lot_leg.bucket = debt_entry.bucket
                AND lot_leg.posting = debt_entry.debt AND lot_leg.lot = debt_entry.lot)
    ), returned AS (
        SELECT bucket, posting, lot, sum(points) AS points,
               min(direction) AS least, max(direction) AS most
        FROM back GROUP BY bucket, posting, lot
    )
    SELECT returned.posting, returned.lot, returned.points, original.points AS original,
           counted.reversed
    FROM returned
    LEFT JOIN lot_leg AS original ON original.bucket = returned.bucket
         AND original.posting = returned.posting AND original.lot = returned.lot
    FULL JOIN reversed_leg AS counted ON counted.bucket = returned.bucket
         AND counted.posting = returned.posting AND counted.lot = returned.lot
    WHERE returned.points IS DISTINCT FROM counted.reversed OR original.points IS NULL
       OR returned.points > original.points OR counted.moved <> original.points
       OR returned.least <> returned.most
       OR returned.least = original.direction
    """,
)

_TOTALS = Check(
    "I13",
    "the totals of partners, written beside the postings, are the sums of the postings still there",
    """
    WITH counted AS (
        SELECT partner_no, kind, direction, currency_no,
               sum(points) AS points, sum(postings) AS postings
        FROM (
            SELECT partner_no, kind, direction, currency_no, points, postings FROM partner_total
            UNION ALL
            SELECT partner_no, kind, direction, currency_no, points, postings FROM partner_delta
        ) AS kept
        GROUP BY 1, 2, 3, 4
    ), posted AS (
        SELECT partner_no, kind, direction, currency_no, sum(points) AS points, count(*) AS postings
        FROM posting GROUP BY 1, 2, 3, 4
    )
    SELECT coalesce(counted.partner_no, posted.partner_no) AS partner_no, counted.points,
           posted.points AS posted
    FROM counted FULL JOIN posted USING (partner_no, kind, direction, currency_no)
    WHERE (counted.points, counted.postings) IS DISTINCT FROM (posted.points, posted.postings)
    """,
)

_RIGHTS = Check(
    "I13",
    "no role of the service may change or remove a posting, a leg or an entry of a debt",
    """
    SELECT role, kept AS "table" FROM unnest(ARRAY['coalition_poster', 'coalition_tenant']) AS role,
        unnest(ARRAY['posting', 'leg', 'debt_entry']) AS kept
    WHERE has_table_privilege(role, kept, 'UPDATE, DELETE, TRUNCATE')
       OR has_any_column_privilege(role, kept, 'UPDATE')
    """,
)

CHECKS = (
    _ENTRIES,
    _COUNTERS,
    _BOUNDS,
    _PROVENANCE,
    _ISSUERS,
    _HOLDS,
    _RECEIPTS,
    _REVERSALS,
    _TOTALS,
    _RIGHTS,
)
