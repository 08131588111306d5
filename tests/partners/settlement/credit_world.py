"""Partners with credit limits and prepaid money, their tills, and the drain behind them."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec

from coalition.federation.terms import ContractTerms, CreditMode, Vat
from coalition.kernel.database import transaction
from coalition.kernel.errors import Refused
from coalition.points.commands import IssueBody, RedeemBody
from partners.settlement import credit, prepaying
from partners.settlement.draining import drain_all
from tests.points.world import World, make_world, receipt

TERMS = ContractTerms(
    currency="SEK",
    issue_price=Decimal("0.01"),
    redemption_price=Decimal("0.10"),
    service_fee_per_point=Decimal("0.002"),
    vat={"service_fee": Vat(rate=Decimal("0.25"))},
)
"""A hundred points cost 1.25 kronor: one for the fund, 0.20 for the fee, 0.05 for its VAT."""


class CreditWorld:
    """Two partners under the same terms of credit, and one customer."""

    def __init__(self, world: World, anna: UUID) -> None:
        self.points = world
        self.anna = anna

    @property
    def at(self) -> datetime:
        return self.points.at

    async def issue(self, points: int, *, member: UUID | None = None, **given: Any) -> Any:
        """Issue at the grocer unless said; return the answer or the refusal."""
        body = IssueBody(receipt(), self.at, member_id=member or self.anna, points=points)
        return await self.points.ask(body, **given)

    async def redeem(self, points: int, **given: Any) -> Any:
        body = RedeemBody(receipt(), self.at, points, member_id=self.anna)
        return await self.points.ask(body, **given)

    async def judged(self) -> int:
        """Drain everything and judge everybody; return for how many something changed."""
        await drain_all(self.at)
        return await credit.judge(self.at)

    async def standing(self, partner_no: int | None = None) -> credit.Standing:
        async with transaction() as connection:
            found = await credit.standing(connection, partner_no or self.points.grocer, self.at)
        assert found is not None, "it was judged"
        return found

    async def prepay(
        self, amount_minor: int, reference: str, currency: str = "SEK"
    ) -> prepaying.Prepayment:
        """Let two persons book what the grocer has paid in."""
        approval = await self.prepared(amount_minor, reference, currency)
        return await prepaying.approve(approval, approved_by="staff:robin", at=self.at)

    async def prepared(self, amount_minor: int, reference: str, currency: str = "SEK") -> UUID:
        return await prepaying.prepare(
            partner_no=self.points.grocer,
            amount_minor=amount_minor,
            currency=currency,
            reference=reference,
            prepared_by="staff:kim",
            at=self.at,
        )


async def credit_world(
    at: datetime,
    credit_mode: CreditMode,
    /,
    *,
    limit_minor: int | None = None,
    low_water_minor: int | None = None,
    **terms: Any,
) -> CreditWorld:
    """Make the coalition with contracts of this credit."""
    agreed = {
        "credit_mode": credit_mode,
        "credit_limit_minor": limit_minor,
        "low_water_minor": low_water_minor,
    }
    world = await make_world(at, terms=msgspec.structs.replace(TERMS, **agreed, **terms))
    return CreditWorld(world, await world.member())


async def told() -> list[str]:
    """Return the kinds of events about credit that wait, by name."""
    async with transaction() as connection:
        rows = await connection.fetch(
            "SELECT kind FROM outbox WHERE kind LIKE 'credit.%' ORDER BY kind"
        )
    return [row[0] for row in rows]


def code(answer: Any) -> str:
    """Return why it was refused, or `done`."""
    return answer.code if isinstance(answer, Refused) else "done"
