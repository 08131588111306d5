"""Finds what a person names on the command line: partners by name, number or id."""

from coalition.federation import catalogue
from coalition.federation.catalogue import Catalogue
from coalition.federation.refusals import UnknownPartner
from coalition.federation.terms import Partner
from coalition.kernel.database import transaction


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
