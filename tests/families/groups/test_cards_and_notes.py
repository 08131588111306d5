"""Tests of further cards in a wallet, of what staff do being logged, and of asking every time."""

from datetime import datetime

import pytest

from coalition.families.kin.group_refusals import GroupRefused
from coalition.kernel.database import Engine, transaction
from coalition.ledger.drafts import Posted
from coalition.members import service as members
from coalition.members.contacts import ContactKind
from tests.families.groups.world import account, make_families, view
from tests.families.registered import written
from tests.families.transfers.world import KEYS


async def test_a_further_card_of_a_wallet_has_its_limit_and_its_fee_and_is_added_once(
    database: Engine, at: datetime
) -> None:
    world = await make_families(at)
    cap = {"subject": "group", "measure": "count", "window": "lifetime", "max": 1, "on": "card"}
    fee = {
        "kind": "flat",
        "on": "card",
        "money": {"amount_minor": 100, "currency": "SEK"},
        "payer": "head",
    }
    spend = {"member": {"scope": "pool"}}
    await world.rules(
        "wallet", written("linked_wallet", group={"spend": spend}, limits=[cap], fees=[fee])
    )
    anna, bo = await world.adult(), await world.adult()
    await world.form("wallet", anna, bo)
    for card in ("97520001", "9752-0001"):
        await world.add_card(bo, card)
    assert await members.find(ContactKind.CARD, "97520001", keys=KEYS) == bo
    with pytest.raises(GroupRefused) as refused:
        await world.add_card(bo, "97520002")
    failures = refused.value.facts["failures"]
    assert isinstance(failures, list)
    assert [one["rule"] for one in failures] == ["limits.card.group.count.lifetime"]
    told = await world.events("fee_due")
    assert [(one["member_id"], one["amount_minor"]) for one in told] == [(str(anna), 100)]


async def test_who_shares_no_wallet_has_cards_as_everybody(database: Engine, at: datetime) -> None:
    world = await make_families(at)
    anna = await world.adult()
    await world.add_card(anna, "97520001")
    assert await members.find(ContactKind.CARD, "97520001", keys=KEYS) == anna


async def test_what_staff_do_in_a_group_is_logged_and_what_members_do_is_not(
    database: Engine, at: datetime
) -> None:
    world = await make_families(at)
    await world.rules("home", view())
    anna, bo, eve = [await world.adult() for _ in range(3)]
    group = await world.form("home", anna)
    made = await world.invite(group, bo, by=anna)
    await world.accept(made.id, bo)
    await world.leave(group, bo)
    before = [one for one in await world.logged() if one.startswith("group.")]
    await world.join(group, eve)
    after = [one for one in await world.logged() if one.startswith("group.")]
    assert (before, after) == ([], ["group.joined"])


async def test_an_address_that_is_always_asked_is_asked_at_every_purchase(
    database: Engine, at: datetime
) -> None:
    world = await make_families(at)
    asks = {"address": "same", "address_checked": "always"}
    await world.rules("home", account(eligibility=asks))
    anna = await world.adult(100, address="Storgata 1, Oslo")
    bo = await world.adult(50, address="STORGATA 1, Oslo")
    group = await world.form("home", anna, bo)
    assert isinstance(await world.redeem(bo, 120), Posted)
    async with transaction() as connection:
        role = await connection.fetchval("SELECT current_user")
    assert role != "coalition_poster"
    with pytest.raises(GroupRefused):
        await world.join(group, await world.adult(address="Torggata 2, Oslo"))
    assert await world.proved()
