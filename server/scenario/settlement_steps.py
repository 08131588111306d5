"""How a story is settled: one Struct per verb, told apart by `do`.

What needs two persons is prepared by one and approved by another in the same step.
"""

from decimal import Decimal
from typing import Annotated

import msgspec
from msgspec import Meta

from coalition.kernel.money import AMOUNT_MINOR_MAX
from coalition.kernel.web.fields import CurrencyCode
from server.scenario.names import Name
from server.scenario.till_steps import Happening

PeriodName = Annotated[
    str,
    Meta(
        pattern=r"^[0-9]{4}-([0-9]{2}(-H[12]|-[0-9]{2})?|W[0-9]{2})$",
        description="the name of a period, such as 2026-10, 2026-10-H1, 2026-W41 or 2026-10-02",
    ),
]
AmountMinor = Annotated[int, Meta(ge=1, le=AMOUNT_MINOR_MAX, description="in minor units")]


class Close(Happening, frozen=True, kw_only=True, tag="close"):
    """A period is sealed and closed by two persons: of `partner`, or of all who have one so named.

    Earlier periods of theirs in which nothing was charged are closed with it.
    """

    period: PeriodName
    partner: Name | None = None


class Net(Happening, frozen=True, kw_only=True, tag="net"):
    """Closed statements of these periods are netted, and the positions said since the last time."""

    periods: tuple[PeriodName, ...]


class Position(Happening, frozen=True, kw_only=True, tag="position"):
    """What one partner has to pay another, in the coalition's currency; `net` takes it alone."""

    from_partner: Name = msgspec.field(name="from")
    to_partner: Name = msgspec.field(name="to")
    amount_minor: AmountMinor


class Prepay(Happening, frozen=True, kw_only=True, tag="prepay"):
    """A partner pays in money beforehand, in the currency of its contract."""

    partner: Name
    amount_minor: AmountMinor


class MoneyRate(Happening, frozen=True, kw_only=True, tag="money_rate"):
    """From now on one unit of a currency of money is `rate` units of another."""

    from_currency: CurrencyCode = msgspec.field(name="from")
    to_currency: CurrencyCode = msgspec.field(name="to")
    rate: Decimal


class Default(Happening, frozen=True, kw_only=True, tag="default"):
    """A partner does not pay the last cycle in which it had to; the operator's reserve does.

    Of what is left after `reserve_minor`, and after what the partner has paid in beforehand, those
    who would have received bear their shares.
    """

    partner: Name
    reserve_minor: Annotated[int, Meta(ge=0, le=AMOUNT_MINOR_MAX)] = 0


class EndDefault(Happening, frozen=True, kw_only=True, tag="end_default"):
    """A partner is in default no more."""

    partner: Name
