"""What makes names and contract terms valid: pure, and every complaint says what would be right."""

import contextlib
import re
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from coalition.federation import settlement_rules
from coalition.federation.refusals import (
    InvalidMoneyRate,
    InvalidName,
    InvalidStoreCode,
    InvalidTerms,
    UnknownTimezone,
)
from coalition.federation.settlement_rules import (
    PERCENT_MAX,
    PRICE_LIMIT,
    PRICE_PLACES,
    SHARE_PLACES,
    is_held_by,
)
from coalition.federation.terms import ContractTerms, ExpiryRule, Mode
from coalition.kernel.money import CURRENCIES, exponent

NAME_LENGTH_MAX = 200
EXPIRY_MONTHS_MAX = 600
GRACE_DAYS_MAX = 3650
NOTICE_DAYS_MAX = 365
FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2099, 12, 31)

_OF_THIS_MACHINE = "localtime"
_STORE_CODE = re.compile(r"[A-Za-z0-9._-]{1,32}")
_SHARES = {Mode.OPERATOR_FUND: Decimal(1), Mode.ISSUER_ON_REDEMPTION: Decimal(0)}


def valid_name(name: str) -> str:
    """Return `name` without outer spaces; refuse an empty, long or unprintable one."""
    trimmed = name.strip()
    if not 1 <= len(trimmed) <= NAME_LENGTH_MAX or not trimmed.isprintable():
        raise InvalidName
    return trimmed


def valid_store_code(code: str) -> str:
    """Return `code` as it is; refuse one that a receipt could not carry."""
    if not _STORE_CODE.fullmatch(code):
        raise InvalidStoreCode(store=code[:64])
    return code


def zone_named(timezone: str) -> ZoneInfo:
    """Return the zone with this IANA name; refuse an unknown one, and the machine's own."""
    with contextlib.suppress(ZoneInfoNotFoundError, ValueError, OSError):
        if timezone != _OF_THIS_MACHINE:
            return ZoneInfo(timezone)
    raise UnknownTimezone(
        f"{timezone[:64]!r} is not a known time zone; use an IANA name such as Europe/Stockholm"
    )


def valid_day(day: date) -> date:
    """Return `day`; refuse one outside the years that the ledger counts in."""
    if not FIRST_DAY <= day <= LAST_DAY:
        raise InvalidTerms(
            f"A contract begins between {FIRST_DAY} and {LAST_DAY}",
            errors=[{"pointer": "/valid_from", "detail": f"{FIRST_DAY} to {LAST_DAY}"}],
        )
    return day


def valid_money_rate(from_currency: str, to_currency: str, rate: Decimal) -> Decimal:
    """Return `rate` at nine places; refuse one that is none, or not between two currencies."""
    for currency in (from_currency, to_currency):
        exponent(currency)
    if from_currency == to_currency:
        raise InvalidMoneyRate("A rate is between two currencies; name two")
    if rate == 0 or not is_held_by(rate, places=PRICE_PLACES, limit=PRICE_LIMIT):
        raise InvalidMoneyRate
    return rate.quantize(PRICE_PLACES)


def today_in(zone: ZoneInfo, at: datetime) -> date:
    """Return the calendar day in `zone` at the aware instant `at`."""
    return at.astimezone(zone).date()


def expiry_rule(terms: ContractTerms) -> ExpiryRule:
    """Return the named rule by which points of these terms expire."""
    if terms.expiry_rule is not None:
        return terms.expiry_rule
    return ExpiryRule.NEVER if terms.expiry_months is None else ExpiryRule.END_OF_MONTH


