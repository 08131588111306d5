"""Checks of benefits (I9): nothing is given without a ground, twice, or beyond what the plan says.

That standings and bonuses are exactly what the entitlements say no single query tells: a walk makes
them once more, member by member, and finds nothing to write.
"""

from uuid import UUID

from billing.benefits import applying, audit_payers, entitlement_rows
from billing.plans import catalogue
from coalition.kernel.database import Connection
from coalition.kernel.ids import MemberId, bucket_of
from coalition.ledger.audit import Walk
from coalition.ledger.audit_checks import Check

_BONUSES = Check(
    "I9",
    "a bonus of a plan holds while its member is entitled by that membership, and no longer",
    """
    WITH held AS (
        SELECT bucket, member_id, membership_id,
               range_agg(tstzrange(begins, ends)) AS entitled
        FROM benefit_entitlement GROUP BY 1, 2, 3
    ), given AS (
        SELECT bonus.bucket, bonus.holder, bonus.source, bonus.valid_from,
               least(bonus.valid_until, bonus.ended_at) AS until
        FROM earning_bonus AS bonus
        JOIN member ON member.bucket = bonus.bucket AND member.id = bonus.holder
        WHERE bonus.source LIKE 'plan:%:%' AND member.state <> 'closed'
    )
    SELECT given.holder, given.source, given.valid_from, given.until
    FROM given
    LEFT JOIN held ON held.bucket = given.bucket AND held.member_id = given.holder
        AND held.membership_id::text = split_part(given.source, ':', 2)
    WHERE (given.until IS NULL OR given.until > given.valid_from)
      AND NOT coalesce(held.entitled @> tstzrange(given.valid_from, given.until), false)
    """,
)

_GRANTS = Check(
    "I9",
    "a month of a membership gives no more points than the best plan that gave in it, and each "
    "grant is a posting of just so many to its member, paid for by the same",
    """
    WITH monthly AS (
        SELECT plan.no, coalesce(sum((benefit ->> 'points')::int4), 0) AS points
        FROM plan_version AS plan
        LEFT JOIN LATERAL jsonb_array_elements(plan.document::jsonb -> 'benefits') AS benefit
            ON benefit ->> 'benefit' = 'monthly_points'
        GROUP BY plan.no
    ), given AS (
        SELECT kept.bucket, kept.member_id, kept.membership_id, kept.month,
               sum(kept.points) AS points, max(monthly.points) AS most
        FROM benefit_grant AS kept JOIN monthly ON monthly.no = kept.plan_no
        WHERE kept.taken_back_at IS NULL GROUP BY 1, 2, 3, 4
    )
    SELECT member_id, membership_id, month, points, most FROM given WHERE points > most
    UNION ALL
    SELECT kept.member_id, kept.membership_id, kept.month, kept.points, posting.points
    FROM benefit_grant AS kept
    LEFT JOIN posting ON posting.bucket = kept.bucket AND posting.id = kept.posting
    LEFT JOIN LATERAL (
        SELECT funder_no FROM lot WHERE lot.bucket = posting.bucket AND lot.id = posting.lot
        UNION ALL
        SELECT funder_no FROM lot_history AS swept
        WHERE swept.bucket = posting.bucket AND swept.id = posting.lot
        LIMIT 1
    ) AS source ON true
    WHERE (posting.kind, posting.holder, posting.points)
        IS DISTINCT FROM (11::int2, kept.member_id, kept.points)
        OR source.funder_no <> kept.funder_no
    UNION ALL
    SELECT posting.holder, NULL, NULL, posting.points, count(kept.posting)
    FROM posting
    LEFT JOIN benefit_grant AS kept
        ON kept.bucket = posting.bucket AND kept.posting = posting.id
    WHERE posting.kind = 11 GROUP BY posting.bucket, posting.id, posting.holder, posting.points
    HAVING count(kept.posting) <> 1
    """,
)

_TAKEN = Check(
    "I9",
    "points of a plan are taken back just where their posting is reversed, or nothing of them was "
    "left that had not expired",
    """
    SELECT kept.member_id, kept.membership_id, kept.month, kept.points, kept.taken_back_at
    FROM benefit_grant AS kept
    JOIN posting ON posting.bucket = kept.bucket AND posting.id = kept.posting
    WHERE (kept.taken_back_at IS NOT NULL) <> EXISTS (
        -- What was spent is owed, and counts as reversed too.
        SELECT FROM reversed_leg AS undone
        WHERE undone.bucket = kept.bucket AND undone.posting = kept.posting)
      AND NOT (kept.taken_back_at IS NOT NULL AND EXISTS (
        SELECT FROM (
            SELECT bucket, id, expires_on, clock_no FROM lot
            UNION ALL SELECT bucket, id, expires_on, clock_no FROM lot_history
        ) AS source
        WHERE source.bucket = posting.bucket AND source.id = posting.lot
          -- Days end at other hours elsewhere; when a clock ran out is not kept.
          AND (source.expires_on <= kept.taken_back_at::date OR source.clock_no <> 0)))
    """,
)

_GROUNDS = Check(
    "I9",
    "points of a plan were given after something was paid, or given",
    """
    SELECT kept.member_id, kept.membership_id, kept.month, kept.granted_at
    FROM benefit_grant AS kept
    JOIN member ON member.bucket = kept.bucket AND member.id = kept.member_id
    WHERE member.state <> 'closed' AND kept.taken_back_at IS NULL AND NOT EXISTS (
        SELECT FROM benefit_entitlement AS held
        WHERE held.bucket = kept.bucket AND held.member_id = kept.member_id
          AND held.membership_id = kept.membership_id
          AND held.ground NOT IN ('trial', 'grace') AND held.begins <= kept.granted_at)
    """,
)

