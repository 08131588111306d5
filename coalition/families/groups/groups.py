"""Groups as a service: every act one transaction, run again when it lost a race.

The acts themselves are functions that work in a transaction of the caller, on what is agreed on at
the instant (`Book`): `forming`, `invitations`, `leaving`, `place_changes`, `contributing`,
`separating`, `dying`, `ageing`, `group_views`. Called inside a transaction, such as that of an
idempotency claim, they join it.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeVar
from uuid import UUID

import structlog

from coalition.families.groups import (
    act_rows,
    ageing,
    gathering,
    invitation_rows,
    invitations,
    keeping_shares,
    paying,
    suspending,
    two_persons,
)
from coalition.families.groups.entering import Newcomer
from coalition.families.groups.invitation_rows import Invitation
from coalition.families.groups.keeping_shares import Page
from coalition.families.groups.paying import WaitingAct
from coalition.families.groups.wanted import Accept
from coalition.families.kin import guardians
from coalition.families.kin.speaking import By
from coalition.families.rule_sets.books import RuleBook
from coalition.families.rule_sets.notation import Money
from coalition.families.transfers.judging import Book
from coalition.kernel.database import Connection, bound_engine, retrying, transaction
from coalition.kernel.errors import Refused
from coalition.ledger.partitions import ensure_partition
from coalition.members.sealing import MemberKeys
from coalition.points import terms as business
from coalition.points.terms import Terms

Result = TypeVar("Result")

_logger = structlog.get_logger(__name__)

_FIRST = UUID(int=0)


class Groups:
    """What members and staff do in groups; keeps what is agreed on in memory."""

    def __init__(self, *, keys: MemberKeys) -> None:
        """Prepare; `keys` open what rules ask of people."""
        self._keys = keys
        self._terms: Terms | None = None
        self._rules: RuleBook | None = None

    async def book(self, connection: Connection, at: datetime) -> Book:
        """Return what is agreed on at `at`: from memory while nothing has changed."""
        self._terms = await business.refresh(connection, self._terms)
        self._rules = await RuleBook.refresh(connection, self._rules, self._terms.catalogue)
        return Book(self._terms, self._rules, self._keys, at)

    async def do(
        self, work: Callable[[Connection, Book], Awaitable[Result]], at: datetime
    ) -> Result:
        """Run `work` at the instant `at` in a transaction; again when it lost a race.

        Within a transaction it joins that, and whoever opened it sees to the rest.
        """
        await ensure_partition(at)

        async def attempt() -> Result:
            async with transaction() as connection:
                return await work(connection, await self.book(connection, at))

        if bound_engine().transaction_exists():
            return await attempt()
        return await retrying(attempt)

    async def invite(
        self,
        group: UUID,
        newcomer: Newcomer,
        *,
        by: By,
        at: datetime,
        invitation: UUID | None = None,
    ) -> Invitation:
        """Invite somebody; under rules that ask for nobody's word it joins at once.

        Where joining costs money it waits, and the invitation is open meanwhile. Raises what
        `invitations.invite` does, and then what `enter` does.
        """

        async def work(connection: Connection, book: Book) -> Invitation:
            found = await gathering.lock(connection, group, book, also=[newcomer.member])
            made = await invitations.invite(
                connection, found, newcomer, by=by, invitation=invitation
            )
            if found.rules.join.accept != "nobody":
                return made
            accepting = Accept(invitation=made.id, channel=newcomer.channel)
            joined = await paying.perform(connection, book, accepting, By.staff("system:groups"))
            return made if isinstance(joined, WaitingAct) else joined.invitation

        return await self.do(work, at)

    async def approve(
        self, approval_id: UUID, kind: str, *, approved_by: str, at: datetime
    ) -> object:
        """Do as the second person what staff prepared: a settlement, a death.

        Raises what `approvals.approve` does and what the act refuses.
        """

        async def work(connection: Connection, book: Book) -> object:
            assert connection.is_in_transaction(), "what is approved is applied in one transaction"
            return await two_persons.approve(approval_id, kind, book, approved_by=approved_by)

        return await self.do(work, at)

    async def expire_invitations(self, at: datetime) -> int:
        """Let invitations expire whose time has run out; return how many."""
        expired = 0
        while some := await retrying(lambda: _expire(at)):
            expired += some
        return expired

    async def expire_acts(self, at: datetime) -> int:
        """Let acts expire that nobody paid for in time; return how many."""
        expired = 0
        while some := await retrying(lambda: _expire_acts(at)):
            expired += some
        return expired

    async def fee_paid(self, act: UUID, *, paid: Money, by: By, at: datetime) -> WaitingAct:
        """Let an act go on whose fee has been paid; called down by whoever charges it.

        Raises as `paying.fee_paid` does.
        """
        return await self.do(lambda c, b: paying.fee_paid(c, act, b, paid=paid, by=by), at)

    async def grow_up(self, at: datetime) -> int:
        """Let who has come to its group's age leave, others count as what they are by now.

        Guardianships of who has come of age end. Each group has a transaction of its own; doing it
        again changes nothing. Returns how many left.
        """
        left, after = 0, _FIRST
        while groups := await self.do(_due_after(after), at):
            for group in groups:
                try:
                    left += await self.do(_ageing_of(group), at)
                except Refused as refusal:
                    # Such as a frozen member: the group waits until that is over, others do not.
                    _logger.warning("ageing_out_refused", group=str(group), code=refusal.code)
            after = groups[-1]
        await self.do(ageing.grow, at)
        await retrying(lambda: guardians.end_grown_up(at))
        return left

    async def follow_heads(self, at: datetime) -> int:
        """Let groups be suspended as tiers are by now, and as rules say; return how many changed.

        That is by their heads' tiers, and what members brought by their own.
        """
        changed = 0
        for looking in (suspending.differing, keeping_shares.differing):
            page = await self.do(_differing_after(looking, _FIRST), at)
            while page.last is not None:
                for group in page.differing:
                    await self.do(_following_of(group), at)
                    changed += 1
                page = await self.do(_differing_after(looking, page.last), at)
        return changed


def _differing_after(
    looking: Callable[[Connection, Book, UUID], Awaitable[Page]], after: UUID
) -> Callable[[Connection, Book], Awaitable[Page]]:
    async def work(connection: Connection, book: Book) -> Page:
        return await looking(connection, book, after)

    return work


def _following_of(group: UUID) -> Callable[[Connection, Book], Awaitable[None]]:
    async def work(connection: Connection, book: Book) -> None:
        await suspending.follow(connection, await gathering.lock(connection, group, book))

    return work


def _due_after(after: UUID) -> Callable[[Connection, Book], Awaitable[list[UUID]]]:
    async def work(connection: Connection, book: Book) -> list[UUID]:
        return await ageing.due(connection, book, after)

    return work


def _ageing_of(group: UUID) -> Callable[[Connection, Book], Awaitable[int]]:
    async def work(connection: Connection, book: Book) -> int:
        return await ageing.age_out(connection, group, book)

    return work


async def _expire_acts(at: datetime) -> int:
    async with transaction() as connection:
        return await act_rows.expire(connection, at)


async def _expire(at: datetime) -> int:
    async with transaction() as connection:
        return await invitation_rows.expire(connection, at)
