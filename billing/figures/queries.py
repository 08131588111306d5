"""The figures' statements: each over whole sets, as of one instant or over one month.

`$1` and `$2` are the month's first instant and where it ends, or the instant asked for where that
is earlier. An entitlement that covers an instant is what held then, at its price of then; grounds
but a trial and what is shared count as paid for: paid, in grace, given, granted or sponsored.
"""

STANDING = """
SELECT plan_no, ground, count(DISTINCT member_id)::int8 AS members
FROM benefit_entitlement WHERE begins <= $1 AND ends > $1
GROUP BY 1, 2 ORDER BY 1, 2
"""

# Whoever pays at the beginning and has nothing at the end, be it a trial, is lost.
CHURN = """
WITH begun AS (
    SELECT DISTINCT bucket, member_id FROM benefit_entitlement
    WHERE begins <= $1 AND ends > $1 AND ground IN ('paid', 'grace')
)
SELECT count(*)::int8 AS begun, count(*) FILTER (WHERE NOT EXISTS (
    SELECT FROM benefit_entitlement AS later
    WHERE later.bucket = begun.bucket AND later.member_id = begun.member_id
      AND later.begins <= $2 AND later.ends > $2))::int8 AS lost
FROM begun
"""

# What a period of an entitlement was charged at, by the month.
MONTHLY = """CASE price.interval WHEN 'year' THEN held.recurring_minor / 12.0
                         ELSE held.recurring_minor END"""

RECURRING = f"""
SELECT price.currency, sum({MONTHLY}) AS minor, count(*)::int8 AS memberships
FROM benefit_entitlement AS held JOIN plan_price AS price ON price.no = held.price_no
WHERE held.begins <= $1 AND held.ends > $1 AND held.ground IN ('paid', 'grace')
GROUP BY 1 ORDER BY 1
"""  # noqa: S608 - our own words

# Purchases as they were rung up, whatever was returned later; a member is of the plan for those
# that it made while it was entitled. A posting's id is of the millisecond in which it was made.
SPEND = """
SELECT posting.purchase_currency AS currency, held.is_entitled,
       count(DISTINCT posting.holder)::int8 AS members, count(*)::int8 AS purchases,
       sum(posting.purchase_minor)::int8 AS minor
FROM posting
CROSS JOIN LATERAL (
    SELECT EXISTS (
        SELECT FROM benefit_entitlement
        WHERE benefit_entitlement.bucket = posting.bucket
          AND benefit_entitlement.member_id = posting.holder
          AND begins <= posting.occurred_at AND ends > posting.occurred_at) AS is_entitled
) AS held
WHERE posting.id >= $3 AND posting.kind = 1 AND posting.purchase_minor IS NOT NULL
  AND posting.occurred_at >= $1 AND posting.occurred_at < $2
GROUP BY 1, 2 ORDER BY 1, 2
"""

# What of an issue was reversed since is left out in proportion, of every funder alike.
_LOT = """
    SELECT contract_no, issue_price FROM lot WHERE lot.bucket = posting.bucket AND lot.id = {lot}
    UNION ALL
    SELECT contract_no, issue_price FROM lot_history AS swept
    WHERE swept.bucket = posting.bucket AND swept.id = {lot}
    LIMIT 1
"""
_FIRST_LOT = """coalesce(posting.lot, (
        SELECT leg.lot FROM leg
        WHERE leg.bucket = posting.bucket AND leg.posting = posting.id ORDER BY no LIMIT 1))"""

EARNED = f"""
SELECT (share.part ->> 0)::int4 AS funder_no, source.contract_no, source.issue_price,
       sum((share.part ->> 1)::numeric * (posting.points - coalesce(back.points, 0))
           / posting.points) AS points
FROM posting
JOIN purchase_earning AS earning
    ON earning.bucket = posting.bucket AND earning.posting = posting.id
    AND starts_with(earning.rule, 'bonus:plan:')
CROSS JOIN LATERAL jsonb_array_elements(earning.shares) AS share (part)
CROSS JOIN LATERAL ({_LOT.format(lot=_FIRST_LOT)}) AS source
CROSS JOIN LATERAL (
    SELECT sum(reversed) AS points FROM reversed_leg
    WHERE reversed_leg.bucket = posting.bucket AND reversed_leg.posting = posting.id
) AS back
WHERE posting.id >= $3 AND posting.kind = 1
  AND posting.occurred_at >= $1 AND posting.occurred_at < $2
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""  # noqa: S608 - our own words

GRANTED = f"""
SELECT kept.funder_no, source.contract_no, source.issue_price, sum(kept.points)::numeric AS points
FROM benefit_grant AS kept
JOIN posting ON posting.bucket = kept.bucket AND posting.id = kept.posting
CROSS JOIN LATERAL ({_LOT.format(lot="posting.lot")}) AS source
WHERE kept.granted_at >= $1 AND kept.granted_at < $2 AND kept.taken_back_at IS NULL
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""  # noqa: S608 - our own words

