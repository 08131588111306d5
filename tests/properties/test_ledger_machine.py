"""The ledger against a model in plain Python: any history gives equal answers and equal lots."""

import asyncio
import random
from collections import Counter
from collections.abc import Coroutine
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar
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
from msgspec.structs import replace

from coalition.kernel.ids import random_id
from coalition.ledger import audit
from coalition.ledger.accounts import HolderState
from coalition.ledger.drafts import (
    Adjust,
    Capture,
    Convert,
    Converted,
    Draft,
    Grant,
    Held,
    Hold,
    Issue,
    Posted,
    Recover,
    Redeem,
    Reverse,
    Till,
    Transfer,
    Transferred,
    UndoTransfer,
    Void,
)
from coalition.ledger.provenance import lot_id
from coalition.ledger.selecting import NewEnd, Side, TakingOrder
from tests.properties.books import Books, provenance_of, told
from tests.properties.model import ledger as model
from tests.properties.model.closing import close
from tests.properties.model.debts import forgive
from tests.properties.model.merging import merge
from tests.properties.model.things import Clock, Move, Owner, Reservation, Source, Wish
from tests.properties.picking import is_active, may_be_paid, pick, possible
from tests.properties.recipes import HOLDERS, Recipe, recipes, seeds

START = datetime(2026, 11, 21, 12, tzinfo=UTC)
CURRENCIES = (1, 2)
CLOCKS = {1: Clock(1, frozenset({"issue", "redeem"})), 2: Clock(2, frozenset({"redeem"}))}
Result = TypeVar("Result")


