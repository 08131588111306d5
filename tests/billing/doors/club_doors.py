"""The club behind its doors: members' apps, staff's desks and visitors, over HTTP."""

from dataclasses import dataclass, replace
from datetime import datetime

import httpx

from billing.doors import (
    campaign_admin,
    desk_admin,
    fee_doors,
    gift_doors,
    listing_admin,
    membership_admin,
    membership_doors,
    plan_admin,
    price_doors,
    public_doors,
    seat_doors,
    stripe_admin,
    value_doors,
    withdrawal_doors,
)
from billing.gateway import intake
from coalition.access import freshness
from coalition.access.signing_keys import ensure_signing_key
from coalition.kernel.identity import TokenVerifier, audience_of
from coalition.kernel.ids import MemberId
from coalition.kernel.web.application import build_application
from coalition.kernel.web.health import Readiness
from coalition.kernel.web.hot import Door
from coalition.kernel.web.metrics import Metrics
from tests.billing.memberships.world import Club, make_club
from tests.support.http import ISSUER, SETTINGS, Desk, open_desk
from tests.support.members import App, open_app

TAKES_PAYMENTS = replace(SETTINGS, stripe_key="sk_test_none")


@dataclass
class ClubDoors:
    """A club, and what comes in by its doors."""

    club: Club
    http: httpx.AsyncClient

    async def app(self, member: MemberId) -> App:
        """Return the app of a member who has signed in now."""
        return await open_app(self.http, member, SETTINGS, self.club.now())

    async def desk(self, *scopes: str) -> Desk:
        """Return a desk of the operator's staff."""
        return await open_desk(self.http, self.club.now(), scopes)


async def open_doors(at: datetime) -> ClubDoors:
    """Return a club that sells plans, served."""
    club = await make_club(at)
    await ensure_signing_key(master_key=SETTINGS.master_key, at=at)
    verifier = TokenVerifier(issuer=ISSUER, audience=audience_of(ISSUER))
    await freshness.refresh(verifier, at)
    door = Door(clock=club, authenticate=verifier.verify)
    application = build_application(
        [
            *membership_doors.routes(door, club.memberships),
            *gift_doors.routes(door, club.memberships),
            *withdrawal_doors.routes(door, club.memberships),
            *price_doors.routes(door, club.memberships),
            *seat_doors.routes(door, club.memberships),
            *fee_doors.routes(door, club.memberships),
            *public_doors.routes(club.memberships),
            *value_doors.routes(door),
            *campaign_admin.routes(door, club.memberships, TAKES_PAYMENTS),
            *listing_admin.routes(door, club.memberships),
            *stripe_admin.routes(door, TAKES_PAYMENTS),
            *plan_admin.routes(door),
            *membership_admin.routes(door, club.memberships),
            *desk_admin.routes(door, club.memberships),
            intake.route(club.intake),
        ],
        readiness=Readiness({}),
        metrics=Metrics(),
        state={"settings": SETTINGS, "clock": club, "verifier": verifier},
    )
    transport = httpx.ASGITransport(app=application)
    return ClubDoors(club, httpx.AsyncClient(transport=transport, base_url=ISSUER))
