"""A partner in default: what it may still do, and who pays for its points from then on."""

from datetime import datetime, timedelta

import pytest

from coalition.federation import defaults
from coalition.federation.terms import CreditMode, OnDefault
from coalition.kernel.database import transaction
from coalition.kernel.errors import Refused
from coalition.ledger import audit
from tests.partners.settlement.credit_world import code, credit_world

pytestmark = pytest.mark.usefixtures("database")

ANNA, BO = "staff:anna", "staff:bo"


async def in_default(partner_no: int, at: datetime, becomes: OnDefault = OnDefault.HONOUR) -> None:
    """Note that a partner is in default."""
    async with transaction() as connection:
        await defaults.declare(
            connection,
            partner_no=partner_no,
            on_default=becomes,
            prepared_by=ANNA,
            approved_by=BO,
            at=at,
        )


async def no_more(partner_no: int, at: datetime) -> None:
    """Let the default be over."""
    approval = await defaults.prepare_end(partner_no=partner_no, prepared_by=ANNA, at=at)
    await defaults.approve_end(approval, approved_by=BO, at=at)


async def test_a_partner_in_default_issues_nothing_and_goes_on_taking_points(at: datetime) -> None:
    world = await credit_world(at, CreditMode.NONE)
    assert code(await world.issue(1_000)) == "done"
    await in_default(world.points.grocer, at)
    refused = await world.issue(1)
    assert isinstance(refused, Refused)
    assert (refused.code, refused.status) == ("partner_in_default", 409)
    # What it earns stands against what it owes.
    assert code(await world.redeem(100)) == "done"
    assert code(await world.issue(1, partner_no=world.points.fuel)) == "done"
    await no_more(world.points.grocer, at)
    assert code(await world.issue(1)) == "done"
    assert (await audit.run()).breaches == []


async def test_a_default_is_no_reason_to_refuse_before_it_begins(at: datetime) -> None:
    world = await credit_world(at, CreditMode.NONE)
    await in_default(world.points.grocer, at + timedelta(seconds=1))
    assert code(await world.issue(1)) == "done"
