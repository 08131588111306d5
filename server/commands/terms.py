"""The options that a contract's terms and earning rules are written with."""

import functools
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

import msgspec
import rich_click as click

from coalition.federation.terms import ContractTerms, ExpiryRule, Mode, ReversalPolicy
from server.commands import settlement_terms
from server.commands.settlement_terms import Amount, in_minor_units
from server.founding import Earning


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


_RENAMED: Final = {
    "service_fee": "service_fee_per_point",
    "notice_days": "expiry_notice_days",
}


class Days(click.ParamType[tuple[int, ...]]):
    """Numbers of days with a comma between, or none."""

    name = "days"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """Return the numbers that `value` writes."""
        if isinstance(value, tuple) or value == "none":
            return value if isinstance(value, tuple) else ()
        parts = [part.strip() for part in str(value).split(",")]
        if not all(part.isascii() and part.isdigit() for part in parts):
            self.fail(f"{value!r} is not days with a comma between, such as 30,7", param, ctx)
        return tuple(int(part) for part in parts)


_OPTIONS: Final[tuple[tuple[str, dict[str, Any]], ...]] = (  # Any: what click takes
    ("--currency", {"default": "SEK", "help": "What it settles in (ISO 4217)."}),
    (
        "--issue-price",
        {
            "type": Amount(),
            "default": "0.01",
            "help": "Money per point that it pays for points it issues.",
        },
    ),
    (
        "--redemption-price",
        {
            "type": Amount(),
            "default": "0.01",
            "help": "Money per point that it gets for points it takes.",
        },
    ),
    (
        "--service-fee",
        {
            "type": Amount(),
            "default": "0",
            "help": "Money per point that it pays the operator.",
        },
    ),
    (
        "--roles",
        {
            "type": Roles(),
            "default": "issue,accept",
            "help": "What it may do: issue, accept, or both with a comma between.",
        },
    ),
    (
        "--mode",
        {
            "type": click.Choice([mode.value for mode in Mode]),
            "default": Mode.OPERATOR_FUND.value,
            "help": "Who pays for points, and when.",
        },
    ),
    (
        "--prefunded-share",
        {"type": Amount(), "help": "With the mode hybrid: above 0, below 1."},
    ),
    (
        "--expiry-months",
        {
            "type": click.IntRange(0, 600),
            "default": 0,
            "help": "How many months after they were earned points end; 0 is never.",
        },
    ),
    (
        "--expiry-rule",
        {
            "type": click.Choice([rule.value for rule in ExpiryRule]),
            "help": "On which day points end: the same day of the month, the end of that month or "
            "of that year.  [default: end_of_month, or never without months]",
        },
    ),
    (
        "--inactivity-months",
        {
            "type": click.IntRange(0, 600),
            "default": 0,
            "help": "Points also end so many months after the member's last activity; 0 is never.",
        },
    ),
    (
        "--notice-days",
        {
            "type": Days(),
            "default": "none",
            "help": "How many days before points end their member is told, such as 30,7; or none.",
        },
    ),
    (
        "--reversal-policy",
        {
            "type": click.Choice([policy.value for policy in ReversalPolicy]),
            "default": ReversalPolicy.REFUSE.value,
            "help": "What becomes of an issue that is taken back when its points are spent.",
        },
    ),
    (
        "--recover-percent",
        {
            "type": click.IntRange(1, 100),
            "default": 100,
            "help": "How much of each later issue pays a debt, with the policy recover.",
        },
    ),
)
_ALL_OPTIONS: Final = (*_OPTIONS, *settlement_terms.OPTIONS)


def terms_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give `command` the options of a contract; it gets the `terms` that they say."""

    @functools.wraps(command)
    def with_terms(*arguments: Any, **given: Any) -> None:  # Any: also the command's own
        fields = _fields(given)
        terms = ContractTerms(**in_minor_units(fields, fields["currency"]))
        command(*arguments, terms=terms, **given)

    return _with_options(with_terms, has_defaults=True)


def changed_terms_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give `command` the same options, none of which must be given.

    It gets the `changes`: the fields of `ContractTerms` that the given ones say, with money as
    `settlement_terms.Major`.
    """

    @functools.wraps(command)
    def with_changes(*arguments: Any, **given: Any) -> None:  # Any: also the command's own
        changes = _fields(given)
        command(*arguments, changes=changes, **given)

    return _with_options(with_changes, has_defaults=False)


def _with_options(command: Callable[..., None], *, has_defaults: bool) -> Callable[..., None]:
    for name, facts in reversed(_ALL_OPTIONS):
        # Without its default an option that is not given is None, and its help shows no default.
        without = {"default": None, "show_default": False}
        kept = {"show_default": "default" in facts} | facts | ({} if has_defaults else without)
        command = click.option(name, **kept)(command)
    return command


def _fields(given: dict[str, Any]) -> dict[str, Any]:  # Any: values of several types
    """Take the options of a contract out of `given`; return the fields that they say."""
    options = [name.removeprefix("--").replace("-", "_") for name, _ in _OPTIONS]
    said = {name: value for name in options if (value := given.pop(name)) is not None}
    fields = {_RENAMED.get(name, name): value for name, value in said.items() if name != "roles"}
    if "roles" in said:
        fields |= {"issues": "issue" in said["roles"], "accepts": "accept" in said["roles"]}
    if "mode" in said:
        # The share follows from the mode, unless it is given with it.
        fields = {"prefunded_share": None} | fields | {"mode": Mode(said["mode"])}
    if "reversal_policy" in said:
        fields["reversal_policy"] = ReversalPolicy(said["reversal_policy"])
    if "inactivity_months" in said:
        fields["inactivity_months"] = said["inactivity_months"] or None
    return fields | _expiry(said) | settlement_terms.taken_from(given)


def _expiry(said: dict[str, Any]) -> dict[str, Any]:  # Any: values of several types
    """Return rule and months of the expiry; the rule follows from the months unless it is given."""
    fields: dict[str, Any] = {}  # Any: as above
    rule = ExpiryRule(said["expiry_rule"]) if "expiry_rule" in said else None
    if "expiry_months" in said:
        months = said["expiry_months"]
        # Of the end of the year 0 is a number of months; of every other rule it is none.
        is_number = months or rule is ExpiryRule.END_OF_YEAR
        fields = {"expiry_rule": None, "expiry_months": months if is_number else None}
    if rule is not None:
        fields["expiry_rule"] = rule
        if rule is ExpiryRule.NEVER and not said.get("expiry_months"):
            fields["expiry_months"] = None
    return fields


def shown_terms(terms: ContractTerms) -> dict[str, object]:
    """Return the terms as they are shown: prices without the zeros they are stored with."""
    shown = msgspec.to_builtins(_without_zeros(msgspec.structs.asdict(terms)))
    assert isinstance(shown, dict), "the fields of terms have names"
    return shown


def _without_zeros(value: object) -> object:
    """Return `value` with every decimal number in it as text, without the zeros at its end."""
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    if isinstance(value, msgspec.Struct):
        value = msgspec.structs.asdict(value)
    if isinstance(value, dict):
        return {name: _without_zeros(one) for name, one in value.items()}
    return tuple(_without_zeros(one) for one in value) if isinstance(value, tuple) else value
