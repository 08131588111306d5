"""A plan lifts what a rule set allows for as long as it is entitled, and no job ends that."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from billing.benefits.entitlements import Ground
from coalition.families.kin.transfer_refusals import TransferRefused
from tests.billing.benefits.world import Club, plan, register
from tests.families import registered
from tests.families.transfers.world import make_bank

PERK = {"benefit": "family_perk", "code": "sends", "says": "Send up to 5,000 points, for nothing"}
RULES: dict[str, Any] = {
    "transfer": {"min": 100, "max": 1000},
    "fees": [
        {
            "kind": "flat",
            "money": {"amount_minor": 200, "currency": "SEK"},
            "waived": [{"plans": ["plus"]}],
        }
    ],
    "changes": [{"when": {"plans": ["plus"]}, "set": {"transfer.max": 5000}}],
}


@pytest.mark.usefixtures("database")
async def test_a_plan_changes_a_familys_number_and_waives_its_fee_until_it_ends(
    at: datetime,
) -> None:
    bank = await make_bank(at)
    await registered.activated("plain", registered.written(**RULES), at)
    await registered.bound("p2p", "plain", at)
    plans = await register(plan("plus", PERK), at=at)
    anna, bo = await bank.member(20_000), await bank.member()
    club = Club(bank.world, plans, anna)
    assert isinstance(await bank.send(anna, bo, 4_000), TransferRefused)
    paid, over = at + timedelta(minutes=1), at + timedelta(days=30)
    grace = club.entitled(over, over + timedelta(days=7), ground=Ground.GRACE)
    await club.apply(club.entitled(paid, over), grace, at=at)
    for wait, is_lifted in (
        (timedelta(minutes=1), True),
        (timedelta(days=37) - timedelta(minutes=1, seconds=1), True),
        (timedelta(seconds=1), False),
    ):
        bank.clock.advance(wait)
        assert (await bank.preview(anna, bo, 4_000)).allowed is is_lifted
        # The fee is what families waive: `waived` says so of the plan.
        assert (not (await bank.preview(anna, bo, 500)).fees) is is_lifted
