"""Checks of debts: counters, what holders owe, and the postings that paid."""

from coalition.ledger.audit_checks import Check

_COUNTERS = Check(
    "I2",
    "the counters of a debt are the sums of its entries",
    """
    WITH entered AS (
        SELECT bucket, debt, lot, sum(points) FILTER (WHERE kind = 1) AS booked,
               sum(points) FILTER (WHERE kind = 2) AS recovered,
               sum(points) FILTER (WHERE kind = 3) AS written_off,
               sum(points) FILTER (WHERE kind = 4) AS moved
        FROM debt_entry GROUP BY bucket, debt, lot
    )
    SELECT debt.posting, debt.lot, debt.booked, entered.booked AS entries_booked,
           debt.recovered, entered.recovered AS entries_recovered,
           debt.written_off, entered.written_off AS entries_written_off,
           debt.moved, entered.moved AS entries_moved
    FROM debt
    FULL JOIN entered ON entered.bucket = debt.bucket AND entered.debt = debt.posting
         AND entered.lot = debt.lot
    WHERE debt.booked IS DISTINCT FROM entered.booked
       OR debt.recovered IS DISTINCT FROM coalesce(entered.recovered, 0)
       OR debt.written_off IS DISTINCT FROM coalesce(entered.written_off, 0)
       OR debt.moved IS DISTINCT FROM coalesce(entered.moved, 0)
    """,
)

_OWES = Check(
    "I2",
    "what a holder owes is what is open of its debts",
    """
    WITH left_open AS (
        SELECT bucket, holder, sum(booked - recovered - written_off - moved) AS points
        FROM debt GROUP BY bucket, holder
    )
    SELECT holder.id AS holder, holder.owes, left_open.points
    FROM holder
    FULL JOIN left_open ON left_open.bucket = holder.bucket AND left_open.holder = holder.id
    WHERE holder.owes IS DISTINCT FROM coalesce(left_open.points, 0)
    """,
)

_MOVED = Check(
    "I4",
    "debts that went to another holder are whole: what is owed for an issue is what was not there",
    """
    WITH owed AS (
        SELECT posting, sum(booked - moved) AS points FROM debt GROUP BY posting
    ), missing AS (
        SELECT counted.posting, sum(counted.reversed) - coalesce(sum(returned.points), 0) AS points
        FROM reversed_leg AS counted
        LEFT JOIN (
            SELECT bucket, reverses AS posting, origin_lot AS lot, sum(points) AS points
            FROM lot_leg WHERE reverses IS NOT NULL GROUP BY bucket, reverses, origin_lot
        ) AS returned ON returned.bucket = counted.bucket
             AND returned.posting = counted.posting AND returned.lot = counted.lot
        GROUP BY counted.posting
    )
    SELECT coalesce(owed.posting, missing.posting) AS posting, owed.points AS owed, missing.points
    FROM owed FULL JOIN missing USING (posting)
    WHERE coalesce(owed.points, 0) <> coalesce(missing.points, 0)
    """,
)

_PAID = Check(
    "I4",
    "every recovery pays one debt, to its issuer and for its issue, with all of its points",
    """
    WITH paid AS (
        SELECT debt_entry.bucket, debt_entry.posting, debt_entry.points, debt.posting AS issue,
               debt.holder, debt.currency_no, debt.issuer_no
        FROM debt_entry
        JOIN debt ON debt.bucket = debt_entry.bucket AND debt.posting = debt_entry.debt
             AND debt.lot = debt_entry.lot
        WHERE debt_entry.kind = 2
    ), recovered AS (SELECT * FROM posting WHERE kind = 8)
    SELECT coalesce(recovered.id, paid.posting) AS posting, recovered.points, paid.points AS paid
    FROM recovered
    FULL JOIN paid ON paid.bucket = recovered.bucket AND paid.posting = recovered.id
    WHERE (recovered.points, recovered.linked, recovered.holder, recovered.currency_no,
           recovered.partner_no, recovered.account_partner_no, recovered.account,
           recovered.direction)
       IS DISTINCT FROM
          (paid.points, paid.issue, paid.holder, paid.currency_no, paid.issuer_no, paid.issuer_no,
           7::int2, (-1)::int2)
    UNION ALL
    SELECT posting, count(*), NULL FROM paid GROUP BY bucket, posting HAVING count(*) > 1
    """,
)

CHECKS = (_COUNTERS, _OWES, _MOVED, _PAID)
