"""The options of a contract that say how it is settled: fees, VAT, calendar, credit."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import msgspec
import rich_click as click

from coalition.federation.refusals import InvalidTerms
from coalition.federation.terms import (
    VAT_CODE,
    VAT_KINDS,
    Calendar,
    CreditMode,
    OnDefault,
    Payment,
    RefundOrder,
    Vat,
    VolumeStep,
)
from coalition.kernel.money import exponent

_NO_MARK: Final = "none"


class Major(msgspec.Struct, frozen=True):
    """Money in major units, until its currency is known."""

    amount: Decimal


_POWER_MOST = 100
"""What is larger or finer by so many places is no amount of anything."""


class Amount(click.ParamType[Decimal]):
    """A decimal number, such as 0.0100."""

    name = "amount"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Decimal:
        """Return the number that `value` writes."""
        try:
            number = Decimal(str(value))
        except InvalidOperation:
            number = Decimal("NaN")
        if not number.is_finite() or abs(number.adjusted()) > _POWER_MOST:
            self.fail(f"{value!r} is not a decimal number such as 0.01", param, ctx)
        return number


class MajorText(click.ParamType[Major]):
    """Money in major units, such as 100.00."""

    name = "money"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Major:
        """Return the money that `value` writes."""
        return value if isinstance(value, Major) else Major(Amount().convert(value, param, ctx))


class MarkText(click.ParamType[Major | str]):
    """Money in major units, or the word none."""

    name = "money"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Major | str:
        """Return the money that `value` writes, or the word."""
        return _NO_MARK if value == _NO_MARK else MajorText().convert(value, param, ctx)


class StepText(click.ParamType[VolumeStep | None]):
    """From how many points which fee per point, such as 1000000:0.0006, or none."""

    name = "points:fee"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> VolumeStep | None:
        """Return the step that `value` writes."""
        if isinstance(value, VolumeStep) or value == "none":
            return value if isinstance(value, VolumeStep) else None
        points, _, fee = str(value).partition(":")
        if not (points.isascii() and points.isdigit()):
            self.fail(f"{value!r} is not points and fee, such as 1000000:0.0006", param, ctx)
        return VolumeStep(from_points=int(points), fee_per_point=Amount().convert(fee, param, ctx))


class VatText(click.ParamType[tuple[str, Vat] | None]):
    """The rate, or code and rate, of a kind of charge: service_fee=0.25, issuance=E:0, or none."""

    name = "kind=rate"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, Vat] | None:
        """Return kind and VAT that `value` writes."""
        if isinstance(value, tuple) or value == "none":
            return value if isinstance(value, tuple) else None
        kind, _, written = str(value).partition("=")
        if kind not in VAT_KINDS:
            kinds = ", ".join(VAT_KINDS)
            self.fail(f"{value!r} is no KIND=RATE, such as service_fee=0.25: {kinds}", param, ctx)
        code, _, rate = written.rpartition(":")
        return kind, Vat(code=code or VAT_CODE, rate=Amount().convert(rate, param, ctx))


class CreditText(click.ParamType[tuple[CreditMode, Major | None]]):
    """How credit is limited: none, warn:10000.00, block:10000.00 or prepaid."""

    name = "credit"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[CreditMode, Major | None]:
        """Return mode and limit that `value` writes."""
        if isinstance(value, tuple):
            return value
        word, _, limit = str(value).partition(":")
        if word not in {mode.value for mode in CreditMode}:
            text = f"{value!r} is not none, warn:AMOUNT, block:AMOUNT or prepaid"
            self.fail(text, param, ctx)
        return CreditMode(word), Major(Amount().convert(limit, param, ctx)) if limit else None


def _choice(words: type[Calendar | RefundOrder | Payment | OnDefault]) -> click.Choice[str]:
    return click.Choice([word.value for word in words])


OPTIONS: Final[tuple[tuple[str, dict[str, Any]], ...]] = (  # Any: what click takes
    (
        "--service-fee-percent",
        {
            "type": Amount(),
            "default": "0",
            "help": "Percent of the issue amount that it pays the operator, beside the fee per "
            "point.",
        },
    ),
    (
        "--volume-step",
        {
            "type": StepText(),
            "multiple": True,
            "help": "From how many points in a period which fee per point holds instead; may be "
            "given several times, and replaces all there were.",
        },
    ),
    (
        "--fixed-fee",
        {"type": MajorText(), "default": "0", "help": "Money that it pays for each period."},
    ),
    (
        "--minimum-fee",
        {
            "type": MajorText(),
            "default": "0",
            "help": "What the fees of a period come to at least.",
        },
    ),
    (
        "--vat",
        {
            "type": VatText(),
            "multiple": True,
            "help": "VAT beside a kind of charge: KIND=RATE or KIND=CODE:RATE, such as "
            "service_fee=0.25; may be given several times, and replaces all there was.",
        },
    ),
    (
        "--calendar",
        {
            "type": _choice(Calendar),
            "default": Calendar.MONTHLY.value,
            "help": "How long a settlement period is.",
        },
    ),
    (
        "--grace-hours",
        {
            "type": click.IntRange(0, 744),
            "default": 0,
            "help": "How long after its end a period takes what comes in late.",
        },
    ),
    (
        "--payment",
        {
            "type": _choice(Payment),
            "default": Payment.NET.value,
            "help": "Whether what it owes and what it is owed are paid as one amount.",
        },
    ),
    (
        "--payment-days",
        {"type": click.IntRange(0, 366), "default": 30, "help": "In how many days it pays."},
    ),
    (
        "--breakage-share",
        {
            "type": Amount(),
            "default": "0",
            "help": "Its share (0 to 1) of what it had paid for points that nobody spent.",
        },
    ),
    (
        "--credit",
        {
            "type": CreditText(),
            "default": "none",
            "help": "How what it owes is limited: none, warn:AMOUNT, block:AMOUNT or prepaid.",
        },
    ),
    (
        "--low-water",
        {
            "type": MarkText(),
            "default": _NO_MARK,
            "help": "Finance is told when less than this is left of limit or prepaid money.",
        },
    ),
    (
        "--on-default",
        {
            "type": _choice(OnDefault),
            "default": OnDefault.HONOUR.value,
            "help": "What becomes of its points when it does not pay.",
        },
    ),
    (
        "--refund-order",
        {
            "type": _choice(RefundOrder),
            "default": RefundOrder.REVERSE.value,
            "help": "To which lots a partial return of points spent here goes back.",
        },
    ),
)

_WORDS: Final = {
    "calendar": Calendar,
    "payment": Payment,
    "on_default": OnDefault,
    "refund_order": RefundOrder,
}
_RENAMED: Final = {
    "fixed_fee": "fixed_fee_minor",
    "minimum_fee": "minimum_fee_minor",
    "low_water": "low_water_minor",
    "grace_hours": "cut_off_grace_hours",
}


def taken_from(given: dict[str, Any]) -> dict[str, Any]:  # Any: values of several types
    """Take these options out of `given`; return the fields of `ContractTerms` that they say.

    Money in it is `Major`, until `in_minor_units`.
    """
    names = [name.removeprefix("--").replace("-", "_") for name, _ in OPTIONS]
    # What may be given several times is empty, and not None, when it is not given.
    said = {name: value for name in names if (value := given.pop(name)) not in (None, ())}
    fields = {_RENAMED.get(name, name): value for name, value in said.items()}
    if fields.get("low_water_minor") == _NO_MARK:
        fields["low_water_minor"] = None
    fields |= {name: word(fields[name]) for name, word in _WORDS.items() if name in fields}
    if "volume_step" in fields:
        fields["volume_steps"] = tuple(step for step in fields.pop("volume_step") if step)
    if "vat" in fields:
        fields["vat"] = dict(one for one in fields["vat"] if one)
    if "credit" in fields:
        fields["credit_mode"], fields["credit_limit_minor"] = fields.pop("credit")
    return fields


def in_minor_units(fields: Mapping[str, Any], currency: str) -> dict[str, Any]:  # Any: as above
    """Return `fields` with all money in minor units of `currency`.

    Raises `InvalidTerms` for an amount with more decimals than the currency has, or
    `UnknownCurrency`.
    """
    return {
        field: _minor(field, value.amount, currency) if isinstance(value, Major) else value
        for field, value in fields.items()
    }


def _minor(field: str, amount: Decimal, currency: str) -> int:
    places = exponent(currency)
    minor = amount.scaleb(places)
    if not minor.is_finite() or minor != minor.to_integral_value():
        name = field.removesuffix("_minor")
        detail = f"{name} is an amount in {currency}, with at most {places} decimals"
        raise InvalidTerms(detail, errors=[{"pointer": f"/{field}", "detail": detail}])
    return int(minor)
