"""Checks that what was closed, cleared, borne and adjusted is what two persons decided, no more.

The audit log, whose rows hang together by hashes, holds every decision with the digest of what was
decided. From there it goes to statements, cycles, defaults and adjustments, and from them to the
money book, so that nothing on this way can be changed alone.
"""

from coalition.kernel.money import CURRENCIES, exponent
from coalition.ledger.audit_checks import Check

_UNITS = ", ".join(f"('{code}', 1e-{exponent(code)})" for code in sorted(CURRENCIES))

_LOGGED = Check(
    "I13",
    "every decision of settlement stands in the audit log, as it was decided",
    """
    WITH logged AS (
        SELECT (facts::jsonb ->> 'approval_id')::uuid AS id, actor,
               facts::jsonb ->> 'prepared_by' AS prepared_by,
               facts::jsonb ->> 'payload_sha256' AS payload_sha256
        FROM audit_log
        WHERE action = 'approval.applied' AND facts::jsonb ->> 'kind' LIKE 'settlement\\_%'
    ), held AS (
        SELECT id, decided_by, prepared_by,
               encode(sha256(convert_to(payload, 'UTF8')), 'hex') AS payload_sha256
        FROM approval WHERE state = 'applied' AND kind LIKE 'settlement\\_%'
    )
    SELECT id AS approval, decided_by, actor
    FROM held FULL JOIN logged USING (id)
    WHERE (decided_by, held.prepared_by, held.payload_sha256)
        IS DISTINCT FROM (actor, logged.prepared_by, logged.payload_sha256)
    """,
)

_CLOSED = Check(
    "I8",
    "every statement was closed by the two persons who decided it, for what it comes to",
    """
    WITH decided AS (
        SELECT (said ->> 'partner_no')::int4 AS partner_no,
               (said ->> 'period_no')::int4 AS period_no, said -> 'net' AS net,
               prepared_by, decided_by, decided_at
        FROM approval
        CROSS JOIN LATERAL jsonb_array_elements(payload::jsonb -> 'statements') AS said
        WHERE kind = 'settlement_close' AND state = 'applied'
    ), held AS (
        SELECT partner_no, period_no, number, closed_by, approved_by, closed_at, (
            SELECT coalesce(jsonb_agg(
                jsonb_build_object('currency', currency, 'net_minor', net_minor) ORDER BY currency
            ), '[]')
            FROM statement_total WHERE statement_total.statement = statement.id
        ) AS net
        FROM statement WHERE closed_at IS NOT NULL
    )
    SELECT partner_no, period_no, number, closed_by, prepared_by, approved_by, decided_by
    FROM held FULL JOIN decided USING (partner_no, period_no)
    WHERE (closed_by, approved_by, closed_at, held.net)
        IS DISTINCT FROM (prepared_by, decided_by, decided_at, decided.net)
    """,
)

# Whoever rewrites lines, charges and digests alike cannot rewrite the log.
_NUMBERED = Check(
    "I8",
    "number and digest of every closed statement are those that the audit log holds",
    """
    WITH logged AS (
        SELECT replace(subject, 'partner:', '')::int4 AS partner_no,
               facts::jsonb ->> 'period' AS period, (facts::jsonb ->> 'number')::int8 AS number,
               facts::jsonb ->> 'digest' AS digest
        FROM audit_log WHERE action = 'statement.closed'
    ), held AS (
        SELECT statement.partner_no, period.name AS period, number,
               encode(digest, 'hex') AS digest
        FROM statement
        JOIN settlement_period AS period
            ON period.partner_no = statement.partner_no AND period.no = statement.period_no
        WHERE closed_at IS NOT NULL
    )
    SELECT partner_no, period, held.number, logged.number AS logged
    FROM held FULL JOIN logged USING (partner_no, period)
    WHERE (held.number, held.digest) IS DISTINCT FROM (logged.number, logged.digest)
    """,
)

