"""Checks of settlement: I7 and I8 as queries that return what breaks a promise.

Nothing that is posted is lost on its way to a statement or settled twice, and what was frozen is
what was drained. What no query can tell, rounding and digests, `audit_walks` makes once more.
"""

from coalition.ledger.audit_checks import Check
from partners.settlement import audit_decisions

# A batch is one row of the queue per shard, until a drain takes it.
_FEED = Check(
    "I7",
    "every batch of postings waits in the queue of its shard or was drained there, once",
    """
    WITH posted AS (
        SELECT (bucket / 64)::int2 AS shard, batch, count(*) AS postings
        FROM settled_fact GROUP BY 1, 2
    )
    SELECT shard, batch, posted.postings, queued.postings AS queued, drained.drain
    FROM posted
    FULL JOIN (SELECT shard, batch, postings FROM settlement_queue) AS queued
        USING (shard, batch)
    FULL JOIN drained USING (shard, batch)
    WHERE (queued.batch IS NULL) = (drained.batch IS NULL)
       OR posted.postings IS NULL
       OR queued.postings <> posted.postings
    """,
)

_COUNTS = Check(
    "I7",
    "a drain took as many postings as its batches have",
    """
    WITH posted AS (
        SELECT drained.drain, count(*) AS postings
        FROM settled_fact AS posting
        JOIN drained ON drained.batch = posting.batch AND drained.shard = posting.bucket / 64
        GROUP BY drained.drain
    )
    SELECT drain.id AS drain, drain.postings AS told, posted.postings
    FROM drain FULL JOIN posted ON posted.drain = drain.id
    WHERE drain.postings IS DISTINCT FROM posted.postings
    """,
)

_BLOCKS = Check(
    "I7",
    "a block holds postings of its own drain, each once and with no more points than it has",
    """
    WITH moved AS (
        SELECT block.drain, drain.shard, block.no, block.points AS told, block.postings,
               encode(substring(whole.moves FROM step * 20 + 1 FOR 16), 'hex')::uuid AS posting,
               ('x' || encode(substring(whole.moves FROM step * 20 + 17 FOR 4), 'hex'))
                   ::bit(32)::int4 AS points
        FROM block JOIN drain ON drain.id = block.drain
        CROSS JOIN LATERAL (SELECT block.moves || ''::bytea AS moves OFFSET 0) AS whole
        CROSS JOIN LATERAL generate_series(0, block.postings - 1) AS step
    ), of_postings AS (
        SELECT moved.drain, moved.posting, sum(moved.points) AS points,
               count(*) = count(DISTINCT no) AS is_once, min(posting.points) AS most,
               bool_and(drained.drain IS NOT DISTINCT FROM moved.drain) AS is_its_own
        FROM moved
        LEFT JOIN settled_fact AS posting
            ON posting.id = moved.posting AND posting.bucket / 64 = moved.shard
        LEFT JOIN drained ON drained.shard = moved.shard AND drained.batch = posting.batch
        GROUP BY moved.drain, moved.posting
    )
    SELECT drain, posting, points FROM of_postings
    WHERE NOT is_once OR NOT is_its_own OR abs(points) > most OR most IS NULL
    UNION ALL
    SELECT drain, NULL, told FROM moved GROUP BY drain, no, told
    HAVING sum(points) <> told
    """,
)

_TOTALS = Check(
    "I7",
    "the totals of a tariff are the sums of the blocks that it prices",
    """
    WITH summed AS (
        SELECT block_tariff.tariff, drain.shard, sum(block.points) AS points,
               sum(block.postings) AS charges
        FROM block_tariff
        JOIN block ON block.drain = block_tariff.drain AND block.no = block_tariff.no
        JOIN drain ON drain.id = block.drain
        GROUP BY 1, 2
    )
    SELECT tariff, shard, total.points AS told, summed.points, total.charges AS told_charges,
           summed.charges
    FROM tariff_total AS total FULL JOIN summed USING (tariff, shard)
    WHERE total.points IS DISTINCT FROM summed.points
       OR total.charges IS DISTINCT FROM summed.charges
    """,
)

