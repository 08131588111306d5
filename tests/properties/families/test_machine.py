"""Families against a model: any history gives equal answers, equal reasons and equal points."""

import asyncio
import itertools
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
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
from tests.properties.families.asked import Person
from tests.properties.families.books import Books
from tests.properties.families.documents import GROUPS, ZONES, Document, of_groups, of_transfers
from tests.properties.families.group_acts import GroupActs
from tests.properties.families.house import day
from tests.properties.families.lives import Lives
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
who = st.integers(0, len(BORN) - 1)
some = st.one_of(st.sampled_from((10, 20, 50, 60, 100)), st.integers(1, 200))
which = st.integers(0, 20)
YOUNG = (3, 4)
"""Who is born so that somebody guards them."""
HOURS = (1, 3, 24, 24, 50, 24 * 9, 24 * 30)
OFTEN = ("earn", "send", "send", "send", "agree", "redeem", "join", "bring", "time", "leave")
NOW_AND_THEN = (
    *("reject", "undo", "hold", "capture", "void", "give back", "form", "close"),
    *("transfers", "groups", "night"),
    *("separate", "separate", "want", "want", "want", "stop", "pay", "pay", "pay", "die"),
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


class FamiliesMachine(GroupActs):
    """Asks the product and the model for the same and compares."""

    numbers: "itertools.count[int]"

    @initialize(rules=coalitions())
    def open(self, rules: tuple[Document, Document]) -> None:
        number = next(self.numbers)
        self.books.world.clock.advance(START + timedelta(minutes=number) - self.at)
        self.kind = f"home{number}"
        self.wait(self.books.begin(self.kind, *rules, self.at))
        self.house = Lives(self.books.tie, *rules)
        self.members: list[MemberId] = []
        self.bought: list[Bought] = []
        self.held: list[Bought] = []
        for born in BORN:
            member = self.wait(self.books.world.member(born=born))
            self.members.append(member)
            self.house.people[member] = Person(id=member, joined=self.at, born=born)
        for i in YOUNG:
            self.wait(self.books.world.guard(self.members[i], self.members[0]))
        self.house.guardian = self.members[0]
        self.house.guarded = frozenset(self.members[i] for i in YOUNG)
        for i in range(len(BORN)):
            self.earn(i, 120, "grocer" if i % 2 else "fuel")
        self.form(0)
        for i in (1, 3):
            self.join(i, i)

    @rule(step=steps)
    def act(self, step: Step) -> None:
        """Do one thing; all in one rule, so that every run has all of them."""
        _, i, other, *_ = step
        concerned = {self.members[i], self.members[(i + other) % len(BORN)]}
        if concerned.isdisjoint(self.house.dead):
            self.act_with_points(step)
            self.act_in_a_group(step)
            self.something_befalls(step)

    def act_with_points(self, step: Step) -> None:
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

    def act_in_a_group(self, step: Step) -> None:
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
            case "separate":
                self.separate(i, which)
            case "want":
                self.want(i, which)

    def something_befalls(self, step: Step) -> None:
        """Let a guardian speak, a fee be paid, somebody die, or time go by."""
        kind, i, _, _, which = step
        match kind:
            case "stop":
                self.stop(i, which)
            case "pay":
                self.pay(which)
            case "die":
                self.die(i, which)
            case "time":
                self.time_passes(HOURS[which % len(HOURS)])
            case "transfers" | "groups" | "night":
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
        if {sent.sender, sent.receiver, sent.head} & self.house.dead:
            return
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

    def die(self, i: int, which: int) -> None:
        """Let an adult die, seldom; what it has begun with others is settled before."""
        member = self.members[i]
        if i in YOUNG or which % 7:
            return
        while self.held:
            self.resolve(0, "void")
        for sent in self.house.sent:
            if member in (sent.sender, sent.receiver) and sent.state in ("requested", "held"):
                assert sent.name is not None, "it was made"
                self.wait(self.books.reject(sent.name, STAFF))
                self.house.give_up(sent, "rejected")
        self.bought = [one for one in self.bought if not one.concerns(member)]
        self.wait(self.books.die(member))
        self.house.die(member, self.at)

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
                self.wait(self.books.world.groups.expire_acts(self.at))
                self.house.grow_up(self.at)
                self.house.let_expire(self.at)
            case _:
                self.wait(self.books.night(day(self.at)))

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