_CLEARED = Check(
    "I8",
    "a statement is cleared in the cycle, and at the amount, that two persons decided",
    """
    WITH decided AS (
        SELECT cycle.id AS cycle, cycle.currency, (said ->> 'statement')::uuid AS statement,
               (said ->> 'net_minor')::int8 AS net_minor
        FROM clearing_cycle AS cycle
        JOIN approval ON approval.kind = 'settlement_clearing' AND approval.state = 'applied'
            AND approval.subject = 'cycle:' || cycle.id
            AND (approval.prepared_by, approval.decided_by, approval.decided_at)
              = (cycle.prepared_by, cycle.approved_by, cycle.approved_at)
        CROSS JOIN LATERAL jsonb_array_elements(payload::jsonb -> 'statements') AS said
    ), held AS (
        SELECT cycle, currency, statement, net_minor
        FROM clearing_statement JOIN statement_total USING (statement, currency)
    )
    SELECT statement, cycle, held.net_minor, decided.net_minor AS decided
    FROM held FULL JOIN decided USING (cycle, currency, statement)
    WHERE held.net_minor IS DISTINCT FROM decided.net_minor
    """,
)

_LEGS = Check(
    "I7",
    "the legs of a cycle are what its statements and set-offs come to, changed by defaults as two"
    " decided",
    """
    WITH decided AS (
        SELECT cycle.id AS cycle, said.partner_no::int4 AS partner_no,
               sum(said.net_minor::int8) AS amount_minor
        FROM clearing_cycle AS cycle
        JOIN approval ON approval.kind = 'settlement_clearing' AND approval.state = 'applied'
            AND approval.subject = 'cycle:' || cycle.id
        CROSS JOIN LATERAL (
            SELECT said ->> 'partner_no' AS partner_no, said ->> 'net_minor' AS net_minor
            FROM jsonb_array_elements(payload::jsonb -> 'statements') AS said
            WHERE (said ->> 'is_netted')::bool
            UNION ALL
            SELECT paid ->> 'defaulter_no', paid ->> 'amount_minor'
            FROM jsonb_array_elements(payload::jsonb -> 'set_offs') AS paid
            UNION ALL
            SELECT paid ->> 'creditor_no', '-' || (paid ->> 'amount_minor')
            FROM jsonb_array_elements(payload::jsonb -> 'set_offs') AS paid
            WHERE paid ->> 'creditor_no' <> '0'
        ) AS said
        GROUP BY 1, 2
    ), first AS (
        SELECT cycle, partner_no, amount_minor FROM clearing_leg
        WHERE version = 1 AND partner_no <> 0
    )
    SELECT cycle, 1 AS version, partner_no, first.amount_minor, decided.amount_minor AS decided
    FROM first FULL JOIN decided USING (cycle, partner_no)
    WHERE first.amount_minor IS DISTINCT FROM decided.amount_minor
    UNION ALL
    SELECT leg.cycle, leg.version, leg.partner_no, leg.amount_minor, earlier.amount_minor
    FROM clearing_leg AS leg
    LEFT JOIN clearing_default AS made ON made.cycle = leg.cycle AND made.version = leg.version
    LEFT JOIN approval ON approval.kind = 'settlement_default' AND approval.state = 'applied'
        AND approval.subject = 'cycle:' || leg.cycle
        AND (approval.payload::jsonb ->> 'version')::int4 = leg.version
        AND (approval.prepared_by, approval.decided_by) = (made.prepared_by, made.approved_by)
    LEFT JOIN clearing_leg AS earlier
        ON earlier.cycle = leg.cycle AND earlier.version = leg.version - 1
        AND earlier.partner_no = leg.partner_no
    LEFT JOIN clearing_claim AS claim
        ON claim.cycle = leg.cycle AND claim.version = leg.version
        AND claim.creditor_no = leg.partner_no
    WHERE leg.version > 1 AND (approval.id IS NULL
       OR leg.amount_minor - earlier.amount_minor IS DISTINCT FROM
          CASE leg.partner_no WHEN made.defaulter_no THEN made.guarantee_minor - made.loss_minor
              ELSE coalesce(claim.amount_minor, 0)
                  + CASE leg.partner_no WHEN 0 THEN made.reserve_minor ELSE 0 END
          END)
    """,
)

