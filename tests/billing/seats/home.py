"""A club with families in it, who share their plans."""

from datetime import datetime
from uuid import UUID

import msgspec

from billing.benefits import entitlement_rows
from billing.subscriptions import audit_checks
from billing.subscriptions.seats import sharing
from billing.subscriptions.views import SeatsView
from coalition.families.groups import forming, leaving, paying
from coalition.families.groups.entering import Newcomer
from coalition.families.groups.groups import Groups
from coalition.families.groups.paying import WaitingAct
from coalition.families.groups.wanted import Accept
from coalition.families.kin import places
from coalition.families.kin.speaking import By
from coalition.kernel.database import transaction
from coalition.kernel.ids import MemberId
from coalition.kernel.outbox import Delivery
from tests.billing.memberships.world import Club
from tests.families.registered import activated, bound, written


class Home:
    """A club with one family in it, whose head is Anna."""

    def __init__(self, club: Club) -> None:
        self.club, self.groups = club, Groups(keys=club.keys)

    async def family(self, head: MemberId, *others: MemberId) -> UUID:
        """Return a family of a head and others."""
        at = self.club.now()
        await activated("pull", written("head_pull"), at)
        await bound("pull", "pull", at)
        founders = [Newcomer(member=one, role="spouse") for one in others]
        made = await self.groups.do(
            lambda c, b: forming.form(c, "pull", head, b, founders=founders), at
        )
        return made.id

    async def costly(self, head: MemberId) -> UUID:
        """Return a family of a head alone, which costs who joins it fifty kronor."""
        at = self.club.now()
        money = {"amount_minor": 5_000, "currency": "SEK"}
        fee = {"kind": "flat", "money": money, "on": "join", "payer": "member"}
        await activated("costly", written("head_pull", fees=[fee]), at)
        await bound("costly", "costly", at)
        made = await self.groups.do(lambda c, b: forming.form(c, "costly", head, b), at)
        return made.id

    async def joining(self, family: UUID, member: MemberId) -> UUID:
        """Let a member accept to join; return the act that waits for its fee."""
        at, wish = self.club.now(), Newcomer(member=member, role="friend")
        async with transaction() as connection:
            (place,) = await places.read_places(connection, family)
        assert place.member_id is not None
        made = await self.groups.invite(family, wish, by=By.of(place.member_id), at=at)
        accept = Accept(invitation=made.id, channel=wish.channel)
        waits = await self.groups.do(lambda c, b: paying.perform(c, b, accept, By.of(member)), at)
        assert isinstance(waits, WaitingAct)
        return waits.act_id

    async def leave(self, group: UUID, member: MemberId) -> None:
        """Let a member leave the family, and whoever heard of it do its part."""
        at = self.club.now()
        await self.groups.do(lambda c, b: leaving.leave(c, group, member, b, by=By.of(member)), at)
        async with transaction() as connection:
            row = await connection.fetchrow(
                "SELECT id, kind, payload, occurred_at, committed_at FROM outbox"
                " WHERE kind = 'families.left' ORDER BY id DESC LIMIT 1"
            )
        assert row is not None
        told = Delivery(**dict(row) | {"payload": msgspec.json.decode(row["payload"])})
        await sharing.SUBSCRIBER.handle(told, at)

    async def add(self, member: MemberId, other: MemberId) -> SeatsView:
        """Share a plan with another."""
        return await self.club.memberships.add_seat(member, other, at=self.club.now())

    async def until(self, member: MemberId) -> datetime | None:
        """Return until when a member is entitled to anything."""
        async with transaction() as connection:
            held = await entitlement_rows.read(connection, member)
        return max((one.entitlement.ends for one in held), default=None)

    async def is_sound(self) -> None:
        """Demand that all memberships stand as derived."""
        async with transaction() as connection:
            for walk in audit_checks.WALKS:
                assert await walk.find(connection) == []
