"""A small coalition for the tests of the federation."""

from datetime import date, datetime
from decimal import Decimal

from coalition.federation import catalogue, service
from coalition.federation.catalogue import Catalogue
from coalition.federation.service import NewPartner
from coalition.federation.terms import ContractTerms
from coalition.kernel.database import transaction

TERMS = ContractTerms(
    currency="EUR", issue_price=Decimal("0.01"), redemption_price=Decimal("0.0085")
)


async def make_coalition(at: datetime, *, timezone: str = "Europe/Stockholm") -> None:
    await service.create_coalition(name="Norr", timezone=timezone, actor="test", at=at)


async def make_partner(
    at: datetime, *, name: str = "Grocer", valid_from: date | None = None
) -> NewPartner:
    """Make the coalition, if it is missing, and one partner."""
    await make_coalition(at)
    return await service.create_partner(
        name=name, terms=TERMS, actor="staff:anna", at=at, valid_from=valid_from
    )


async def load_catalogue() -> Catalogue:
    async with transaction() as connection:
        return await catalogue.load(connection)
