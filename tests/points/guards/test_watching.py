"""Guards after the commit: what the worker counts, the cases that it opens, and only once."""

import asyncio
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from coalition.kernel import outbox
from coalition.kernel.database import transaction
from coalition.kernel.errors import Refused
from coalition.kernel.ids import MemberId, uuid7
from coalition.kernel.outbox import Event
from coalition.ledger.refusals import DuplicateReceipt, HolderNotActive
from coalition.members import closing
from coalition.oversight import audit_log
from coalition.points.commands import IssueBody, Purchase, ReverseBody
from coalition.points.guards import judging, queries, watching
from coalition.points.guards.documents import Mode
from tests.points.bonuses.world import activated
from tests.points.bonuses.world import document as rule_document
from tests.points.guards.world import (
    activate,
    counted,
    hits_of,
    issue,
    open_cases,
    quiet_world,
    redeem,
    rich,
    waiting_deliveries,
    watch,
)
from tests.points.world import make_world, receipt

pytestmark = pytest.mark.usefixtures("database")


async def test_shipped_rules_report_and_nothing_else(at: datetime) -> None:
    world = await make_world(at)
    async with transaction() as connection:
        shipped = await queries.read_rules(connection)
    assert len(shipped) == 10
    assert {rule.document.mode for rule in shipped} == {Mode.REPORT}
    assert {subject for rule in shipped for subject in rule.document.subject} == {
        *("member", "card", "cashier", "store"),
    }
    anna = await rich(world)
    answers = await asyncio.gather(*(world.ask(redeem(anna, 1, at)) for _ in range(6)))
    assert [one for one in answers if isinstance(one, Refused)] == []
    await watch(world)
    (case,) = await open_cases()
    assert (case.rule, case.version, case.subject) == (
        *("member-redemptions-hour", 1),
        f"member:{anna}",
    )
    (hit,) = await hits_of(case.id)
    assert (hit.outcome, hit.reached, hit.most) == ("reported", 6, 5)


async def test_a_case_gathers_what_passes_the_number_and_names_the_postings(at: datetime) -> None:
    world = await quiet_world(at)
    rule = await activate(at)
    anna = await rich(world)
    made = []
    for minutes in range(4):
        world.clock.advance(timedelta(minutes=1))
        made.append(UUID((await world.ask(redeem(anna, 1, world.at)))["posting_id"]))
        await watch(world)
        assert len(await open_cases()) == (1 if minutes >= 2 else 0)
    (case,) = await open_cases()
    hits = await hits_of(case.id)
    assert [hit.reached for hit in hits] == [3, 4]
    assert [hit.postings for hit in hits] == [[made[2]], [made[3]]]
    assert (case.acts, case.rule_no, case.partner_no) == (2, rule.no, world.grocer)
    assert hits[0].seen_until - hits[0].seen_from == timedelta(minutes=61)
    assert hits[0].seen_until == at + timedelta(minutes=4)


async def test_a_delivery_that_comes_again_is_counted_once(at: datetime) -> None:
    world = await quiet_world(at)
    rule = await activate(at, most=0)
    used = await activate(at, name="used", measure="duplicate_receipts", most=9)
    anna = await rich(world)
    await world.ask(redeem(anna, 1, at))
    number = receipt()
    await world.ask(redeem(anna, 1, at, receipt=number))
    await world.ask(redeem(anna, 1, at, receipt=number))
    deliveries = await waiting_deliveries()
    assert sorted({one.kind for one in deliveries}) == ["points.guarded", "points.posted"]
    for _ in range(3):
        await watching.watch(deliveries, at)
    await asyncio.gather(*(watching.watch([one], at) for one in deliveries * 2))
    assert (await counted(rule.no), await counted(used.no)) == (2, 1)
    (case,) = await open_cases()
    assert case.acts == 2


async def test_acts_that_come_late_complete_the_window_in_which_they_occurred(
    at: datetime,
) -> None:
    world = await quiet_world(at)
    await activate(at)
    anna = await rich(world)
    for minutes in (0, 50, 25):  # the last one lies between the others
        await world.ask(redeem(anna, 1, at - timedelta(minutes=minutes)))
        await watch(world)
    (case,) = await open_cases()
    (hit,) = await hits_of(case.id)
    assert hit.reached == 3
    await world.ask(redeem(anna, 1, at - timedelta(hours=5)))
    await watch(world)
    assert len(await hits_of(case.id)) == 1


