"""Purchases under earning rules: what they earn, who pays for it, and that it explains itself."""

import asyncio
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from msgspec import structs, to_builtins

from coalition.federation.stores import NewStore, create_stores
from coalition.kernel.database import transaction
from coalition.kernel.ids import MemberId
from coalition.members import standings
from coalition.points import history
from coalition.points.bonuses import personal
from coalition.points.bonuses.personal import EarningBonus
from coalition.points.commands import IssueBody, Purchase, PurchaseLine, QuoteBody
from coalition.points.refusals import (
    LinesExceedPurchase,
    NoEarningRule,
    PurchaseOrPoints,
    TooManyPoints,
)
from tests.points.bonuses.world import activated, document
from tests.points.world import TERMS, World, make_world, receipt

pytestmark = pytest.mark.usefixtures("database")

_LOTS = "SELECT funder_no, issuer_no, prefunded_share, points_in FROM lot ORDER BY funder_no"
_ROWS = """
SELECT (SELECT count(*) FROM purchase_basket) + (SELECT count(*) FROM purchase_line)
     + (SELECT count(*) FROM purchase_earning) + (SELECT count(*) FROM purchase_usage)
"""

FRUIT = document(
    "fruit", effect={"kind": "bonus", "points": 30}, applies_to={"categories": ["fruit"]}
)


def purchase(
    world: World,
    member: UUID,
    amount_minor: int | None = 10_000,
    lines: list[tuple[int, str]] | None = None,
    **fields: Any,
) -> IssueBody:
    bought = None if amount_minor is None else Purchase(amount_minor=amount_minor, currency="SEK")
    return IssueBody(
        fields.pop("receipt", None) or receipt(),
        world.at,
        member_id=member,
        purchase=bought,
        lines=None if lines is None else [line(*one) for one in lines],
        **fields,
    )


def line(amount_minor: int, category: str | None = None, quantity: int = 1) -> PurchaseLine:
    return PurchaseLine(amount_minor=amount_minor, category=category, quantity=quantity)


def quoted(command: IssueBody) -> QuoteBody:
    same = ("occurred_at", "member_id", "purchase", "lines", "measures")
    return QuoteBody(**{field: getattr(command, field) for field in same})


async def fetch(statement: str, *values: object) -> list[Any]:
    async with transaction() as connection:
        return [tuple(row) for row in await connection.fetch(statement, *values)]


async def test_a_rule_for_a_category_adds_to_the_base_rate_and_both_are_told(
    at: datetime,
) -> None:
    world = await make_world(at)
    await activated(FRUIT, at)
    anna = await world.member()
    command = purchase(world, anna, 10_000, [(2_000, "fruit"), (8_000, "bread")])
    quote = await world.tills.quote(world.grocer, None, quoted(command))
    answer = await world.ask(command)
    assert answer["points"] == 130
    assert [(reason["rule"], reason["points"]) for reason in answer["reasons"]] == [
        ("earning:1", 100),
        ("rule:fruit@1", 30),
    ]
    assert (quote.points, to_builtins(quote.reasons)) == (130, answer["reasons"])
    shown = await history.show_posting(
        UUID(answer["posting_id"]), partner_no=world.grocer, terms=await world.tills.terms()
    )
    assert to_builtins(shown.reasons) == answer["reasons"]
    assert [(one.no, one.amount_minor, one.category) for one in shown.lines or ()] == [
        (1, 2_000, "fruit"),
        (2, 8_000, "bread"),
    ]


async def test_each_funder_of_a_rule_has_a_lot_with_its_own_share_paid_at_issue(
    at: datetime,
) -> None:
    world = await make_world(at, terms=TERMS)
    shared = document(
        "shared",
        effect={"kind": "bonus", "points": 101},
        funding=[
            {"funder": "issuer", "weight": 1},
            {"funder": world.fuel, "weight": 1},
            {"funder": "operator", "weight": 2},
        ],
    )
    await activated(shared, at)
    answer = await world.ask(purchase(world, await world.member(), 10_000))
    assert answer["points"] == 201
    # 101 among weights 1, 1 and 2 are 25, 25 and 51, and the issuer pays its base rate as well.
    assert await fetch(_LOTS) == [
        (0, world.grocer, Decimal(1), 51),
        (world.grocer, world.grocer, Decimal(1), 125),
        (world.fuel, world.grocer, Decimal(1), 25),
    ]


