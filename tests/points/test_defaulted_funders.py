"""A partner in default pays for no points that others promise, staff give or an issue names."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from msgspec.structs import replace

from coalition.federation import defaults
from coalition.federation.terms import OnDefault, PartnerDefault
from coalition.kernel.database import transaction
from coalition.points import adjusting
from coalition.points.bonuses import store
from coalition.points.bonuses.evaluation import ActiveRules, evaluate
from coalition.points.bonuses.refusals import InvalidRule
from coalition.points.commands import Agreed, IssueBody, Purchase, ReverseBody
from coalition.points.refusals import PartnerInDefault
from tests.points.bonuses.world import (
    AT,
    FUEL,
    GROCER,
    activated,
    base_rates,
    basket,
    document,
    numbered,
)
from tests.points.world import World, answered, make_world, receipt

ANNA, BO = "staff:anna", "staff:bo"
UNPAID = "nothing, who pays for it pays for no points at present"


def ruled(*given: PartnerDefault, at: datetime = AT, partner_no: int = GROCER) -> list[str]:
    """Return points and reasons of a basket under a campaign that both partners and two pay."""
    rules = numbered(
        [
            document("both", funding=[{"funder": no, "weight": 1} for no in (GROCER, FUEL)]),
            document("own", funding=[{"funder": "issuer", "weight": 1}]),
        ]
    )
    active = ActiveRules(rules, base_rates(), given)
    found = evaluate(active, basket(at=at, partner_no=partner_no), {})
    return [str(found.points), *(reason.text for reason in found.reasons)]


def default(
    partner_no: int, at: datetime, on_default: OnDefault | None = OnDefault.HONOUR, no: int = 1
) -> PartnerDefault:
    return PartnerDefault(no, partner_no, on_default, at, ANNA, BO)


def test_a_campaign_gives_nothing_while_one_who_pays_for_it_is_in_default() -> None:
    assert ruled()[0] == "80"
    for becomes in OnDefault:
        points, *reasons = ruled(default(FUEL, AT, becomes))
        assert points == "70"
        assert [reason for reason in reasons if "nothing" in reason] == [f"both: {UNPAID}"]


def test_a_default_counts_from_its_beginning_to_its_end() -> None:
    later, earlier = AT + timedelta(seconds=1), AT - timedelta(days=1)
    assert ruled(default(FUEL, later))[0] == "80"
    assert ruled(default(FUEL, AT, None, no=2), default(FUEL, earlier))[0] == "80"
    assert ruled(default(FUEL, earlier), default(GROCER, AT, None, no=2))[0] == "70"


def test_the_partner_at_the_till_is_judged_by_the_till() -> None:
    # Whether it may issue at all is looked at before its basket is.
    assert ruled(default(GROCER, AT))[0] == "80"
    assert ruled(default(GROCER, AT), partner_no=FUEL)[0] == "70"


async def fuel_fails(world: World, at: datetime) -> None:
    async with transaction() as connection:
        await defaults.declare(
            connection,
            partner_no=world.fuel,
            on_default=OnDefault.SUSPEND,
            prepared_by=ANNA,
            approved_by=BO,
            at=at,
        )


def bought(world: World, member: UUID) -> IssueBody:
    return IssueBody(
        receipt=receipt(),
        occurred_at=world.at,
        member_id=member,
        purchase=Purchase(10_000, "SEK"),
    )


@pytest.mark.usefixtures("database")
async def test_a_till_gives_the_rest_and_says_why_and_takes_back_what_it_gave(
    at: datetime,
) -> None:
    world = await make_world(at)
    await activated(document("ad", funding=[{"funder": world.fuel, "weight": 1}]), at)
    world.clock.advance(timedelta(seconds=1))
    member = await world.member()
    paid = await world.ask(bought(world, member))
    world.clock.advance(timedelta(seconds=1))
    await fuel_fails(world, world.at)
    unpaid = await world.ask(bought(world, member))
    assert paid["points"] - unpaid["points"] == 10
    assert f"ad: {UNPAID}" in [reason["text"] for reason in unpaid["reasons"]]
    async with transaction() as connection:
        rows = await connection.fetch(
            "SELECT funder_no, sum(points_in) FROM lot GROUP BY 1 ORDER BY 1"
        )
    assert {row[0]: int(row[1]) for row in rows} == {
        world.grocer: 2 * unpaid["points"],
        world.fuel: 10,
    }
    # What was earned before is judged by its own time, also when it comes back.
    for answer in (paid, unpaid):
        body = ReverseBody()
        back = await world.ask(body, target=UUID(answer["posting_id"]))
        assert back["points"] == answer["points"]


@pytest.mark.usefixtures("database")
async def test_an_issue_is_refused_that_names_a_funder_in_default(at: datetime) -> None:
    world = await make_world(at)
    member = await world.member()
    await fuel_fails(world, at)
    body = IssueBody(receipt=receipt(), occurred_at=at, member_id=member, points=10)
    for funding in (((world.fuel, 1),), ((world.grocer, 1), (world.fuel, 1))):
        request = world.request(body)
        asked = replace(request.asked, agreed=Agreed(funding=funding))
        with pytest.raises(PartnerInDefault):
            answered(await world.tills.post(replace(request, asked=asked)))
    asked = replace(world.request(body).asked, agreed=Agreed(funding=((world.grocer, 1),)))
    answered(await world.tills.post(replace(world.request(body), asked=asked)))


@pytest.mark.usefixtures("database")
async def test_staff_give_no_points_in_the_name_of_a_partner_in_default(at: datetime) -> None:
    world = await make_world(at)
    member = await world.member()
    given: Any = {"member": member, "points": 5, "reason": "sorry", "prepared_by": ANNA, "at": at}
    waiting = await adjusting.prepare(**given, partner_no=world.fuel)
    await fuel_fails(world, at)
    with pytest.raises(PartnerInDefault):
        await adjusting.prepare(**given, partner_no=world.fuel)
    with pytest.raises(PartnerInDefault):
        await adjusting.approve(waiting, approved_by=BO, at=at)
    await adjusting.prepare(**given, partner_no=world.grocer)


@pytest.mark.usefixtures("database")
async def test_a_rule_is_not_proposed_that_a_partner_in_default_is_to_pay_for(
    at: datetime,
) -> None:
    world = await make_world(at)
    await fuel_fails(world, at)
    with pytest.raises(InvalidRule) as refused:
        await store.prepare(
            document(funding=[{"funder": "Fuel", "weight": 1}]), prepared_by=ANNA, at=at
        )
    assert refused.value.facts["errors"] == [
        {
            "pointer": "/funding/0/funder",
            "detail": "it is in default; let another pay, or end its default first",
        }
    ]
