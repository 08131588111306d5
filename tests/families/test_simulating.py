"""Drafts tried on real members: a transfer that might be, and those that there were."""

from datetime import date, datetime, timedelta
from typing import Any

import pytest

from coalition.families import simulating
from coalition.families.groups.entering import Newcomer
from coalition.families.kin.group_refusals import InvalidRole
from coalition.families.kin.transfer_refusals import TransferToItself
from coalition.families.rule_sets import presets
from coalition.families.rule_sets.books import RuleBook
from coalition.families.rule_sets.notation import RuleSet
from coalition.families.simulating import Replayed
from coalition.families.transfers.judging import Book, Judged
from coalition.families.transfers.wishes import Wish
from coalition.kernel.database import transaction
from coalition.kernel.errors import Refused
from coalition.kernel.ids import random_id
from coalition.ledger.refusals import UnknownHolder
from coalition.points import terms as business
from tests.families.registered import activated, bound, varied, written
from tests.families.transfers.world import KEYS, Bank, make_bank

pytestmark = pytest.mark.usefixtures("database")

DAY = {"subject": "sender", "measure": "amount", "window": "day", "max": 500}


async def tried(bank: Bank, draft: RuleSet, *wishes: Wish) -> list[Judged | Refused]:
    async with transaction() as connection:
        return await simulating.tried(connection, wishes, draft, await _book(connection, bank))


async def replayed(bank: Bank, draft: RuleSet, days: int) -> Replayed:
    since = bank.at - timedelta(days=days)
    async with transaction() as connection:
        book = await _book(connection, bank)
        return await simulating.replayed(connection, draft, book, since=since)


async def _book(connection: Any, bank: Bank) -> Book:
    terms = await business.load(connection)
    kept = await RuleBook.refresh(connection, None, terms.catalogue)
    return Book(terms, kept, KEYS, bank.at)


def failures(judged: Judged | Refused) -> list[str]:
    assert isinstance(judged, Judged), judged
    return [failure.rule for failure in judged.verdict.failures]


async def test_a_draft_judges_members_as_they_are_and_writes_nothing(at: datetime) -> None:
    bank = await make_bank(at)
    anna, bo = await bank.member(2000), await bank.member()
    bank.advance(days=40)
    draft = presets.document("hilton")
    small, odd, right = await tried(
        bank, draft, *(bank.wish(anna, bo, points) for points in (500, 1500, 2000))
    )
    assert failures(small) == ["transfer.min", "transfer.step"]
    assert failures(odd) == ["transfer.step"]
    assert failures(right) == []
    assert isinstance(right, Judged)
    assert (right.balance, right.bound.name) == (2000, "draft")
    assert await bank.balance(anna) == 2000
    (same,) = await tried(bank, draft, bank.wish(anna, anna, 1000))
    assert isinstance(same, TransferToItself)


async def test_wishes_that_are_tried_together_count_for_each_other(at: datetime) -> None:
    bank = await make_bank(at)
    anna, bo = await bank.member(2000), await bank.member()
    wish = bank.wish(anna, bo, 400)
    first, second = await tried(bank, written(limits=[DAY]), wish, wish)
    assert failures(first) == []
    assert failures(second) == ["limits.sender.amount.day"]


async def test_a_draft_stands_in_the_place_of_what_is_bound(at: datetime) -> None:
    bank = await make_bank(at)
    await activated("ours", written(transfer={"max": 100}), at)
    await bound("p2p", "ours", at)
    anna, bo = await bank.member(2000), await bank.member()
    assert (await bank.preview(anna, bo, 400)).allowed is False
    (judged,) = await tried(bank, written(transfer={"max": 400}), bank.wish(anna, bo, 400))
    assert failures(judged) == []


async def test_past_transfers_are_replayed_and_counted_by_what_would_refuse_them(
    at: datetime,
) -> None:
    bank = await make_bank(at)
    await activated("ours", written(), at)
    await bound("p2p", "ours", at)
    anna, bo = await bank.member(5000), await bank.member()
    for points in (300, 200, 100):
        answer = await bank.send(anna, bo, points)
        assert not isinstance(answer, Refused), answer
    bank.advance(days=3)
    await bank.send(anna, bo, 500)
    bank.advance(hours=1)

    found = await replayed(bank, written(limits=[DAY]), 7)
    assert (found.transfers, found.points) == (4, 1100)
    assert (found.refused, found.refused_points) == (1, 100)
    assert found.by_rule == {"limits.sender.amount.day": 1}
    lately = await replayed(bank, written(transfer={"max": 400}, limits=[DAY]), 1)
    assert (lately.transfers, lately.refused, lately.by_rule) == (1, 1, {"transfer.max": 1})


async def test_a_replay_leaves_out_what_was_not_kept(at: datetime) -> None:
    bank = await make_bank(at)
    await activated("ours", written(), at)
    await bound("p2p", "ours", at)
    anna, bo = await bank.member(500), await bank.member()
    await bank.send(anna, bo, 500)
    bank.advance(minutes=1)
    draft = varied(
        "marriott",
        direction="within_group",
        transfer={},
        limits=[],
        eligibility={
            "min_balance": 10_000,
            "head": {"min_age": 18},
            "receiver": {"name_match": True, "min_balance": 10_000},
        },
        control={"step_up_above": 1},
    )
    found = await replayed(bank, draft, 7)
    assert (found.transfers, found.refused, found.by_rule) == (1, 0, {})


async def test_nothing_is_replayed_where_nothing_was_sent(at: datetime) -> None:
    bank = await make_bank(at)
    found = await replayed(bank, presets.document("hilton"), 30)
    assert (found.transfers, found.refused, found.by_rule) == (0, 0, {})


async def test_a_group_is_tried_one_member_after_the_other(at: datetime) -> None:
    bank = await make_bank(at)
    born = date(1980, 5, 1)
    head, spouse = await bank.member(born=born), await bank.member(born=born)
    child = await bank.member(born=date(2024, 1, 1))
    draft = varied("miles_and_more", eligibility={"min_age": 5}, group={
        "members": {"max": 2}, "spend": {"head": {"scope": "pool"}},
    })  # fmt: skip
    who = [(head, "head"), (child, "child"), (spouse, "spouse"), (child, "child")]
    newcomers = [Newcomer(member=member, role=role) for member, role in who]
    async with transaction() as connection:
        book = await _book(connection, bank)
        entries = await simulating.formed(connection, draft, book, newcomers)
        groups = await connection.fetchval("SELECT count(*) FROM family_group")
    found = [
        (one.newcomer.role, one.kind.value, [failure.rule for failure in one.verdict.failures])
        for one in entries
    ]
    assert found == [
        ("head", "adult", []),
        ("child", "minor", ["eligibility.min_age"]),
        ("spouse", "adult", []),
        ("child", "minor", ["group.members.max", "eligibility.min_age"]),
    ]
    assert groups == 0


async def test_a_group_is_tried_with_members_there_are_and_one_head(at: datetime) -> None:
    bank = await make_bank(at)
    head, other = await bank.member(), await bank.member()
    async with transaction() as connection:
        book = await _book(connection, bank)
        for newcomers, refusal in (
            ([Newcomer(member=head, role="spouse")], InvalidRole),
            (
                [Newcomer(member=head, role="head"), Newcomer(member=other, role="head")],
                InvalidRole,
            ),
            ([Newcomer(member=random_id(), role="head")], UnknownHolder),
        ):
            with pytest.raises(refusal):
                await simulating.formed(connection, presets.document("sas"), book, newcomers)
