"""Payments of a process: Stripe by its key, the sandbox where there is none, or nothing.

Service and worker share the sandbox's file. Both see its time, which the time machine moves on, and
either delivers its webhooks to our own intake, as Stripe would over the network.
"""

import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import httpx
from litestar.handlers import ASGIRouteHandler, asgi
from litestar.types import ControllerRouterHandler

from billing.gateway import intake as webhooks
from billing.gateway.client import Gateway
from billing.gateway.intake import Intake
from billing.gateway.refusals import PaymentsNotSetUp
from billing.plans.countries import Countries, shipped
from billing.subscriptions.service import Memberships
from coalition.kernel.clock import Clock, SystemClock
from coalition.kernel.errors import Refused
from coalition.kernel.settings import Settings
from coalition.members.sealing import MemberKeys
from server import country_files, house_clock
from server.house_clock import FILE

if TYPE_CHECKING:
    # Imported where it is mounted: who takes real money does without it, and without its memory.
    from billing.sandbox import Delivery, Sandbox

MOUNT = "/sandbox"

_SANDBOX_KEY = "sk_test_sandbox"
_LOOKS_AGAIN_S = 0.02
_HOUSE = "house"
"""The key of metadata by which the sandbox's endpoint for our own webhooks is known."""


class ShiftedClock:
    """A clock that is ahead of another by the sandbox's offset, looked at some times a second."""

    def __init__(self, clock: Clock, sandbox: "Sandbox") -> None:
        """Be ahead of `clock` as far as the sandbox is."""
        self._clock, self._sandbox = clock, sandbox
        self._offset, self._looked_at = timedelta(), float("-inf")

    def now(self) -> datetime:
        """Return the present instant of the house."""
        looks_at = time.monotonic()
        if looks_at - self._looked_at > _LOOKS_AGAIN_S:
            self._offset, self._looked_at = self._sandbox.offset, looks_at
        return self._clock.now() + self._offset


class NoStripe(Gateway):
    """What is there of Stripe where the operator has set nothing up: a no to everything."""

    def __init__(self) -> None:
        """Talk with nobody."""
        super().__init__("sk_test_nobody")

    async def ask(
        self, method: str, path: str, asked: Mapping[str, Any], key: str | None
    ) -> dict[str, Any]:
        """Refuse to ask."""
        del method, path, asked, key
        raise PaymentsNotSetUp


def is_set_up(gateway: Gateway) -> bool:
    """Tell whether there is a Stripe to talk with, be it the sandbox."""
    return not isinstance(gateway, NoStripe)


class Payments(NamedTuple):
    """What one process has of payments; `clock` is the time of the whole house."""

    memberships: Memberships
    gateway: Gateway
    intake: Intake
    clock: Clock
    sandbox: "Sandbox | None"

    def routes(self) -> Sequence[ControllerRouterHandler]:
        """Return the handlers of webhooks, and of the sandbox where it is mounted."""
        mounted = [] if self.sandbox is None else [_mount(self.sandbox)]
        return [webhooks.route(self.intake), *mounted]

    async def close(self) -> None:
        """Finish what came in, and give connections and files back."""
        await self.intake.finish()
        await self.gateway.close()
        if self.sandbox is not None:
            self.sandbox.close()


def open_payments(settings: Settings, clock: Clock) -> Payments:
    """Return the payments of a process; of all its parts the sandbox's file alone is opened."""
    keys, countries = MemberKeys.of(settings), countries_of(settings)
    if settings.stripe_sandbox:
        return _in_sandbox(settings, clock, keys, countries)
    gateway = NoStripe() if settings.stripe_key is None else Gateway(settings.stripe_key)
    secrets = (settings.stripe_webhook_secret or "").split(",")
    return Payments(
        memberships=Memberships(gateway, keys, home=settings.issuer, countries=countries),
        gateway=gateway,
        intake=Intake([one.strip() for one in secrets if one.strip()], clock=clock,
                      is_live=gateway.is_live),
        clock=clock,
        sandbox=None,
    )  # fmt: skip


def now(settings: Settings) -> datetime:
    """Return the present instant of the house: the sandbox's, where that is mounted and begun."""
    return SystemClock().now() + house_clock.ahead_of(settings)


def _in_sandbox(
    settings: Settings, clock: Clock, keys: MemberKeys, countries: Countries
) -> Payments:
    from billing.sandbox import Sandbox  # noqa: PLC0415 - see above

    assert settings.data_directory is not None, "the settings have refused that"
    post = _OwnPost()
    sandbox = Sandbox(
        settings.data_directory / FILE,
        now=clock.now,
        deliver=post,
        prefix=MOUNT,
        public_url=settings.issuer + MOUNT,
    )
    shifted = ShiftedClock(clock, sandbox)
    transport = httpx.ASGITransport(app=cast("Any", sandbox.application))
    gateway = Gateway(_SANDBOX_KEY, transport=transport)
    post.intake = Intake(
        secrets_of(sandbox, settings.issuer + webhooks.PATH), clock=shifted, is_live=False
    )
    return Payments(
        memberships=Memberships(gateway, keys, home=settings.issuer, countries=countries),
        gateway=gateway,
        intake=post.intake,
        clock=shifted,
        sandbox=sandbox,
    )


class _OwnPost:
    """Delivers the sandbox's webhooks to our own intake, signed as they are."""

    intake: Intake | None = None

    async def __call__(self, delivery: "Delivery") -> int:
        assert self.intake is not None, "it is set as soon as there is one"
        given = {name.lower(): value for name, value in delivery.headers.items()}
        try:
            await self.intake.take(given["stripe-signature"].encode(), delivery.body)
        except Refused as refused:
            return refused.status
        return 200


def secrets_of(sandbox: "Sandbox", url: str) -> list[str]:
    """Return what the sandbox signs our webhooks with; the first to ask makes the endpoint."""
    from billing.sandbox import webhook_endpoints  # noqa: PLC0415 - see above
    from billing.sandbox.requests import Params  # noqa: PLC0415 - see above

    with sandbox.store.transaction() as transaction:
        for endpoint in transaction.all("webhook_endpoint", {}):
            if endpoint["metadata"].get(_HOUSE):
                return [held["secret"] for held in endpoint["_secrets"]]
        wanted = {"url": url, "enabled_events": ["*"], "metadata": {_HOUSE: "own"}}
        made = webhook_endpoints.create(sandbox.world(transaction), Params(wanted))
        return [str(made["secret"])]


def countries_of(settings: Settings) -> Countries:
    """Return the terms of countries: the shipped ones, and the operator's own over them.

    Raises `BadDocumentError`, and `OSError` for a file that cannot be read.
    """
    if settings.countries is None:
        return shipped()
    return shipped().over(country_files.read(settings.countries))


def _mount(sandbox: "Sandbox") -> ASGIRouteHandler:
    return asgi(MOUNT, is_mount=True, copy_scope=True)(cast("Any", sandbox.application))
