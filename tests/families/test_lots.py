"""Which kinds of points rules let move: ordinary ones, those received, those bound to partners."""

from datetime import datetime
from typing import Any

import pytest

from coalition.families.kin.group_refusals import GroupRefused
from coalition.families.kin.transfer_refusals import TransferRefused
from coalition.kernel.ids import MemberId
from coalition.ledger.drafts import Posted
from coalition.ledger.refusals import NotEnoughPoints
from tests.families.groups.world import Families, account, make_families, view
from tests.families.registered import activated, bound, written

pytestmark = pytest.mark.usefixtures("database")


async def _sending(world: Families, name: str, **transfer: Any) -> None:
    await activated(name, written("p2p", transfer=transfer), world.at)
    await bound("p2p", name, world.at)


async def _with_every_kind(world: Families) -> MemberId:
    """Return a member with 100 ordinary points, 30 received, and 7 received and bound."""
    other, anna = await world.adult(100), await world.adult(100)
    await _sending(world, "plain")
    assert (await world.send(other, anna, 30))["state"] == "completed"
    await _sending(world, "binding", spend_on=["issuer"])
    assert (await world.send(other, anna, 7))["state"] == "completed"
    return anna


def _told(refusal: object) -> list[tuple[Any, ...]]:
    assert isinstance(refusal, TransferRefused | GroupRefused), refusal
    failures: Any = refusal.facts["failures"]
    return [(one["rule"], one["limit"], one["used"]) for one in failures]


@pytest.mark.parametrize(
    ("kinds", "may_move"),
    [
        (["ordinary"], 100),
        (["received"], 37),
        (["bound"], 7),
        (["ordinary", "bound"], 107),
        (["received", "bound"], 37),
    ],
)
async def test_a_transfer_moves_points_of_the_kinds_that_are_named(
    at: datetime, kinds: list[str], may_move: int
) -> None:
    world = await make_families(at)
    anna, bo = await _with_every_kind(world), await world.adult()
    await _sending(world, "some", lots={"classes": kinds})
    refused = await world.send(anna, bo, may_move + 1)
    assert _told(refused) == [("transfer.lots", may_move, may_move + 1)]
    seen = await world.preview(anna, bo, may_move + 1)
    assert [one.rule for one in seen.failures] == ["transfer.lots"]
    assert (await world.send(anna, bo, may_move))["state"] == "completed"
    assert await world.own(anna) == 137 - may_move
    assert await world.proved()


async def test_kinds_and_whether_received_points_move_on_are_asked_together(at: datetime) -> None:
    world = await make_families(at)
    anna, bo = await _with_every_kind(world), await world.adult()
    await _sending(world, "some", lots={"classes": ["ordinary", "bound"]}, may_move_on=False)
    assert _told(await world.send(anna, bo, 101)) == [
        ("transfer.may_move_on", 100, 101),
    ]
    assert (await world.send(anna, bo, 100))["state"] == "completed"
    assert await world.own(anna) == 37


async def test_a_contribution_is_of_the_kinds_that_are_named(at: datetime) -> None:
    world = await make_families(at)
    anna = await _with_every_kind(world)
    goes_in = {"existing": "optional", "manual": True, "lots": {"classes": ["received"]}}
    await world.rules("home", account(contribution=goes_in))
    group = await world.form("home", anna, await world.adult())
    with pytest.raises(GroupRefused) as refused:
        await world.bring(group, anna, 38)
    assert _told(refused.value) == [("contribution.lots", 37, 38)]
    await world.bring(group, anna, 37)
    assert await world.own(anna) == 100
    assert await world.proved()


async def test_all_that_a_member_has_of_those_kinds_goes_in_when_it_joins(at: datetime) -> None:
    world = await make_families(at)
    anna = await _with_every_kind(world)
    goes_in = {"existing": "all", "future_percent": [100], "lots": {"classes": ["ordinary"]}}
    await world.rules("home", account(contribution=goes_in))
    group = await world.form("home", anna, await world.adult())
    assert await world.own(await world.pool_of(group)) == 100
    assert await world.own(anna) == 37
    assert await world.proved()


async def test_who_spends_a_pool_takes_of_others_what_the_rules_name(at: datetime) -> None:
    world = await make_families(at)
    anna, bo = await _with_every_kind(world), await world.adult(10)
    await world.rules("home", view(contribution={"lots": {"classes": ["ordinary"]}}))
    await world.form("home", anna, bo)
    refused = await world.redeem(bo, 111)
    assert isinstance(refused, NotEnoughPoints)
    assert (refused.facts["balance"], refused.facts["points"]) == (110, 111)
    assert isinstance(await world.redeem(bo, 110), Posted)
    assert (await world.own(anna), await world.own(bo)) == (37, 0)
    assert await world.proved()
