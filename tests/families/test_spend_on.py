"""Points that rules bind to partners: at every till, in every group, and on their way home."""

from datetime import datetime
from typing import Any, cast
from uuid import UUID

import pytest

from coalition.families.kin.speaking import By
from coalition.families.kin.transfer_refusals import TransferRefused
from coalition.families.rule_sets.notation import RuleSet
from coalition.kernel.database import transaction
from coalition.ledger.refusals import NotEnoughPoints
from coalition.points.commands import HoldBody, IssueBody, Purchase, QuoteBody, RedeemBody
from coalition.points.till import Tills
from tests.families.groups.world import Families, account, make_families, sweep, view
from tests.families.registered import written
from tests.families.transfers.world import KEYS, Bank
from tests.points.world import receipt

pytestmark = pytest.mark.usefixtures("database")

AT_FUEL = {"spend_on": ["Fuel"]}
AT_ISSUER = {"spend_on": ["issuer"]}


async def shop(at: datetime, kind: str, rules: RuleSet) -> Families:
    """Return families whose tills know of pools, and whose groups run under `rules`."""
    world = await make_families(at)
    world.world.tills = Tills(card_key=KEYS.blind_index_key, clock=world.clock, pools=world.pools)
    await world.rules(kind, rules)
    return world


async def redeem(world: Families, member: UUID, points: int, partner_no: int) -> Any:
    body = RedeemBody(receipt=receipt(), occurred_at=world.at, member_id=member, points=points)
    return await world.world.ask(body, partner_no=partner_no)


async def told(world: Families, member: UUID) -> tuple[int, int, int]:
    """Return the balance that is told at the grocer's, at the fuel chain's, and to the member."""
    tills, grocer, fuel = world.world.tills, world.world.grocer, world.world.fuel
    at_grocer = await tills.balance(member, partner_no=grocer)
    at_fuel = await tills.balance(member, partner_no=fuel)
    return at_grocer.balance, at_fuel.balance, (await tills.balance(member)).balance


class TestTransfers:
    """Points that one member sends another."""

    async def test_what_was_sent_pays_only_where_the_rules_say(self, at: datetime) -> None:
        world = await shop(at, "p2p", written("p2p", transfer=AT_FUEL))
        grocer, fuel = world.world.grocer, world.world.fuel
        anna, bo = await world.adult(300), await world.adult(20)
        assert (await world.send(anna, bo, 100))["state"] == "completed"

        assert await told(world, bo) == (20, 120, 120)
        refused = await redeem(world, bo, 21, grocer)
        assert isinstance(refused, NotEnoughPoints)
        assert refused.facts == {"points": 21, "balance": 20, "elsewhere": 100}
        body = HoldBody(receipt(), world.at, 21, member_id=bo)
        assert isinstance(await world.world.ask(body, partner_no=grocer), NotEnoughPoints)
        assert (await redeem(world, bo, 15, grocer))["balance"] == 5
        assert (await redeem(world, bo, 50, fuel))["balance"] == 55
        assert await told(world, anna) == (200, 200, 200)
        assert await world.proved()

    async def test_a_quote_says_what_can_pay_there(self, at: datetime) -> None:
        world = await shop(at, "p2p", written("p2p", transfer=AT_FUEL))
        anna, bo = await world.adult(300), await world.adult(20)
        await world.send(anna, bo, 100)
        body = QuoteBody(purchase=Purchase(amount_minor=50_000, currency="SEK"), member_id=bo)

        tills = world.world.tills
        at_grocer = await tills.quote(world.world.grocer, None, body)
        at_fuel = await tills.quote(world.world.fuel, None, body)
        assert at_grocer.payable is not None
        assert at_fuel.payable is not None
        assert (at_grocer.balance, at_grocer.payable.points) == (20, 20)
        assert (at_fuel.balance, at_fuel.payable.points) == (120, 120)

    async def test_bound_points_are_received_ones_that_may_not_move_on(self, at: datetime) -> None:
        rules = written("p2p", transfer=AT_FUEL | {"may_move_on": False})
        world = await shop(at, "p2p", rules)
        anna, bo = await world.adult(300), await world.adult(20)
        await world.send(anna, bo, 100)

        refused = await world.send(bo, anna, 21)
        assert isinstance(refused, TransferRefused)
        (failure,) = cast("list[dict[str, Any]]", refused.facts["failures"])
        assert failure["rule"] == "transfer.may_move_on"
        assert (await world.send(bo, anna, 20))["state"] == "completed"

    async def test_what_waited_is_bound_as_it_arrives(self, at: datetime) -> None:
        rules = written("p2p", transfer=AT_FUEL, control={"approvals": [{"by": "receiver"}]})
        world = await shop(at, "p2p", rules)
        anna, bo = await world.adult(300), await world.adult(20)
        asked = await world.send(anna, bo, 100)
        assert asked["state"] == "requested"
        await Bank.approve(world, asked, By.of(bo))

        assert await told(world, bo) == (20, 120, 120)

    async def test_a_new_version_binds_what_is_sent_from_then_on(self, at: datetime) -> None:
        world = await shop(at, "p2p", written("p2p", transfer=AT_FUEL))
        anna, bo = await world.adult(300), await world.adult()
        await world.send(anna, bo, 100)
        world.advance(hours=1)
        await world.rules("p2p", written("p2p"))
        await world.send(anna, bo, 10)

        assert await told(world, bo) == (10, 110, 110)
        await world.send(bo, anna, 110)
        assert await told(world, anna) == (200, 300, 300)
        assert await world.proved()