async def test_measures_earn_without_any_purchase(at: datetime) -> None:
    world = await make_world(at)
    await activated(
        document("visit", effect={"kind": "per_measure", "points": 5, "measure": "visits"}), at
    )
    anna = await world.member()
    command = purchase(world, anna, None, measures={"visits": 2})
    quote = await world.tills.quote(world.grocer, None, quoted(command))
    answer = await world.ask(command)
    assert (answer["points"], quote.points, quote.payable) == (10, 10, None)
    shown = await history.show_posting(
        UUID(answer["posting_id"]), partner_no=world.grocer, terms=await world.tills.terms()
    )
    assert [reason.rule for reason in shown.reasons] == [
        reason["rule"] for reason in answer["reasons"]
    ]
    nothing = await world.ask(purchase(world, anna, None, measures={"hours": 3}))
    assert (nothing["posting_id"], nothing["points"]) == (None, 0)


async def test_a_members_standing_counts_as_it_was_when_it_bought(at: datetime) -> None:
    world = await make_world(at)
    gold = document(
        "gold", effect={"kind": "multiplier", "factor": "2"}, applies_to={"tiers": ["gold"]}
    )
    await activated(gold, at)
    anna = await world.member()
    async with transaction() as connection:
        await standings.grant(
            connection,
            member=MemberId(anna),
            kind="tier",
            value="gold",
            valid_from=at,
            valid_until=at + timedelta(days=1),
            source="test",
            at=at,
        )
    early = purchase(world, anna)
    world.clock.advance(timedelta(days=2))
    assert (await world.ask(purchase(world, anna)))["points"] == 100
    assert (await world.ask(early))["points"] == 200
    assert (await world.tills.quote(world.grocer, None, quoted(early))).points == 200


async def test_of_two_tiers_that_hold_at_once_the_last_counts_by_id_and_by_card(
    at: datetime,
) -> None:
    world = await make_world(at)
    for tier, factor in (("gold", "2"), ("silver", "3")):
        effect = {"kind": "multiplier", "factor": factor}
        await activated(document(tier, effect=effect, applies_to={"tiers": [tier]}), at)
    anna, bo = await world.member("card-of-anna"), await world.member()
    async with transaction() as connection:
        for tier, days in (("silver", 9), ("gold", 5)):
            await standings.grant(
                connection,
                member=MemberId(anna),
                kind="tier",
                value=tier,
                valid_from=at,
                valid_until=at + timedelta(days=days),
                source="test",
                at=at,
            )
        await standings.end(
            connection,
            member=MemberId(anna),
            kind="tier",
            value="gold",
            ends_at=at + timedelta(days=2),
            source="test",
            at=at,
        )
    instants = [at, at + timedelta(days=3), at + timedelta(days=10)]
    world.clock.advance(timedelta(days=11))
    by_id = [
        structs.replace(purchase(world, member), occurred_at=instant)
        for member in (anna, bo)
        for instant in instants
    ]
    by_card = [
        structs.replace(one, member_id=None, card="card-of-anna", receipt=receipt())
        for one in by_id[: len(instants)]
    ]
    # All in one flush, and once before it, so that the terms are known beforehand.
    await world.ask(purchase(world, bo))
    answers = await asyncio.gather(*(world.ask(one) for one in by_id + by_card))
    assert [one["points"] for one in answers] == [200, 300, 100, 100, 100, 100, 200, 300, 100]


async def test_a_members_own_bonus_is_earned_by_that_member_alone(at: datetime) -> None:
    world = await make_world(at)
    anna, bo = await world.member(), await world.member()
    bonus = EarningBonus(
        holder=MemberId(anna), source="gift:1", kind="extra", points=7, valid_from=at
    )
    async with transaction() as connection:
        assert await personal.give(connection, bonus, at=at)
    assert (await world.ask(purchase(world, anna)))["points"] == 107
    assert (await world.ask(purchase(world, bo)))["points"] == 100


async def test_a_rule_stands_in_for_a_missing_base_rate(at: datetime) -> None:
    world = await make_world(at)
    euros = Purchase(amount_minor=500, currency="EUR")
    anna = await world.member()
    command = IssueBody("r1", at, member_id=anna, purchase=euros)
    assert isinstance(await world.ask(command), NoEarningRule)
    rate = {"kind": "rate", "points": 2, "per_minor": 100}
    await activated(document("euro", effect=rate, applies_to={"currency": "EUR"}), at)
    answer = await world.ask(command)
    assert answer["points"] == 10


