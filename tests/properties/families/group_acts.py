"""What members of families do together in the machine: come and go, separate, guard, pay."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from hypothesis.stateful import RuleBasedStateMachine

from coalition.families.groups.entering import Newcomer
from coalition.families.groups.paying import WaitingAct
from coalition.families.groups.separating import Outcome
from coalition.families.groups.wanted import Leave, TakeAlong
from coalition.families.kin.speaking import By
from coalition.kernel.errors import Refused
from coalition.kernel.ids import MemberId
from tests.families.groups.world import STAFF
from tests.properties.families.asked import Fails, Family, Question
from tests.properties.families.books import Books, asked
from tests.properties.families.house import DONE, Answer
from tests.properties.families.lives import PAID_WITHIN, Lives, Waiting
from tests.properties.families.rules import failures
from tests.properties.families.telling import instants, said

COMES_AND_GOES = ("transfer.may_move_on",)
"""Rules that points pass, or do not, which end meanwhile."""
ROLES = ("spouse", "child", "friend", "parent", "relative")
Result = TypeVar("Result")


class GroupActs(RuleBasedStateMachine):
    """Asks the product and the model for the same, of groups, and compares."""

    run: asyncio.Runner
    books: Books
    house: Lives
    kind: str
    members: list[MemberId]

    def wait(self, work: Coroutine[Any, Any, Result]) -> Result:
        return self.run.run(work)

    @property
    def at(self) -> datetime:
        return self.books.world.at

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
        may_wait = self.house.waits_to_join(family, member, self.at)
        joining = TakeAlong(group=family.id, newcomer=Newcomer(member=member, role=role))
        told = self.wait(asked(self.books.perform(joining, STAFF)))
        if isinstance(told, WaitingAct):
            assert may_wait

            def join(at: datetime) -> Answer:
                there = family.seat(member) is not None
                return DONE if there else self.house.join(family, member, role, at)

            self.let_wait(told, family, member, ("join", role), join)
            return
        assert not may_wait
        if isinstance(told, Refused) and family.separating is None:
            self.look_ahead(question, instants(told), wanted)
        assert said(told) == self.house.join(family, member, role, self.at)

    def leave(self, i: int, which: int) -> None:
        family, member = self.family(which), self.members[i]
        if family is None or family.seat(member) is None:
            return
        heir = None
        if member == family.head and which % 4:
            others = [seat.person for seat in family.seats if seat.person != member]
            heir = others[which % len(others)] if others else None
        if which % 3 or member == family.head:
            self.leave_by_itself(family, member, heir)
            return
        seen = self.wait(self.books.world.would_take_out(family.id, member))
        told = self.wait(
            asked(self.books.world.leave(family.id, member, by=family.head, removes=True))
        )
        answer = self.house.leave(family, member, self.at, by_head=True, heir=None)
        assert said(told) == answer
        assert answer.code != "done" or told.points == seen.takes_out

    def leave_by_itself(self, family: Family, member: UUID, heir: UUID | None) -> None:
        may_wait = self.house.waits_to_leave(family, member, self.at, heir=heir)
        seen = self.wait(self.books.world.would_take_out(family.id, member))
        leaving = Leave(group=family.id, member=member, successor=heir)
        told = self.wait(asked(self.books.perform(leaving, By.of(member))))
        if isinstance(told, WaitingAct):
            assert may_wait

            def leave(at: datetime) -> Answer:
                if family.seat(member) is None:
                    return DONE
                return self.house.leave(family, member, at, by_head=False, heir=heir)

            self.let_wait(told, family, member, ("leave", heir), leave)
            return
        assert not may_wait
        answer = self.house.leave(family, member, self.at, by_head=False, heir=heir)
        assert said(told) == answer
        assert answer.code != "done" or told.points == seen.takes_out

    def close(self, which: int) -> None:
        family = self.family(which)
        if family is None or which % 3:
            return
        told = self.wait(asked(self.books.world.close(family.id, family.head)))
        if family.separating is not None:
            assert said(told).code == "group_separating"
            return
        assert not isinstance(told, Refused), told
        self.house.close(family, self.at)

    def bring(self, i: int, which: int, points: int) -> None:
        family, member = self.family(which), self.members[i]
        if family is None or family.seat(member) is None:
            self.join(i, which)
            return
        told = self.wait(asked(self.books.world.bring(family.id, member, points)))
        answer = self.house.contribute(family, member, points, self.at)
        assert said(told) == answer

    def let_wait(
        self,
        act: WaitingAct,
        family: Family,
        member: UUID,
        what: tuple[object, ...],
        do: Callable[[datetime], Answer],
    ) -> None:
        """Keep an act in the model as well; asked for again it is the one that waits already."""
        waiting = Waiting(
            name=act.act_id,
            what=(family.id, member, *what),
            member=member,
            family=family,
            until=self.at + PAID_WITHIN,
            do=do,
        )
        assert self.house.keep_waiting(waiting).name == act.act_id

    def pay(self, which: int) -> None:
        if not self.house.waiting:
            return
        one = self.house.waiting[which % len(self.house.waiting)]
        told = self.wait(asked(self.books.pay(one.name)))
        answer = self.house.pay(one, self.at)
        if answer.code == "fee_not_due":
            assert said(told).code == "fee_not_due"
            return
        names = {"refused": "group_refused", "must_hand_over": "head_must_hand_over"}
        refusal = None if answer.code == "done" else names.get(answer.code, answer.code)
        assert told.refusal == refusal

    def separate(self, i: int, which: int) -> None:
        family, member = self.family(which), self.members[i]
        if family is None or family.seat(member) is None:
            return
        told = self.wait(asked(self.books.world.separate(family.id, member)))
        assert said(told).code == self.house.separate(family, member).code

    def want(self, i: int, which: int) -> None:
        separating = [one for one in self.house.families if one.separating is not None]
        if not separating:
            return
        family = separating[which % len(separating)]
        speakers = [family.head, family.separating, self.members[i]]
        by = next(one for one in speakers[which % 3 :] if one is not None)
        if family.seat(by) is None:
            return
        outcome = tuple(Outcome)[which % 2 if which < 12 else 2]
        told = self.wait(asked(self.books.world.want(family.id, by, outcome)))
        assert said(told).code == self.house.want(family, by, outcome.value, self.at).code

    def stop(self, i: int, which: int) -> None:
        minor, stops = self.members[i], which % 3 < 2
        guardian = self.members[0]
        told = self.wait(asked(self.books.world.stop(minor, guardian, is_over=not stops)))
        assert said(told).code == self.house.stop(minor, stops=stops).code

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