async def test_a_batch_of_lines_is_counted_by_when_its_sales_were(at: datetime) -> None:
    world = await quiet_world(at)
    await activate(at)
    anna = await rich(world)
    await asyncio.gather(
        *(world.ask(redeem(anna, 1, at - timedelta(hours=hours))) for hours in range(12))
    )
    await watch(world)
    assert await open_cases() == []


async def test_a_backlog_is_counted_in_parts(at: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "POSTINGS_AT_ONCE", 2)
    world = await quiet_world(at)
    rule = await activate(at)
    anna = await rich(world)
    for _ in range(5):
        await world.ask(redeem(anna, 1, at))
    await watching.watch(await waiting_deliveries(), at)
    assert await counted(rule.no) == 5
    (case,) = await open_cases()
    assert case.acts == 5 - 2 + 1, "the second part held an act that was within the number"


async def test_a_used_receipt_is_a_signal(at: datetime) -> None:
    world = await quiet_world(at)
    rule = await activate(at, measure="duplicate_receipts", subject=["cashier"], most=1)
    anna, bo = await rich(world), await rich(world)
    number = receipt()
    command = issue(anna, 10, at, receipt=number, cashier="kim")
    first = await world.ask(command, key="first")
    assert await world.ask(command, key="first") == first, "a retry is no signal"
    for member in (bo, anna):
        again = issue(member, 10, at, receipt=number, cashier="kim")
        assert isinstance(await world.ask(again), DuplicateReceipt)
    await watch(world)
    (case,) = await open_cases()
    assert case.subject == f"cashier:{world.grocer}/kim"
    assert case.member_id is None
    (hit,) = await hits_of(case.id)
    assert (hit.reached, hit.postings, hit.cashiers) == (2, [], ["kim"])
    assert await counted(rule.no) == 2


async def test_reversals_are_judged_in_percent_of_what_a_cashier_did(at: datetime) -> None:
    world = await quiet_world(at)
    await activate(
        at, measure="reversal_percent", subject=["partner"], window={"days": 7}, most=20, at_least=5
    )
    anna = await world.member()
    made = [await world.ask(issue(anna, 10, at)) for _ in range(4)]
    for one in made[:2]:
        await world.ask(ReverseBody(), target=UUID(one["posting_id"]))
    await watch(world)
    assert await open_cases() == [], "four are too few to judge"
    await world.ask(issue(anna, 10, at))
    await watch(world)
    (case,) = await open_cases()
    assert (await hits_of(case.id))[0].reached == 40


async def test_distinct_members_of_a_cashier_are_counted_once_each(at: datetime) -> None:
    world = await quiet_world(at)
    await activate(at, measure="distinct_members", subject=["cashier"], window={"days": 1}, most=2)
    three = [await world.member() for _ in range(3)]
    for member in (three[0], three[0], three[1], three[1]):
        await world.ask(issue(member, 10, at, cashier="kim"))
    await watch(world)
    assert await open_cases() == []
    await world.ask(issue(three[2], 10, at, cashier="kim"))
    await world.ask(issue(three[2], 10, at - timedelta(days=1), cashier="alex"))
    await watch(world)
    (case,) = await open_cases()
    assert (await hits_of(case.id))[0].reached == 3


async def test_points_without_a_purchase_are_counted_apart(at: datetime) -> None:
    world = await quiet_world(at)
    rule = await activate(at, measure="manual_points", subject=["cashier"], most=10**6)
    anna = await world.member()
    bought = Purchase(amount_minor=10_000, currency="SEK")
    await world.ask(issue(anna, 40, at, cashier="kim"))
    await world.ask(
        IssueBody(receipt=receipt(), occurred_at=at, member_id=anna, purchase=bought, cashier="kim")
    )
    visits = {"kind": "per_measure", "points": 5, "measure": "visits"}
    await activated(rule_document("visit", effect=visits), at)
    visit = IssueBody(
        receipt=receipt(), occurred_at=at, member_id=anna, measures={"visits": 2}, cashier="kim"
    )
    assert (await world.ask(visit))["points"] == 10
    await watch(world)
    assert await counted(rule.no) == 40


async def test_freezing_stops_the_member_and_leaves_the_case_and_the_log(at: datetime) -> None:
    world = await quiet_world(at)
    await activate(at, mode="freeze", most=1)
    anna = await rich(world)
    for _ in range(2):
        await world.ask(redeem(anna, 1, at))
    await watch(world)
    assert isinstance(await world.ask(redeem(anna, 1, at)), HolderNotActive)
    (case,) = await open_cases()
    assert [hit.outcome for hit in await hits_of(case.id)] == ["frozen"]
    async with transaction() as connection:
        last = await audit_log.last(connection, "member.frozen")
        actor = await connection.fetchval("SELECT actor FROM audit_log ORDER BY no DESC LIMIT 1")
    assert last is not None
    assert actor == watching.ACTOR


