"""Rule versions in the database: two persons, never retroactive, never changed."""

from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from coalition.federation import service
from coalition.kernel.database import transaction
from coalition.oversight import approvals
from coalition.oversight.refusals import SecondPersonNeeded
from coalition.points import terms as business
from coalition.points.bonuses import store
from coalition.points.bonuses.active import in_force
from coalition.points.bonuses.documents import RuleDocument
from coalition.points.bonuses.refusals import (
    InvalidRule,
    RuleRetired,
    RuleRetroactive,
    UnknownRule,
)
from coalition.points.bonuses.store import KeptRule
from tests.points.bonuses.world import activated, document
from tests.points.world import ACTOR, TERMS, make_world

pytestmark = pytest.mark.usefixtures("database")


async def kept() -> list[KeptRule]:
    async with transaction() as connection:
        return await store.versions(connection)


async def test_a_rule_holds_when_a_second_person_activates_it(at: datetime) -> None:
    await make_world(at)
    written = document(
        "fruit",
        applies_to={"partners": ["GROCER", 2]},
        funding=[{"funder": "fuel", "weight": 1}, {"funder": "issuer", "weight": 1}],
    )
    approval = await store.prepare(written, prepared_by="staff:anna", at=at)
    assert await kept() == []
    with pytest.raises(SecondPersonNeeded):
        await store.activate(approval, approved_by="staff:anna", at=at)

    later = at + timedelta(minutes=5)
    made = await store.activate(approval, approved_by="staff:bertil", at=later)

    assert [made] == await kept()
    assert (made.no, made.root_no, made.version, made.valid_from) == (1, 1, 1, later)
    assert made.document.applies_to.partners == (1, 2)
    assert [part.funder for part in made.document.funding] == [2, "issuer"]
    assert (made.prepared_by, made.approved_by) == ("staff:anna", "staff:bertil")


async def test_an_activation_reaches_the_terms_of_the_tills(at: datetime) -> None:
    world = await make_world(at)
    async with transaction() as connection:
        before = await business.load(connection)
    made = await activated(document("fruit"), at)
    async with transaction() as connection:
        after = await business.refresh(connection, before)
    assert after is not before
    assert after.active.numbered(made.no).code == "fruit"
    assert world.grocer == 1


async def test_later_versions_count_under_the_first_and_end_it(at: datetime) -> None:
    await make_world(at)
    other = await activated(document("other"), at)
    first = await activated(document("fruit"), at)
    second = await activated(document("fruit", name="Better fruit"), at + timedelta(days=1))
    assert (other.no, first.no, second.no) == (1, 2, 3)
    assert (second.root_no, second.version) == (2, 2)
    assert [(one.no, begins, ends) for one, begins, ends in in_force(await kept())] == [
        (2, first.valid_from, second.valid_from),
        (3, second.valid_from, None),
        (1, other.valid_from, None),
    ]


async def test_a_retired_rule_holds_no_longer(at: datetime) -> None:
    await make_world(at)
    first = await activated(document("fruit"), at)
    later = at + timedelta(days=1)
    approval = await store.prepare_retirement(
        "fruit", when=None, prepared_by="staff:anna", at=later
    )
    retired = await store.activate(approval, approved_by="staff:bertil", at=later)
    assert (retired.version, retired.valid_from, retired.valid_until) == (2, later, later)
    assert in_force(await kept()) == [(first, at, later)]
    with pytest.raises(RuleRetired):
        await store.prepare_retirement("fruit", when=None, prepared_by="staff:anna", at=later)
    with pytest.raises(UnknownRule):
        await store.prepare_retirement("fish", when=None, prepared_by="staff:anna", at=later)

    back = await activated(document("fruit"), later + timedelta(days=1))
    assert (back.version, back.root_no) == (3, first.root_no)


