"""Checks of postings that come in two halves: conversions and merges."""

from coalition.ledger.audit_checks import Check

_PAIRS = Check(
    "I1",
    "halves name each other: a merge moves as much as arrives, a conversion stays with its holder",
    """
    WITH half AS (SELECT * FROM posting WHERE kind IN (6, 7))
    SELECT one.id AS posting, one.linked, one.points, other.points AS other_points
    FROM half AS one LEFT JOIN half AS other ON other.id = one.linked
    WHERE other.linked IS DISTINCT FROM one.id OR other.kind <> one.kind
       OR other.batch <> one.batch OR other.direction <> -one.direction
       OR (one.kind = 7 AND (other.currency_no, other.points) <> (one.currency_no, one.points))
       OR (one.kind = 7) <> (other.holder <> one.holder)
       OR (one.kind = 6) <> (other.currency_no <> one.currency_no)
       OR one.account <> CASE one.kind WHEN 6 THEN 5 ELSE 6 END
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
    ), moved AS (
        SELECT half.kind, least(half.id, half.linked) AS pair, lot_leg.points * lot_leg.direction
               AS points, kept.*
        FROM posting AS half
        JOIN lot_leg ON lot_leg.bucket = half.bucket AND lot_leg.posting = half.id
        JOIN kept ON kept.bucket = lot_leg.bucket AND kept.id = lot_leg.lot
        WHERE half.kind IN (6, 7)
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

CHECKS = (_PAIRS, _PROVENANCE, _VALUE)
