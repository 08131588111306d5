"""A coalition whose members send points to each other, for tests of transfers."""

import itertools
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from coalition.families.kin.speaking import By
from coalition.families.transfers import deciding
from coalition.families.transfers.drafting import Terminations
from coalition.families.transfers.transferring import Request, Transfers
from coalition.families.transfers.wishes import PreviewAnswer, TransferAnswer, Wish
from coalition.kernel.database import transaction
from coalition.kernel.errors import Refused
from coalition.kernel.idempotency import Claim
from coalition.kernel.ids import MemberId
from coalition.kernel.web.decoding import Media
from coalition.members import service as members
from coalition.members import standings
from coalition.members.personal import Enrolment
from coalition.points.commands import IssueBody
from tests.points.world import KEYS, TERMS, World, make_world, receipt

__all__ = ["KEYS", "TERMS", "Bank", "Terminations", "make_bank"]

_numbers = itertools.count(1)


class Bank:
    """Members, their points, and the transfers between them."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.clock = world.clock
        self.transfers = self.more()

    def more(self) -> Transfers:
        """Return what another process would have."""
        return Transfers(keys=KEYS, clock=self.clock)

    @property
    def at(self) -> datetime:
        return self.clock.now()

    def advance(self, **by: float) -> None:
        """Let time go by."""
        self.clock.advance(timedelta(**by))

    async def member(self, points: int = 0, **person: Any) -> MemberId:
        """Return a new member who has earned `points`."""
        card = f"bank{next(_numbers)}"
        wanted = Enrolment(card=card, **person)
        made = await members.enrol(wanted, partner_no=self.world.grocer, keys=KEYS, at=self.at)
        if points:
            await self.earn(made.member_id, points)
        return made.member_id

    async def earn(self, member: MemberId, points: int, *, partner_no: int | None = None) -> None:
        body = IssueBody(receipt=receipt(), occurred_at=self.at, member_id=member, points=points)
        answer = await self.world.ask(body, partner_no=partner_no)
        assert not isinstance(answer, Refused), answer

    async def grant(self, member: MemberId, kind: Any, value: str) -> None:
        async with transaction() as connection:
            await standings.grant(
                connection,
                member=member,
                kind=kind,
                value=value,
                valid_from=self.at,
                valid_until=None,
                source="test",
                at=self.at,
            )

    def wish(self, sender: MemberId, receiver: MemberId, points: int, **more: Any) -> Wish:
        return Wish(
            sender=sender,
            receiver=receiver,
            points=points,
            requested_by=f"member:{sender}",
            **more,
        )

    async def ask(self, wish: Wish, *, key: str | None = None, by: Transfers | None = None) -> Any:
        """Ask for a transfer; return what is answered as JSON, or the refusal."""
        claim = Claim.of(8, key or f"transfer-{next(_numbers)}", "/", msgspec.json.encode(wish))
        try:
            answer = await (by or self.transfers).request(Request(wish, claim, Media.JSON))
        except Refused as refusal:
            return refusal
        return msgspec.json.decode(answer.body)

    async def send(self, sender: MemberId, receiver: MemberId, points: int, **more: Any) -> Any:
        return await self.ask(self.wish(sender, receiver, points, **more))

    async def preview(
        self, sender: MemberId, receiver: MemberId, points: int, **more: Any
    ) -> PreviewAnswer:
        return await self.transfers.preview(self.wish(sender, receiver, points, **more))

    async def balance(self, member: MemberId) -> int:
        return (await self.world.tills.balance(member)).balance

    async def approve(self, transfer: dict[str, Any], by: By) -> TransferAnswer:
        return await deciding.approve(
            self.transfers, UUID(transfer["transfer_id"]), by=by, at=self.at
        )

    async def reject(self, transfer: dict[str, Any], by: By) -> TransferAnswer:
        return await deciding.reject(
            self.transfers, UUID(transfer["transfer_id"]), by=by, at=self.at
        )

    async def undo(self, transfer: dict[str, Any], by: By) -> TransferAnswer:
        return await deciding.undo(self.transfers, UUID(transfer["transfer_id"]), by=by, at=self.at)

    async def due(self) -> int:
        return await deciding.run_due(self.transfers, self.at)

    async def lots(self, member: MemberId) -> list[tuple[int, date | None, int]]:
        """Return issuer, expiry and points of each lot from which the member can spend."""
        async with transaction() as connection:
            rows = await connection.fetch(
                "SELECT issuer_no, expires_on, points_in - points_out - held FROM lot"
                " WHERE holder = $1 AND points_in > points_out + held"
                " ORDER BY expires_on, issuer_no",
                member,
            )
        return [tuple(row) for row in rows]


async def make_bank(at: datetime, **terms: Any) -> Bank:
    """Make the coalition of `tests.points.world`, and a bank over it."""
    return Bank(await make_world(at, **terms))
