"""The options that a contract's terms and earning rules are written with."""

import functools
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

import rich_click as click

from coalition.federation.terms import ContractTerms, Mode
from server.founding import Earning


class Amount(click.ParamType[Decimal]):
    """A decimal number, such as 0.0100."""

    name = "amount"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Decimal:
        """Return the number that `value` writes."""
        try:
            return Decimal(str(value))
        except InvalidOperation:
            self.fail(f"{value!r} is not a decimal number such as 0.01", param, ctx)


class Roles(click.ParamType[frozenset[str]]):
    """What a partner does: issue, accept, or both with a comma between."""

    name = "roles"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> frozenset[str]:
        """Return the roles that `value` names."""
        roles = frozenset(role.strip() for role in str(value).split(","))
        if not roles <= {"issue", "accept"}:
            self.fail(f"{value!r} is neither issue nor accept nor issue,accept", param, ctx)
        return roles


class EarningText(click.ParamType[Earning | None]):
    """Points per amount, such as 2/1.00, or none."""

    name = "points/amount"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Earning | None:
        """Return the rule that `value` writes."""
        if isinstance(value, Earning) or value == "none":
            return value if isinstance(value, Earning) else None
        points, _, amount = str(value).partition("/")
        if not points.isascii() or not points.isdigit():
            self.fail(f"{value!r} is not points per amount, such as 2/1.00", param, ctx)
        return Earning(int(points), Amount().convert(amount or "1", param, ctx))


_OPTIONS = (
    click.option(
        "--currency", default="SEK", show_default=True, help="What it settles in (ISO 4217)."
    ),
    click.option(
        "--issue-price",
        type=Amount(),
        default="0.01",
        show_default=True,
        help="Money per point that it pays for points it issues.",
    ),
    click.option(
        "--redemption-price",
        type=Amount(),
        default="0.01",
        show_default=True,
        help="Money per point that it gets for points it takes.",
    ),
    click.option(
        "--service-fee",
        type=Amount(),
        default="0",
        show_default=True,
        help="Money per point that it pays the operator.",
    ),
    click.option(
        "--roles",
        type=Roles(),
        default="issue,accept",
        show_default=True,
        help="What it may do: issue, accept, or both with a comma between.",
    ),
    click.option(
        "--mode",
        type=click.Choice([mode.value for mode in Mode]),
        default=Mode.OPERATOR_FUND.value,
        show_default=True,
        help="Who pays for points, and when.",
    ),
    click.option(
        "--prefunded-share", type=Amount(), help="With the mode hybrid: above 0, below 1."
    ),
    click.option(
        "--expiry-months",
        type=click.IntRange(1, 600),
        help="Points end with the n-th month after they were earned.  [default: never]",
    ),
)


def terms_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give `command` the options of a contract; it gets the `terms` that they say."""

    @functools.wraps(command)
    def with_terms(
        *arguments: Any,  # Any: the command's own
        currency: str,
        issue_price: Decimal,
        redemption_price: Decimal,
        service_fee: Decimal,
        roles: frozenset[str],
        mode: str,
        prefunded_share: Decimal | None,
        expiry_months: int | None,
        **others: Any,
    ) -> None:
        terms = ContractTerms(
            currency=currency,
            issue_price=issue_price,
            redemption_price=redemption_price,
            service_fee_per_point=service_fee,
            issues="issue" in roles,
            accepts="accept" in roles,
            mode=Mode(mode),
            prefunded_share=prefunded_share,
            expiry_months=expiry_months,
        )
        command(*arguments, terms=terms, **others)

    return functools.reduce(lambda held, option: option(held), reversed(_OPTIONS), with_terms)
