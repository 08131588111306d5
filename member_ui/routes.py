"""Every page of members, put together."""

from litestar.handlers import HTTPRouteHandler

from member_ui import giving, leaving, membership, shop, signing_in, wallet
from member_ui.visit import House
from pages import assets


def routes(house: House) -> list[HTTPRouteHandler]:
    """Return the handlers of all pages, with the files that they load."""
    made = [part.routes(house) for part in (signing_in, wallet, shop, membership, leaving, giving)]
    return [*assets.routes(), *(handler for handlers in made for handler in handlers)]
