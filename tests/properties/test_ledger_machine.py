"""The ledger against a model in plain Python: any history gives equal answers and equal lots."""

import asyncio
from collections.abc import Coroutine
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from coalition.kernel.database import transaction
from coalition.kernel.errors import Refused
from coalition.kernel.ids import random_id
from coalition.ledger import audit, expiry, holders, posting, resolutions, upkeep
from coalition.ledger.accounts import HolderState
from coalition.ledger.drafts import (
    Capture,
    Draft,
    Grant,
    Held,
    Hold,
    Issue,
    Outcome,
    Posted,
    Redeem,
    Reverse,
    Till,
    Void,
)
from coalition.ledger.provenance import lot_id
from tests.properties.model import ledger as model
from tests.properties.model.things import Answer, Move, Owner, Reservation, Source, Wish
from tests.support.ledger import balance, open_holder, post, provenance

START = datetime(2026, 11, 21, 12, tzinfo=UTC)
HOLDERS = 3
Result = TypeVar("Result")

_LOTS = """
SELECT holder, issuer_no, earned_month, expires_on, points_in, points_out, held
FROM every_lot WHERE holder = ANY ($1)
"""


class Recipe(NamedTuple):
    """A wish before anything exists that it could refer to: `which` picks among what there is."""

    kind: str
    holder: int
    partner: int
    points: int
    whole: bool
    receipt: str | None
    which: int
    days: int | None
    second: tuple[int, int | None] | None
    order: str


few_days = st.sampled_from([None, 0, 3, 10, 40])
recipes = st.builds(
    Recipe,
    kind=st.sampled_from(
        ["issue"] * 3
        + ["redeem"] * 3
        + ["hold", "hold", "capture", "capture", "void"]
        + ["reverse"] * 5
    ),
    holder=st.integers(0, HOLDERS - 1),
    partner=st.integers(1, 3),
    points=st.sampled_from([1, 2, 3, 7, 10, 25, 60, 100, 1000]),
    whole=st.booleans(),
    receipt=st.sampled_from([None, None, None, None, "r1", "r2", "r3"]),
    which=st.integers(0, 30),
    days=few_days,
    second=st.none() | st.tuples(st.integers(1, 50), few_days),
    order=st.sampled_from(["reverse", "proportional"]),
)


