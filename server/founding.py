"""Founds partners: company, first contract, earning rule and client, all at once or none."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import msgspec

from coalition.access import service as access
from coalition.federation import catalogue, service, stores
from coalition.federation.stores import NewStore
from coalition.federation.terms import ContractTerms
from coalition.kernel.database import transaction
from coalition.kernel.identity import SCOPES
from coalition.kernel.money import exponent
from coalition.points import earning
from coalition.points.refusals import InvalidEarningRule
from coalition.points.terms import FURTHEST_BACK

COALITION_NAME = "Coalition"
TIMEZONE = "Europe/Stockholm"


class Earning(msgspec.Struct, frozen=True):
    """How purchases earn: `points` for every `per_amount` (in major units, 1.00 is one krona)."""

    points: int = 1
    per_amount: Decimal = Decimal(1)

    def per_minor(self, currency: str) -> int:
        """Return `per_amount` in whole minor units of `currency`; refuse a finer amount."""
        minor = self.per_amount.scaleb(exponent(currency))
        if not minor.is_finite() or minor != minor.to_integral_value():
            raise InvalidEarningRule(f"{self.per_amount} {currency} is finer than its minor unit")
        return int(minor)


class Founded(msgspec.Struct, frozen=True, kw_only=True):
    """A new partner with its credential; the secret is shown this once."""

    partner_id: UUID
    partner_no: int
    name: str
    contract_no: int
    client_id: str
    client_secret: str


async def set_up_coalition(
    *, actor: str, at: datetime, name: str = COALITION_NAME, timezone: str = TIMEZONE
) -> bool:
    """Set the coalition up unless it is there; tell whether it was new."""
    async with transaction() as connection:
        if (await catalogue.load(connection)).is_set_up:
            return False
        await service.create_coalition(name=name, timezone=timezone, actor=actor, at=at)
        return True


async def found_partner(
    *,
    name: str,
    terms: ContractTerms,
    earns: Earning | None,
    actor: str,
    at: datetime,
    timezone: str | None = None,
    valid_from: date | None = None,
    new_stores: Sequence[NewStore] = (),
) -> Founded:
    """Make a partner that can work at once: contract, earning rule and a client with all scopes.

    Contract and rule hold from `valid_from`; without it from as far back as a receipt may lie, so
    that every receipt that is still to come has its terms. Raises the refusals of each part.
    """
    first_day = valid_from or (at - FURTHEST_BACK).date() - timedelta(days=1)
    async with transaction() as connection:
        await access.hold_numbers(connection)
        made = await service.create_partner(
            name=name,
            terms=terms,
            actor=actor,
            at=at,
            timezone=timezone,
            valid_from=first_day,
        )
        no = made.partner.no
        if new_stores:
            await stores.create_stores(partner_no=no, stores=new_stores, actor=actor, at=at)
        if earns is not None and terms.issues:
            await earning.agree(
                partner_no=no,
                currency=terms.currency,
                points=earns.points,
                per_minor=earns.per_minor(terms.currency),
                valid_from=catalogue.beginning(made.contract),
                actor=actor,
                at=at,
            )
        client = await access.create_client(
            partner_no=no, name="first client", scopes=SCOPES, actor=actor, at=at
        )
    return Founded(
        partner_id=made.partner.id,
        partner_no=no,
        name=made.partner.name,
        contract_no=made.contract.no,
        client_id=client.client_id,
        client_secret=client.client_secret,
    )