_PERIODS = Check(
    "I7",
    "periods of a partner follow each other without a gap, and every charge is in one of them",
    """
    SELECT partner_no, no, NULL::uuid AS tariff
    FROM (
        SELECT partner_no, no, starts_at,
               lag(no) OVER by_partner AS before, lag(ends_at) OVER by_partner AS ended_at
        FROM settlement_period WINDOW by_partner AS (PARTITION BY partner_no ORDER BY no)
    ) AS period
    WHERE no <> coalesce(before, 0) + 1 OR starts_at <> ended_at
    UNION ALL
    SELECT tariff.partner_no, tariff.period_no, tariff.id
    FROM tariff
    LEFT JOIN settlement_period AS booked
        ON booked.partner_no = tariff.partner_no AND booked.no = tariff.period_no
    LEFT JOIN settlement_period AS origin
        ON origin.partner_no = tariff.partner_no AND origin.no = tariff.origin_no
    WHERE booked.no IS NULL OR origin.no IS NULL OR origin.no > booked.no
    """,
)

_SEALED = Check(
    "I8",
    "a period that is sealed is shut in all shards, and so are those before it",
    """
    SELECT statement.partner_no, statement.period_no, shard.no AS shard,
           first_open.period_no AS open
    FROM statement
    CROSS JOIN settlement_shard AS shard
    LEFT JOIN first_open
        ON first_open.shard = shard.no AND first_open.partner_no = statement.partner_no
    WHERE statement.state <> 'cut_off'
      AND coalesce(first_open.period_no, 1) <= statement.period_no
    """,
)

_MONEY = Check(
    "I7",
    "every posting of money sums to zero in each currency, and so does the whole book",
    """
    SELECT posting, currency, sum(amount) AS sum
    FROM money_entry GROUP BY posting, currency HAVING sum(amount) <> 0
    """,
)

_BALANCES = Check(
    "I7",
    "what is kept as the balance of a partner is the sum of its account in the money book",
    """
    WITH kept AS (
        SELECT partner_no, currency, sum(amount) AS amount
        FROM (SELECT partner_no, currency, amount FROM money_balance
              UNION ALL SELECT partner_no, currency, amount FROM money_delta) AS parts
        GROUP BY 1, 2
    ), booked AS (
        SELECT partner_no, currency, sum(amount) AS amount
        FROM money_entry WHERE account = 1 GROUP BY 1, 2
    )
    SELECT partner_no, currency, kept.amount AS kept, booked.amount AS booked
    FROM kept FULL JOIN booked USING (partner_no, currency)
    WHERE coalesce(kept.amount, 0) <> coalesce(booked.amount, 0)
    """,
)

# Account 1 is the partners', 9 what the operator pays as a funder, 5 VAT.
_DRAINED_MONEY = Check(
    "I7",
    "what a drain booked on the partners' accounts is its charges and their VAT, exactly",
    """
    WITH charged AS (
        SELECT block_tariff.drain, tariff.partner_no, tariff.currency,
               sum(block.points
                   * (tariff.unit_price + round(tariff.unit_price * tariff.vat_rate, 12))) AS amount
        FROM block_tariff
        JOIN tariff ON tariff.id = block_tariff.tariff
        JOIN block ON block.drain = block_tariff.drain AND block.no = block_tariff.no
        GROUP BY 1, 2, 3
    ), booked AS (
        SELECT posting AS drain, money_entry.partner_no, currency, sum(amount) AS amount
        FROM money_entry JOIN money_posting ON money_posting.id = posting
        WHERE kind = 1 AND account IN (1, 9)
        GROUP BY 1, 2, 3
    )
    SELECT drain, partner_no, currency, charged.amount AS charged, booked.amount AS booked
    FROM charged FULL JOIN booked USING (drain, partner_no, currency)
    WHERE coalesce(charged.amount, 0) <> coalesce(booked.amount, 0)
    """,
)