async def test_points_that_the_partner_names_are_left_alone_by_rules(at: datetime) -> None:
    world = await make_world(at)
    await activated(document("ten"), at)
    anna = await world.member()
    answer = await world.ask(IssueBody("r1", at, member_id=anna, points=5))
    assert (answer["points"], answer["reasons"][0]["rule"]) == (5, "given")
    with_lines = purchase(world, anna, None, [(1, "a")], points=5)
    assert isinstance(await world.ask(with_lines), PurchaseOrPoints)


async def test_a_currency_that_neither_rate_nor_rule_knows_earns_nothing_by_refusal(
    at: datetime,
) -> None:
    world = await make_world(at)
    await activated(document("ten", applies_to={"currency": "SEK"}), at)
    yen = Purchase(amount_minor=500, currency="JPY")
    command = IssueBody("r1", at, member_id=await world.member(), purchase=yen)
    assert isinstance(await world.ask(command), NoEarningRule)
    # One that may say something, and once asked does not, is none either.
    large = "basket.amount_minor > 500 || 'x' in member.flags"
    await activated(document("yen", applies_to={"currency": "JPY"}, condition=large), at)
    assert isinstance(await world.ask(command), NoEarningRule)


async def test_rules_may_not_give_more_points_than_a_posting_moves(at: datetime) -> None:
    world = await make_world(at)
    await activated(document("much", effect={"kind": "multiplier", "factor": "1000"}), at)
    command = purchase(world, await world.member(), 10**12)
    assert isinstance(await world.ask(command), TooManyPoints)


async def test_below_what_rules_ask_for_store_measures_and_own_bonuses_still_count(
    at: datetime,
) -> None:
    world = await make_world(at)
    stores = [NewStore("near", "Near"), NewStore("far", "Far")]
    await create_stores(partner_no=world.grocer, stores=stores, actor="test", at=at)
    effect = {"kind": "bonus", "points": 7}
    least = {"currency": "SEK", "least": {"amount_minor": 5_000}}
    await activated(document("large", effect=effect, applies_to=least), at)
    await activated(document("larger", effect=effect, condition="basket.amount_minor > 5000"), at)
    await activated(document("visit", effect=effect, condition="'visits' in basket.measures"), at)
    there = {"partners": [world.grocer], "stores": ["far"]}
    await activated(document("there", effect=effect, applies_to=there), at)
    anna, bo = await world.member(), await world.member()
    async with transaction() as connection:
        own = EarningBonus(
            holder=MemberId(bo), source="plan:plus", kind="extra", points=100, valid_from=at
        )
        assert await personal.give(connection, own, at=at)
    commands = [purchase(world, anna, amount) for amount in (4_999, 5_000, 5_001)]
    commands += [purchase(world, anna, 4_999, store=code) for code in ("near", "far")]
    commands.append(purchase(world, anna, 4_999, measures={"visits": 2}))
    commands.append(purchase(world, bo, 4_999))
    answers = [await world.ask(command) for command in commands]
    assert [answer["points"] for answer in answers] == [49, 57, 64, 49, 56, 56, 149]
    quotes = [
        await world.tills.quote(world.grocer, None, structs.replace(quoted(one), store=one.store))
        for one in commands
    ]
    assert [one.points for one in quotes] == [49, 57, 64, 49, 56, 56, 149]


async def test_what_the_base_rate_alone_decides_leaves_no_trace_of_rules(at: datetime) -> None:
    world = await make_world(at)
    anna = await world.member()
    await world.ask(purchase(world, anna))
    await activated(FRUIT, at)
    await world.ask(purchase(world, anna))
    assert await fetch(_ROWS) == [(0,)]


@pytest.mark.parametrize(
    ("fields", "refusal"),
    [
        ({"points": 5}, PurchaseOrPoints),
        ({"amount_minor": None}, PurchaseOrPoints),
        ({"amount_minor": None, "points": 5, "measures": {"visits": 1}}, PurchaseOrPoints),
        ({"amount_minor": None, "points": 5, "lines": [(1, "a")]}, PurchaseOrPoints),
        ({"amount_minor": None, "lines": [(1, "a")]}, PurchaseOrPoints),
        ({"amount_minor": 100, "lines": [(60, "a"), (41, "b")]}, LinesExceedPurchase),
        (
            {"amount_minor": None, "measures": {"visits": 1}, "lines": [(1, "a")]},
            LinesExceedPurchase,
        ),
    ],
)
async def test_lines_and_measures_go_with_a_purchase_that_covers_them(
    at: datetime, fields: dict[str, Any], refusal: type[Exception]
) -> None:
    world = await make_world(at)
    assert isinstance(await world.ask(purchase(world, await world.member(), **fields)), refusal)