class TestGroups:
    """Points that a group has together."""

    async def test_an_account_pays_where_its_points_were_earned(self, at: datetime) -> None:
        world = await shop(at, "home", account(transfer=AT_ISSUER))
        grocer, fuel = world.world.grocer, world.world.fuel
        anna, bo = await world.adult(300), await world.adult()
        await world.earn(bo, 50, partner_no=fuel)
        await world.form("home", anna, bo)
        earned = IssueBody(receipt=receipt(), occurred_at=world.at, member_id=bo, points=7)
        await world.world.ask(earned, partner_no=fuel)

        assert await told(world, bo) == (300, 57, 357)
        refused = await redeem(world, bo, 58, fuel)
        assert isinstance(refused, NotEnoughPoints)
        assert refused.facts == {"points": 58, "balance": 57, "elsewhere": 300}
        assert (await redeem(world, anna, 57, fuel))["balance"] == 0
        assert (await redeem(world, bo, 300, grocer))["balance"] == 0
        assert await world.proved()

    async def test_whoever_takes_its_share_home_spends_it_everywhere_again(
        self, at: datetime
    ) -> None:
        leaving = {"leaving": "keep_own_share"}
        world = await shop(at, "home", account(transfer=AT_FUEL, exits=leaving))
        anna, bo = await world.adult(300), await world.adult(50)
        group = await world.form("home", anna, bo)
        assert await told(world, bo) == (0, 350, 350)

        assert (await world.leave(group, bo)).points == 50
        assert await told(world, bo) == (50, 50, 50)
        assert await told(world, anna) == (0, 300, 300)
        assert await world.proved()

    async def test_what_members_keep_counts_for_others_where_the_rules_say(
        self, at: datetime
    ) -> None:
        world = await shop(at, "home", view(transfer=AT_FUEL))
        anna, bo = await world.adult(300), await world.adult(50)
        await world.form("home", anna, bo)

        assert await told(world, bo) == (50, 350, 350)
        refused = await redeem(world, bo, 51, world.world.grocer)
        assert isinstance(refused, NotEnoughPoints)
        assert (await redeem(world, bo, 50, world.world.grocer))["balance"] == 0
        assert (await redeem(world, bo, 200, world.world.fuel))["balance"] == 100
        assert await world.proved()

    async def test_what_goes_to_the_head_is_bound_there(self, at: datetime) -> None:
        world = await shop(at, "home", sweep(transfer=AT_FUEL))
        anna, bo = await world.adult(10), await world.adult()
        await world.form("home", anna, bo)
        earned = IssueBody(receipt=receipt(), occurred_at=world.at, member_id=bo, points=100)
        await world.world.ask(earned)

        assert await told(world, anna) == (10, 60, 60)
        assert await world.own(bo) == 50
        assert await world.proved()


async def test_rules_that_bind_nothing_ask_for_no_class(at: datetime) -> None:
    world = await shop(at, "p2p", written("p2p"))
    anna, bo = await world.adult(300), await world.adult()
    await world.send(anna, bo, 100)
    async with transaction() as connection:
        assert await connection.fetchval("SELECT count(*) FROM lot_class") == 2
    assert await told(world, bo) == (100, 100, 100)
