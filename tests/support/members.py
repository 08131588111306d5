"""A member who has signed in, speaking to the service as its app would."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from uuid import UUID

import httpx

from coalition.access.sign_in import claims_of
from coalition.access.signing_keys import active_signing_key
from coalition.kernel.database import transaction
from coalition.kernel.ids import MemberId, random_hex
from coalition.kernel.settings import Settings
from coalition.messages import saying
from coalition.messages.saying import Words

PASSWORD = "four words of mine"


@dataclass
class App:
    """The app of one member."""

    member: UUID
    token: str
    http: httpx.AsyncClient
    _keys: "count[int]" = field(default_factory=count)

    async def post(
        self,
        address: str,
        body: object = None,
        *,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Send `body` as JSON under `key`, or under a new one."""
        sent = self.headers | {"idempotency-key": key or self.new_key()} | dict(headers or {})
        if body is None:
            return await self.http.post(address, headers=sent)
        return await self.http.post(address, json=body, headers=sent)

    async def get(self, address: str, **parameters: str | int) -> httpx.Response:
        """Ask for what is at `address`."""
        return await self.http.get(address, headers=self.headers, params=parameters or None)

    @property
    def headers(self) -> dict[str, str]:
        """The header that says who asks."""
        return {"authorization": f"Bearer {self.token}"}

    def new_key(self) -> str:
        """Return an idempotency key that was not used before."""
        return f"{self.member}-{next(self._keys)}"


async def told(member: UUID, at: datetime) -> str:
    """Let a member be told something; return the message's id."""
    words = Words(language="en", subject="News", body="There are some.")
    async with transaction() as connection:
        made = await saying.say(
            connection, words, member=MemberId(member), key=random_hex(), kind="test", at=at
        )
    return str(made)


async def open_app(http: httpx.AsyncClient, member: UUID, settings: Settings, at: datetime) -> App:
    """Return the app of a member who gave its password at `at`."""
    async with transaction() as connection:
        key = await active_signing_key(connection, master_key=settings.master_key, at=at)
    return App(member, key.sign(claims_of(member, issuer=settings.issuer, at=at)), http)
