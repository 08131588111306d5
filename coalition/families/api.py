"""Where members come in to families: transfers, groups, invitations, wards, kin."""

from litestar.handlers import ASGIRouteHandler

from coalition.families.doors import (
    act_doors,
    group_doors,
    kin_doors,
    place_doors,
    transfer_doors,
    ward_doors,
)
from coalition.families.groups.groups import Groups
from coalition.families.transfers.transferring import Transfers
from coalition.kernel.web.hot import Door
from coalition.members.sealing import MemberKeys


def routes(
    door: Door, transfers: Transfers, groups: Groups, keys: MemberKeys
) -> list[ASGIRouteHandler]:
    """Return the handlers of everything that members do in families."""
    return [
        *transfer_doors.routes(door, transfers, groups, keys),
        *group_doors.routes(door, groups, keys),
        *place_doors.routes(door, groups),
        *act_doors.routes(door, groups),
        *ward_doors.routes(door, groups),
        *kin_doors.routes(door, groups, keys),
    ]
