"""The doors by which members sign in, and one member who does."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import httpx

from coalition.access import freshness, password_api, sign_in_api
from coalition.access.sign_in import SignIns
from coalition.access.signing_keys import ensure_signing_key
from coalition.kernel.clock import FixedClock
from coalition.kernel.database import transaction
from coalition.kernel.identity import TokenVerifier, audience_of
from coalition.kernel.ids import random_id
from coalition.kernel.web.application import build_application
from coalition.kernel.web.health import Readiness
from coalition.kernel.web.hot import Door
from coalition.kernel.web.metrics import Metrics
from coalition.ledger import holders
from server import people
from tests.access.world import ACTOR, ISSUER, SETTINGS
from tests.support.members import PASSWORD

EMAIL = "asa@exempel.example"


@dataclass
class Entrance:
    """The doors by which members sign in, and one member with an account."""

    clock: FixedClock
    verifier: TokenVerifier
    sign_ins: SignIns
    http: httpx.AsyncClient
    member: UUID

    @property
    def at(self) -> datetime:
        return self.clock.now()

    async def code(self, email: str = EMAIL, member: UUID | None = None) -> str:
        given = await self.sign_ins.give_code(member or self.member, email, actor=ACTOR, at=self.at)
        return given.code

    async def set_password(self, code: str, password: str = PASSWORD) -> httpx.Response:
        body = {"code": code, "password": password}
        return await self.http.post("/v1/sign-in/password", json=body)

    async def enter(self, password: str = PASSWORD, email: str = EMAIL) -> httpx.Response:
        return await self.http.post("/v1/sign-in", json={"email": email, "password": password})

    async def change(self, token: str, old: str, new: str) -> httpx.Response:
        body = {"old_password": old, "new_password": new}
        headers = {"authorization": f"Bearer {token}"}
        return await self.http.put("/v1/me/password", json=body, headers=headers)

    async def token(self) -> str:
        answer = await self.enter()
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])


async def open_entrance(at: datetime) -> Entrance:
    """Return the doors, with a member whose password is set."""
    clock = FixedClock(at)
    await ensure_signing_key(master_key=SETTINGS.master_key, at=at)
    verifier = TokenVerifier(issuer=ISSUER, audience=audience_of(ISSUER))
    await freshness.refresh(verifier, at)
    sign_ins = people.sign_ins(SETTINGS)
    door = Door(clock=clock, authenticate=verifier.verify)
    app = build_application(
        [*sign_in_api.routes(sign_ins), *password_api.routes(door, sign_ins, verifier)],
        readiness=Readiness({}),
        metrics=Metrics(),
        state={"clock": clock, "verifier": verifier},
    )
    http = httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=ISSUER)
    member = await new_member(at)
    found = Entrance(clock, verifier, sign_ins, http, member)
    assert (await found.set_password(await found.code())).status_code == 200
    return found


async def new_member(at: datetime) -> UUID:
    """Return a member who has an account and no login."""
    member = random_id()
    async with transaction() as connection:
        await holders.open_holders(connection, [member], at)
    return member


def assert_refused(answer: httpx.Response, status: int, code: str) -> None:
    """Assert that the door refused with `code`."""
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
