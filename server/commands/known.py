"""Finds whom a person names on the command line: partners by name, members by what one knows."""

from uuid import UUID

from coalition.federation import catalogue
from coalition.federation.catalogue import Catalogue
from coalition.federation.refusals import UnknownPartner
from coalition.federation.terms import Partner
from coalition.kernel.database import transaction
from coalition.kernel.ids import MemberId
from coalition.members import service
from coalition.members.contacts import ContactKind
from coalition.members.sealing import MemberKeys
from partners.settlement.kinds import OPERATOR

OPERATORS_NAME = "operator"
"""How the operator is named where a partner's name would stand."""


async def read_catalogue() -> Catalogue:
    """Return the coalition's partners, stores and contracts as of now."""
    async with transaction() as connection:
        return await catalogue.load(connection)


def find_partner(known: Catalogue, name: str) -> Partner:
    """Return the partner with this id, number or name (whole, in any case).

    Raises `UnknownPartner` when there is none, or when several have the name.
    """
    folded = name.strip().casefold()
    found = [
        partner
        for partner in known.partners
        if folded in {str(partner.id), str(partner.no), partner.name.casefold()}
    ]
    if len(found) != 1:
        detail = "several partners have that name; give the id" if found else None
        raise UnknownPartner(detail, partner=name)
    return found[0]


async def find_member(named: str, keys: MemberKeys) -> MemberId:
    """Return the member with this id, card, e-mail address (with @) or phone number (with +).

    An id need not be anybody. Raises what `service.find` does.
    """
    try:
        return MemberId(UUID(named))
    except ValueError:
        kind = ContactKind.EMAIL if "@" in named else ContactKind.CARD
        kind = ContactKind.PHONE if named.startswith("+") else kind
        return await service.find(kind, named, keys=keys)


def find_party(known: Catalogue, name: str) -> int:
    """Return the number of a partner by id, number or name, or of the operator by `operator`."""
    if name.strip().casefold() == OPERATORS_NAME:
        return OPERATOR
    return find_partner(known, name).no


def party_name(known: Catalogue, partner_no: int) -> str:
    """Return the name of the partner with this number, or `operator`."""
    return OPERATORS_NAME if partner_no == OPERATOR else known.partner(partner_no).name
