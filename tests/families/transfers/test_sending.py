"""Points are sent as the rules allow it: at once, once, and never beyond a limit."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from coalition.families.kin import guardians
from coalition.families.kin.transfer_refusals import NoRules, TransferRefused, TransferToItself
from coalition.families.words.wording import Language
from coalition.kernel.database import transaction
from coalition.kernel.idempotency import KeyReused
from coalition.kernel.ids import MemberId, random_id
from coalition.ledger import audit, holders
from coalition.ledger.refusals import HolderNotActive, NotEnoughPoints, UnknownHolder
from coalition.members import service as members
from tests.families import registered
from tests.families.transfers.world import KEYS, make_bank

pytestmark = pytest.mark.usefixtures("database")

YEARLY = {"subject": "sender", "measure": "amount", "window": "calendar_year", "max": 5000}


def _failures(refusal: object) -> list[tuple[Any, ...]]:
    assert isinstance(refusal, TransferRefused), refusal
    found: Any = refusal.facts["failures"]
    return [(one["rule"], one["limit"], one["used"], one["remaining"]) for one in found]


async def _bound(at: datetime, **keys: Any) -> None:
    await registered.activated("plain", registered.written(**keys), at)
    await registered.bound("p2p", "plain", at)


async def test_points_go_from_one_member_to_another(at: datetime) -> None:
    bank = await make_bank(at)
    await _bound(at)
    anna, bo = await bank.member(900), await bank.member()
    answer = await bank.send(anna, bo, 300)
    assert (answer["state"], answer["points"], answer["balance"]) == ("completed", 300, 600)
    assert answer["rule_set"] == "plain"
    assert (await bank.balance(anna), await bank.balance(bo)) == (600, 300)
    assert (await audit.run()).ok


async def test_without_rules_nothing_is_sent(at: datetime) -> None:
    bank = await make_bank(at)
    anna, bo = await bank.member(900), await bank.member()
    assert isinstance(await bank.send(anna, bo, 300), NoRules)
    assert await bank.balance(bo) == 0


async def test_every_failure_comes_back_at_once_in_the_order_of_the_rules(at: datetime) -> None:
    bank = await make_bank(at)
    await _bound(
        at,
        eligibility={"min_balance": 1000},
        transfer={"min": 1000, "step": 1000},
        limits=[YEARLY | {"max": 50}],
    )
    anna, bo = await bank.member(150), await bank.member()
    refusal = await bank.send(anna, bo, 100)
    assert _failures(refusal) == [
        ("eligibility.min_balance", 1000, 150, None),
        ("transfer.min", 1000, 100, None),
        ("transfer.step", 1000, 100, None),
        ("limits.sender.amount.calendar_year", 50, 0, 50),
    ]
    seen = await bank.preview(anna, bo, 100)
    assert not seen.allowed
    assert [one.rule for one in seen.failures] == [one[0] for one in _failures(refusal)]
    assert await bank.balance(anna) == 150


async def test_a_limit_counts_what_was_sent_and_forgets_what_was_refused(at: datetime) -> None:
    bank = await make_bank(at)
    await _bound(at, limits=[YEARLY])
    anna, bo = await bank.member(9000), await bank.member()
    await bank.send(anna, bo, 3000)
    assert _failures(await bank.send(anna, bo, 3000)) == [
        ("limits.sender.amount.calendar_year", 5000, 3000, 2000)
    ]
    assert (await bank.send(anna, bo, 2000))["state"] == "completed"
    assert await bank.balance(bo) == 5000


async def test_too_few_points_are_told_as_at_a_till(at: datetime) -> None:
    bank = await make_bank(at)
    await _bound(at)
    anna, bo = await bank.member(100), await bank.member()
    refusal = await bank.send(anna, bo, 101)
    assert isinstance(refusal, NotEnoughPoints)
    assert refusal.facts["balance"] == 100


async def test_one_key_moves_points_once_and_is_answered_alike(at: datetime) -> None:
    bank = await make_bank(at)
    await _bound(at)
    anna, bo = await bank.member(900), await bank.member()
    wish = bank.wish(anna, bo, 300)
    answers = await asyncio.gather(*(bank.ask(wish, key="once") for _ in range(5)))
    assert all(answer == answers[0] for answer in answers)
    assert await bank.ask(wish, key="once") == answers[0]
    assert isinstance(await bank.ask(bank.wish(anna, bo, 301), key="once"), KeyReused)
    assert await bank.balance(bo) == 300


async def test_nobody_sends_to_itself_to_nobody_or_to_somebody_frozen(at: datetime) -> None:
    bank = await make_bank(at)
    await _bound(at)
    anna, bo = await bank.member(900), await bank.member()
    await members.freeze(bo, actor="staff:anna", at=at)
    assert isinstance(await bank.send(anna, anna, 1), TransferToItself)
    assert isinstance(await bank.send(anna, MemberId(random_id()), 1), UnknownHolder)
    assert isinstance(await bank.send(anna, bo, 1), HolderNotActive)
    assert isinstance(await bank.send(bo, anna, 1), HolderNotActive)


async def test_the_account_of_a_pool_is_nobody_to_send_to(at: datetime) -> None:
    bank = await make_bank(at)
    await _bound(at)
    anna, pool = await bank.member(900), MemberId(random_id())
    async with transaction() as connection:
        await holders.open_holders(connection, [pool], at)
    assert isinstance(await bank.send(anna, pool, 1), UnknownHolder)
    assert isinstance(await bank.send(pool, anna, 1), UnknownHolder)


async def test_received_points_may_be_kept_from_moving_on(at: datetime) -> None:
    bank = await make_bank(at)
    await _bound(at, transfer={"may_move_on": False})
    anna, bo, eva = await bank.member(900), await bank.member(100), await bank.member()
    await bank.send(anna, bo, 500)
    refusal = await bank.send(bo, eva, 101)
    assert isinstance(refusal, TransferRefused | NotEnoughPoints), refusal
    assert (await bank.send(bo, eva, 100))["state"] == "completed"
    assert (await bank.balance(bo), await bank.balance(eva)) == (500, 100)


async def test_of_the_receiver_nothing_is_told_but_that_a_condition_does_not_hold(
    at: datetime,
) -> None:
    bank = await make_bank(at)
    await _bound(at, eligibility={"receiver": {"min_balance": 500, "min_age": 18}})
    anna = await bank.member(900)
    bo = await bank.member(77, born=at.date().replace(year=at.year - 17))
    assert _failures(await bank.send(anna, bo, 100)) == [
        ("eligibility.receiver.min_age", 18, None, None),
        ("eligibility.receiver.min_balance", 500, None, None),
    ]
    seen = await bank.preview(anna, bo, 100)
    assert all(one.used is None and one.next_possible_at is None for one in seen.failures)
    assert "77" not in " ".join(one.text for one in seen.failures)


_OF_RECEIVERS = [
    {"subject": "receiver", "measure": "amount", "window": "calendar_month", "max": 500},
    {"subject": "receiver", "measure": "count", "window": "rolling 30 days", "max": 1, "id": "r"},
]


async def test_what_others_have_sent_to_a_receiver_is_not_told_to_a_sender(at: datetime) -> None:
    bank = await make_bank(at)
    await _bound(at, limits=_OF_RECEIVERS)
    anna, bo, eva = await bank.member(900), await bank.member(), await bank.member(900)
    await bank.send(eva, bo, 317)
    refusal = await bank.send(anna, bo, 400)
    assert _failures(refusal) == [
        ("limits.receiver.amount.calendar_month", 500, None, None),
        ("limits.r", 1, None, None),
    ]
    seen = (await bank.preview(anna, bo, 400)).failures
    assert [(one.limit, one.used, one.remaining) for one in seen] == [
        (500, None, None),
        (1, None, None),
    ]
    assert [one.next_possible_at is None for one in seen] == [False, True]
    told = " ".join([str(refusal.detail), *(one.text for one in seen)])
    assert "317" not in told
    assert "183" not in told
    assert "so far" not in told


async def test_a_guardian_hears_what_others_have_sent_to_its_ward(at: datetime) -> None:
    bank = await make_bank(at)
    await _bound(at, limits=_OF_RECEIVERS)
    anna, eva = await bank.member(900), await bank.member(900)
    bo = await bank.member(born=at.date().replace(year=at.year - 10))
    await guardians.appoint(bo, anna, source="test", actor="staff:anna", keys=KEYS, at=at)
    await bank.send(eva, bo, 317)
    assert _failures(await bank.send(anna, bo, 400)) == [
        ("limits.receiver.amount.calendar_month", 500, 317, 183),
        ("limits.r", 1, 1, 0),
    ]
    seen = (await bank.preview(anna, bo, 400)).failures
    assert [one.used for one in seen] == [317, 1]
    assert all(one.next_possible_at for one in seen)
    by_another = msgspec.structs.replace(bank.wish(anna, bo, 400), requested_by=f"member:{eva}")
    assert [one[2] for one in _failures(await bank.ask(by_another))] == [None, None]
    assert [one[2] for one in _failures(await bank.send(eva, bo, 400))] == [None, None]


async def test_a_preview_says_in_the_readers_language_from_when_how_much_may_be_sent(
    at: datetime,
) -> None:
    bank = await make_bank(at)
    monthly = {"subject": "sender", "measure": "amount", "window": "calendar_month", "max": 5000}
    await _bound(at, limits=[monthly])
    anna, bo = await bank.member(9000), await bank.member()
    await bank.send(anna, bo, 4500)
    told = {
        language: (await bank.transfers.preview(bank.wish(anna, bo, 2000), language))
        .failures[0]
        .text
        for language in Language
    }
    assert told[Language.EN].startswith("You can send 2,000 more points from 1 December")
    assert "1 december" in told[Language.SV]
    assert "1. desember" in told[Language.NB]


async def test_a_tier_changes_a_number(at: datetime) -> None:
    bank = await make_bank(at)
    await _bound(
        at,
        transfer={"max": 100},
        changes=[{"when": {"tiers": ["gold"]}, "of": "sender", "set": {"transfer.max": 500}}],
    )
    anna, bo = await bank.member(900), await bank.member()
    assert _failures(await bank.send(anna, bo, 400)) == [("transfer.max", 100, 400, None)]
    await bank.grant(anna, "tier", "gold")
    assert (await bank.send(anna, bo, 400))["state"] == "completed"


async def test_points_end_as_the_rules_say_after_they_moved(at: datetime) -> None:
    bank = await make_bank(at)
    anna, bo, eva = await bank.member(900), await bank.member(), await bank.member()
    [(_, end, _)] = await bank.lots(anna)
    bank.advance(days=70)
    await _bound(bank.at)
    await bank.send(anna, bo, 100)
    assert [lot[1] for lot in await bank.lots(bo)] == [end]
    rules = registered.written(expiry={"treatment": "receiver_policy"})
    await registered.activated("plain", rules, bank.at)
    await bank.send(anna, eva, 100)
    [(_, later, _)] = await bank.lots(eva)
    assert end is not None
    assert later is not None
    assert timedelta(days=58) < later - end < timedelta(days=93)
    assert (await audit.run()).ok


async def test_parallel_transfers_never_break_a_cap(at: datetime) -> None:
    bank = await make_bank(at)
    await _bound(at, limits=[YEARLY | {"max": 1000}])
    anna, bo = await bank.member(9000), await bank.member()
    doors = [bank.transfers, bank.more(), bank.more()]
    answers = await asyncio.gather(
        *(bank.ask(bank.wish(anna, bo, 100), by=doors[i % 3]) for i in range(30))
    )
    assert sum(isinstance(answer, dict) for answer in answers) == 10
    assert (await bank.balance(anna), await bank.balance(bo)) == (8000, 1000)
    assert (await audit.run()).ok
