"""Checks of passages: points that passed between holders for an act, and found their way back."""

from coalition.ledger.audit_checks import Check

_BOUNDS = Check(
    "I6",
    "what passed for an act never exceeds what the act moved or holds of that lot, and what came "
    "back of it never exceeds what was reversed",
    """
    WITH passed AS (
        SELECT bucket, act, lot, sum(points) AS points, sum(returned) AS returned
        FROM passage GROUP BY bucket, act, lot
    )
    SELECT passed.act, passed.lot, passed.points, passed.returned,
           coalesce(moved.points, hold_leg.points) AS moved, back.reversed
    FROM passed
    LEFT JOIN lot_leg AS moved ON moved.bucket = passed.bucket AND moved.posting = passed.act
         AND moved.lot = passed.lot
    LEFT JOIN hold_leg ON hold_leg.bucket = passed.bucket AND hold_leg.hold = passed.act
         AND hold_leg.lot = passed.lot
    LEFT JOIN reversed_leg AS back ON back.bucket = passed.bucket AND back.posting = passed.act
         AND back.lot = passed.lot
    WHERE passed.points > coalesce(moved.points, hold_leg.points, 0)
       OR (moved.points IS NOT NULL AND passed.returned > coalesce(back.reversed, 0))
    """,
)

_HOLDS = Check(
    "I6",
    "of a hold nothing has come back while it is open, and everything once it is resolved, unless "
    "who gave it is closed",
    """
    SELECT passage.act AS hold, hold.state, passage.points, passage.returned
    FROM passage JOIN hold ON hold.bucket = passage.bucket AND hold.id = passage.act
    WHERE (hold.state = 1 AND passage.returned > 0)
       OR (hold.state <> 1 AND passage.returned < passage.points AND NOT EXISTS (
               SELECT FROM holder WHERE holder.id = passage.other AND holder.state = 3))
    """,
)

# Of whoever acts: what passed and came back by its passages, and by the halves of transfers. What
# moved on from a hold to its redemption made no transfer.
_TRANSFERS = Check(
    "I6",
    "every passage is a transfer between the same two holders, and so is whatever came back",
    """
    WITH act AS (
        SELECT passage.*, coalesce(posting.holder, hold.holder) AS holder,
               coalesce(posting.kind, 2) AS kind,
               EXISTS (SELECT FROM hold AS captured WHERE captured.bucket = passage.bucket
                   AND captured.posting = passage.act) AS is_captured
        FROM passage
        LEFT JOIN posting ON posting.bucket = passage.bucket AND posting.id = passage.act
        LEFT JOIN hold ON hold.bucket = passage.bucket AND hold.id = passage.act
    ), half AS (
        SELECT one.holder, other.holder AS other, one.reason, one.direction, one.points
        FROM posting AS one JOIN posting AS other ON other.id = one.linked
        WHERE one.kind = 9
          AND one.reason IN ('spent_together', 'earned_together', 'given_back', 'taken_back')
    ), compared AS (
        SELECT 'passed' AS what, kind, holder, other, points FROM act WHERE NOT is_captured
        UNION ALL
        SELECT 'passed', 2, holder, other, -points FROM half
        WHERE reason = 'spent_together' AND direction = 1
        UNION ALL
        SELECT 'passed', 1, holder, other, -points FROM half
        WHERE reason = 'earned_together' AND direction = -1
        UNION ALL
        SELECT 'back', kind, holder, NULL, returned FROM act
        UNION ALL
        SELECT 'back', 2, holder, NULL, -points FROM act WHERE is_captured
        UNION ALL
        SELECT 'back', 2, holder, NULL, -points FROM half
        WHERE reason = 'given_back' AND direction = -1
        UNION ALL
        SELECT 'back', 1, holder, NULL, -points FROM half
        WHERE reason = 'taken_back' AND direction = 1
    )
    SELECT what, kind, holder, other, sum(points) AS difference
    FROM compared GROUP BY what, kind, holder, other HAVING sum(points) <> 0
    """,
)

CHECKS = (_BOUNDS, _HOLDS, _TRANSFERS)
