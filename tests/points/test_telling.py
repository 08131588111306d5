"""Whose points will end is told so: once a day, of all of them, in its own language."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
import pytest

from coalition.federation.catalogue import Catalogue
from coalition.federation.terms import Coalition, ExpiryRule, PointCurrency
from coalition.kernel.database import transaction
from coalition.kernel.ids import MemberId
from coalition.ledger.endings import Notice
from coalition.ledger.partitions import ensure_partition
from coalition.members import merging, queries, service
from coalition.messages import inbox, tongues
from coalition.messages.inbox import Message
from coalition.messages.rules import PACE
from coalition.messages.wording import LANGUAGES, Wording
from coalition.points import expiring, telling
from coalition.points.commands import IssueBody
from coalition.points.telling import Ends, Heard
from coalition.points.words import WORDS
from tests.ledger.transfer_world import moved, transfer
from tests.points.world import ACTOR, KEYS, TERMS, World, make_world, receipt
from tests.support import ledger

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
ZONE = ZoneInfo("Europe/Stockholm")
ANNA, BO, POOL = (MemberId(UUID(int=number)) for number in (1, 2, 3))
DECEMBER, JANUARY = date(2026, 12, 31), date(2027, 1, 31)
KNOWN = Catalogue(
    version=1,
    coalition=Coalition("Norr", "Europe/Stockholm", 1),
    currencies=[PointCurrency(1, "POINT", "Points"), PointCurrency(2, "MILES", "Miles", 1)],
)


async def issue(world: World, member: UUID, points: int, *, partner_no: int | None = None) -> None:
    """Let a member earn points."""
    body = IssueBody(receipt=receipt(), occurred_at=world.at, member_id=member, points=points)
    await world.ask(body, partner_no=partner_no)


async def notify(world: World, at: datetime) -> int:
    return await expiring.notify((await world.tills.terms()).catalogue, at)


async def told(member: UUID) -> list[Message]:
    """Return what a member was told, the last first."""
    async with transaction() as connection:
        return await inbox.page(connection, MemberId(member), before=None, limit=10)


def notice(
    holder: UUID, points: int, day: date = DECEMBER, days: int = 10, **more: object
) -> Notice:
    """Return a notice of points that a holder brought itself, unless told otherwise."""
    facts: Mapping[str, object] = {"contributor": holder, "contract_no": 1, "currency_no": 1}
    return Notice(holder=holder, day=day, days=days, points=points, **{**facts, **more})  # type: ignore[arg-type]  # facts of a notice


def worded(ends: list[Ends], language: str = "en") -> tuple[str, str]:
    """Return subject and body of what is said."""
    said = telling.worded("ending", ends, Wording(language, WORDS[language], ZONE), KNOWN)
    return said.subject, said.body


@pytest.mark.usefixtures("database")
class TestMembers:
    async def test_hear_once_a_day_how_many_points_end_and_when_in_their_language(self) -> None:
        terms = msgspec.structs.replace(TERMS, expiry_months=1, expiry_notice_days=(10,))
        world = await make_world(NOON, terms=terms)
        anna, bo, cy = [MemberId(await world.member()) for _ in range(3)]
        await issue(world, anna, 1_000)
        await issue(world, anna, 234, partner_no=world.fuel)
        await issue(world, bo, 1)
        async with transaction() as connection:
            await tongues.choose(connection, anna, "sv", NOON)
        at = datetime(2026, 12, 21, 12, tzinfo=UTC)
        await notify(world, at - timedelta(days=1))
        for _ in range(2):
            await notify(world, at)
        async with transaction() as connection:
            # Even where it is forgotten that the day was told of, its messages are not said again.
            await connection.execute("UPDATE expiry_notice SET told_through = told_through - 1")
            waits = "SELECT email_due_at - said_at AS wait FROM message ORDER BY wait"
            # Their e-mails come one after the other: what is said meanwhile is not behind them all.
            assert [row["wait"] for row in await connection.fetch(waits)] == [PACE * 0, PACE]
        assert await notify(world, at) == 2
        (of_anna,), (of_bo,) = await told(anna), await told(bo)
        assert (of_anna.kind, of_anna.purpose, of_anna.path, of_anna.language) == (
            *("points_ending", "contract", "/wallet", "sv"),
        )
        assert of_anna.subject == "1\u00a0234 poäng av dina går ut efter 31 december 2026"
        assert "\n\n1\u00a0234 poäng: 31 december 2026\n\n" in of_anna.body
        assert of_bo.subject == "1 point of yours ends after 31 December 2026"
        assert await told(cy) == []

    async def test_who_has_chosen_no_language_hears_it_in_the_coalitions(self) -> None:
        terms = msgspec.structs.replace(TERMS, expiry_months=1, expiry_notice_days=(10,))
        world = await make_world(NOON, terms=terms)
        anna, bo = [MemberId(await world.member()) for _ in range(2)]
        await tongues.speak("sv", actor=ACTOR, at=NOON)
        async with transaction() as connection:
            await tongues.choose(connection, anna, "en", NOON)
        for member in (anna, bo):
            await issue(world, member, 5)
        at = datetime(2026, 12, 21, 12, tzinfo=UTC)
        await notify(world, at - timedelta(days=1))
        await notify(world, at)
        assert [(await told(one))[0].language for one in (anna, bo)] == ["en", "sv"]

    async def test_who_is_frozen_hears_it_and_who_was_merged_or_is_forgotten_does_not(
        self,
    ) -> None:
        terms = msgspec.structs.replace(
            TERMS, expiry_rule=ExpiryRule.MONTHS, expiry_months=1, expiry_notice_days=(10,)
        )
        world = await make_world(NOON, terms=terms)
        frozen, merged, now, forgotten = [MemberId(await world.member()) for _ in range(4)]
        for member in (frozen, merged, forgotten):
            await issue(world, member, 100)
        await ensure_partition(NOON)
        await service.freeze(frozen, actor=ACTOR, at=NOON)
        async with transaction() as connection:
            both = {"from_id": merged, "into_id": now}
            await merging.merge(connection, **both, keys=KEYS, followers=(), actor=ACTOR, at=NOON)
            await queries.forget(connection, forgotten)
        await notify(world, NOON)
        assert await notify(world, NOON + timedelta(days=20)) == 3
        assert [len(await told(one)) for one in (frozen, now, forgotten)] == [1, 1, 0]
        async with transaction() as connection:
            assert await connection.fetchval("SELECT count(*) FROM message") == 2

    async def test_who_brought_points_to_a_pool_hears_of_them_apart_from_its_own(self) -> None:
        terms = msgspec.structs.replace(TERMS, expiry_months=1, expiry_notice_days=(10,))
        world = await make_world(NOON, terms=terms)
        anna, pool = await world.member(), await ledger.open_holder(NOON)
        await issue(world, anna, 100)
        await moved(transfer(anna, pool, 60, NOON, contributor=anna), NOON)
        at = datetime(2026, 12, 21, 12, tzinfo=UTC)
        await notify(world, at - timedelta(days=1))
        assert await notify(world, at) == 2
        assert {one.kind: one.subject for one in await told(anna)} == {
            "points_ending": "40 points of yours end after 31 December 2026",
            "points_ending_shared": "60 points that you share end after 31 December 2026",
        }


def test_points_with_two_notice_days_are_counted_once_and_all_contracts_added_up() -> None:
    notices = [
        notice(ANNA, 100, days=30),
        notice(ANNA, 100, days=7),
        notice(ANNA, 20, days=7, contract_no=2),
        notice(ANNA, 3, JANUARY),
        notice(ANNA, 4, currency_no=2),
        notice(ANNA, 5, contributor=BO),
        notice(BO, 6),
    ]
    ends = [Ends(DECEMBER, 1, 125), Ends(DECEMBER, 2, 4), Ends(JANUARY, 1, 3)]
    assert telling.by_listener(notices, {ANNA}) == {Heard(ANNA, None): ends}


def test_of_points_in_a_pool_whoever_brought_them_is_told_apart_from_its_own() -> None:
    notices = [
        notice(ANNA, 1),
        notice(POOL, 20, contributor=ANNA),
        notice(POOL, 3, contributor=BO),
        notice(POOL, 4),
    ]
    assert telling.by_listener(notices, {ANNA, BO}) == {
        Heard(ANNA, None): [Ends(DECEMBER, 1, 1)],
        Heard(ANNA, POOL): [Ends(DECEMBER, 1, 20)],
        Heard(BO, POOL): [Ends(DECEMBER, 1, 3)],
    }


def test_several_ends_have_a_line_each_with_the_name_of_a_partners_own_points() -> None:
    subject, body = worded([Ends(DECEMBER, 1, 1_234), Ends(JANUARY, 2, 5)])
    assert subject == "Some of your points end soon"
    assert "\n\n1,234 points: 31 December 2026\n5 Miles: 31 January 2027\n\n" in body


def test_after_long_without_a_run_the_next_ends_are_named_and_the_rest_mentioned() -> None:
    ends = [Ends(DECEMBER + timedelta(days=number), 1, 5) for number in range(400)]
    subject, body = worded(ends)
    lines = body.split("\n\n")[1].splitlines()
    assert len(lines) == telling.LINES_MOST + 1
    assert lines[-1] == "More of them end after 18 February 2027."
    assert len(subject) < 150


@pytest.mark.parametrize("language", LANGUAGES)
def test_all_is_said_in_every_language_with_the_same_facts(language: str) -> None:
    assert WORDS[language].keys() == WORDS["en"].keys()
    for name in ("ending", "ending_shared"):
        for ends in ([Ends(DECEMBER, 1, 1)], [Ends(DECEMBER, 1, 2)], [Ends(DECEMBER, 1, 2)] * 2):
            wording = Wording(language, WORDS[language], ZONE)
            said = telling.worded(name, ends, wording, KNOWN)
            assert said.language == language
            assert "2026" in said.body
            assert "{" not in said.subject + said.body
