"""Where finance comes in: the operator's staff, by its own clients and scopes, under /v1/admin."""

from litestar.handlers import ASGIRouteHandler

from coalition.kernel.web.hot import Door
from partners.settlement.finance_acts import act_routes
from partners.settlement.finance_approvals import approval_routes
from partners.settlement.finance_book import book_routes
from partners.settlement.finance_clearing import clearing_routes
from partners.settlement.finance_defaults import default_routes
from partners.settlement.finance_passport import passport_routes
from partners.settlement.finance_statements import statement_routes


def routes(door: Door) -> list[ASGIRouteHandler]:
    """Return the handlers of everything that finance asks for and decides."""
    return [
        *book_routes(door),
        *statement_routes(door),
        *passport_routes(door),
        *act_routes(door),
        *clearing_routes(door),
        *default_routes(door),
        *approval_routes(door),
    ]
