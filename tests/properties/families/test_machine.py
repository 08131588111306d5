"""Families against a model: any history gives equal answers, equal reasons and equal points."""

import asyncio
import itertools
from collections.abc import Coroutine
from dataclasses import replace
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
from msgspec.structs import asdict

from coalition.families.kin.speaking import By
from coalition.kernel.errors import Refused
from coalition.kernel.ids import MemberId
from server import proof
from tests.families.groups.world import STAFF
from tests.properties.families.asked import Fails, Family, Person, Question
from tests.properties.families.books import Books, asked
from tests.properties.families.documents import GROUPS, ZONES, Document, of_groups, of_transfers
from tests.properties.families.homes import Home
from tests.properties.families.house import day
from tests.properties.families.rules import failures
from tests.properties.families.sending import Sent
from tests.properties.families.spending import Bought
from tests.properties.families.telling import alive, instants, rule_of, said

RUNS, STEPS, IS_ALWAYS_THE_SAME = 50, 40, True
START = datetime(2026, 11, 21, 12, tzinfo=UTC)
BORN = (
    date(1984, 5, 1),
    date(1990, 2, 28),
    date(1950, 12, 31),
    date(2008, 12, 5),
    date(2014, 3, 2),
)
COMES_AND_GOES = ("transfer.may_move_on",)
"""Rules that points pass, or do not, which end meanwhile."""
ROLES = ("spouse", "child", "friend", "parent", "relative")
Result = TypeVar("Result")
who = st.integers(0, len(BORN) - 1)
some = st.one_of(st.sampled_from((10, 20, 50, 60, 100)), st.integers(1, 200))
which = st.integers(0, 20)
HOURS = (1, 3, 24, 24, 50, 24 * 9, 24 * 30)
OFTEN = ("earn", "send", "send", "send", "agree", "redeem", "join", "bring", "time", "leave")
NOW_AND_THEN = (
    *("reject", "undo", "hold", "capture", "void", "give back", "form", "close"),
    *("transfers", "groups", "night"),
)
Step = tuple[str, int, int, int, int]
"""What is done, by which member, to which other one, how many points, and a number for the rest."""
steps = st.tuples(
    st.sampled_from((*OFTEN, *OFTEN, *NOW_AND_THEN)),
    who,
    st.integers(1, len(BORN) - 1),
    some,
    which,
)


@st.composite
def coalitions(draw: st.DrawFn) -> tuple[Document, Document]:
    """Return rules for transfers between anybody, and for groups, in one zone."""
    zone = draw(st.sampled_from(ZONES))
    return draw(of_transfers(zone)), draw(of_groups(draw(st.sampled_from(GROUPS)), zone))


