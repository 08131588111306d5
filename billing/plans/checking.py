"""Finds what is wrong with a plan beyond its form, and names its partners by number."""

import re
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal

import msgspec

from billing.plans.documents import (
    Benefit,
    EarnMultiplier,
    FreeShipping,
    PartnerDiscount,
    PlanDocument,
)
from coalition.kernel.money import CURRENCIES
from coalition.points.bonuses.checking import Complaint, Known, Path

FACTOR_MOST = 100
WORDS = ("operator", "issuer")
"""Funders that are no partner: the operator, and whoever sells."""

_FACTOR = re.compile(r"[0-9]{1,3}(\.[0-9]{1,4})?")


def complaints(document: PlanDocument, known: Known | None) -> list[Complaint]:
    """Return everything that is wrong; nothing is the answer. Without `known` no partner is."""
    found = [
        *_of_name(document),
        *_of_prices(document),
        *_of_codes(document),
        *_of_days(document),
        *(
            complaint
            for position, benefit in enumerate(document.benefits)
            for complaint in _of_benefit(benefit, ("benefits", position), known)
        ),
    ]
    return sorted(found, key=lambda one: [str(step) for step in one.path])


def settled(document: PlanDocument, known: Known) -> PlanDocument:
    """Return the document with partners by number, so that one who is renamed stays meant."""
    benefits = tuple(_settled(benefit, known) for benefit in document.benefits)
    return msgspec.structs.replace(document, benefits=benefits)


def _settled(benefit: Benefit, known: Known) -> Benefit:
    changed: dict[str, object] = {}
    partner = getattr(benefit, "partner", None)
    if partner is not None:
        changed["partner"] = str(known.number(partner))
    funding = getattr(benefit, "funding", None)
    if funding:
        changed["funding"] = {
            name if name in WORDS else str(known.number(name)): weight
            for name, weight in funding.items()
        }
    return msgspec.structs.replace(benefit, **changed)


def _of_prices(document: PlanDocument) -> Iterator[Complaint]:
    if not document.prices:
        yield Complaint(("prices",), "a plan has a price; name one per interval and currency")
    seen: Counter[tuple[str, str, str | None]] = Counter()
    for position, price in enumerate(document.prices):
        at: Path = ("prices", position)
        if price.currency not in CURRENCIES:
            text = f"{price.currency} is no currency known here; use an ISO 4217 code such as EUR"
            yield Complaint((*at, "currency"), text)
        key = (price.interval, price.currency, price.eligibility)
        if seen[key]:
            what = f"{price.interval} price in {price.currency}"
            who = "" if price.eligibility is None else f" for {price.eligibility}"
            yield Complaint(at, f"there is a {what}{who} above; keep one of them")
        seen[key] += 1
        if price.eligibility is not None and (*key[:2], None) not in {
            (one.interval, one.currency, one.eligibility) for one in document.prices
        }:
            text = "a special price stands beside one for all; add that, without eligibility"
            yield Complaint((*at, "eligibility"), text)


def _of_codes(document: PlanDocument) -> Iterator[Complaint]:
    seen: set[str] = set()
    for position, benefit in enumerate(document.benefits):
        if benefit.code in seen:
            text = f"{benefit.code} is the code of a benefit above; take another"
            yield Complaint(("benefits", position, "code"), text)
        seen.add(benefit.code)


def _of_name(document: PlanDocument) -> Iterator[Complaint]:
    if not document.name.isprintable():
        # It stands in subjects of e-mails, in page titles and at Stripe.
        yield Complaint(("name",), "a name is one line of signs that can be seen")


def _of_days(document: PlanDocument) -> Iterator[Complaint]:
    if document.grace_after_trial_days > document.grace_days:
        text = f"grace after a trial is not longer than that of a renewal ({document.grace_days})"
        yield Complaint(("grace_after_trial_days",), text)


def _of_benefit(benefit: Benefit, at: Path, known: Known | None) -> Iterator[Complaint]:
    if isinstance(benefit, EarnMultiplier):
        yield from _of_factor(benefit, at)
    if isinstance(benefit, FreeShipping | PartnerDiscount) and benefit.currency not in CURRENCIES:
        text = f"{benefit.currency} is no currency known here; use an ISO 4217 code such as EUR"
        yield Complaint((*at, "currency"), text)
    partner = getattr(benefit, "partner", None)
    if partner is not None and known is not None and known.number(partner) is None:
        yield Complaint((*at, "partner"), _no_partner(partner, known))
    yield from _of_funding(benefit, at, known)


def _of_factor(benefit: EarnMultiplier, at: Path) -> Iterator[Complaint]:
    if not _FACTOR.fullmatch(benefit.factor):
        yield Complaint((*at, "factor"), 'write a decimal in quotes, such as "1.5"')
    elif not 1 < Decimal(benefit.factor) <= FACTOR_MOST:
        text = f'{benefit.factor} adds nothing; write more than 1, up to "{FACTOR_MOST}"'
        yield Complaint((*at, "factor"), text)


def _of_funding(benefit: Benefit, at: Path, known: Known | None) -> Iterator[Complaint]:
    funding: dict[str, int] = getattr(benefit, "funding", {})
    numbers = [
        name if name in WORDS or known is None else known.number(name) or name for name in funding
    ]
    for name in funding:
        if name in WORDS or known is None:
            continue
        if known.number(name) is None:
            yield Complaint((*at, "funding", name), _no_partner(name, known))
    if len(set(numbers)) < len(numbers):
        yield Complaint((*at, "funding"), "a funder is named twice; add its weights up")
    if "issuer" in funding and not isinstance(benefit, EarnMultiplier):
        text = "nobody sells when this is given; name partners, or operator"
        yield Complaint((*at, "funding", "issuer"), text)


def _no_partner(named: str, known: Known) -> str:
    names = ", ".join(known.names) or "none yet"
    return f"there is no partner {named!r}; partners are: {names}"