# Fees of a whole period (kinds 6 and 7) are made at the close; a service fee (3) may have steps.
_LINES = Check(
    "I7",
    "the lines of a closed statement hold every charge and adjustment of its period, once",
    """
    WITH charged AS (
        SELECT statement.id AS statement, kind, contract_no, currency, vat_code, vat_rate,
               origin_no, sum(CASE WHEN counts_points THEN total.points ELSE 0 END) AS points,
               sum(total.charges) AS charges, sum(total.points * unit_price) AS exact
        FROM statement
        JOIN tariff USING (partner_no, period_no)
        JOIN tariff_total AS total ON total.tariff = tariff.id
        WHERE closed_at IS NOT NULL
        GROUP BY 1, 2, 3, 4, 5, 6, 7
    ), lines AS (
        SELECT statement, kind, contract_no, currency, vat_code, vat_rate, origin_no, points,
               charges, exact
        FROM statement_line WHERE kind NOT IN (6, 7)
    )
    SELECT statement, kind, origin_no, charged.points AS charged, lines.points, lines.exact
    FROM lines
    FULL JOIN charged
        USING (statement, kind, contract_no, currency, vat_code, vat_rate, origin_no)
    WHERE kind <> 5
      AND (coalesce(lines.points, 0) <> coalesce(charged.points, 0)
        OR coalesce(lines.charges, 0) <> coalesce(charged.charges, 0)
        OR (kind <> 3 AND coalesce(lines.exact, 0) <> coalesce(charged.exact, 0)))
    """,
)

_STATEMENT_TOTALS = Check(
    "I7",
    "the totals of a closed statement are the sums of its lines",
    """
    WITH summed AS (
        SELECT statement, currency, sum(amount_minor) AS amount_minor, sum(vat_minor) AS vat_minor
        FROM statement_line GROUP BY 1, 2
    )
    SELECT statement, currency, total.amount_minor AS told, summed.amount_minor
    FROM statement_total AS total FULL JOIN summed USING (statement, currency)
    WHERE coalesce(total.amount_minor, 0) <> coalesce(summed.amount_minor, 0)
       OR coalesce(total.vat_minor, 0) <> coalesce(summed.vat_minor, 0)
    """,
)

_NUMBERS = Check(
    "I8",
    "closed statements are numbered from 1 without a gap",
    """
    SELECT number, place FROM (
        SELECT number, row_number() OVER (ORDER BY number) AS place
        FROM statement WHERE number IS NOT NULL
    ) AS numbered WHERE number <> place
    UNION ALL
    SELECT last_number, count(number)
    FROM statement_counter LEFT JOIN statement ON number IS NOT NULL
    GROUP BY last_number HAVING last_number <> count(number)
    """,
)

_CYCLES = Check(
    "I7",
    "in a clearing cycle what partners pay and what they receive sum to zero with the operator",
    """
    SELECT cycle, version, sum(amount_minor) AS sum
    FROM clearing_leg GROUP BY cycle, version HAVING sum(amount_minor) <> 0
    """,
)

_CLEARED = Check(
    "I7",
    "a statement is approved when a cycle has it in each of its currencies, and not before",
    """
    WITH missing AS (
        SELECT statement.id, state, count(*) AS totals,
               count(*) FILTER (WHERE cleared.cycle IS NULL) AS missing
        FROM statement
        JOIN statement_total AS total ON total.statement = statement.id
        LEFT JOIN clearing_statement AS cleared
            ON cleared.statement = statement.id AND cleared.currency = total.currency
        GROUP BY 1, 2
    )
    SELECT * FROM missing WHERE (state IN ('approved', 'paid')) <> (missing = 0)
    """,
)

_RIGHTS = Check(
    "I13",
    "no role of the service may change or remove what was drained, frozen or booked as money",
    """
    SELECT role, kept AS "table"
    FROM unnest(ARRAY['coalition_poster', 'coalition_tenant']) AS role,
        unnest(ARRAY['money_posting', 'money_entry', 'drain', 'drained', 'tariff', 'tariff_total',
                     'block', 'block_tariff', 'drain_digest', 'statement', 'statement_line',
                     'statement_total', 'settlement_period', 'settlement_adjustment']) AS kept
    WHERE has_table_privilege(role, kept, 'INSERT, UPDATE, DELETE, TRUNCATE')
       OR has_any_column_privilege(role, kept, 'INSERT, UPDATE')
    """,
)

CHECKS = (
    _FEED,
    _COUNTS,
    _BLOCKS,
    _TOTALS,
    _PERIODS,
    _SEALED,
    _MONEY,
    _BALANCES,
    _DRAINED_MONEY,
    _LINES,
    _STATEMENT_TOTALS,
    _NUMBERS,
    _CYCLES,
    _CLEARED,
    _RIGHTS,
    *audit_decisions.CHECKS,
)