class LedgerMachine(RuleBasedStateMachine):
    """Asks the ledger and the model for the same and compares."""

    run: asyncio.Runner

    def __init__(self) -> None:
        super().__init__()
        self.at = START
        self.books = Books()
        self.number = 0
        self.moves: list[tuple[UUID, Move]] = []
        self.holds: list[tuple[UUID, Reservation]] = []
        self.model = model.Ledger(tie=lambda holder, source: self.lot_of(holder, source).bytes)

    def wait(self, work: Coroutine[Any, Any, Result]) -> Result:
        return self.run.run(work)

    def lot_of(self, holder: int, source: Source) -> UUID:
        return lot_id(self.books.members[holder], provenance_of(source))

    @property
    def today(self) -> date:
        return self.at.date()

    @initialize()
    def open(self) -> None:
        facts = [
            (clock.months, "issue" in clock.counts, "redeem" in clock.counts)
            for clock in CLOCKS.values()
        ]
        self.wait(self.books.open(self.at, HOLDERS, facts))
        self.salt = str(random_id())
        self.model.owners = [Owner(number) for number in range(HOLDERS)]
        self.model.clocks = CLOCKS
        # Several lots each, so that most of what is taken and comes back has several legs.
        lots = [
            (Source(1, 202611, None), 40),
            (Source(1, 202611, None, clock=1), 35),
            (Source(2, 202610, self.day(3)), 25),
            (Source(3, 202611, self.day(10)), 20),
        ]
        wishes = [
            Wish("issue", source.issuer, holder, grants=[(source, points)])
            for holder in range(HOLDERS)
            for source, points in lots
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

    @rule(seed=seeds)
    def time_passes(self, seed: int) -> None:
        dice = random.Random(seed)
        match dice.choice(["hours", "days", "weeks", "weeks", "night", "night", "holds"]):
            case "night":
                self.at += timedelta(seconds=1)
                self.wait(self.books.night(self.at))
                self.model.expire(self.at)
            case "holds":
                self.let_holds_run_out()
            case event:
                self.at += timedelta(**{event: dice.randint(1, 6 if event == "weeks" else 15)})

    @rule(seed=seeds)
    def staff_do_something(self, seed: int) -> None:
        dice = random.Random(seed)
        numbers = [owner.number for owner in self.model.owners]
        able = [owner.number for owner in self.model.owners if is_active(owner)] or numbers
        owing = [debt.owner.number for debt in self.model.debts if may_be_paid(debt)]
        holder = dice.choice(owing if owing and dice.random() < 0.6 else able)
        other = dice.choice([one for one in able if one != holder] or numbers)
        match dice.choice(["freeze", "suspend", *["merge"] * 4, *["erase"] * 2, "forgive"]):
            case "freeze":
                self.freeze_or_reopen(dice.choice(numbers))
            case "suspend":
                self.suspend(holder, self.today + timedelta(days=dice.randint(1, 15)))
            case "merge":
                if dice.random() < 0.5:
                    self.at = max([self.at, *(one.until for _, one in self.holds if one.is_open)])
                    self.let_holds_run_out()
                self.merge(holder, other if dice.random() < 0.9 else dice.choice(numbers))
            case "erase":
                self.erase(holder)
            case "forgive":
                points = dice.choice([None, None, 1, 7, 60])
                self.forgive(holder, dice.choice([1, 1, 1, 2]), points)

    def compare(self, wishes: list[Wish]) -> None:
        """Ask both for `wishes` and compare what they say; remember what was made."""
        outcomes = self.wait(self.books.post([self.draft(wish) for wish in wishes], self.at))
        answers = self.model.batch(wishes, self.at, self.today)
        for wish, outcome, answer in zip(wishes, outcomes, answers, strict=True):
            assert told(outcome) == answer._replace(made=None), wish
            match answer.made, outcome:
                case Move(), Posted() | Converted() | Transferred():
                    answer.made.name, answer.made.made = outcome.posting.bytes, self.at
                    self.moves.append((outcome.posting, answer.made))
                case Reservation(), Held():
                    self.holds.append((outcome.hold, answer.made))

    def let_holds_run_out(self) -> None:
        self.wait(self.books.expire_holds(self.at))
        for _, kept in self.holds:
            if kept.is_open and kept.until <= self.at:
                self.model.release(kept)

    def freeze_or_reopen(self, holder: int) -> None:
        owner = self.model.owners[holder]
        if owner.state in {"active", "frozen"}:
            owner.state = "frozen" if owner.state == "active" else "active"
            state = HolderState.ACTIVE if owner.state == "active" else HolderState.FROZEN
            self.wait(self.books.set_state(holder, state))

    def suspend(self, holder: int, until: date) -> None:
        owner = self.model.owners[holder]
        owner.kept_until = max(until, owner.kept_until or until)
        self.wait(self.books.suspend(holder, until))

    def merge(self, gone: int, kept: int) -> None:
        owners = self.model.owners
        answer = merge(self.model, owners[gone], owners[kept], self.at)
        assert self.wait(self.books.merge(gone, kept, self.at)) == answer

    def erase(self, holder: int) -> None:
        owner = self.model.owners[holder]
        if owner.state in {"active", "frozen"}:
            answer = close(self.model, owner, self.at)
            assert self.wait(self.books.erase(holder, self.at)) == answer

    def forgive(self, holder: int, currency: int, points: int | None) -> None:
        answer = forgive(self.model, self.model.owners[holder], currency, points)
        assert self.wait(self.books.forgive(holder, currency, points, self.at)) == answer

    @invariant()
    def the_lots_are_the_same(self) -> None:
        known = {
            key: (lot.points_in, lot.points_out, lot.held)
            for key, lot in self.model.lots.items()
            if lot.points_in
        }
        assert self.wait(self.books.lots()) == known

    @invariant()
    def the_balances_are_the_same(self) -> None:
        for currency in CURRENCIES:
            known = [
                self.model.balance(owner.number, self.today, currency)
                for owner in self.model.owners
            ]
            assert self.wait(self.books.balances(self.at, currency)) == known

    @invariant()
    def the_debts_are_the_same(self) -> None:
        owed: Counter[tuple[int, bytes]] = Counter()
        for debt in self.model.debts:
            owed[debt.owner.number, debt.move.name] += debt.left
        assert self.wait(self.books.owed()) == {
            key: points for key, points in owed.items() if points
        }

    @invariant()
    def the_clocks_are_the_same(self) -> None:
        known = {
            (owner.number, *kind): live_until
            for owner in self.model.owners
            for kind, live_until in owner.live_until.items()
        }
        assert self.wait(self.books.running()) == known

    @invariant()
    def expiry_is_suspended_alike(self) -> None:
        known = [owner.kept_until for owner in self.model.owners]
        assert self.wait(self.books.kept_until()) == known

    def teardown(self) -> None:
        assert self.wait(audit.run()).breaches == []

    def wish(self, recipe: Recipe) -> Wish:
        moves, holds = [one for _, one in self.moves], [one for _, one in self.holds]
        recipe = possible(recipe, self.model, moves, holds, self.at)
        of = pick(recipe, self.model, moves, holds, self.at)
        return Wish(
            kind=recipe.kind,
            partner=of.partner,
            holder=of.holder,
            points=self.points(recipe),
            receipt=self.receipt(recipe),
            grants=self.grants(recipe),
            until=self.at + timedelta(hours=recipe.which * (8 if recipe.whole else 1)),
            reservation=of.reservation,
            move=of.move,
            order=recipe.order,
            grace=self.today + timedelta(days=recipe.which % 4 * 5),
            may_owe=recipe.percent is not None,
            percent=recipe.percent or 0,
            currency=of.currency,
            rate=recipe.rate,
            **self.sending(recipe, of.holder),
        )

    def sending(self, recipe: Recipe, holder: int) -> dict[str, Any]:
        """Return what of a wish is about who sends points to whom, and what becomes of them."""
        days = recipe.second and recipe.second[1]
        active = {Side.SENDER: recipe.whole, Side.RECEIVER: recipe.which % 3 == 0}
        return {
            # Now and then to itself.
            "other": (holder + recipe.which % 7) % HOLDERS,
            "fee": (recipe.percent or 0) // 30,
            "active": frozenset(side for side, counts in active.items() if counts),
            "end": (self.day(days), recipe.clock) if recipe.second else None,
        }

    @staticmethod
    def points(recipe: Recipe) -> int | None:
        may_be_whole = recipe.kind in ("capture", "reverse", "recover")
        return None if may_be_whole and recipe.whole else recipe.points

    def receipt(self, recipe: Recipe) -> str | None:
        if recipe.receipt is None and recipe.kind == "hold":
            self.number += 1
            return f"{self.salt}-{self.number}"
        return recipe.receipt and f"{self.salt}-{recipe.receipt}"

    def grants(self, recipe: Recipe) -> list[tuple[Source, int]]:
        if recipe.kind == "adjust" and recipe.whole:
            return []
        second = recipe.second if recipe.kind == "issue" else None
        pairs = [(recipe.points, recipe.days), *([second] if second else [])]
        month = 202611 - recipe.which % 2
        source = Source(recipe.partner, month, None, recipe.currency, recipe.clock)
        return [(source._replace(expires=self.day(days)), points) for points, days in pairs]

    def day(self, days: int | None) -> date | None:
        # Days since the start: an issue may come so late that its points have expired already.
        return None if days is None else (START + timedelta(days=days)).date()

    def draft(self, wish: Wish) -> Draft:
        # The day of a receipt stays, so that a receipt stays used however much time passes.
        till = Till(wish.partner, None, None, wish.receipt, START.date(), self.at)
        bare = replace(till, receipt=None)
        match wish.kind:
            case "capture":
                return Capture(self.id_of(wish.reservation), wish.partner, None, wish.points)
            case "void":
                return Void(self.id_of(wish.reservation), wish.partner)
            case "reverse":
                debts = {wish.move.partner * 10: wish.percent} if wish.may_owe and wish.move else {}
                return Reverse(
                    self.id_of(wish.move), bare, wish.points, wish.order, wish.grace, debts=debts
                )
            case "undo":
                bare = replace(bare, partner_no=0)
                posting = self.id_of(wish.move)
                return UndoTransfer(posting=posting, till=bare, grace_expires_on=wish.grace)
            case "recover":
                holder = self.books.members[wish.holder]
                issue = self.id_of(wish.move) if wish.move else None
                return Recover(holder, bare, wish.currency, wish.points, issue)
            case _:
                return self.plain_draft(wish, till)

    def plain_draft(self, wish: Wish, till: Till) -> Draft:
        holder, points = self.books.members[wish.holder], wish.points or 0
        bare = replace(till, receipt=None)
        grants = [Grant(provenance_of(source), points) for source, points in wish.grants]
        match wish.kind:
            case "issue":
                return Issue(holder, till, tuple(grants))
            case "redeem":
                return Redeem(holder, till, wish.currency, points)
            case "hold":
                assert wish.until is not None
                return Hold(holder, till, wish.currency, points, wish.until)
            case "send":
                return self.transfer(wish, replace(bare, partner_no=0))
            case "convert":
                return Convert(holder, bare, wish.currency, 3 - wish.currency, points, *wish.rate)
            case _:
                given = grants[0].provenance if grants else None
                return Adjust(holder, bare, wish.currency, points, "by hand", given)

    def transfer(self, wish: Wish, till: Till) -> Transfer:
        oldest = wish.order == "proportional"
        ends = {issuer * 10: NewEnd(*wish.end) for issuer in (1, 2, 3)} if wish.end else None
        return Transfer(
            holder=self.books.members[wish.holder],
            receiver=self.books.members[wish.other],
            till=till,
            currency_no=wish.currency,
            points=wish.points or 0,
            order=TakingOrder.OLDEST_EARNED if oldest else TakingOrder.EARLIEST_EXPIRY,
            endings=ends,
            activity=frozenset(Side(side) for side in wish.active),
            fee_points=wish.fee,
        )

    def id_of(self, made: object) -> UUID:
        for found, known in [*self.moves, *self.holds]:
            if known is made:
                return found
        return random_id()


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("how_many", [25, pytest.param(120, marks=pytest.mark.slow)])
def test_any_history_gives_the_answers_and_the_lots_of_the_model(
    runner: asyncio.Runner, how_many: int
) -> None:
    machine = type("Machine", (LedgerMachine,), {"run": runner})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=how_many,
            stateful_step_count=30,
            derandomize=True,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
            phases=[Phase.generate],
        ),
    )