_SET_OFF = Check(
    "I7",
    "a cycle pays of claims what two persons decided, and no claim is paid beyond its amount",
    """
    WITH decided AS (
        SELECT cycle.id AS cycle, (paid ->> 'cycle')::uuid AS claim_cycle,
               (paid ->> 'version')::int4 AS claim_version,
               (paid ->> 'creditor_no')::int4 AS creditor_no,
               (paid ->> 'defaulter_no')::int4 AS defaulter_no,
               (paid ->> 'amount_minor')::int8 AS amount_minor
        FROM clearing_cycle AS cycle
        JOIN approval ON approval.kind = 'settlement_clearing' AND approval.state = 'applied'
            AND approval.subject = 'cycle:' || cycle.id
        CROSS JOIN LATERAL jsonb_array_elements(payload::jsonb -> 'set_offs') AS paid
    ), held AS (
        SELECT made.*, claim.amount_minor AS claimed,
               sum(made.amount_minor) OVER (PARTITION BY claim_cycle, claim_version,
                   made.creditor_no)
                   AS paid
        FROM clearing_set_off AS made
        LEFT JOIN clearing_claim AS claim
            ON (claim.cycle, claim.version, claim.creditor_no, claim.defaulter_no)
             = (claim_cycle, claim_version, made.creditor_no, made.defaulter_no)
    )
    SELECT cycle, claim_cycle, creditor_no, held.amount_minor, decided.amount_minor AS decided
    FROM held FULL JOIN decided USING (cycle, claim_cycle, claim_version, creditor_no, defaulter_no)
    WHERE held.amount_minor IS DISTINCT FROM decided.amount_minor
       OR held.claimed IS NULL OR held.paid > held.claimed
    """,
)

_ADJUSTED = Check(
    "I13",
    "every adjustment of money was decided by the two persons whom it names",
    """
    WITH decided AS (
        SELECT id, prepared_by, decided_by, decided_at, payload::jsonb AS payload
        FROM approval WHERE kind = 'settlement_adjustment' AND state = 'applied'
    )
    SELECT id AS adjustment, partner_no, amount_minor
    FROM settlement_adjustment AS made FULL JOIN decided USING (id)
    WHERE (made.prepared_by, approved_by, made_at, partner_no, currency, amount_minor)
        IS DISTINCT FROM (decided.prepared_by, decided_by, decided_at,
                          (payload ->> 'partner_no')::int4, payload ->> 'currency',
                          (payload ->> 'amount_minor')::int8)
    """,
)

# Kinds of money postings: 2 closes, 3 adjustments, 5 set-offs of claims, 6 defaults. Accounts:
# 1 the partners', 3 fees, 5 VAT, 7 roundings, 9 what the operator pays as a funder, 11 its reserve,
# 12 adjustments.
_BOOKED = Check(
    "I7",
    "what closes, adjustments, set-offs and defaults booked is what they say, to the last place",
    f"""
    WITH unit AS (SELECT * FROM (VALUES {_UNITS}) AS known (currency, one)),
    closed AS (
        SELECT statement, partner_no, currency, sum(booked - exact) AS fee,
               sum(booked_vat - vat_minor * one) AS vat, sum(exact - amount_minor * one) AS rounding
        FROM statement_line JOIN unit USING (currency) GROUP BY 1, 2, 3
    ), adjusted AS (
        SELECT id, partner_no, currency, amount_minor * one AS amount,
               round(amount_minor * one * vat_rate, 12) AS vat
        FROM settlement_adjustment JOIN unit USING (currency)
    ), borne AS (
        SELECT cycle, defaulter_no AS partner_no, -reserve_minor - haircut_minor AS amount_minor
        FROM clearing_default
        UNION ALL SELECT cycle, 0, reserve_minor FROM clearing_default
        UNION ALL SELECT cycle, creditor_no, amount_minor FROM clearing_claim
    ), paid AS (
        SELECT cycle, defaulter_no AS partner_no, amount_minor FROM clearing_set_off
        UNION ALL SELECT cycle, creditor_no, -amount_minor FROM clearing_set_off
    ), said AS (
        SELECT 2 AS kind, 'statement:' || statement AS subject,
               CASE partner_no WHEN 0 THEN 9 ELSE 1 END AS account, partner_no, currency,
               -(fee + vat + rounding) AS amount
        FROM closed
        UNION ALL SELECT 2, 'statement:' || statement, 3, 0, currency, fee FROM closed
        UNION ALL SELECT 2, 'statement:' || statement, 5, 0, currency, vat FROM closed
        UNION ALL SELECT 2, 'statement:' || statement, 7, 0, currency, rounding FROM closed
        UNION ALL SELECT 3, 'adjustment:' || id, 1, partner_no, currency, amount + vat FROM adjusted
        UNION ALL SELECT 3, 'adjustment:' || id, 12, 0, currency, -amount FROM adjusted
        UNION ALL SELECT 3, 'adjustment:' || id, 5, 0, currency, -vat FROM adjusted
        UNION ALL
        SELECT 6, 'cycle:' || cycle, CASE partner_no WHEN 0 THEN 11 ELSE 1 END, partner_no,
               currency, sum(amount_minor) * one
        FROM borne JOIN clearing_cycle ON clearing_cycle.id = cycle JOIN unit USING (currency)
        GROUP BY cycle, partner_no, currency, one
        UNION ALL
        SELECT 5, 'cycle:' || cycle, CASE partner_no WHEN 0 THEN 11 ELSE 1 END, partner_no,
               currency, sum(amount_minor) * one
        FROM paid JOIN clearing_cycle ON clearing_cycle.id = cycle JOIN unit USING (currency)
        GROUP BY cycle, partner_no, currency, one
    ), booked AS (
        SELECT kind::int4, subject, account::int4, partner_no, currency, sum(amount) AS amount
        FROM money_entry JOIN money_posting ON money_posting.id = posting
        WHERE kind IN (2, 3, 5, 6) GROUP BY 1, 2, 3, 4, 5
    )
    SELECT subject, account, partner_no, currency, said.amount AS said, booked.amount AS booked
    FROM said FULL JOIN booked USING (kind, subject, account, partner_no, currency)
    WHERE coalesce(said.amount, 0) <> coalesce(booked.amount, 0)
    """,  # noqa: S608 - currencies that we know
)