@pytest.mark.parametrize(
    "times",
    [
        {"valid_from": "2026-11-20"},
        {"valid_from": "2026-11-21T11:59:59Z"},
        {"valid_until": "2026-11-20"},
    ],
    ids=str,
)
async def test_no_rule_reaches_back(times: dict[str, str], at: datetime) -> None:
    await make_world(at)
    with pytest.raises(RuleRetroactive):
        await store.prepare(document(**times), prepared_by="staff:anna", at=at)


async def test_a_beginning_that_passes_while_it_waits_is_refused_on_approval(at: datetime) -> None:
    await make_world(at)
    begins = (at + timedelta(hours=1)).isoformat()
    approval = await store.prepare(document(valid_from=begins), prepared_by="staff:anna", at=at)
    with pytest.raises(RuleRetroactive):
        await store.activate(approval, approved_by="staff:bertil", at=at + timedelta(hours=2))
    assert [one.id for one in await approvals.waiting(at=at, kind=store.KIND)] == [approval]


async def test_a_document_that_is_not_right_is_refused_with_every_complaint(at: datetime) -> None:
    await make_world(at)
    written = document(
        applies_to={"partners": ["Nobody"]}, condition="basket.amount_minor", caps={"day": 5}
    )
    with pytest.raises(InvalidRule) as refused:
        await store.prepare(written, prepared_by="staff:anna", at=at)
    assert refused.value.facts["errors"] == [
        {
            "pointer": "/applies_to/partners/0",
            "detail": "there is no partner 'Nobody'; known are: Fuel, Grocer",
        },
        {"pointer": "/condition", "detail": "it yields int; a condition yields a bool"},
    ]


async def test_who_pays_has_a_contract_when_the_rule_begins(at: datetime) -> None:
    world = await make_world(at)
    begins = (at + timedelta(days=10)).date()
    await service.create_partner(name="Later", terms=TERMS, actor=ACTOR, at=at, valid_from=begins)
    funding = [{"funder": "Later", "weight": 1}, {"funder": world.fuel, "weight": 1}]
    with pytest.raises(InvalidRule) as refused:
        await store.prepare(document(funding=funding), prepared_by="staff:anna", at=at)
    assert refused.value.facts["errors"] == [
        {
            "pointer": "/funding/0/funder",
            "detail": "it has no contract when the rule begins; let the rule begin later",
        }
    ]
    later = document(funding=funding, valid_from=begins.isoformat())
    assert (await activated(later, at)).version == 1


async def test_days_are_those_of_the_coalitions_zone_and_both_ends_count(at: datetime) -> None:
    await make_world(at)
    written = document(valid_from="2027-01-01", valid_until="2027-01-31")
    made = await activated(written, at)
    assert made.valid_from == datetime(2026, 12, 31, 23, tzinfo=UTC)
    assert made.valid_until == datetime(2027, 1, 31, 23, tzinfo=UTC)


async def test_what_is_kept_cannot_be_changed(at: datetime) -> None:
    await make_world(at)
    await activated(document(), at)
    async with transaction(role="coalition_poster") as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("UPDATE rule_version SET code = 'x'")


async def test_a_document_is_kept_as_it_was_approved(at: datetime) -> None:
    await make_world(at)
    written = document(
        "all-of-it",
        applies_to={
            "partners": [1],
            "categories": ["fruit", "vegetables"],
            "currency": "SEK",
            "least": {"amount_minor": 5000, "of": "lines"},
            "tiers": ["gold"],
            "weekdays": ["sat"],
            "hours": ["17:00-20:00"],
        },
        effect={"kind": "multiplier", "factor": "2.5"},
        rounding="half_even",
        stacking={"order": 5, "combine": "best_of", "group": "weekend"},
        caps={"basket": 500, "month": 2000},
        condition="basket.lines.exists(l, l.quantity > 2)",
    )
    made = await activated(written, at)
    (read,) = await kept()
    assert isinstance(read.document, RuleDocument)
    assert read.document == made.document == written
