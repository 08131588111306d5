"""Checks of lot classes: points that are bound to partners were spent nowhere else."""

from coalition.ledger.audit_checks import Check

_BOUND = Check(
    "I4",
    "points that are bound to partners are redeemed and held at no other",
    """
    WITH bound AS (
        SELECT kept.bucket, kept.id, kept.issuer_no, lot_class.spend_on, lot_class.at_issuer
        FROM (SELECT bucket, id, issuer_no, class_no FROM lot
              UNION SELECT bucket, id, issuer_no, class_no FROM lot_history) AS kept
        JOIN lot_class ON lot_class.no = kept.class_no
        WHERE lot_class.spend_on IS NOT NULL
    ), spent AS (
        SELECT posting.partner_no, posting.id AS act, lot_leg.bucket, lot_leg.lot
        FROM lot_leg
        JOIN posting ON posting.bucket = lot_leg.bucket AND posting.id = lot_leg.posting
        WHERE lot_leg.kind = 2
        UNION ALL
        SELECT hold.partner_no, hold.id, hold_leg.bucket, hold_leg.lot
        FROM hold_leg JOIN hold ON hold.bucket = hold_leg.bucket AND hold.id = hold_leg.hold
        WHERE hold.partner_no <> 0
    )
    SELECT spent.act, spent.lot, spent.partner_no, bound.issuer_no
    FROM spent JOIN bound ON bound.bucket = spent.bucket AND bound.id = spent.lot
    WHERE NOT (spent.partner_no = ANY (bound.spend_on))
      AND NOT (bound.at_issuer AND bound.issuer_no = spent.partner_no)
    """,
)

CHECKS = (_BOUND,)
