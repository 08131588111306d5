"""All doors of memberships together, as the service opens them."""

from collections.abc import Sequence

from litestar.types import ControllerRouterHandler

from billing.doors import (
    campaign_admin,
    desk_admin,
    fee_doors,
    figure_doors,
    gift_doors,
    listing_admin,
    membership_admin,
    membership_doors,
    plan_admin,
    price_doors,
    public_doors,
    seat_doors,
    stripe_admin,
    till_doors,
    value_doors,
    withdrawal_doors,
)
from billing.subscriptions.service import Memberships
from coalition.kernel.settings import Settings
from coalition.kernel.web.hot import Door
from coalition.points.till import Tills


def routes(
    door: Door, tills: Tills, memberships: Memberships, settings: Settings
) -> Sequence[ControllerRouterHandler]:
    """Return the handlers of members, tills, visitors and staff."""
    return [
        *membership_doors.routes(door, memberships),
        *withdrawal_doors.routes(door, memberships),
        *gift_doors.routes(door, memberships),
        *price_doors.routes(door, memberships),
        *seat_doors.routes(door, memberships),
        *fee_doors.routes(door, memberships),
        *value_doors.routes(door),
        *till_doors.routes(door, tills, settings),
        *figure_doors.routes(door),
        *campaign_admin.routes(door, memberships, settings),
        *listing_admin.routes(door, memberships),
        *stripe_admin.routes(door, settings),
        *plan_admin.routes(door),
        *membership_admin.routes(door, memberships),
        *desk_admin.routes(door, memberships),
        *public_doors.routes(memberships),
    ]