# Before prepayments took two persons one recorded them alone: those name nobody who prepared them.
_PAID_IN = Check(
    "I7",
    "money paid in beforehand is booked as two persons decided, once for each reference",
    f"""
    WITH unit AS (SELECT * FROM (VALUES {_UNITS}) AS known (currency, one)),
    decided AS (
        SELECT format('prepayment:%s:%s', payload ->> 'partner_no', payload ->> 'reference')
                   AS subject,
               (payload ->> 'partner_no')::int4 AS partner_no, payload ->> 'currency' AS currency,
               (payload ->> 'amount_minor')::int8 AS amount_minor, decided_at
        FROM (
            SELECT payload::jsonb AS payload, decided_at
            FROM approval WHERE kind = 'settlement_prepayment' AND state = 'applied'
        ) AS agreed
        UNION ALL
        SELECT format('prepayment:%s:%s', facts ->> 'partner_no', facts ->> 'reference'),
               (facts ->> 'partner_no')::int4, facts ->> 'currency',
               (facts ->> 'amount_minor')::int8, at
        FROM (
            SELECT facts::jsonb AS facts, at FROM audit_log WHERE action = 'credit.prepaid'
        ) AS recorded
        WHERE NOT facts ? 'prepared_by'
    ), said AS (
        SELECT subject, 1 AS account, partner_no, currency, decided_at,
               -amount_minor * one AS amount
        FROM decided JOIN unit USING (currency)
        UNION ALL
        SELECT subject, 10, 0, currency, decided_at, amount_minor * one
        FROM decided JOIN unit USING (currency)
    ), booked AS (
        SELECT subject, account::int4, partner_no, currency, made_at, amount
        FROM money_entry JOIN money_posting ON money_posting.id = posting
        WHERE subject LIKE 'prepayment:%'
    )
    SELECT subject, account, partner_no, currency, said.amount AS said, booked.amount AS booked
    FROM said FULL JOIN booked USING (subject, account, partner_no, currency)
    WHERE (said.amount, decided_at) IS DISTINCT FROM (booked.amount, made_at)
    """,  # noqa: S608 - currencies that we know
)

CHECKS = (_LOGGED, _CLOSED, _NUMBERED, _CLEARED, _LEGS, _SET_OFF, _ADJUSTED, _BOOKED, _PAID_IN)
