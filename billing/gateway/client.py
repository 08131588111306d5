"""Talks with Stripe, or with what speaks its HTTP: the one module that knows Stripe's library.

What writes takes a `key`, under which Stripe does it once however often it is asked. What fails in
passing (a lost connection, a time-out, 409, 429, 5xx) is asked again under the same key, then
raises `StripeUnavailable`; a no of Stripe raises `StripeRefused`. No call is made inside a
transaction.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import httpx
import stripe
import structlog

from billing.gateway.acts import Acts
from billing.gateway.calls import Params, Raw
from billing.gateway.listings import Listings
from billing.gateway.patience import PAUSES_S, Passing, patiently
from billing.gateway.refusals import StripeRefused, StripeUnavailable

API_VERSION = "2026-10-28.endive"
"""The version by which Stripe answers us, whatever the account's own is."""

TIMEOUT = httpx.Timeout(20.0, connect=5.0)

_logger = structlog.get_logger(__name__)


class _Wire(stripe.HTTPXClient):
    """How requests travel: over the network, or another way that the library knows no name for."""

    def __init__(self, transport: httpx.AsyncBaseTransport | None) -> None:
        super().__init__(timeout=TIMEOUT)
        if transport is not None:
            self._client_async = httpx.AsyncClient(transport=transport)

    def _get_request_args_kwargs(
        self, method: str, url: str, headers: Mapping[str, str], post_data: str | None
    ) -> list[Any]:  # Any: arguments by place and by name, as the library wants them
        # The library hands a body that is written already over as a form, which httpx warns of.
        return [
            (method, url),
            {"headers": headers, "content": post_data or b"", "timeout": TIMEOUT},
        ]


class Gateway(Acts, Listings):
    """Stripe as billing needs it: a few acts, and pictures of what is there."""

    def __init__(
        self,
        api_key: str,
        *,
        base: str | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        pauses_s: Sequence[float] = PAUSES_S,
    ) -> None:
        """Talk as the account of `api_key`; nothing is opened before the first call.

        `base` is another address than Stripe's, such as https://points.example/sandbox, and
        `transport` another way than the network, such as to an application in this process.
        """
        self.is_live = "_live_" in api_key
        self._pauses_s = pauses_s
        self._wire = _Wire(transport)
        self._stripe = stripe.StripeClient(
            api_key,
            stripe_version=API_VERSION,
            base_addresses={"api": base} if base else None,
            http_client=self._wire,
            max_network_retries=0,
        )

    async def close(self) -> None:
        """Give the connections back."""
        await self._wire.close_async()  # type: ignore[no-untyped-call]  # it returns nothing

    async def ask(self, method: str, path: str, asked: Params, key: str | None) -> Raw:
        """Ask by Stripe's library, which retries nothing itself: it would not retry a 429."""
        options: Raw = {"idempotency_key": key} if key else {}

        async def attempt() -> Raw:
            try:
                answer = await self._stripe.raw_request_async(method, path, **asked, **options)
            except stripe.StripeError as error:
                raise _judged(error) from error
            return cast("Raw", answer.data)

        try:
            return await patiently(attempt, self._pauses_s)
        except Passing as passing:
            failure = type(passing.cause).__name__
            _logger.warning("stripe_unavailable", method=method, path=path, error=failure)
            raise StripeUnavailable(retry_after_s=2) from passing


def _judged(error: stripe.StripeError) -> Exception:
    """Return what an error means for us: it passes, it is a no, or we are not let in."""
    status = error.http_status
    advice = error.headers.get("stripe-should-retry") if error.headers else None
    passes = (
        isinstance(error, stripe.APIConnectionError | stripe.RateLimitError)
        or status is None
        or status in {409, 429}
        or status >= 500
    )
    if (passes and advice != "false") or advice == "true":
        return Passing(error, _wait_s(error))
    if status in {401, 403}:
        _logger.error("stripe_key_refused", status=status)
        return StripeUnavailable("The payment service does not accept our key; tell the operator")
    told = error.error
    decline_code = None if told is None else told.to_dict().get("decline_code")
    return StripeRefused(error.code or _reason(error), decline_code, error.user_message or "")


def _reason(error: stripe.StripeError) -> str:
    body = error.json_body if isinstance(error.json_body, dict) else {}
    return str((body.get("error") or {}).get("type") or "invalid_request")


def _wait_s(error: stripe.StripeError) -> float | None:
    told = str((error.headers or {}).get("retry-after") or "")
    return float(told) if told.isdigit() else None
