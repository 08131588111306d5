"""Checks of families: queries, and one walk, that return what breaks a promise of I10.

A limit is only as good as what was counted: so the count is proved from the transfers themselves,
and the transfers from the postings and holds of the ledger. Who was merged is followed: a limit
counts persons, so a survivor has used what both did.
"""

from coalition.families.rule_sets.books import kept_versions
from coalition.families.rule_sets.vocabulary import Event
from coalition.kernel.database import Connection
from coalition.ledger.audit import Walk
from coalition.ledger.audit_checks import Check

# A half names the other; the fee is a posting of its own beside it. What was redeemed of a hold
# meanwhile, or let go, is told by its state.
_MOVED = Check(
    "I10",
    "a transfer that is completed or undone has moved its points from its sender to its receiver, "
    "and its fee",
    """
    SELECT transfer.id AS transfer, transfer.state, sent.points, fee.points AS fee
    FROM transfer
    LEFT JOIN posting AS sent ON sent.bucket = transfer.bucket AND sent.id = transfer.posting
    LEFT JOIN posting AS arrived ON arrived.id = sent.linked AND arrived.linked = sent.id
    LEFT JOIN posting AS fee ON fee.bucket = transfer.bucket AND fee.id = transfer.fee_posting
    WHERE transfer.state IN ('completed', 'undone')
      AND ((sent.kind, sent.direction, sent.holder, arrived.holder, sent.currency_no, sent.points)
           IS DISTINCT FROM (9::int2, -1::int2, transfer.sender, transfer.receiver,
                             transfer.currency_no, transfer.points)
        OR coalesce(fee.points, 0) <> transfer.fee_points
        OR (fee.id IS NOT NULL AND (fee.kind, fee.linked) <> (10::int2, sent.id)))
    UNION ALL
    SELECT min(id::text)::uuid, 'completed', count(*), NULL FROM transfer
    WHERE posting IS NOT NULL GROUP BY posting HAVING count(*) > 1
    """,
)

# What is undone leaves the receiver first: that half is kept.
_UNDONE = Check(
    "I10",
    "a transfer is undone if, and only if, its postings were reversed",
    """
    SELECT transfer.id AS transfer, transfer.state, back.id AS reversed_by
    FROM transfer
    JOIN posting AS sent ON sent.bucket = transfer.bucket AND sent.id = transfer.posting
    LEFT JOIN posting AS back ON back.reverses = sent.linked
    WHERE transfer.posting IS NOT NULL
      AND ((transfer.state = 'undone') <> (back.id IS NOT NULL)
           OR transfer.undone_by IS DISTINCT FROM back.id)
    """,
)

_RESERVED = Check(
    "I10",
    "a transfer that waits reserves its points and its fee, and one that was given up nothing",
    """
    SELECT transfer.id AS transfer, transfer.state, hold.state AS hold, hold.points
    FROM transfer
    LEFT JOIN hold ON hold.bucket = transfer.bucket AND hold.id = transfer.hold
    WHERE (transfer.state IN ('requested', 'approved', 'awaiting_payment', 'held')
           AND (hold.state, hold.holder, hold.points)
               IS DISTINCT FROM (1::int2, transfer.sender, transfer.points + transfer.fee_points))
       OR (transfer.state NOT IN ('requested', 'approved', 'awaiting_payment', 'held')
           AND hold.state = 1)
       OR (transfer.state IN ('rejected', 'expired') AND hold.state = 2)
    """,
)

_STEPS = Check(
    "I10",
    "a transfer stands where its last step has brought it, and its steps count from one",
    """
    SELECT transfer.id AS transfer, transfer.state, last.state AS last, last.no
    FROM transfer, LATERAL (
        SELECT (array_agg(state ORDER BY no DESC))[1] AS state, max(no) AS no, count(*) AS steps
        FROM transfer_event
        WHERE transfer_event.bucket = transfer.bucket AND transfer_event.transfer = transfer.id
    ) AS last
    WHERE last.state IS DISTINCT FROM transfer.state OR last.no <> last.steps
    """,
)

_LIVES = Check(
    "I10",
    "what is counted over a whole life is the sum of its days",
    """
    SELECT subject, side, event, other, sum(amount) FILTER (WHERE day = '-infinity') AS life,
           sum(amount) FILTER (WHERE day > '-infinity') AS days
    FROM family_usage WHERE day = '-infinity' OR day > '1900-01-01'
    GROUP BY bucket, subject, side, event, other
    HAVING sum(CASE WHEN day = '-infinity' THEN amount ELSE -amount END) <> 0
        OR sum(CASE WHEN day = '-infinity' THEN times ELSE -times END) <> 0
    """,
)

# The row of a month lies a thousand years before it.
_MONTHS = Check(
    "I10",
    "what is counted over a month is the sum of its days",
    """
    WITH used AS (
        SELECT bucket, subject, side, event, amount, times,
               (date_trunc('month', day) - interval '1000 years')::date AS month
        FROM family_usage WHERE day > '1900-01-01'
        UNION ALL
        SELECT bucket, subject, side, event, -amount, -times, day
        FROM family_usage WHERE day > '-infinity' AND day < '1900-01-01'
    )
    SELECT subject, side, event, month, sum(amount) AS difference
    FROM used GROUP BY bucket, subject, side, event, month
    HAVING sum(amount) <> 0 OR sum(times) <> 0
    """,
)

