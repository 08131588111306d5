"""What is judged by earning rules: a basket at a till, with what is known of its member."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

import msgspec

if TYPE_CHECKING:
    from coalition.points.bonuses.compiled import Rule

_NOTHING: Mapping[str, int] = {}


class Member(Protocol):
    """What a member is at an instant; can be hashed."""

    @property
    def tier(self) -> str | None:
        """Its tier."""
        ...

    @property
    def plan(self) -> str | None:
        """Its plan."""
        ...

    @property
    def segments(self) -> frozenset[str]:
        """The segments that it belongs to."""
        ...

    @property
    def flags(self) -> frozenset[str]:
        """The flags that it has."""
        ...


class Line(msgspec.Struct, frozen=True, gc=False):
    """One line of a receipt; `amount_minor` is that of the whole line."""

    no: int
    amount_minor: int
    category: str | None = None
    sku: str | None = None
    quantity: int = 1


class Basket(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Everything that the points of one purchase may depend on.

    `occurred_at` is aware; `local` is the same instant in the coalition's zone. The lines need not
    make up the whole amount. `personal` are bonuses that this member holds by itself.
    """

    partner_no: int
    occurred_at: datetime
    local: datetime
    currency: str
    amount_minor: int
    store: str | None = None
    lines: tuple[Line, ...] = ()
    measures: Mapping[str, int] = _NOTHING
    tier: str | None = None
    plan: str | None = None
    segments: frozenset[str] = frozenset()
    flags: frozenset[str] = frozenset()
    personal: "tuple[Rule, ...]" = ()
