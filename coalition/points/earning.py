"""Agrees on base earning rules: dated, per partner and currency, never edited; each is audited."""

from datetime import datetime

import msgspec

from coalition.federation import catalogue
from coalition.federation.refusals import UnknownPartner
from coalition.kernel.database import Connection, transaction
from coalition.kernel.money import Rounding, exponent
from coalition.oversight import audit_log
from coalition.points.refusals import EarningRuleTaken, InvalidEarningRule
from coalition.points.rules import EarningRule

POINTS_MOST = 1_000_000
PER_MINOR_MOST = 10**12

_INSERT = """
INSERT INTO earning_rule
    (no, partner_no, currency, points, per_minor, rounding, valid_from, made_at, made_by)
SELECT coalesce(max(no), 0) + 1, $1, $2, $3, $4, $5, $6, $7, $8 FROM earning_rule
RETURNING no
"""

_READ = """
SELECT no, partner_no, currency, points, per_minor, rounding, valid_from FROM earning_rule
WHERE $1::int IS NULL OR partner_no = $1 ORDER BY partner_no, currency, valid_from
"""


async def agree(
    *,
    partner_no: int,
    currency: str,
    points: int,
    per_minor: int,
    valid_from: datetime,
    actor: str,
    at: datetime,
    rounding: Rounding = Rounding.DOWN,
) -> EarningRule:
    """Let purchases at a partner earn `points` for every `per_minor` of `currency`.

    It holds from `valid_from` until the next rule begins. Only the first rule of a partner and
    currency may begin before `at`: nothing can have been earned without one. Raises
    `InvalidEarningRule`, `EarningRuleTaken`, `UnknownPartner` or `UnknownCurrency`.
    """
    assert valid_from.tzinfo is not None, "an earning rule begins at an aware time"
    exponent(currency)
    if not (1 <= points <= POINTS_MOST and 1 <= per_minor <= PER_MINOR_MOST):
        raise InvalidEarningRule
    async with transaction() as connection:
        await catalogue.bump(connection)
        await _check(connection, partner_no, currency, valid_from, at)
        no = await connection.fetchval(
            _INSERT, partner_no, currency, points, per_minor, rounding.value, valid_from, at, actor
        )
        rule = EarningRule(no, partner_no, currency, points, per_minor, rounding, valid_from)
        await audit_log.record(
            connection,
            actor=actor,
            action="earning_rule.agreed",
            subject=f"partner:{partner_no}",
            facts=msgspec.structs.asdict(rule),
            at=at,
        )
    return rule


async def rules_of(connection: Connection, partner_no: int | None = None) -> list[EarningRule]:
    """Return the earning rules of a partner, or of all, the earliest first."""
    rows = await connection.fetch(_READ, partner_no)
    return [msgspec.convert(dict(row), EarningRule) for row in rows]


async def _check(
    connection: Connection, partner_no: int, currency: str, valid_from: datetime, at: datetime
) -> None:
    if not await connection.fetchval("SELECT true FROM partner WHERE no = $1", partner_no):
        raise UnknownPartner(partner_no=partner_no)
    begins = await connection.fetch(
        "SELECT valid_from FROM earning_rule WHERE partner_no = $1 AND currency = $2",
        partner_no,
        currency,
    )
    if any(row[0] == valid_from for row in begins):
        raise EarningRuleTaken
    if begins and valid_from < at:
        raise InvalidEarningRule(
            "An earning rule that follows another begins now or later; what was earned stays"
        )