_USES = Check(
    "I9",
    "a benefit is used no more often in a period than its plan gives, by all who share it, and its "
    "funders pay just what was saved and not returned",
    """
    WITH most AS (
        SELECT plan.no, benefit ->> 'code' AS code,
               (benefit ->> 'uses_per_period')::int8 AS uses
        FROM plan_version AS plan,
             LATERAL jsonb_array_elements(plan.document::jsonb -> 'benefits') AS benefit
        WHERE benefit ->> 'benefit' IN ('free_shipping', 'partner_discount')
    ), limits AS (
        SELECT held.bucket, held.member_id, held.membership_id, held.period_start, held.period_end,
               most.code, max(most.uses) AS most
        FROM benefit_entitlement AS held JOIN most ON most.no = held.plan_no
        WHERE held.payer IS NULL AND held.begins < held.ends
        GROUP BY 1, 2, 3, 4, 5, 6 HAVING bool_and(most.uses IS NOT NULL)
    ), shared AS MATERIALIZED (
        SELECT paid_by, benefit, used_at FROM benefit_use
        WHERE paid_by IS NOT NULL AND returned_at IS NULL
    ), counted AS (
        SELECT limits.member_id, limits.code, limits.most, (
            SELECT count(*) FROM benefit_use AS used
            WHERE used.bucket = limits.bucket AND used.member_id = limits.member_id
              AND used.membership_id = limits.membership_id AND used.benefit = limits.code
              AND used.returned_at IS NULL AND used.used_at >= limits.period_start
              AND used.used_at < limits.period_end
        ) + (
            SELECT count(*) FROM shared
            WHERE shared.paid_by = limits.membership_id AND shared.benefit = limits.code
              AND shared.used_at >= limits.period_start AND shared.used_at < limits.period_end
        ) AS uses
        FROM limits
    ), paid AS (
        SELECT used.bucket, used.member_id, used.partner_no, used.receipt, used.benefit,
               used.first_minor, used.saved_minor, used.returned_at,
               cardinality(used.compensations) AS told, count(owed.id) AS found,
               coalesce(sum(owed.amount_minor), 0) AS owed,
               coalesce(sum(back.amount_minor), 0) AS back
        FROM benefit_use_now AS used
        LEFT JOIN LATERAL unnest(used.compensations) AS named (id) ON true
        LEFT JOIN compensation AS owed ON owed.bucket = used.bucket AND owed.id = named.id
            AND owed.partner_no = used.partner_no AND owed.receipt = used.receipt
        LEFT JOIN LATERAL (
            SELECT sum(amount_minor) AS amount_minor FROM compensation
            WHERE compensation.bucket = owed.bucket AND compensation.reverses = owed.id
        ) AS back ON true
        GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
    )
    SELECT member_id, code AS benefit, uses AS number, most AS limit FROM counted WHERE uses > most
    UNION ALL
    SELECT member_id, benefit, owed + back, saved_minor FROM paid
    WHERE found <> told OR owed > first_minor
       OR CASE
           WHEN returned_at IS NOT NULL THEN owed + back <> 0
           WHEN saved_minor = first_minor THEN back <> 0
           ELSE owed + back > saved_minor OR -back > first_minor - saved_minor
       END
    UNION ALL
    SELECT owed.holder, owed.reason, owed.amount_minor, NULL
    FROM compensation AS owed
    LEFT JOIN benefit_use AS used ON used.bucket = owed.bucket AND used.member_id = owed.holder
        AND used.partner_no = owed.partner_no AND used.receipt = owed.receipt
        AND used.benefit = owed.reason
    WHERE owed.reverses IS NULL AND NOT coalesce(owed.id = ANY (used.compensations), false)
    """,
)

_PAGE = 500
_SOME = """
SELECT held.bucket, held.member_id, held.membership_id
FROM (SELECT DISTINCT bucket, member_id, membership_id FROM benefit_entitlement
      WHERE (bucket, member_id, membership_id) > ($1, $2, $3)
      ORDER BY bucket, member_id, membership_id LIMIT $4) AS held
ORDER BY held.bucket, held.member_id, held.membership_id
"""
_STATE = "SELECT state FROM member WHERE bucket = $1 AND id = $2"
_LEAST = UUID(int=0)


async def _as_entitled(connection: Connection) -> list[str]:
    """Return the memberships whose standings and bonuses are not what they entitle to."""
    plans = await catalogue.load(connection)
    broken: list[str] = []
    place: tuple[int, UUID, UUID] = (-1, _LEAST, _LEAST)
    while rows := await connection.fetch(_SOME, *place, _PAGE):
        for _, member, membership_id in rows:
            if await connection.fetchval(_STATE, bucket_of(member), member) == "closed":
                continue
            held = await entitlement_rows.read(connection, MemberId(member))
            mine = [one for of, one in held if of == membership_id]
            if not await applying.agrees(connection, MemberId(member), membership_id, mine, plans):
                broken.append(f"membership {membership_id} of member {member}")
        place = tuple(rows[-1])
    return broken


CHECKS = (_BONUSES, _GRANTS, _TAKEN, _GROUNDS, _USES)
WALKS = (
    Walk("I9", "members are and earn what their memberships entitle them to", _as_entitled),
    audit_payers.WALK,
)
