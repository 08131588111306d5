"""Rule sets in the database: two persons, versions from a time on, bindings, the book of them."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import asyncpg
import msgspec
import pytest

from coalition.families.rule_sets import presets, registering
from coalition.families.rule_sets.books import RuleBook
from coalition.families.rule_sets.documents import PresetUse
from coalition.families.rule_sets.rule_set_refusals import (
    BindingRetroactive,
    InvalidRuleSet,
    InvalidRuleSetName,
    RuleSetOfAnotherMechanism,
    RuleSetRetroactive,
    UnknownRuleSet,
)
from coalition.kernel.database import transaction
from coalition.oversight.refusals import SecondPersonNeeded
from tests.families.registered import activated, book, bound, varied, written
from tests.points.world import make_world

pytestmark = pytest.mark.usefixtures("database")

WEEK = timedelta(days=7)


async def test_a_rule_set_holds_when_a_second_person_approves_it(at: datetime) -> None:
    await make_world(at)
    approval = await registering.prepare(
        "ours", PresetUse(preset="hilton"), valid_from=None, prepared_by="staff:anna", at=at
    )
    before = await book()
    assert before.by_name("ours", at) is None
    with pytest.raises(SecondPersonNeeded):
        await registering.approve(approval, approved_by="staff:anna", at=at)

    later = at + timedelta(minutes=5)
    made = await registering.approve(approval, approved_by="staff:bertil", at=later)

    assert (made.name, made.version, made.valid_from) == ("ours", 1, later)
    assert (made.prepared_by, made.approved_by) == ("staff:anna", "staff:bertil")
    assert made.document == presets.document("hilton")
    after = await book(before)
    assert after.by_name("ours", at) is None
    found = after.by_name("ours", later)
    assert found is not None
    assert (found.rule_set_no, found.version, found.name) == (made.rule_set_no, 1, "ours")
    assert found.rule_set == presets.rule_set("hilton")
    assert found.zone == ZoneInfo("Europe/Stockholm")


async def test_a_later_version_holds_from_its_time_on_and_the_earlier_one_stays(
    at: datetime,
) -> None:
    await make_world(at)
    first = await activated("ours", PresetUse(preset="hilton"), at)
    second = await activated(
        "ours", PresetUse(preset="hilton", override={"transfer.max": 5000}), at,
        valid_from=at + WEEK,
    )  # fmt: skip
    kept = await book()
    assert [one.version for one in kept.versions] == [1, 2]

    def most(when: datetime) -> int | None:
        found = kept.rule_set(first.rule_set_no, when)
        return found.rule_set.transfer.max if found else None

    assert first.rule_set_no == second.rule_set_no
    assert most(at - timedelta(seconds=1)) is None
    assert most(at + WEEK - timedelta(seconds=1)) == 500_000
    assert most(at + WEEK) == 5000
    old = kept.of_version(first.rule_set_no, 1)
    assert old is not None
    assert old.rule_set.transfer.max == 500_000


async def test_a_kind_runs_under_what_it_is_bound_to_until_it_is_bound_anew(at: datetime) -> None:
    await make_world(at)
    await activated("sending", PresetUse(preset="hilton"), at)
    await activated("sharing", PresetUse(preset="emirates"), at)
    await bound("p2p", "sending", at)
    await bound("household", "sharing", at + WEEK)
    await bound("household", None, at + WEEK, valid_from=at + 2 * WEEK)
    kept = await book()

    def name(kind: str, when: datetime) -> str | None:
        found = kept.bound(kind, when)
        return found.name if found else None

    assert name("p2p", at - timedelta(seconds=1)) is None
    assert name("p2p", at) == "sending"
    assert name("household", at) is None
    assert name("household", at + WEEK) == "sharing"
    assert name("household", at + 2 * WEEK) is None
    assert {kind: one.name for kind, one in kept.kinds(at + WEEK).items()} == {
        "household": "sharing",
        "p2p": "sending",
    }


async def test_the_book_is_read_again_only_when_something_has_changed(at: datetime) -> None:
    await make_world(at)
    await activated("ours", written(timezone="Asia/Tokyo"), at)
    first = await book()
    assert await book(first) is first
    await activated("others", written(), at)
    second = await book(first)
    assert second is not first
    assert second.rule_set(1, at) is first.rule_set(1, at)
    kept = second.rule_set(1, at)
    assert kept is not None
    assert kept.zone == ZoneInfo("Asia/Tokyo")


async def test_countries_are_told_by_code_where_acts_are_judged(at: datetime) -> None:
    await make_world(at)
    made = await activated("ours", presets.document("miles_and_more"), at)
    assert made.document.eligibility.countries == ("eu",)
    found = (await book()).by_name("ours", at)
    assert found is not None
    assert found.rule_set.eligibility.countries[:2] == ("AT", "BE")


async def test_partners_are_kept_by_number(at: datetime) -> None:
    await make_world(at)
    lots = {"issuers": ["fuel", "1", "GROCER"]}
    made = await activated(
        "ours",
        written(
            "pool_account",
            group={"spend": {"head": {"scope": "pool"}}},
            contribution={"existing": "all", "lots": lots},
            transfer={"spend_on": ["issuer", "Fuel"], "lots": lots},
        ),
        at,
    )
    assert made.document.transfer.spend_on == ("issuer", "2")
    assert made.document.transfer.lots is not None
    assert made.document.transfer.lots.issuers == ("2", "1")
    assert made.document.contribution.lots == made.document.transfer.lots


async def test_what_is_kept_says_every_key_and_is_never_changed(at: datetime) -> None:
    await make_world(at)
    await activated("ours", written(), at)
    async with transaction() as connection:
        text = await connection.fetchval("SELECT document FROM rule_set_version")
    kept = msgspec.json.decode(text)
    assert kept["control"]["approval_days"] == 14
    assert kept["group"]["members"] == {"min": 1, "max": None}
    for table, change in (
        ("rule_set_version", "UPDATE rule_set_version SET document = '{}'"),
        ("rule_set_version", "DELETE FROM rule_set_version"),
        ("rule_binding", "UPDATE rule_binding SET kind = 'x'"),
        ("rule_set", "DELETE FROM rule_set"),
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await execute_as_owner(table, change)


async def execute_as_owner(table: str, statement: str) -> None:
    """Run a statement as a table's owner who, unlike the tests' own role, is no superuser."""
    async with transaction() as connection:
        await connection.execute(f"ALTER TABLE {table} OWNER TO coalition_tenant")
        await connection.execute("SET LOCAL ROLE coalition_tenant")
        await connection.execute(statement)


async def test_what_changed_is_logged_and_told(at: datetime) -> None:
    await make_world(at)
    await activated("ours", written(), at)
    await bound("p2p", "ours", at)
    async with transaction() as connection:
        logged = await connection.fetch("SELECT action, actor FROM audit_log ORDER BY no")
        told = await connection.fetch("SELECT kind, payload FROM outbox ORDER BY id")
    assert [tuple(row) for row in logged][-6:] == [
        ("approval.prepared", "staff:anna"),
        ("rule_set.activated", "staff:bertil"),
        ("approval.applied", "staff:bertil"),
        ("approval.prepared", "staff:anna"),
        ("rule_set.bound", "staff:bertil"),
        ("approval.applied", "staff:bertil"),
    ]
    events = {row["kind"]: msgspec.json.decode(row["payload"]) for row in told}
    assert events["families.rule_set_activated"]["rule_set"] == "ours"
    assert events["families.rule_set_bound"]["kind"] == "p2p"


async def test_nothing_begins_in_the_past(at: datetime) -> None:
    await make_world(at)
    past, soon = at - timedelta(seconds=1), at + timedelta(minutes=1)
    with pytest.raises(RuleSetRetroactive):
        await activated("ours", written(), at, valid_from=past)
    approval = await registering.prepare(
        "ours", written(), valid_from=soon, prepared_by="staff:anna", at=at
    )
    with pytest.raises(RuleSetRetroactive):
        await registering.approve(approval, approved_by="staff:bertil", at=at + WEEK)
    await activated("ours", written(), at)
    with pytest.raises(BindingRetroactive):
        await bound("p2p", "ours", at, valid_from=past)


async def test_a_name_is_a_small_word_and_a_binding_names_what_there_is(at: datetime) -> None:
    await make_world(at)
    for name in ("", "Ours", "1st", "a" * 41, "our rules"):
        with pytest.raises(InvalidRuleSetName):
            await activated(name, written(), at)
        with pytest.raises(InvalidRuleSetName):
            await bound(name, None, at)
    with pytest.raises(UnknownRuleSet) as unknown:
        await bound("p2p", "ours", at)
    assert unknown.value.facts == {"name": "ours"}


async def test_members_send_points_under_rules_of_sending_only(at: datetime) -> None:
    await make_world(at)
    await activated("pool", PresetUse(preset="ba_household"), at)
    with pytest.raises(RuleSetOfAnotherMechanism):
        await bound("p2p", "pool", at)
    await bound("household", "pool", at)
    await activated("sending", PresetUse(preset="hilton"), at)
    await bound("p2p", "sending", at)


async def test_a_further_version_keeps_the_mechanism_under_which_groups_live(at: datetime) -> None:
    await make_world(at)
    await activated("pool", PresetUse(preset="ba_household"), at)
    for preset in ("emirates", "hilton", "sas"):
        with pytest.raises(RuleSetOfAnotherMechanism) as refused:
            await activated("pool", PresetUse(preset=preset), at)
        assert refused.value.facts == {"mechanism": "pool_view"}
    assert (await activated("pool", PresetUse(preset="etihad"), at)).version == 2


async def test_a_document_that_is_not_right_is_refused_with_every_key(at: datetime) -> None:
    await make_world(at)
    wrong = varied("hilton", transfer={"min": 5, "max": 4, "spend_on": ["Nobody"]})
    with pytest.raises(InvalidRuleSet) as refused:
        await activated("ours", wrong, at)
    assert refused.value.facts["errors"] == [
        {
            "pointer": "/transfer/min",
            "detail": "at least 5 are more than at most 4; turn them round",
        },
        {"pointer": "/transfer/spend_on/0", "detail": "there is no partner 'Nobody'"},
    ]
    with pytest.raises(InvalidRuleSet):
        await activated("ours", PresetUse(preset="hilton", override={"transfer.step": 999}), at)


async def test_a_coalition_that_is_not_set_up_has_an_empty_book(at: datetime) -> None:
    kept = await book()
    assert isinstance(kept, RuleBook)
    assert (kept.versions, kept.bindings, kept.bound("p2p", at)) == ((), (), None)
    assert kept.rule_set(1, at) is None
