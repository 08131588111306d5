"""Every page of members, put together."""

from litestar.handlers import HTTPRouteHandler

from member_ui import fees, giving, leaving, membership, messages, sharing, shop, signing_in, wallet
from member_ui.visit import House
from pages import assets


def routes(house: House) -> list[HTTPRouteHandler]:
    """Return the handlers of all pages, with the files that they load."""
    parts = (signing_in, wallet, shop, membership, sharing, leaving, giving, fees, messages)
    made = [part.routes(house) for part in parts]
    return [*assets.routes(), *(handler for handlers in made for handler in handlers)]
