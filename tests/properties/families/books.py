"""The product's members, groups and points, asked for what the model is asked for."""

from collections.abc import Awaitable
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from coalition.families.groups import dying, paying
from coalition.families.groups.paying import Runs
from coalition.families.kin.speaking import By
from coalition.families.rule_sets.notation import Money, RuleSet
from coalition.families.transfers.wishes import PreviewAnswer
from coalition.federation.terms import ContractTerms
from coalition.kernel.database import transaction
from coalition.kernel.errors import Refused
from coalition.kernel.ids import MemberId
from coalition.ledger import expiry, upkeep
from coalition.ledger.provenance import RECEIVED_CLASS, Provenance, lot_id
from coalition.points import terms as business
from coalition.points.commands import CaptureBody, HoldBody, RedeemBody, ReverseBody, VoidBody
from coalition.points.till import Tills
from tests.families.groups.world import STAFF, Families, make_families
from tests.families.registered import activated, bound
from tests.families.transfers.world import KEYS, Bank
from tests.points.world import TERMS, receipt
from tests.properties.families.house import MONTHS
from tests.properties.families.lots import Lot

_LOTS = """
SELECT holder, issuer_no, earned_month, expires_on, class_no, nullif(contributor, holder),
       points_in - points_out - held
FROM lot WHERE holder = ANY ($1) AND points_in > points_out + held
"""


class Books:
    """Families of the product; what is refused comes back as it is."""

    world: Families

    async def open(self, at: datetime, terms: ContractTerms = TERMS) -> None:
        """Make the coalition, once."""
        short = msgspec.structs.replace(terms, expiry_months=MONTHS)
        self.world = await make_families(at, terms=short)
        self.world.world.tills = Tills(
            card_key=KEYS.blind_index_key, clock=self.world.clock, pools=self.world.pools
        )

    async def begin(self, name: str, rules: Any, home: Any, at: datetime) -> None:
        """Let transfers, and a new kind of groups, run under rules."""
        for kind, document in (("p2p", rules), (name, home)):
            named = f"{kind}-{name}"
            await activated(named, msgspec.convert(document, RuleSet), at)
            await bound(kind, named, at)
        async with transaction() as connection:
            kept = await business.load(connection)
        self._provenances: dict[tuple[int, int], Provenance] = {}
        self._terms = kept

    def tie(self, lot: Lot) -> bytes:
        """Return what orders lots of the product that end and were earned alike."""
        key = lot.issuer, lot.month
        if key not in self._provenances:
            earned_at = datetime(lot.month // 100, lot.month % 100, 15, tzinfo=self.world.at.tzinfo)
            contract = self._terms.catalogue.contract_at(lot.issuer, earned_at)
            self._provenances[key] = self._terms.base_provenance(contract, earned_at)
        provenance = self._provenances[key]._replace(
            expires_on=lot.ends,
            class_no=RECEIVED_CLASS if lot.received else 0,
            contributor=lot.brought_by,
        )
        return lot_id(lot.holder, provenance).bytes

    async def lots(self, holders: list[UUID]) -> dict[Lot, int]:
        """Return what every lot of some holders has that is not held."""
        async with transaction() as connection:
            rows = await connection.fetch(_LOTS, holders)
        return {
            Lot(row[0], row[1], row[2], row[3], row[4] == RECEIVED_CLASS, row[5]): row[6]
            for row in rows
        }

    async def send(self, sender: UUID, receiver: UUID, points: int, **more: Any) -> Any:
        """Send points."""
        return await self.world.send(MemberId(sender), MemberId(receiver), points, **more)

    async def preview(
        self, sender: UUID, receiver: UUID, points: int, **more: Any
    ) -> PreviewAnswer:
        """Return what would come of it."""
        return await self.world.preview(MemberId(sender), MemberId(receiver), points, **more)

    async def approve(self, transfer: UUID, by: By) -> Any:
        """Give a word for a transfer."""
        return await asked(Bank.approve(self.world, {"transfer_id": str(transfer)}, by))

    async def reject(self, transfer: UUID, by: By) -> Any:
        """Turn a transfer down."""
        return await asked(self.world.reject({"transfer_id": str(transfer)}, by))

    async def undo(self, transfer: UUID) -> Any:
        """Take a transfer back, as staff."""
        return await asked(self.world.undo({"transfer_id": str(transfer)}, STAFF))

    async def redeem(self, member: UUID, points: int) -> Any:
        """Redeem at the fuel chain."""
        body = RedeemBody(
            receipt=receipt(), occurred_at=self.world.at, member_id=member, points=points
        )
        return await self.world.world.ask(body, partner_no=self.world.world.fuel)

    async def hold(self, member: UUID, points: int) -> Any:
        """Reserve points there for long."""
        body = HoldBody(
            receipt=receipt(),
            occurred_at=self.world.at,
            member_id=member,
            points=points,
        )
        return await self.world.world.ask(body, partner_no=self.world.world.fuel)

    async def resolve(self, hold: UUID, *, captures: bool) -> Any:
        """Take what was reserved, or let it go."""
        body = CaptureBody() if captures else VoidBody()
        return await self.world.world.ask(body, partner_no=self.world.world.fuel, target=hold)

    async def give_back(self, posting: UUID) -> Any:
        """Return what was bought, whole."""
        return await self.world.world.ask(
            ReverseBody(), partner_no=self.world.world.fuel, target=posting
        )

    async def perform(self, wanted: Runs[Any], by: By) -> Any:
        """Do what is wanted in a group, or let it wait for its fee."""
        return await self.world.groups.do(
            lambda c, b: paying.perform(c, b, wanted, by), self.world.at
        )

    async def pay(self, act: UUID) -> Any:
        """Pay what an act costs."""
        paid = Money(amount_minor=500, currency="SEK")
        return await self.world.groups.fee_paid(act, paid=paid, by=STAFF, at=self.world.at)

    async def die(self, member: UUID) -> None:
        """Let two of the staff note a death."""
        approval = await dying.prepare(
            member,
            heir=None,
            successor=None,
            reason="told by the register",
            prepared_by="staff:anna",
            at=self.world.at,
        )
        await self.world.approve(approval, dying.KIND, by="staff:bertil")

    async def night(self, today: date) -> None:
        """Book what has expired, and move what is empty to history."""
        await expiry.expire(self.world.at, today)
        await upkeep.sweep()

    def tick(self, **by: float) -> None:
        """Let time go by."""
        self.world.clock.advance(timedelta(**by))


async def asked(work: Awaitable[Any]) -> Any:
    """Return what is answered, or the refusal."""
    try:
        return await work
    except Refused as refusal:
        return refusal
