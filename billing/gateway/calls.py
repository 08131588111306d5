"""What acts and readings are made of: one call to Stripe, and all pages of a list."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any

Raw = dict[str, Any]  # Any: JSON of Stripe, read by `mapping`
Params = Mapping[str, Any]  # Any: parameters of one call, as Stripe's library takes them

PAGE = 100
"""How many objects of a list come at once; Stripe gives no more."""


class Calls(ABC):
    """Whoever can call Stripe."""

    @abstractmethod
    async def ask(self, method: str, path: str, asked: Params, key: str | None) -> Raw:
        """Return what Stripe answers, asked again under the same `key` while a failure may pass.

        Raises `StripeUnavailable`, `StripeRefused`.
        """

    async def post(self, key: str | None, path: str, asked: Params) -> Raw:
        """Do something; without a `key` it must do no harm twice."""
        return await self.ask("post", path, asked, key)

    async def get(self, path: str, asked: Params | None = None) -> Raw:
        """Return what is at `path`."""
        return await self.ask("get", path, asked or {}, None)

    async def pages(self, path: str, asked: Params) -> AsyncIterator[Raw]:
        """Yield the objects of a list, page by page."""
        after: Raw = {}
        while True:
            page = await self.get(path, {**asked, "limit": PAGE, **after})
            for one in page["data"]:
                yield one
            if not page.get("has_more") or not page["data"]:
                return
            after = {"starting_after": page["data"][-1]["id"]}


def seconds(at: datetime) -> int:
    """Return a time as Stripe counts it, in whole seconds since 1970."""
    return int(at.timestamp())