class FamiliesMachine(RuleBasedStateMachine):
    """Asks the product and the model for the same and compares."""

    run: asyncio.Runner
    books: Books
    numbers: "itertools.count[int]"

    def wait(self, work: Coroutine[Any, Any, Result]) -> Result:
        return self.run.run(work)

    @property
    def at(self) -> datetime:
        return self.books.world.at

    @initialize(rules=coalitions())
    def open(self, rules: tuple[Document, Document]) -> None:
        number = next(self.numbers)
        self.books.world.clock.advance(START + timedelta(minutes=number) - self.at)
        self.kind = f"home{number}"
        self.wait(self.books.begin(self.kind, *rules, self.at))
        self.house = Home(self.books.tie, *rules)
        self.members: list[MemberId] = []
        self.bought: list[Bought] = []
        self.held: list[Bought] = []
        for born in BORN:
            member = self.wait(self.books.world.member(born=born))
            self.members.append(member)
            self.house.people[member] = Person(id=member, joined=self.at, born=born)
        for i in range(len(BORN)):
            self.earn(i, 120, "grocer" if i % 2 else "fuel")
        self.form(0)
        for i in (1, 3):
            self.join(i, i)

    @rule(step=steps)
    def act(self, step: Step) -> None:
        """Do one thing; all in one rule, so that every run has all of them."""
        kind, i, other, points, which = step
        match kind:
            case "earn":
                self.earn(i, points, "grocer" if which % 2 else "fuel")
            case "send":
                self.send(i, other, points, which)
            case "agree" | "reject" | "undo":
                self.decide(which, kind)
            case "redeem":
                self.redeem(i, points)
            case "hold":
                self.hold(i, points)
            case "capture" | "void":
                self.resolve(which, kind)
            case "give back":
                self.give_back(which)
            case _:
                self.act_in_a_group(step)

    def act_in_a_group(self, step: Step) -> None:
        """Do something in a group, or let time go by."""
        kind, i, _, points, which = step
        match kind:
            case "form":
                self.form(i)
            case "join":
                self.join(i, which)
            case "bring":
                self.bring(i, which, points)
            case "leave":
                self.leave(i, which)
            case "close":
                self.close(which)
            case "time":
                self.time_passes(HOURS[which % len(HOURS)])
            case _:
                self.jobs_run(kind)

    def earn(self, i: int, points: int, where: str) -> None:
        issuer: int = getattr(self.books.world.world, where)
        self.wait(self.books.world.earn(self.members[i], points, partner_no=issuer))
        self.house.earn(self.members[i], points, issuer, self.at)

    def send(self, i: int, other: int, points: int, how: int) -> None:
        sender, receiver = self.members[i], self.members[(i + other) % len(BORN)]
        purpose, signed_in = how % 3 > 0, how % 4 > 0
        more = {
            "purpose": "a ticket" if purpose else None,
            "stepped_up_at": self.at if signed_in else None,
        }
        question = self.house.ask_to_send(
            sender, receiver, points, self.at, purpose=purpose, signed_in=signed_in
        )
        seen = self.wait(self.books.preview(sender, receiver, points, **more))
        told = self.wait(self.books.send(sender, receiver, points, **more))
        wanted = failures(question)
        assert [rule_of(asdict(one)) for one in seen.failures] == wanted
        self.look_ahead(question, [one.next_possible_at for one in seen.failures], wanted)
        answer = self.house.send(question)
        assert said(told) == answer
        if not answer.failures:
            self.house.sent[-1].name = UUID(told["transfer_id"])

    def decide(self, i: int, what: str) -> None:
        if not self.house.sent:
            return
        sent = self.house.sent[-1 - i % len(self.house.sent)]
        assert sent.name is not None, "it was made"
        if what == "agree" and sent.state == "requested":
            word = sorted(sent.waits_for)[i % len(sent.waits_for)]
            told = self.wait(self.books.approve(sent.name, self.by(word, sent)))
            answer = self.house.approve(sent, word, self.at)
        elif what == "reject" and sent.state != "rejected":
            told = self.wait(self.books.reject(sent.name, STAFF))
            answer = self.house.give_up(sent, "rejected")
        elif what == "undo" and sent.state != "undone":
            told = self.wait(self.books.undo(sent.name))
            answer = self.house.undo(sent, self.at)
        else:
            return
        state = told.code if isinstance(told, Refused) else told.state.value
        names = {"transfer_not_open": "not_open", "points_already_spent": "already_spent"}
        assert names.get(state, state) == answer.code

    def by(self, word: str, sent: Sent) -> By:
        if word == "staff":
            return STAFF
        member = sent.receiver if word == "receiver" else sent.head
        assert member is not None, "a head agrees only where there is one"
        return By.of(member)

    def redeem(self, i: int, points: int) -> None:
        member = self.members[i]
        question = self.house.ask_to_spend(member, points, self.at)
        told = self.wait(self.books.redeem(member, points))
        answer, spent = self.house.spend(member, points, self.at)
        assert said(told) == answer
        if question is not None and answer.failures:
            self.look_ahead(question, instants(told), list(answer.failures))
        if spent is not None:
            self.bought.append(
                Bought(spent=spent, counted=self.house.counted, name=UUID(told["posting_id"]))
            )

    def hold(self, i: int, points: int) -> None:
        member = self.members[i]
        told = self.wait(self.books.hold(member, points))
        answer, spent = self.house.spend(member, points, self.at)
        assert said(told) == answer
        if spent is not None:
            self.held.append(
                Bought(spent=spent, counted=self.house.counted, name=UUID(told["hold_id"]))
            )

    def resolve(self, i: int, how: str) -> None:
        captures = how == "capture"
        if not self.held:
            return
        held = self.held.pop(i % len(self.held))
        assert held.name is not None, "it was made"
        told = self.wait(self.books.resolve(held.name, captures=captures))
        assert not isinstance(told, Refused), told
        if captures:
            self.bought.append(
                Bought(spent=held.spent, counted=held.counted, name=UUID(told["posting_id"]))
            )
        else:
            self.house.give_back(held, self.at, grace=False)

    def give_back(self, i: int) -> None:
        if not self.bought:
            return
        bought = self.bought.pop(-1 - i % len(self.bought))
        assert bought.name is not None, "it was made"
        told = self.wait(self.books.give_back(bought.name))
        assert not isinstance(told, Refused), told
        self.house.give_back(bought, self.at, grace=True)

    def form(self, i: int) -> None:
        head = self.members[i]
        if sum(not one.closed for one in self.house.families) >= 2:
            return
        told = self.wait(asked(self.books.world.form(self.kind, head)))
        family = Family(
            id=told if isinstance(told, UUID) else UUID(int=0),
            rules=self.house.home,
            head=head,
            pool=UUID(int=1) if self.house.home["mechanism"] == "pool_account" else None,
            formed_at=self.at,
        )
        if family.pool is not None and isinstance(told, UUID):
            family.pool = self.wait(self.books.world.pool_of(told))
        self.house.families.append(family)
        answer = self.house.join(family, head, "head", self.at)
        if answer.failures:
            self.house.families.pop()
        assert said(told) == answer

    def family(self, i: int) -> Family | None:
        open_ones = [one for one in self.house.families if not one.closed]
        return open_ones[i % len(open_ones)] if open_ones else None

    def join(self, i: int, which: int) -> None:
        family, member = self.family(which), self.members[i]
        if family is None or family.seat(member) is not None:
            return
        role = ROLES[which % len(ROLES)]
        question = self.house.ask_to_join(family, member, self.at)
        wanted = failures(question)
        told = self.wait(asked(self.books.world.join(family.id, member, role)))
        if isinstance(told, Refused):
            self.look_ahead(question, instants(told), wanted)
        assert said(told) == self.house.join(family, member, role, self.at)

    def bring(self, i: int, which: int, points: int) -> None:
        family, member = self.family(which), self.members[i]
        if family is None or family.seat(member) is None:
            self.join(i, which)
            return
        told = self.wait(asked(self.books.world.bring(family.id, member, points)))
        answer = self.house.contribute(family, member, points, self.at)
        assert said(told) == answer

    def leave(self, i: int, which: int) -> None:
        family, member = self.family(which), self.members[i]
        if family is None or family.seat(member) is None:
            return
        by_head = which % 3 == 0 and member != family.head
        heir = None
        if member == family.head and which % 4:
            others = [seat.person for seat in family.seats if seat.person != member]
            heir = others[which % len(others)] if others else None
        seen = self.wait(self.books.world.would_take_out(family.id, member))
        by = family.head if by_head else member
        told = self.wait(asked(self.books.world.leave(family.id, member, by=by, successor=heir)))
        answer = self.house.leave(family, member, self.at, by_head=by_head, heir=heir)
        assert said(told) == answer
        if answer.code == "done":
            assert told.points == seen.takes_out

    def close(self, which: int) -> None:
        family = self.family(which)
        if family is None or which % 3:
            return
        self.wait(self.books.world.close(family.id, family.head))
        self.house.close(family, self.at)

    def time_passes(self, hours: int) -> None:
        while self.held:
            self.resolve(hours, "capture" if hours % 2 else "void")
        self.books.tick(hours=hours)

    def jobs_run(self, what: str) -> None:
        match what:
            case "transfers":
                self.wait(self.books.world.due())
                self.house.due(self.at)
            case "groups":
                self.wait(self.books.world.groups.grow_up(self.at))
                self.house.grow_up(self.at)
            case _:
                self.wait(self.books.night(day(self.at)))

    def look_ahead(
        self, question: Question, told: list[datetime | None], wanted: list[Fails]
    ) -> None:
        """Demand that waiting helps from the instant that was told, and no second earlier."""
        for instant, failure in zip(told, wanted, strict=True):
            if failure.rule.startswith(("eligibility.receiver.", "eligibility.head.")):
                continue
            if instant is None and failure.rule.startswith("limits.receiver."):
                continue
            later = [self.at + timedelta(days=days) for days in (1, 8, 40, 400)]
            if instant is not None:
                assert not self.fails(question, failure.rule, instant), (failure, instant)
                later = [instant - timedelta(seconds=1)]
            if failure.rule not in COMES_AND_GOES:
                for one in later:
                    assert self.fails(question, failure.rule, one), (failure, instant, one)

    def fails(self, question: Question, rule: str, at: datetime) -> bool:
        """Tell whether the same act would not pass a rule at another instant."""
        return any(one.rule == rule for one in failures(replace(question, at=at)))

    @invariant()
    def every_point_is_where_the_model_has_it(self) -> None:
        pools = [one.pool for one in self.house.families if one.pool is not None]
        known = {lot: points for lot, points in self.house.points.free.items() if points}
        found = self.wait(self.books.lots([*self.members, *pools]))
        today = day(self.at)
        assert alive(found, today) == alive(known, today)

    def teardown(self) -> None:
        assert self.wait(proof.prove()).breaches == []


@pytest.mark.usefixtures("database")
def test_any_history_of_families_is_that_of_the_model(runner: asyncio.Runner) -> None:
    books = Books()
    runner.run(books.open(START))
    known = {"run": runner, "books": books, "numbers": itertools.count(1)}
    machine = type("Machine", (FamiliesMachine,), known)
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=RUNS,
            stateful_step_count=STEPS,
            derandomize=IS_ALWAYS_THE_SAME,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
            phases=[Phase.generate],
        ),
    )
