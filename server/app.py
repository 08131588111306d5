"""The service: every door put together on one database, one clock and one verifier of tokens."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from billing.doors import every_door
from coalition.access import api as access
from coalition.access import freshness, password_api, sign_in_api
from coalition.access.sessions import Sessions
from coalition.access.signing_keys import ensure_signing_key
from coalition.access.tokens import TOKEN_PATH
from coalition.families import api as families
from coalition.families.doors import admin_api as rule_sets
from coalition.families.doors import family_admin
from coalition.families.groups.groups import Groups
from coalition.families.pools.pooling import FamilyPools
from coalition.families.transfers.transferring import Transfers
from coalition.kernel.clock import Clock, SystemClock
from coalition.kernel.database import open_database
from coalition.kernel.identity import EVERY_SCOPE, TokenVerifier, audience_of
from coalition.kernel.settings import Settings
from coalition.kernel.web.api_pages import api_pages
from coalition.kernel.web.application import build_application
from coalition.kernel.web.health import Readiness, database_checks
from coalition.kernel.web.hot import Door
from coalition.kernel.web.metrics import Metrics
from coalition.kernel.web.observation import Application
from coalition.members.sealing import MemberKeys
from coalition.messages import my_doors as messages
from coalition.oversight import api as oversight
from coalition.points import my_doors
from coalition.points.till import Tills
from member_ui import routes as member_ui
from member_ui.troubles import page_of
from member_ui.visit import House
from partners.batches import api as batches
from partners.pos import api as pos
from partners.settlement import api as settlement
from partners.statements import api as statements
from server import payments, people
from server.apps import APPS
from server.gauges import Watch
from server.payments import Payments

_DESCRIPTION = (
    "Partners issue points to members and take them as payment. Points are whole numbers, money is "
    "in minor units with its currency, times are RFC 3339. Every POST that writes needs an "
    "Idempotency-Key: the same key with the same body gets the first answer again."
)
_STATEMENT_TIMEOUT_S = 30.0
"""How long a statement may take that somebody waits for; large batches have the longest."""
_SCOPE_TEXTS = {
    "points:issue": "Give points, take them back, read own postings",
    "points:redeem": "Take points as payment, hold them",
    "members:read": "Look members up",
    "members:write": "Enrol members",
    "statements:read": "Read own statements",
    "batches:write": "Send batches",
    "webhooks:manage": "Manage webhooks",
    "settlement:read": "Staff: read periods, statements and the money book of all partners",
    "settlement:prepare": "Staff: seal periods, prepare closes, adjustments and clearing",
    "settlement:approve": "Staff: approve or reject, as the second person, what others prepared",
    "audit:read": "Staff: read the audit log",
    "rules:read": "Staff: read the rule sets of families and transfers",
    "rules:prepare": "Staff: propose rule sets, and what runs under them",
    "rules:approve": "Staff: approve or reject, as the second person, rule sets others proposed",
    "families:read": "Staff: see families, transfers and who sends in rings",
    "families:decide": "Staff: decide of transfers that wait for the operator, ask for evidence",
    "memberships:read": "Staff: see plans, memberships and what waits of them",
    "memberships:prepare": "Staff: propose plans, campaigns, grants, refunds; cancel for members",
    "memberships:approve": "Staff: approve or reject, as the second person, what others proposed",
}


@dataclass(frozen=True)
class Service:
    """One process that serves: `application` answers while `running` is entered."""

    application: Application
    settings: Settings
    clock: Clock
    verifier: TokenVerifier
    tills: Tills
    transfers: Transfers
    readiness: Readiness
    metrics: Metrics
    payments: Payments

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Open the database, learn whom to trust and stay up to date until the block ends.

        The database has its migrations. Every request so far is answered before it ends. Raises
        `SealBrokenError` for a master key of another database, and what `open_database` raises.
        """
        engine = await open_database(
            self.settings.database_url,
            apps=APPS,
            pool_size=self.settings.pool_size,
            statement_cache_size=self.settings.statement_cache_size,
            statement_timeout_s=_STATEMENT_TIMEOUT_S,
        )
        try:
            at = self.clock.now()
            await ensure_signing_key(master_key=self.settings.master_key, at=at)
            await freshness.refresh(self.verifier, at)
            refreshing = asyncio.create_task(freshness.keep_fresh(self.verifier, self.clock))
            try:
                yield
            finally:
                refreshing.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await refreshing
                await self.tills.finish()
                await self.transfers.finish()
                await self.payments.close()
        finally:
            await engine.close()


def create_service(
    settings: Settings, *, clock: Clock | None = None, log_all: bool = False
) -> Service:
    """Put the service together; only the sandbox's file is opened before `running` is entered."""
    paying = payments.open_payments(settings, clock if clock is not None else SystemClock())
    clock = paying.clock
    verifier = TokenVerifier(issuer=settings.issuer, audience=audience_of(settings.issuer))
    keys, sign_ins = MemberKeys.of(settings), people.sign_ins(settings)
    pools = FamilyPools(keys=keys)
    transfers, groups = Transfers(keys=keys, clock=clock), Groups(keys=keys)
    tills = Tills(card_key=settings.blind_index_key, clock=clock, pools=pools)
    door = Door(clock=clock, authenticate=verifier.verify)
    readiness = Readiness(database_checks(APPS))
    metrics = Metrics()
    Watch(clock).register(metrics)
    house = House(
        settings=settings,
        clock=clock,
        sign_ins=sign_ins,
        sessions=Sessions(sign_ins),
        memberships=paying.memberships,
        tills=tills,
        keys=keys,
    )
    application = build_application(
        [
            *access.ROUTES,
            *sign_in_api.routes(sign_ins),
            *password_api.routes(door, sign_ins, verifier),
            *pos.routes(door, tills, settings),
            *batches.routes(door, tills, settings),
            *settlement.routes(door),
            *oversight.routes(door),
            *rule_sets.routes(door),
            *my_doors.routes(door, tills, keys),
            *messages.routes(door),
            *families.routes(door, transfers, groups, keys),
            *family_admin.routes(door, transfers, groups),
            *statements.routes(door, tills),
            *every_door.routes(door, tills, paying.memberships, settings),
            *paying.routes(),
            *member_ui.routes(house),
        ],
        readiness=readiness,
        metrics=metrics,
        pages=api_pages(
            title="Coalition",
            version="1",
            description=_DESCRIPTION,
            token_url=TOKEN_PATH,
            scopes={scope: _SCOPE_TEXTS[scope] for scope in EVERY_SCOPE},
        ),
        state={"settings": settings, "clock": clock, "verifier": verifier},
        max_body_bytes=settings.request_body_max_bytes,
        log_all=log_all,
        page_of=page_of(house),
    )
    return Service(
        application, settings, clock, verifier, tills, transfers, readiness, metrics, paying
    )