# What others do not pay of a use its partner bears itself; what went back is left out.
_STILL = """
    SELECT owed.funder_no, (owed.amount_minor + coalesce((
        SELECT sum(back.amount_minor) FROM compensation AS back
        WHERE back.bucket = owed.bucket AND back.reverses = owed.id), 0))::int8 AS minor
    FROM unnest(kept.compensations) AS paid (id)
    JOIN compensation AS owed ON owed.bucket = kept.bucket AND owed.id = paid.id
"""
USED = f"""
SELECT payer.funder_no, kept.currency, sum(payer.minor)::int8 AS minor
FROM benefit_use_now AS kept
CROSS JOIN LATERAL (
    {_STILL}
    UNION ALL
    SELECT kept.partner_no,
           kept.saved_minor - coalesce((SELECT sum(minor) FROM ({_STILL}) AS others), 0)
) AS payer
WHERE kept.used_at >= $1 AND kept.used_at < $2 AND kept.returned_at IS NULL AND payer.minor <> 0
GROUP BY 1, 2 ORDER BY 1, 2
"""  # noqa: S608 - our own words

# What comes in or goes back is earned evenly from when it does, or its period begins, to the end of
# that; at once where none is left. So no month that is past changes by what happens later. The
# money of a gift is earned over the months that it gives once it is redeemed, or at once when
# nobody can redeem it any more. Tax is the state's.
REVENUE = """
WITH given AS MATERIALIZED (
    SELECT source, begins, ends FROM membership_ground WHERE ground = 'gift'
), gifts AS MATERIALIZED (
    SELECT gift.id, coalesce(given.begins, gift.valid_until) AS begins, given.ends
    FROM gift LEFT JOIN given ON given.source = 'gift:' || gift.id
    WHERE gift.paid_at IS NOT NULL
), dated AS (
    SELECT entry.currency, entry.amount_minor - entry.tax_minor AS minor,
           CASE WHEN entry.gift_id IS NULL THEN greatest(entry.period_start, entry.occurred_at)
                ELSE greatest(gifts.begins, entry.occurred_at) END AS begins,
           CASE WHEN entry.gift_id IS NULL THEN entry.period_end ELSE gifts.ends END AS ends
    FROM membership_entry AS entry LEFT JOIN gifts ON gifts.id = entry.gift_id
    WHERE entry.occurred_at < $2
)
SELECT currency, sum(CASE
    WHEN ends > begins THEN
        minor::numeric
        * extract(epoch FROM greatest(least(ends, $2) - greatest(begins, $1), interval '0'))
        / extract(epoch FROM ends - begins)
    WHEN begins >= $1 THEN minor
    ELSE 0 END) AS minor
FROM dated
WHERE begins < $2 AND (ends > $1 OR begins >= $1)
GROUP BY 1 ORDER BY 1
"""

ENTITLED = """
SELECT count(DISTINCT member_id)::int8 FROM benefit_entitlement
WHERE begins < $2 AND ends > $1 AND ends > begins
"""

# By the price that held when the month began, or by which a membership of the month began. Whoever
# has another price at the end has changed; whoever has nothing then is lost.
PRICES = """
WITH begun AS (
    SELECT bucket, member_id, membership_id, price_no FROM benefit_entitlement
    WHERE begins <= $1 AND ends > $1 AND ground IN ('paid', 'grace') AND price_no IS NOT NULL
), first AS (
    SELECT DISTINCT ON (bucket, member_id, membership_id)
           bucket, member_id, membership_id, price_no, begins
    FROM benefit_entitlement WHERE price_no IS NOT NULL AND begins <= $2
    ORDER BY bucket, member_id, membership_id, begins
), counted AS (
    SELECT begun.price_no, 1 AS begun, (at_end.members IS NULL)::int4 AS lost,
           (at_end.price_no <> begun.price_no)::int4 AS changed, 0 AS joined
    FROM begun
    LEFT JOIN LATERAL (
        SELECT count(*) AS members, max(price_no) FILTER (
            WHERE membership_id = begun.membership_id) AS price_no
        FROM benefit_entitlement AS held
        WHERE held.bucket = begun.bucket AND held.member_id = begun.member_id
          AND held.begins <= $2 AND held.ends > $2
        HAVING count(*) > 0
    ) AS at_end ON true
    UNION ALL
    SELECT price_no, 0, 0, 0, 1 FROM first WHERE begins > $1
)
SELECT price.no AS price_no, price.plan_no, price.interval, price.currency, price.amount_minor,
       sum(counted.begun)::int8 AS begun, sum(counted.lost)::int8 AS lost,
       sum(coalesce(counted.changed, 0))::int8 AS changed, sum(counted.joined)::int8 AS joined
FROM counted JOIN plan_price AS price ON price.no = counted.price_no
GROUP BY 1, 2, 3, 4, 5 ORDER BY 1
"""
