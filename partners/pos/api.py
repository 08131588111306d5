"""Where tills come in: all addresses of points, postings and members."""

from litestar.handlers import ASGIRouteHandler

from coalition.kernel.settings import Settings
from coalition.kernel.web.hot import Door
from coalition.members.sealing import MemberKeys
from coalition.points.till import Tills
from partners.pos.acts import act_routes
from partners.pos.consents import consent_routes
from partners.pos.conversions import conversion_routes
from partners.pos.lookups import lookup_routes
from partners.pos.people import people_routes


def routes(door: Door, tills: Tills, settings: Settings) -> list[ASGIRouteHandler]:
    """Return the handlers of everything that a till asks for, one request at a time."""
    keys = MemberKeys.of(settings)
    return [
        *act_routes(door, tills),
        *conversion_routes(door, tills, settings.blind_index_key),
        *lookup_routes(door, tills),
        *people_routes(door, tills, keys),
        *consent_routes(door, tills),
    ]
