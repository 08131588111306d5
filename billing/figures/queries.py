"""The figures' statements: each over whole sets, as of one instant or over one month.

`$1` and `$2` are the month's first instant and where it ends, or the instant asked for where that
is earlier. An entitlement that covers an instant is what holds then; grounds but a trial count as
paid for: paid, in grace, given, granted or sponsored.
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

# A membership has one price at a time; what is paid a year counts by the twelfth.
RECURRING = """
SELECT price.currency,
       sum(CASE price.interval WHEN 'year' THEN price.amount_minor / 12.0
                               ELSE price.amount_minor END) AS minor,
       count(*)::int8 AS memberships
FROM membership
JOIN plan_price AS price ON price.no = membership.price_no
WHERE (membership.ended_at IS NULL OR membership.ended_at > $1) AND EXISTS (
    SELECT FROM benefit_entitlement AS held
    WHERE held.bucket = membership.bucket AND held.member_id = membership.member_id
      AND held.membership_id = membership.id AND held.begins <= $1 AND held.ends > $1
      AND held.ground IN ('paid', 'grace'))
GROUP BY 1 ORDER BY 1
"""

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

# What others do not pay of a use its partner bears itself.
USED = """
SELECT payer.funder_no, kept.currency, sum(payer.minor)::int8 AS minor
FROM benefit_use AS kept
CROSS JOIN LATERAL (
    SELECT owed.funder_no, owed.amount_minor::int8 AS minor
    FROM unnest(kept.compensations) AS paid (id)
    JOIN compensation AS owed ON owed.bucket = kept.bucket AND owed.id = paid.id
    UNION ALL
    SELECT kept.partner_no, kept.saved_minor - coalesce((
        SELECT sum(owed.amount_minor) FROM unnest(kept.compensations) AS paid (id)
        JOIN compensation AS owed ON owed.bucket = kept.bucket AND owed.id = paid.id), 0)
) AS payer
WHERE kept.used_at >= $1 AND kept.used_at < $2 AND kept.returned_at IS NULL AND payer.minor <> 0
GROUP BY 1, 2 ORDER BY 1, 2
"""

# A payment is earned evenly over the time that it is for; one for no time, when it is made. Tax is
# the state's.
REVENUE = """
SELECT currency, sum(CASE
    WHEN period_end > period_start THEN
        (amount_minor - tax_minor)::numeric
        * extract(epoch FROM greatest(least(period_end, $2) - greatest(period_start, $1),
                                      interval '0'))
        / extract(epoch FROM period_end - period_start)
    WHEN occurred_at >= $1 AND occurred_at < $2 THEN amount_minor - tax_minor
    ELSE 0 END) AS minor
FROM membership_entry
WHERE coalesce(period_start, occurred_at) < $2 AND coalesce(period_end, occurred_at) >= $1
GROUP BY 1 ORDER BY 1
"""

ENTITLED = """
SELECT count(DISTINCT member_id)::int8 FROM benefit_entitlement WHERE begins < $2 AND ends > $1
"""

# By the price that a membership has now, or had last; who came and went within the month is both.
PRICES = """
SELECT price.no AS price_no, price.plan_no, price.interval, price.currency, price.amount_minor,
       count(*) FILTER (WHERE at_begin.holds)::int8 AS begun,
       count(*) FILTER (WHERE at_begin.holds AND NOT at_end.holds)::int8 AS lost,
       count(*) FILTER (
           WHERE membership.started_at >= $1 AND membership.started_at < $2)::int8 AS joined
FROM membership
JOIN plan_price AS price ON price.no = membership.price_no
CROSS JOIN LATERAL (
    SELECT EXISTS (
        SELECT FROM benefit_entitlement AS held
        WHERE held.bucket = membership.bucket AND held.member_id = membership.member_id
          AND held.membership_id = membership.id AND held.begins <= $1 AND held.ends > $1
          AND held.ground IN ('paid', 'grace')) AS holds
) AS at_begin
CROSS JOIN LATERAL (
    SELECT EXISTS (
        SELECT FROM benefit_entitlement AS held
        WHERE held.bucket = membership.bucket AND held.member_id = membership.member_id
          AND held.membership_id = membership.id AND held.begins <= $2 AND held.ends > $2) AS holds
) AS at_end
GROUP BY 1, 2, 3, 4, 5
HAVING bool_or(at_begin.holds
    OR (membership.started_at >= $1 AND membership.started_at < $2))
ORDER BY 1
"""
