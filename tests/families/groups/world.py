"""Families of made-up members under rule sets written in a few words."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

import msgspec

from coalition.families.doors import group_views
from coalition.families.doors.group_views import GroupView
from coalition.families.groups import (
    contributing,
    family_cards,
    forming,
    invitations,
    leaving,
    place_changes,
    separating,
)
from coalition.families.groups.departing import ExitView
from coalition.families.groups.entering import Newcomer
from coalition.families.groups.gathering import OpenGroup
from coalition.families.groups.groups import Groups
from coalition.families.groups.invitation_rows import Invitation
from coalition.families.groups.invitations import Accepted
from coalition.families.groups.leaving import Left
from coalition.families.kin import guardians, places, relationships
from coalition.families.kin.places import PlaceRow
from coalition.families.kin.speaking import By
from coalition.families.pools.pooling import FamilyPools
from coalition.families.rule_sets.notation import RuleSet
from coalition.kernel.database import transaction
from coalition.kernel.errors import Refused
from coalition.kernel.ids import MemberId
from coalition.ledger import posting
from coalition.ledger.drafts import Draft, Grant, Issue, Outcome, Redeem, Till
from coalition.ledger.partitions import ensure_partition
from coalition.members import service as members
from coalition.points.pools import PoolAct, PoolPlan, PoolWish
from server import proof
from tests.families.registered import activated, bound, written
from tests.families.transfers.world import KEYS, Bank
from tests.points.world import make_world

STAFF = By.staff("staff:anna")
ADULT, CHILD = date(1984, 5, 1), date(2014, 3, 2)


class Families(Bank):
    """A coalition with groups; what is asked of them is asked as members would."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.groups = Groups(keys=KEYS)
        self.pools = FamilyPools(keys=KEYS)

    async def rules(self, kind: str, rules: RuleSet) -> None:
        """Let groups of `kind` run under `rules` from now on."""
        await activated(kind, rules, self.at)
        await bound(kind, kind, self.at)

    async def adult(self, points: int = 0, **person: Any) -> MemberId:
        return await self.member(points, born=ADULT, **person)

    async def child(self, points: int = 0, **person: Any) -> MemberId:
        return await self.member(points, born=CHILD, **person)

    async def guard(self, minor: UUID, guardian: UUID) -> None:
        await guardians.appoint(
            minor, guardian, source="enrolment", actor=STAFF.name, keys=KEYS, at=self.at
        )

    async def form(
        self,
        kind: str,
        head: UUID,
        *founders: UUID,
        group: UUID | None = None,
        role: str = "spouse",
    ) -> UUID:
        """Form a group with its founders; return its id."""
        newcomers = [Newcomer(member=one, role=role) for one in founders]
        made = await self.groups.do(
            lambda c, b: forming.form(c, kind, head, b, group=group, founders=newcomers), self.at
        )
        return made.id

    async def invite(
        self, group: UUID, member: UUID, *, by: UUID, role: str = "friend", **more: Any
    ) -> Invitation:
        newcomer = Newcomer(member=member, role=role, **more)
        return await self.groups.invite(group, newcomer, by=By.of(by), at=self.at)

    async def accept(self, invitation: UUID, by: UUID, **more: Any) -> Accepted:
        return await self.groups.do(
            lambda c, b: invitations.accept(c, invitation, b, by=By.of(by), **more), self.at
        )

    async def join(self, group: UUID, member: UUID, role: str = "friend", **more: Any) -> PlaceRow:
        """Let staff add a member, under the same rules as everybody."""
        newcomer = Newcomer(member=member, role=role, **more)
        return await self.groups.do(
            lambda c, b: forming.take_along(c, group, newcomer, b, by=STAFF), self.at
        )

    async def take(self, group: UUID, kid: UUID, *, by: UUID) -> PlaceRow:
        """Let a head take a child along."""
        newcomer = Newcomer(member=kid, role="child")
        return await self.groups.do(
            lambda c, b: forming.take_along(c, group, newcomer, b, by=By.of(by)), self.at
        )

    async def relate(self, head: UUID, member: UUID, word: str, *, proved: bool = False) -> None:
        await relationships.declare(head, member, word, at=self.at)
        if proved:
            await relationships.prove(head, member, actor=STAFF.name, at=self.at)

    async def leave(self, group: UUID, member: UUID, by: UUID | None = None, **more: Any) -> Left:
        return await self.groups.do(
            lambda c, b: leaving.leave(c, group, member, b, by=By.of(by or member), **more), self.at
        )

    async def close(self, group: UUID, by: UUID) -> OpenGroup:
        return await self.groups.do(lambda c, b: leaving.close(c, group, b, by=By.of(by)), self.at)

    async def bring(
        self, group: UUID, member: UUID, points: int, by: By | None = None
    ) -> contributing.Brought:
        asking = by or By.of(member)
        return await self.groups.do(
            lambda c, b: contributing.contribute(c, group, member, points, b, by=asking), self.at
        )

    async def show(self, group: UUID, by: UUID | None = None) -> GroupView:
        asking = STAFF if by is None else By.of(by)
        return await self.groups.do(lambda c, b: group_views.show(c, group, b, by=asking), self.at)

    async def would_take_out(self, group: UUID, member: UUID, by: UUID | None = None) -> ExitView:
        asking = By.of(by or member)
        return await self.groups.do(
            lambda c, b: group_views.would_take_out(c, group, member, b, by=asking), self.at
        )

    async def groups_of(self, member: UUID) -> list[UUID]:
        async with transaction() as connection:
            return (await places.groups_of(connection, [member]))[member]

    async def share(self, group: UUID, member: UUID, percent: int) -> PlaceRow | Refused:
        """Choose another share of earnings; return the place, or the refusal."""
        try:
            return await self.groups.do(
                lambda c, b: place_changes.change_share(
                    c, group, member, percent, b, by=By.of(member)
                ),
                self.at,
            )
        except Refused as refusal:
            return refusal

    async def separate(
        self, group: UUID, member: UUID, by: UUID | None = None
    ) -> separating.Separation:
        return await self.groups.do(
            lambda c, b: separating.begin(c, group, member, b, by=By.of(by or member)), self.at
        )

    async def want(
        self, group: UUID, by: UUID, outcome: separating.Outcome
    ) -> separating.Separation:
        return await self.groups.do(
            lambda c, b: separating.want(c, group, outcome, b, by=By.of(by)), self.at
        )

    async def settle(self, group: UUID, outcome: separating.Outcome) -> UUID:
        return await separating.prepare_settlement(
            group, outcome, reason="a court decided", prepared_by="staff:anna", at=self.at
        )

    async def approve(self, approval: UUID, kind: str, *, by: str) -> object:  # type: ignore[override]  # of groups
        return await self.groups.approve(approval, kind, approved_by=by, at=self.at)

    async def wards(self, guardian: UUID) -> list[UUID]:
        async with transaction() as connection:
            return [one.minor for one in await guardians.wards_of(connection, guardian)]

    async def logged(self) -> list[str]:
        """Return what the audit log says was done."""
        async with transaction() as connection:
            rows = await connection.fetch("SELECT action FROM audit_log ORDER BY no")
        return [row[0] for row in rows]

    async def add_card(self, member: UUID, card: str) -> None:
        await self.groups.do(
            lambda c, b: family_cards.add_card(c, member, card, b, by=STAFF), self.at
        )

    async def freeze(self, member: MemberId) -> None:
        await members.freeze(member, actor=STAFF.name, at=self.at)

    async def let_spend(self, group: UUID, member: UUID, *, may_spend: bool) -> None:
        await self.groups.do(
            lambda c, b: place_changes.change_right(
                c, group, member, b, by=STAFF, may_spend=may_spend
            ),
            self.at,
        )

    async def stop(self, minor: UUID, guardian: UUID, *, is_over: bool = False) -> None:
        act = guardians.let_go_on if is_over else guardians.stop
        await act(minor, guardian, at=self.at)

    async def own(self, holder: UUID) -> int:
        """Return what lies with a holder itself and can be spent."""
        async with transaction() as connection:
            found = await posting.balances(
                connection, [holder], currency_no=1, today=self.world_day()
            )
        return found[holder]

    async def brought(self, pot: UUID) -> dict[UUID, int]:
        """Return what there is in a pot of whoever brought it, ended or not."""
        async with transaction() as connection:
            rows = await connection.fetch(
                "SELECT contributor, sum(points_in - points_out - held)::int8 FROM lot"
                " WHERE holder = $1 AND points_in > points_out + held GROUP BY 1",
                pot,
            )
        return dict(rows)

    def world_day(self) -> date:
        return self.at.date()

    async def pool_of(self, group: UUID) -> UUID:
        async with transaction() as connection:
            row = await connection.fetchrow("SELECT pool FROM family_group WHERE id = $1", group)
        pool: UUID = row["pool"]
        return pool

    async def plan(
        self, member: UUID, act: PoolAct, points: int = 0, **more: Any
    ) -> PoolPlan | Any:
        """Return how a till may do what a member wants."""
        wish = PoolWish(member, act, points, self.at, **more)
        async with transaction(posting.PINNED, role=posting.POSTER_ROLE) as connection:
            (plan,) = await self.pools.plans(connection, [wish], self.at)
        return plan

    async def redeem(self, member: UUID, points: int) -> Outcome:
        """Redeem at the till, by the plan that the family has for it."""
        plan = await self.plan(member, PoolAct.REDEEM, points)
        if isinstance(plan, Refused):
            return plan
        till = Till(self.world.fuel, None, None, None, self.world_day(), self.at)
        return await self._post(Redeem(member, till, 1, points, sources=plan.sources))

    async def earn_shared(self, member: UUID, points: int) -> Outcome:
        """Let a member earn at the grocer, a share of it going on by the plan of its family."""
        plan = await self.plan(member, PoolAct.ISSUE, points)
        async with transaction() as connection:
            terms = (await self.groups.book(connection, self.at)).terms
        contract = terms.catalogue.contract_at(self.world.grocer, self.at)
        till = Till(self.world.grocer, None, None, None, self.world_day(), self.at)
        grant = Grant(terms.base_provenance(contract, self.at), points)
        draft = Issue(member, till, (grant,), onward=plan.onward)
        return await self._post(draft)

    async def _post(self, draft: Draft) -> Outcome:
        await ensure_partition(self.at)
        async with transaction(posting.PINNED, role=posting.POSTER_ROLE) as connection:
            _, (outcome,) = await posting.post(
                connection, [draft], at=self.at, today=self.world_day()
            )
        return outcome

    async def events(self, kind: str) -> list[dict[str, Any]]:
        """Return the facts of the events of a kind, in order."""
        async with transaction() as connection:
            rows = await connection.fetch(
                "SELECT payload FROM outbox WHERE kind = $1 ORDER BY id", f"families.{kind}"
            )
        return [msgspec.json.decode(row[0]) for row in rows]

    async def shares(self, member: UUID) -> bool:
        async with transaction() as connection:
            return bool(
                await connection.fetchval("SELECT shares FROM holder WHERE id = $1", member)
            )

    async def proved(self) -> bool:
        """Prove the books."""
        return (await proof.prove()).ok