async def test_a_member_who_is_closed_meanwhile_is_not_frozen_and_the_case_stands(
    at: datetime,
) -> None:
    world = await quiet_world(at)
    await activate(at, mode="freeze", most=0)
    anna = await rich(world, 10)
    await world.ask(redeem(anna, 10, at))
    await closing.close(MemberId(anna), actor="staff:test", at=at)
    await watch(world)
    (case,) = await open_cases()
    assert case.member_id == anna


async def test_a_large_redemption_is_reported(at: datetime) -> None:
    world = await quiet_world(at)
    await activate(at, measure="points_of_one_redemption", window=None, most=500)
    anna = await rich(world)
    for points in (500, 700, 600):
        await world.ask(redeem(anna, points, at))
    await watch(world)
    (case,) = await open_cases()
    (hit,) = await hits_of(case.id)
    assert (hit.reached, hit.acts, len(hit.postings)) == (700, 2, 2)


async def test_cards_are_known_to_cases_by_a_piece_of_their_digest_only(at: datetime) -> None:
    world = await quiet_world(at)
    await activate(at, measure="issues", subject=["card"], most=0)
    anna = await world.member("97520001")
    command = IssueBody(receipt=receipt(), occurred_at=at, card="97520001", points=5)
    await world.ask(command)
    (delivery,) = await waiting_deliveries()
    assert "97520001" not in str(delivery.payload)
    await watch(world)
    (case,) = await open_cases()
    assert case.subject.removeprefix("card:").isalnum()
    assert len(case.subject) == len("card:") + 16
    assert case.member_id == anna


async def test_without_a_rule_about_receipts_a_used_one_tells_nobody(at: datetime) -> None:
    world = await quiet_world(at)
    anna = await world.member()
    number = receipt()
    for _ in range(2):
        await world.ask(issue(anna, 10, at, receipt=number))
    assert [one.kind for one in await waiting_deliveries()] == ["points.posted"]


async def test_a_file_sent_again_under_another_key_tells_of_its_first_lines(
    at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judging, "SIGNALS_MOST", 3)
    world = await quiet_world(at)
    await activate(at, measure="duplicate_receipts", subject=["partner"], most=0)
    anna = await world.member()
    sold = [issue(anna, 1, at, receipt=f"R{n}") for n in range(5)]
    for _ in range(2):
        await asyncio.gather(*(world.ask(one) for one in sold))
    await watch(world)
    (case,) = await open_cases()
    assert (await hits_of(case.id))[0].reached == 3


async def test_without_a_rule_by_card_no_card_leaves_the_transaction(at: datetime) -> None:
    world = await quiet_world(at)
    await activate(at)
    await world.member("97520001")
    await world.ask(IssueBody(receipt=receipt(), occurred_at=at, card="97520001", points=5))
    (delivery,) = await waiting_deliveries()
    assert delivery.payload.keys() == {"batch", "postings", "partners"}


async def test_an_event_of_an_older_process_is_passed_over(at: datetime) -> None:
    world = await quiet_world(at)
    async with transaction() as connection:
        old = Event("points.posted", {"batch": str(uuid7(at)), "postings": 3})
        await outbox.append(connection, [old, Event("points.posted", {})], at)
    await watch(world)
    assert await open_cases() == []


async def test_counts_before_every_window_are_forgotten(at: datetime) -> None:
    world = await quiet_world(at)
    rule = await activate(at)
    daily = await activate(at, name="daily", measure="distinct_stores", window={"days": 1}, most=9)
    anna = await rich(world)
    await world.ask(redeem(anna, 1, at))
    await watch(world)
    await watching.tidy(at + timedelta(hours=1))
    assert await counted(rule.no) == 1
    assert await watching.tidy(at + timedelta(hours=4)) >= 1
    assert await counted(rule.no) == 0
    await watching.tidy(at + timedelta(days=30))
    async with transaction() as connection:
        left = [
            await connection.fetchval(f"SELECT count(*) FROM {table}")
            for table in ("guard_count", "guard_sighting", "guard_batch")
        ]
    assert left == [0, 0, 0]
    assert daily.document.name == "daily"


async def test_before_there_is_a_coalition_there_is_nothing_to_forget(at: datetime) -> None:
    assert await watching.tidy(at) == 0
