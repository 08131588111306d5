"""The whole service with members who have signed in, and rules to send and to found by."""

import itertools
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import httpx

from coalition.families.groups import forming
from coalition.families.groups.entering import Newcomer
from coalition.families.groups.groups import Groups
from coalition.families.kin import guardians
from coalition.families.rule_sets.notation import RuleSet
from coalition.kernel.ids import MemberId
from coalition.kernel.settings import Settings
from coalition.members import closing, merging
from coalition.members import service as members
from coalition.members.personal import Enrolment
from coalition.members.sealing import MemberKeys
from server import people
from tests.families.groups.world import ADULT, CHILD
from tests.families.registered import activated, bound, written
from tests.journeys.world import World
from tests.support.http import ACTOR, Desk, open_desk
from tests.support.members import App, open_app

_numbers = itertools.count(1)


@dataclass
class Town:
    """The service, and whoever lives there."""

    world: World

    @property
    def at(self) -> datetime:
        return self.world.clock.now()

    @property
    def http(self) -> httpx.AsyncClient:
        return self.world.http

    @property
    def settings(self) -> Settings:
        return self.world.service.settings

    @property
    def keys(self) -> MemberKeys:
        return MemberKeys.of(self.settings)

    def advance(self, **by: float) -> None:
        self.world.clock.advance(timedelta(**by))

    async def rules(self, kind: str, rules: RuleSet) -> None:
        """Let `kind` run under `rules` from now on."""
        await activated(kind, rules, self.at)
        await bound(kind, kind, self.at)

    async def plain(self, **keys: Any) -> None:
        """Let anybody send to anybody, but for what `keys` say."""
        await self.rules("p2p", written(**keys))

    async def member(self, points: int = 0, **person: Any) -> App:
        """Return the app of a new adult who has earned `points`."""
        said: dict[str, Any] = {"card": f"door{next(_numbers)}", "born": ADULT} | person
        wanted = Enrolment(**said)
        grocer = self.world.grocer
        made = await members.enrol(wanted, partner_no=grocer.partner.no, keys=self.keys, at=self.at)
        if points:
            await grocer.issue(str(made.member_id), points)
        return await self.app(made.member_id)

    async def child(self, *its_guardians: App, points: int = 0) -> App:
        """Return the app of a minor whom these guard."""
        kid = await self.member(points, born=CHILD)
        for one in its_guardians:
            await guardians.appoint(
                kid.member, one.member, source="enrolment", actor=ACTOR, keys=self.keys, at=self.at
            )
        return kid

    async def family(self, kind: str, head: App, *others: App, role: str = "friend") -> str:
        """Let staff put a family together under the rules that are bound to its kind."""
        groups = Groups(keys=self.keys)
        newcomers = [Newcomer(member=one.member, role=role) for one in others]
        made = await groups.do(
            lambda c, b: forming.form(c, kind, head.member, b, founders=newcomers), self.at
        )
        return str(made.id)

    async def freeze(self, app: App) -> None:
        await members.freeze(MemberId(app.member), actor=ACTOR, at=self.at)

    async def end(self, app: App) -> None:
        """End a membership for good."""
        await closing.close(MemberId(app.member), actor=ACTOR, at=self.at)

    async def merge(self, gone: App, into: App) -> None:
        """Let staff find that both are one person."""
        pair = {"from_id": MemberId(gone.member), "into_id": MemberId(into.member)}
        approval = await merging.prepare(
            **pair, reason="one person", prepared_by="staff:anna", at=self.at
        )
        await merging.approve(
            approval,
            approved_by="staff:bertil",
            keys=self.keys,
            followers=people.FOLLOWERS,
            at=self.at,
        )

    async def app(self, member: UUID) -> App:
        """Return the app of a member who has just given its password."""
        return await open_app(self.http, member, self.settings, self.at)

    async def desk(self, *scopes: str) -> Desk:
        """Return a client of the staff."""
        return await open_desk(self.http, self.at, scopes)

    async def balance(self, app: App) -> int:
        return await self.world.grocer.balance(str(app.member))


def transfer(to: App, points: int, **more: object) -> dict[str, object]:
    """Return the body of a transfer."""
    return {"to": str(to.member), "points": points} | more


def refused(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """Assert that the door refused with `code`; return the problem."""
    assert (answer.status_code, answer.json().get("code")) == (status, code), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    return problem


def done(answer: httpx.Response, status: int = 200) -> dict[str, Any]:
    """Assert that the door did it; return what it answered."""
    assert answer.status_code == status, answer.text
    body: dict[str, Any] = answer.json()
    return body