def settled_terms(terms: ContractTerms) -> ContractTerms:
    """Return the terms as they are written down: share by mode, prices at the ledger's nine places.

    Refuses with `InvalidTerms`, naming every problem at once.
    """
    problems = [{"pointer": f"/{field}", "detail": detail} for field, detail in _problems(terms)]
    if problems:
        raise InvalidTerms("; ".join(found["detail"] for found in problems), errors=problems)
    # A signed contract is also terms; only its terms go into another version.
    plain = {field: getattr(terms, field) for field in ContractTerms.__struct_fields__}
    return msgspec.structs.replace(
        ContractTerms(**plain),
        issue_price=terms.issue_price.quantize(PRICE_PLACES),
        redemption_price=terms.redemption_price.quantize(PRICE_PLACES),
        service_fee_per_point=terms.service_fee_per_point.quantize(PRICE_PLACES),
        prefunded_share=share_of(terms).quantize(SHARE_PLACES),
        expiry_rule=expiry_rule(terms),
        expiry_notice_days=tuple(sorted(terms.expiry_notice_days, reverse=True)),
        **settlement_rules.settled(terms),
    )


def share_of(terms: ContractTerms) -> Decimal:
    """Return the share of the issue price that is paid at issue, 0..1."""
    if terms.prefunded_share is not None:
        return terms.prefunded_share
    return _SHARES[terms.mode]


def _problems(terms: ContractTerms) -> Iterator[tuple[str, str]]:
    if not (terms.issues or terms.accepts):
        yield "issues", "a partner issues points, accepts them, or both"
    if terms.currency not in CURRENCIES:
        yield "currency", "the currency is an ISO 4217 code such as SEK, NOK or EUR"
    for field in ("issue_price", "redemption_price", "service_fee_per_point"):
        price = getattr(terms, field)
        if not is_held_by(price, places=PRICE_PLACES, limit=PRICE_LIMIT):
            yield field, f"{field} is at least 0, below {PRICE_LIMIT}, with at most nine decimals"
    yield from _share_problems(terms)
    yield from _expiry_problems(terms)
    if not 1 <= terms.recover_percent <= PERCENT_MAX:
        yield "recover_percent", f"recover_percent is 1 to {PERCENT_MAX}"
    if not 0 <= terms.return_grace_days <= GRACE_DAYS_MAX:
        yield "return_grace_days", f"return_grace_days is 0 to {GRACE_DAYS_MAX}"
    yield from settlement_rules.problems(terms)


def _expiry_problems(terms: ContractTerms) -> Iterator[tuple[str, str]]:
    rule, months = expiry_rule(terms), terms.expiry_months
    least = 0 if rule == ExpiryRule.END_OF_YEAR else 1
    if rule == ExpiryRule.NEVER:
        if months is not None:
            yield "expiry_months", "points that never expire have no expiry_months; leave them out"
    elif months is None or not least <= months <= EXPIRY_MONTHS_MAX:
        yield "expiry_months", f"with {rule} expiry_months is {least} to {EXPIRY_MONTHS_MAX}"
    inactivity = terms.inactivity_months
    if inactivity is not None and not 1 <= inactivity <= EXPIRY_MONTHS_MAX:
        yield "inactivity_months", f"inactivity_months is 1 to {EXPIRY_MONTHS_MAX}, or none"
    days = terms.expiry_notice_days
    if len(set(days)) < len(days) or not all(1 <= day <= NOTICE_DAYS_MAX for day in days):
        yield "expiry_notice_days", f"expiry_notice_days are 1 to {NOTICE_DAYS_MAX}, each once"


def _share_problems(terms: ContractTerms) -> Iterator[tuple[str, str]]:
    share, field = terms.prefunded_share, "prefunded_share"
    if terms.mode == Mode.HYBRID:
        if (
            share is None
            or not is_held_by(share, places=SHARE_PLACES, limit=Decimal(1))
            or share == 0
        ):
            yield (
                field,
                "hybrid asks for a prefunded_share between 0 and 1, with at most six decimals",
            )
    elif share is not None and share != _SHARES[terms.mode]:
        yield field, f"{terms.mode} has the prefunded_share {_SHARES[terms.mode]}; leave it out"
