"""A bank test in Jepsen's manner: customers that act all at once, and what their answers allow.

A customer never gives up, so that in the end every outcome is known: acknowledged means there once,
refused means not there. While an outcome is unknown, a balance may or may not show it.
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from coalition.kernel.clock import SystemClock
from coalition.kernel.database import transaction
from tests.faults.tills import PATIENCE_S, Act, FindingError, Till

_ALLOWED = {
    "redeem": {"not_enough_points"},
    "hold": {"not_enough_points"},
    "reverse": {"reversal_exceeds_original", "points_already_spent"},
}
"""The refusals that each kind of act may meet; all others are findings."""

_READING_PAUSE_S = 0.01


class Reading(NamedTuple):
    """A balance that was read, and when it was asked for and answered (loop times)."""

    member: int
    balance: int
    began: float
    ended: float


@dataclass
class Bank:
    """Customers, what they did, and what they were told of balances."""

    tills: Sequence[Till]
    members: Sequence[str]
    seed: int
    acts: list[Act] = field(default_factory=list)
    readings: list[Reading] = field(default_factory=list)
    answered: int = 0
    _number: int = 0

    async def run(self, *, customers: int, until: Callable[[], bool]) -> None:
        """Let `customers` act, and one read balances, until `until` says so and all is answered."""
        async with asyncio.TaskGroup() as group:
            for number in range(customers):
                group.create_task(self._customer(random.Random(f"{self.seed}-{number}"), until))
            group.create_task(self._reader(until))

    @property
    def waiting(self) -> list[Act]:
        """The acts that have no definite answer yet."""
        return [act for act in self.acts if not act.ended]

    async def answers(self, more: int) -> None:
        """Return when so many more acts were answered."""
        loop = asyncio.get_running_loop()
        wanted, deadline = self.answered + more, loop.time() + PATIENCE_S
        while self.answered < wanted:
            assert loop.time() < deadline, f"{self.answered} of {wanted} answers, then no more"
            await asyncio.sleep(0.005)

    async def settle(self) -> None:
        """Send every act again that was done: each must have its one answer."""
        for shop, till in enumerate(self.tills):
            done = [act for act in self.acts if act.is_done and act.shop == shop]
            for start in range(0, len(done), 50):
                await asyncio.gather(*map(till.check_equal_answer, done[start : start + 50]))

    async def _customer(self, dice: random.Random, until: Callable[[], bool]) -> None:
        mine: list[Act] = []
        while not until():
            act = self._next(dice, mine)
            await self._do(act)
            if act.is_done:
                mine.append(act)
                if dice.random() < 0.1:
                    await self.tills[act.shop].check_equal_answer(act)
            if act.kind == "hold" and act.is_done:
                await self._do(self._resolution(dice, act))

    async def _do(self, act: Act) -> None:
        self.acts.append(act)
        await self.tills[act.shop].do(act)
        self.answered += 1
        if not act.is_done and act.code not in _ALLOWED.get(act.kind, ()):
            raise FindingError(
                f"{act.kind} {act.body} was refused: {act.answer!r} after {act.unknown}"
            )

    async def _reader(self, until: Callable[[], bool]) -> None:
        dice = random.Random(f"{self.seed}-reader")
        loop = asyncio.get_running_loop()
        while not until():
            member, began = dice.randrange(len(self.members)), loop.time()
            balance = await dice.choice(self.tills).balance(self.members[member])
            if isinstance(balance, int):
                self.readings.append(Reading(member, balance, began, loop.time()))
            await asyncio.sleep(_READING_PAUSE_S)

    def _next(self, dice: random.Random, mine: list[Act]) -> Act:
        kind = dice.choices(("issue", "redeem", "hold", "reverse"), (45, 25, 15, 15))[0]
        reversible = [act for act in mine if act.kind in {"issue", "redeem", "capture"}]
        if kind == "reverse" and reversible:
            of = dice.choice(reversible)
            body = _part(dice, of.points)
            address = f"/v1/postings/{of.document['posting_id']}/reverse"
            return self._act("reverse", of.shop, of.member, address, body, of)
        kind = "issue" if kind == "reverse" else kind
        member, shop = dice.randrange(len(self.members)), dice.randrange(len(self.tills))
        asked: dict[str, object] = {
            "member_id": self.members[member],
            "receipt": f"{kind}-{self._number}",
            "occurred_at": SystemClock().now().isoformat(),
            "points": dice.randint(1, 100) if kind == "issue" else dice.randint(1, 60),
        }
        return self._act(kind, shop, member, _ADDRESSES[kind], asked)

    def _resolution(self, dice: random.Random, hold: Act) -> Act:
        address = f"{_ADDRESSES['hold']}/{hold.document['hold_id']}"
        if dice.random() < 0.3:
            return self._act("void", hold.shop, hold.member, f"{address}/void", {}, hold)
        body = _part(dice, hold.points)
        return self._act("capture", hold.shop, hold.member, f"{address}/capture", body, hold)

    def _act(  # noqa: PLR0917 - the fields of an act in their order
        self,
        kind: str,
        shop: int,
        member: int,
        address: str,
        body: dict[str, object],
        of: Act | None = None,
    ) -> Act:
        self._number += 1
        return Act(kind, shop, member, address, body, f"{self.seed}-{self._number}", of)


_ADDRESSES = {
    "issue": "/v1/points/issue",
    "redeem": "/v1/points/redeem",
    "hold": "/v1/points/holds",
}


def _part(dice: random.Random, points: int) -> dict[str, object]:
    """Return a body for a part of `points`, or for all of them."""
    return {"points": dice.randint(1, points)} if points and dice.random() < 0.6 else {}


def effect(act: Act) -> int:
    """Return by how much `act` changed the balance of its member; 0 for one that was refused."""
    if not act.is_done:
        return 0
    match act.kind:
        case "issue":
            return act.points
        case "redeem" | "hold":
            return -act.points
        case "capture":
            assert act.of is not None, "a capture is of a hold"
            return act.of.points - act.points
        case "void":
            return act.points
        case _:
            assert act.of is not None, "a reversal is of a posting"
            return -act.points if act.of.kind == "issue" else act.points


async def check(bank: Bank) -> None:
    """Hold the bank's books against what was answered; the database is open, all is answered.

    Every acknowledged posting is there exactly once and nothing else is; every balance is what the
    answers say; every reading was possible when it was made.
    """
    async with transaction() as connection:
        rows = await connection.fetch(
            "SELECT id, holder, direction, points, receipt FROM posting ORDER BY id"
        )
    kept = {str(row["id"]): row for row in rows}
    posted = {
        act.document["posting_id"]: act
        for act in bank.acts
        if act.is_done and act.kind not in {"hold", "void"}
    }
    acknowledged = [act for act in bank.acts if act.is_done and act.kind not in {"hold", "void"}]
    assert len(posted) == len(acknowledged), "two acts were given one posting"
    assert posted.keys() - kept.keys() == set(), "acknowledged postings are lost"
    assert kept.keys() - posted.keys() == set(), "postings were made that nobody knows of"
    for posting, act in posted.items():
        row = kept[posting]
        assert str(row["holder"]) == bank.members[act.member], act
        assert row["points"] == act.points, act
        if act.kind in {"issue", "redeem"}:
            assert row["receipt"] == act.body["receipt"], act
    _check_readings(bank)
    for number, member in enumerate(bank.members):
        expected = sum(effect(act) for act in bank.acts if act.member == number)
        balance = await bank.tills[0].balance(member)
        assert balance == expected, f"member {number} has {balance}, the answers say {expected}"


def _check_readings(bank: Bank) -> None:
    for reading in bank.readings:
        certain = least = most = 0
        for act in bank.acts:
            if act.member != reading.member or act.began > reading.ended:
                continue
            points = effect(act)
            if act.ended < reading.began:
                certain += points
            elif points > 0:
                most += points
            else:
                least += points
        allowed = range(max(0, certain + least), certain + most + 1)
        assert reading.balance in allowed, f"{reading} is not in {allowed}"