class LedgerMachine(RuleBasedStateMachine):
    """Asks the ledger and the model for the same and compares."""

    run: asyncio.Runner

    def __init__(self) -> None:
        super().__init__()
        self.at = START
        self.members: list[UUID] = []
        self.number = 0
        self.moves: list[tuple[UUID, Move]] = []
        self.holds: list[tuple[UUID, Reservation]] = []
        self.model = model.Ledger(tie=lambda holder, source: self.lot_of(holder, source).bytes)

    def wait(self, work: Coroutine[Any, Any, Result]) -> Result:
        return self.run.run(work)

    def lot_of(self, holder: int, source: Source) -> UUID:
        return lot_id(self.members[holder], self.provenance_of(source))

    @staticmethod
    def provenance_of(source: Source) -> Any:
        return provenance(source.issuer, expires_on=source.expires, earned_month=source.month)

    @property
    def today(self) -> date:
        return self.at.date()

    @initialize()
    def open(self) -> None:
        self.members = [self.wait(open_holder(self.at)) for _ in range(HOLDERS)]
        self.salt = str(random_id())
        self.model.owners = [Owner(number) for number in range(HOLDERS)]
        wishes = [
            Wish("issue", 1, holder, grants=[(Source(1, 202611, None), 120)])
            for holder in range(HOLDERS)
        ]
        self.compare(wishes)

    @rule(recipe=recipes)
    def ask(self, recipe: Recipe) -> None:
        self.at += timedelta(seconds=1)
        self.compare([self.wish(recipe)])

    @rule(batch=st.lists(recipes, min_size=2, max_size=5))
    def ask_at_once(self, batch: list[Recipe]) -> None:
        self.at += timedelta(seconds=1)
        self.compare([self.wish(recipe) for recipe in batch])

    @rule(batch=st.lists(recipes, min_size=6, max_size=12))
    def ask_much(self, batch: list[Recipe]) -> None:
        self.ask_at_once(batch)

    @rule(
        event=st.sampled_from(["hours", "days", "night", "holds", "holds", "freeze"]),
        which=st.integers(1, 15),
    )
    def something_happens(self, event: str, which: int) -> None:
        match event:
            case "hours":
                self.at += timedelta(hours=which)
            case "days":
                self.at += timedelta(days=which)
            case "night":
                self.night()
            case "holds":
                self.let_holds_run_out()
            case "freeze":
                self.freeze_or_reopen(which % HOLDERS)

    def compare(self, wishes: list[Wish]) -> None:
        """Ask both for `wishes` and compare what they say; remember what was made."""
        outcomes = self.wait(post([self.draft(wish) for wish in wishes], self.at))
        answers = self.model.batch(wishes, self.at, self.today)
        for wish, outcome, answer in zip(wishes, outcomes, answers, strict=True):
            assert told(outcome) == (answer.code, answer.points if says_points(answer) else 0), wish
            match answer.made, outcome:
                case Move(), Posted():
                    self.moves.append((outcome.posting, answer.made))
                case Reservation(), Held():
                    self.holds.append((outcome.hold, answer.made))

    def night(self) -> None:
        """Expiry, sweep and roll-up."""
        self.wait(expiry.expire(self.at, self.today))
        self.model.expire(self.today)
        self.wait(upkeep.sweep())
        self.wait(upkeep.roll_up_totals())

    def let_holds_run_out(self) -> None:
        self.wait(self.expire_holds())
        for _, kept in self.holds:
            if kept.is_open and kept.until <= self.at:
                self.model.release(kept)

    def freeze_or_reopen(self, holder: int) -> None:
        owner = self.model.owners[holder]
        owner.state = "frozen" if owner.state == "active" else "active"
        state = HolderState.ACTIVE if owner.state == "active" else HolderState.FROZEN
        self.wait(self.set_state(holder, state))

    @invariant()
    def the_lots_are_the_same(self) -> None:
        if not self.members:
            return
        found = self.wait(self.read_lots())
        known = {
            (self.members[lot.owner.number], lot.source): (lot.points_in, lot.points_out, lot.held)
            for lot in self.model.lots.values()
            if lot.points_in
        }
        assert found == known

    @invariant()
    def the_balances_are_the_same(self) -> None:
        for number, member in enumerate(self.members):
            spendable = self.wait(balance(member, self.at))
            assert spendable == self.model.balance(number, self.today)

    def teardown(self) -> None:
        assert self.wait(audit.run()).breaches == []

    def wish(self, recipe: Recipe) -> Wish:
        picked_move = picked(self.moves, recipe.which)
        picked_hold = picked(self.holds, recipe.which)
        partner = recipe.partner
        if recipe.kind == "reverse" and picked_move and recipe.which % 8:
            partner = picked_move[1].partner
        if recipe.kind in ("capture", "void") and picked_hold and recipe.which % 8:
            partner = picked_hold[1].partner
        return Wish(
            kind=recipe.kind,
            partner=partner,
            holder=recipe.holder,
            points=self.points(recipe),
            receipt=self.receipt(recipe),
            grants=self.grants(recipe),
            until=self.at + timedelta(hours=recipe.which),
            reservation=picked_hold[1] if picked_hold else None,
            move=picked_move[1] if picked_move else None,
            order=recipe.order,
            grace=self.today + timedelta(days=recipe.which % 4 * 5),
        )

    @staticmethod
    def points(recipe: Recipe) -> int | None:
        may_be_whole = recipe.kind in ("capture", "reverse")
        return None if may_be_whole and recipe.whole else recipe.points

    def receipt(self, recipe: Recipe) -> str | None:
        if recipe.receipt is None and recipe.kind == "hold":
            self.number += 1
            return f"{self.salt}-{self.number}"
        return recipe.receipt and f"{self.salt}-{recipe.receipt}"

    def grants(self, recipe: Recipe) -> list[tuple[Source, int]]:
        pairs = [(recipe.points, recipe.days), *([recipe.second] if recipe.second else [])]
        month = 202611 - recipe.which % 2
        return [(Source(recipe.partner, month, self.day(days)), points) for points, days in pairs]

    def day(self, days: int | None) -> date | None:
        # Days since the start: an issue may come so late that its points have expired already.
        return None if days is None else (START + timedelta(days=days)).date()

    def draft(self, wish: Wish) -> Draft:
        # The day of a receipt stays, so that a receipt stays used however much time passes.
        till = Till(wish.partner, None, None, wish.receipt, START.date(), self.at)
        match wish.kind:
            case "issue":
                grants = [
                    Grant(self.provenance_of(source), points) for source, points in wish.grants
                ]
                return Issue(self.members[wish.holder], till, tuple(grants))
            case "redeem":
                return Redeem(self.members[wish.holder], till, 1, wish.points or 0)
            case "hold":
                assert wish.until is not None
                return Hold(self.members[wish.holder], till, 1, wish.points or 0, wish.until)
            case "capture":
                return Capture(self.id_of(wish.reservation), wish.partner, None, wish.points)
            case "void":
                return Void(self.id_of(wish.reservation), wish.partner)
            case _:
                target, bare = self.id_of(wish.move), till._replace(receipt=None)
                return Reverse(target, bare, wish.points, wish.order, wish.grace)

    def id_of(self, made: object) -> UUID:
        for found, known in [*self.moves, *self.holds]:
            if known is made:
                return found
        return random_id()

    async def expire_holds(self) -> None:
        async with transaction(posting.PINNED, role=posting.POSTER_ROLE) as connection:
            await resolutions.expire_holds(connection, self.at)

    async def set_state(self, holder: int, state: HolderState) -> None:
        async with transaction() as connection:
            await holders.set_state(connection, self.members[holder], state)

    async def read_lots(self) -> dict[tuple[UUID, Source], tuple[int, int, int]]:
        async with transaction() as connection:
            rows = await connection.fetch(_LOTS, self.members)
        return {(row[0], Source(*row[1:4])): (row[4], row[5], row[6]) for row in rows}


def picked(made: list[Any], which: int) -> Any:
    return made[-1 - which % len(made)] if made else None


def told(outcome: Outcome) -> tuple[str, int]:
    """Return an outcome as the model words it."""
    if not isinstance(outcome, Refused):
        return "done", outcome.points
    fact = outcome.facts.get("balance", outcome.facts.get("remaining", 0))
    assert isinstance(fact, int)
    return outcome.code, fact


def says_points(answer: Answer) -> bool:
    return answer.code in (
        "done",
        "not_enough_points",
        "reversal_exceeds_original",
        "points_already_spent",
    )


@pytest.mark.usefixtures("database")
def test_any_history_gives_the_answers_and_the_lots_of_the_model(runner: asyncio.Runner) -> None:
    machine = type("Machine", (LedgerMachine,), {"run": runner})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=60,
            stateful_step_count=30,
            derandomize=True,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
            phases=[Phase.generate],
        ),
    )
