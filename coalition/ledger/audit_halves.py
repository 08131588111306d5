"""Checks of postings that come in two halves: conversions, merges, transfers and their fees."""

from coalition.ledger.audit_checks import Check

_PAIRS = Check(
    "I1",
    "halves name each other: a merge and a transfer move as much as arrives, a conversion stays "
    "with its holder",
    """
    WITH half AS (SELECT * FROM posting WHERE kind IN (6, 7, 9))
    SELECT one.id AS posting, one.linked, one.points, other.points AS other_points
    FROM half AS one LEFT JOIN half AS other ON other.id = one.linked
    WHERE other.linked IS DISTINCT FROM one.id OR other.kind <> one.kind
       OR other.batch <> one.batch OR other.direction <> -one.direction
       OR (one.kind <> 6 AND (other.currency_no, other.points) <> (one.currency_no, one.points))
       OR (one.kind <> 6) <> (other.holder <> one.holder)
       OR (one.kind = 6) <> (other.currency_no <> one.currency_no)
       OR one.account <> CASE one.kind WHEN 6 THEN 5 ELSE 6 END
    """,
)

_UNDONE = Check(
    "I1",
    "what was undone of a transfer came back of both halves at once, and whole",
    """
    WITH undone AS (SELECT * FROM posting WHERE kind = 3 AND account = 6)
    SELECT one.id AS posting, one.reverses, one.points, half.points AS moved
    FROM undone AS one
    LEFT JOIN posting AS half ON half.id = one.reverses AND half.kind = 9
    LEFT JOIN undone AS other ON other.reverses = half.linked
    WHERE half.points IS DISTINCT FROM one.points OR other.batch IS DISTINCT FROM one.batch
       OR half.holder <> one.holder
    """,
)

_FEES = Check(
    "I1",
    "a fee in points was taken of a sender in one batch with its transfer",
    """
    SELECT fee.id AS posting, fee.linked, half.holder
    FROM posting AS fee
    LEFT JOIN posting AS half ON half.bucket = fee.bucket AND half.id = fee.linked
    WHERE fee.kind = 10
      AND (half.kind, half.direction, half.batch, half.holder, half.currency_no, 0)
          IS DISTINCT FROM
          (9::int2, -1::int2, fee.batch, fee.holder, fee.currency_no, fee.partner_no)
    """,
)

# Who issued points, under which contract and for whose money, until when: all that a half must keep
# of the other. A lot that grew again after it was swept has a row in both tables.
_LEGS = """
    WITH kept AS (
        SELECT bucket, id, issuer_no, contract_no, funder_no, earned_month, expires_on, clock_no,
               class_no, prefunded_share, issue_price FROM lot
        UNION
        SELECT bucket, id, issuer_no, contract_no, funder_no, earned_month, expires_on, clock_no,
               class_no, prefunded_share, issue_price FROM lot_history
    ), half AS (
        SELECT bucket, id, kind, least(id, linked) AS pair FROM posting WHERE kind IN (6, 7, 9)
        UNION ALL
        SELECT undone.bucket, undone.id, 3, least(original.id, original.linked)
        FROM posting AS undone JOIN posting AS original ON original.id = undone.reverses
        WHERE undone.kind = 3 AND undone.account = 6
    ), moved AS (
        SELECT half.kind, half.pair, lot_leg.points * lot_leg.direction AS points, kept.*
        FROM half
        JOIN lot_leg ON lot_leg.bucket = half.bucket AND lot_leg.posting = half.id
        JOIN kept ON kept.bucket = lot_leg.bucket AND kept.id = lot_leg.lot
    )
"""

_PROVENANCE = Check(
    "I4",
    "a merge keeps where points came from, what they cost and until when they live",
    _LEGS  # noqa: S608 - our own query
    + """
    SELECT pair, issuer_no, sum(points) AS points FROM moved WHERE kind = 7
    GROUP BY pair, issuer_no, contract_no, funder_no, earned_month, expires_on, clock_no, class_no,
             prefunded_share, issue_price
    HAVING sum(points) <> 0
    """,
)

_TRANSFERRED = Check(
    "I10",
    "a transfer, done or undone, keeps where points came from and what they cost",
    _LEGS  # noqa: S608 - our own query
    + """
    SELECT pair, issuer_no, sum(points) AS points FROM moved WHERE kind IN (3, 9)
    GROUP BY kind, pair, issuer_no, contract_no, funder_no, earned_month, prefunded_share,
             issue_price
    HAVING sum(points) <> 0
    """,
)

_VALUE = Check(
    "I4",
    "a conversion keeps where points came from, until when they live and what they are worth",
    _LEGS  # noqa: S608 - our own query
    + """
    SELECT pair, issuer_no, sum(points * issue_price) AS worth FROM moved WHERE kind = 6
    GROUP BY pair, issuer_no, contract_no, funder_no, earned_month, expires_on, clock_no, class_no,
             prefunded_share
    HAVING sum(points * issue_price) <> 0
    """,
)

CHECKS = (_PAIRS, _UNDONE, _FEES, _PROVENANCE, _TRANSFERRED, _VALUE)