_PLACES = Check(
    "I10",
    "members and groups agree on who belongs where: once, under its head, and to no closed group",
    """
    WITH taken AS (
        SELECT group_member.bucket, group_id, no, member_id FROM group_member
        WHERE left_at IS NULL AND member_id IS NOT NULL
    ), belongs AS (
        SELECT group_id, no, member_id FROM group_of_member WHERE left_at IS NULL
    )
    SELECT coalesce(taken.group_id, belongs.group_id) AS "group",
           coalesce(taken.member_id, belongs.member_id) AS member
    FROM taken FULL JOIN belongs USING (group_id, no, member_id)
    WHERE taken.no IS NULL OR belongs.no IS NULL
    UNION ALL
    SELECT family_group.id, family_group.head FROM family_group
    LEFT JOIN taken ON taken.bucket = family_group.bucket AND taken.group_id = family_group.id
         AND taken.member_id = family_group.head
    WHERE (family_group.state = 'closed') <> (taken.no IS NULL)
    """,
)

# What had ended by then, or could not be spent with its funder in default, stayed behind.
_POOLS = Check(
    "I10",
    "nothing that can be spent is left in the account of a closed group",
    """
    SELECT family_group.id AS "group", family_group.pool, lot.points_in - lot.points_out AS points
    FROM family_group
    JOIN lot ON lot.bucket = (get_byte(uuid_send(pool), 14) * 256 + get_byte(uuid_send(pool), 15))
         & 1023 AND lot.holder = family_group.pool
    WHERE family_group.state = 'closed' AND lot.points_in > lot.points_out + lot.held
      AND coalesce(lot.expires_on > family_group.closed_at::date, true) AND lot.clock_no = 0
      AND lot.funder_no NOT IN (SELECT partner_no FROM partner_default)
    """,
)

# Of two who were merged the survivor has used both, and the other keeps what it had used; what
# was bought before it was written down is counted and not here.
_BOUGHT = Check(
    "I10",
    "what is left of redemptions that limits count is counted, at their member and their group",
    """
    WITH made AS (
        SELECT member_id AS subject, 'member' AS side, group_id AS other, day,
               points - returned AS kept FROM family_redemption
        UNION ALL
        SELECT group_id, 'group', member_id, day, points - returned FROM family_redemption
    ), expected AS (
        SELECT subject, side, other, day, sum(kept) AS amount,
               count(*) FILTER (WHERE kept > 0) AS times
        FROM made GROUP BY 1, 2, 3, 4
    )
    SELECT subject, side, day, expected.amount, used.amount AS counted
    FROM expected
    LEFT JOIN (SELECT * FROM family_usage WHERE event = 'redeem') AS used
        USING (subject, side, other, day)
    WHERE coalesce(used.amount, 0) < expected.amount OR coalesce(used.times, 0) < expected.times
    """,
)

# What every transfer counts as: at its sender, at its receiver, and at the group whose rules it is
# under. Of two who were merged the survivor has both; the other keeps what it had used.
_COUNTED = """
    WITH counting AS (
        SELECT * FROM transfer
        WHERE state NOT IN ('rejected', 'expired', 'undone')
           OR (state = 'undone' AND (rule_set_no, rule_version) IN (
                   SELECT * FROM unnest($1::int4[], $2::int4[])))
    ), made AS (
        SELECT sender AS subject, 'sender' AS side, receiver AS other, day, points FROM counting
        UNION ALL
        SELECT receiver, 'receiver', sender, day, points FROM counting
        UNION ALL
        SELECT group_id, 'group', sender, day, points FROM counting WHERE group_id IS NOT NULL
    ), expected AS (
        SELECT subject, side, other, day, sum(points) AS amount, count(*) AS times
        FROM made GROUP BY 1, 2, 3, 4
    ), kept AS (
        SELECT subject, side, other, day, amount, times FROM family_usage
        WHERE event = $3 AND day > '1900-01-01' AND (amount, times) <> (0, 0)
          AND subject NOT IN (SELECT merged_into FROM holder WHERE merged_into IS NOT NULL)
    )
    SELECT coalesce(expected.subject, kept.subject) AS subject, side, day, expected.amount,
           expected.times, kept.amount AS kept_amount, kept.times AS kept_times
    FROM expected FULL JOIN kept USING (subject, side, other, day)
    WHERE (expected.amount, expected.times) IS DISTINCT FROM (kept.amount, kept.times)
      AND coalesce(expected.subject, kept.subject)
          NOT IN (SELECT merged_into FROM holder WHERE merged_into IS NOT NULL)
"""


async def _miscounted(connection: Connection) -> list[str]:
    """Return whose usage is not what its transfers come to, of all that was never merged into."""
    undone_counts = [
        (kept.rule_set_no, kept.version)
        for kept in await kept_versions(connection)
        if any(one.undone_counts and one.on is Event.TRANSFER for one in kept.document.limits)
    ]
    numbers = [no for no, _ in undone_counts], [version for _, version in undone_counts]
    rows = await connection.fetch(_COUNTED, *numbers, Event.TRANSFER.value)
    return [
        f"{row['side']} {row['subject']} on {row['day']}: counted {row['kept_amount']} points in "
        f"{row['kept_times']}, its transfers come to {row['amount']} in {row['times']}"
        for row in rows
    ]


CHECKS = (_MOVED, _UNDONE, _RESERVED, _STEPS, _LIVES, _MONTHS, _PLACES, _POOLS, _BOUGHT)
WALKS = (
    Walk("I10", "what is counted of limits is what transfers that count come to", _miscounted),
)
