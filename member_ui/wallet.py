"""The wallet: what a member can spend, what ends soon, and what its points did."""

from litestar import Response
from litestar.handlers import HTTPRouteHandler

from coalition.kernel.database import transaction
from coalition.points import expiring, history
from member_ui.fees import DUE
from member_ui.visit import House, Visit, shown

_POSTINGS = 20


def routes(house: House) -> list[HTTPRouteHandler]:
    """Return the handler of the wallet."""
    return [shown(house, "/wallet", _wallet)]


async def _wallet(visit: Visit) -> Response[bytes]:
    terms = await visit.house.tills.terms()
    balance = await visit.house.tills.balance(visit.member)
    async with transaction() as connection:
        found = await history.list_latest_of_member(
            connection, visit.member, terms=terms, before=None, limit=_POSTINGS
        )
        ends = await expiring.of_member(connection, visit.member, terms=terms, at=visit.at)
    names = {partner.no: partner.name for partner in terms.catalogue.partners}
    membership = await visit.house.memberships.membership(visit.member, at=visit.at)
    fees = await visit.house.memberships.fees(visit.member, at=visit.at)
    return visit.page(
        "wallet.html",
        balance=balance,
        postings=[(names.get(no), view) for no, view in found],
        expiring=ends.expiring,
        membership=membership,
        owes=any(fee.state in DUE for fee in fees),
    )