async def make_families(at: datetime, **terms: Any) -> Families:
    """Make the coalition of `tests.points.world`, and families in it."""
    return Families(await make_world(at, **terms))


def account(*, group: dict[str, Any] | None = None, **keys: Any) -> RuleSet:
    """Return rules of a pool's account into which everything goes."""
    goes_in = {"existing": "all", "future_percent": [100], "manual": True}
    who = {"members": {"max": 8}, "spend": {"member": {"scope": "pool"}}} | (group or {})
    return written("pool_account", **{"group": who, "contribution": goes_in} | keys)


def view(*, group: dict[str, Any] | None = None, **keys: Any) -> RuleSet:
    """Return rules of a group that spends together what each keeps."""
    who = {"members": {"max": 8}, "spend": {"adult": {"scope": "pool"}}} | (group or {})
    return written("pool_view", **{"group": who, "debit": {"order": "proportional"}} | keys)


def sweep(*, group: dict[str, Any] | None = None, **keys: Any) -> RuleSet:
    """Return rules under which half of what members earn goes to the head."""
    who = {"members": {"max": 8}, "spend": {"head": {"scope": "pool"}}} | (group or {})
    share = {"future_percent": [50, 100]}
    return written("sweep_to_head", **{"group": who, "contribution": share} | keys)
