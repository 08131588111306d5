"""Earning rules: agreed once, dated, never edited, known to the terms of business at once."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from coalition.federation import service
from coalition.federation.refusals import UnknownPartner
from coalition.federation.terms import ContractTerms
from coalition.kernel.database import Engine, transaction
from coalition.kernel.money import UnknownCurrency
from coalition.oversight import audit_log
from coalition.points import earning, terms
from coalition.points.refusals import EarningRuleTaken, InvalidEarningRule
from coalition.points.rules import EarningRule

ACTOR = "staff:test"


async def partner(at: datetime) -> int:
    """Return the number of a partner in a new coalition."""
    await service.create_coalition(
        name="Stadsfördel", timezone="Europe/Stockholm", actor=ACTOR, at=at
    )
    price = Decimal("0.01")
    agreed = ContractTerms(currency="SEK", issue_price=price, redemption_price=price)
    made = await service.create_partner(name="Handlarn", terms=agreed, actor=ACTOR, at=at)
    return made.partner.no


async def agree(
    partner_no: int,
    *,
    valid_from: datetime,
    at: datetime,
    currency: str = "SEK",
    points: int = 1,
    per_minor: int = 100,
) -> EarningRule:
    """Agree on one point per krona, unless something else is said."""
    return await earning.agree(
        partner_no=partner_no,
        currency=currency,
        points=points,
        per_minor=per_minor,
        valid_from=valid_from,
        actor=ACTOR,
        at=at,
    )


async def test_a_rule_is_in_the_terms_of_the_next_batch(database: Engine, at: datetime) -> None:
    no = await partner(at)
    async with transaction() as connection:
        before = await terms.load(connection)
    assert before.rules.at(no, "SEK", at) is None
    rule = await agree(no, valid_from=at - timedelta(days=400), at=at)
    async with transaction() as connection:
        after = await terms.refresh(connection, before)
        assert await earning.rules_of(connection, no) == [rule]
        assert await audit_log.verify(connection) == []
    assert after.rules.at(no, "SEK", at) == rule


async def test_only_the_first_rule_begins_in_the_past(database: Engine, at: datetime) -> None:
    no = await partner(at)
    await agree(no, valid_from=at - timedelta(days=1), at=at)
    with pytest.raises(InvalidEarningRule):
        await agree(no, valid_from=at - timedelta(hours=1), at=at)
    with pytest.raises(EarningRuleTaken):
        await agree(no, valid_from=at - timedelta(days=1), at=at)
    await agree(no, valid_from=at + timedelta(days=1), at=at)


async def test_a_rule_needs_a_partner_a_currency_and_points(database: Engine, at: datetime) -> None:
    no = await partner(at)
    with pytest.raises(UnknownPartner):
        await agree(no + 1, valid_from=at, at=at)
    with pytest.raises(UnknownCurrency):
        await agree(no, currency="XYZ", valid_from=at, at=at)
    for points, per_minor in ((0, 100), (1, 0), (-1, 100), (10**7, 100)):
        with pytest.raises(InvalidEarningRule):
            await agree(no, points=points, per_minor=per_minor, valid_from=at, at=at)
