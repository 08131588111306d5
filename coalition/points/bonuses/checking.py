"""Finds what is wrong with a rule document beyond its form, and resolves the names in it."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from coalition.federation.catalogue import Catalogue
from coalition.kernel.money import CURRENCIES
from coalition.points.bonuses import conditions
from coalition.points.bonuses.compiled import combine_of, minutes_of
from coalition.points.bonuses.conditions import BadConditionError
from coalition.points.bonuses.documents import (
    Combine,
    FundingPart,
    Multiplier,
    PerMeasure,
    Rate,
    RuleDocument,
)

_MEASURE = re.compile(r"[a-z_]{1,32}")
_BY_WORD = frozenset({"operator", "issuer"})
_FACTOR_MOST = 1000

Path = tuple[str | int, ...]


class Complaint(NamedTuple):
    """What is wrong at one place of a document, and what would be right."""

    path: Path
    text: str


class Known(NamedTuple):
    """The partners and stores that a document may name, and the zone that its days are of."""

    numbers: dict[str, int]
    """Partners by number as text and by name without case; a name that several have is missing."""
    stores: frozenset[tuple[int, str]]
    zone: ZoneInfo
    names: tuple[str, ...] = ()

    @classmethod
    def of(cls, catalogue: Catalogue) -> "Known":
        """Return what a catalogue knows."""
        numbers: dict[str, int] = {}
        names = [partner.name.casefold() for partner in catalogue.partners]
        for partner in catalogue.partners:
            numbers[str(partner.no)] = partner.no
            if names.count(partner.name.casefold()) == 1:
                numbers.setdefault(partner.name.casefold(), partner.no)
        stores = frozenset((store.partner_no, store.code) for store in catalogue.stores)
        shown = tuple(sorted(partner.name for partner in catalogue.partners))
        return cls(numbers, stores, catalogue.zone, shown)

    def number(self, named: int | str) -> int | None:
        """Return the number of the partner that is named, if there is one."""
        return self.numbers.get(str(named).strip().casefold())


def settled(document: RuleDocument, known: Known) -> RuleDocument:
    """Return the document with partners by number; `complaints` about it is empty."""
    applies = document.applies_to
    partners = tuple(sorted({_resolved(named, known) for named in applies.partners}))
    funding = tuple(
        part
        if part.funder in _BY_WORD
        else msgspec.structs.replace(part, funder=_resolved(part.funder, known))
        for part in document.funding
    )
    return msgspec.structs.replace(
        document,
        applies_to=msgspec.structs.replace(applies, partners=partners),
        funding=funding,
    )


def validity(document: RuleDocument, zone: ZoneInfo) -> tuple[datetime | None, datetime | None]:
    """Return from when and until when a document holds, as instants; None where it does not say."""
    begins = _instant(document.valid_from, zone, is_end=False)
    return begins, _instant(document.valid_until, zone, is_end=True)


def complaints(document: RuleDocument, known: Known) -> list[Complaint]:
    """Return everything that is wrong with a document of the right form; nothing is the answer."""
    return [
        *_of_places(document, known),
        *_of_amounts(document),
        *_of_hours(document),
        *_of_effect(document),
        *_of_stacking(document),
        *_of_funding(document.funding, known),
        *_of_condition(document),
        *_of_validity(document, known.zone),
    ]


def _of_places(document: RuleDocument, known: Known) -> Iterator[Complaint]:
    applies = document.applies_to
    at: Path = ("applies_to", "partners")
    for position, named in enumerate(applies.partners):
        if known.number(named) is None:
            yield Complaint((*at, position), _no_partner(named, known))
    if not applies.stores:
        return
    if len(applies.partners) != 1:
        text = "codes of stores are a partner's own; name that one partner in partners"
        yield Complaint(("applies_to", "stores"), text)
        return
    number = known.number(applies.partners[0])
    for position, code in enumerate(applies.stores):
        if number is not None and (number, code) not in known.stores:
            yield Complaint(
                ("applies_to", "stores", position), f"the partner has no store {code!r}"
            )


def _of_amounts(document: RuleDocument) -> Iterator[Complaint]:
    applies = document.applies_to
    currency, least = applies.currency, applies.least
    if currency is not None and currency not in CURRENCIES:
        text = f"{currency} is no currency known here; use an ISO 4217 code such as EUR"
        yield Complaint(("applies_to", "currency"), text)
    if least is not None and currency is None:
        text = "an amount is of a currency; name it in applies_to.currency"
        yield Complaint(("applies_to", "least"), text)
    if least is not None and least.of == "lines" and not applies.categories:
        text = "the lines that count are those of categories; name them, or write basket"
        yield Complaint(("applies_to", "least", "of"), text)


def _of_hours(document: RuleDocument) -> Iterator[Complaint]:
    for position, hours in enumerate(document.applies_to.hours):
        begin, end = minutes_of(hours)
        if end - begin == 24 * 60 and begin != 0:
            text = f"{hours} ends where it begins; leave hours out for the whole day"
            yield Complaint(("applies_to", "hours", position), text)


def _of_effect(document: RuleDocument) -> Iterator[Complaint]:
    effect, applies = document.effect, document.applies_to
    if isinstance(effect, Rate) and applies.currency is None:
        text = "a rate is of a currency; name it in applies_to.currency"
        yield Complaint(("effect",), text)
    if isinstance(effect, Multiplier):
        if not 1 < Decimal(effect.factor) <= _FACTOR_MOST:
            text = (
                f'{effect.factor} takes points away or adds none; write more than 1, up to "1000"'
            )
            yield Complaint(("effect", "factor"), text)
        if effect.of == "so_far" and applies.categories:
            text = "the points so far are not those of single categories; write base"
            yield Complaint(("effect", "of"), text)
    if isinstance(effect, PerMeasure) and not _MEASURE.fullmatch(effect.measure):
        text = "a measure is named by 1 to 32 small letters and _, such as visits or quantity"
        yield Complaint(("effect", "measure"), text)


def _of_stacking(document: RuleDocument) -> Iterator[Complaint]:
    combine, group = combine_of(document), document.stacking.group
    if combine is Combine.BEST_OF and group is None:
        yield Complaint(("stacking", "combine"), "best_of is of a group; name it in group")
    if combine is not Combine.BEST_OF and group is not None:
        text = "only best_of looks at a group; leave it out, or write combine: best_of"
        yield Complaint(("stacking", "group"), text)
    if combine is Combine.REPLACES_BASE and isinstance(document.effect, Multiplier):
        text = "a multiplier needs the base that it would replace; write a rate instead"
        yield Complaint(("stacking", "combine"), text)


def _of_funding(funding: tuple[FundingPart, ...], known: Known) -> Iterator[Complaint]:
    for position, part in enumerate(funding):
        if part.funder not in _BY_WORD and known.number(part.funder) is None:
            yield Complaint(("funding", position, "funder"), _no_partner(part.funder, known))
        if (part.share is None) == (part.weight is None):
            yield Complaint(("funding", position), "write either share or weight")
    funders = [known.number(part.funder) or part.funder for part in funding]
    if len(set(funders)) < len(funders):
        yield Complaint(("funding",), "a funder is named twice; add its parts up")
    shares = [part.share for part in funding if part.share is not None]
    if shares and len(shares) < len(funding):
        yield Complaint(("funding",), "write all parts as shares, or all as weights")
    elif shares and sum(map(Decimal, shares)) != 1:
        text = f'the shares add up to {sum(map(Decimal, shares))}; they must add up to "1"'
        yield Complaint(("funding",), text)
    if any(Decimal(share) == 0 for share in shares):
        yield Complaint(("funding",), "a share of 0 pays nothing; leave that funder out")


def _of_condition(document: RuleDocument) -> Iterator[Complaint]:
    if document.condition is not None:
        try:
            conditions.compiled(document.condition)
        except BadConditionError as bad:
            yield Complaint(("condition",), str(bad))


def _of_validity(document: RuleDocument, zone: ZoneInfo) -> Iterator[Complaint]:
    instants: list[datetime | None] = []
    for name in ("valid_from", "valid_until"):
        try:
            instants.append(_instant(getattr(document, name), zone, is_end=name == "valid_until"))
        except OverflowError:
            text = f"{getattr(document, name)} is where the calendar ends; leave {name} out"
            yield Complaint((name,), text)
            return
        except ValueError:
            text = f"{getattr(document, name)} is no day of the calendar"
            yield Complaint((name,), text)
            return
    begins, ends = instants
    if begins is not None and ends is not None and ends <= begins:
        yield Complaint(("valid_until",), "the rule would end before it begins; name a later day")


def _instant(text: str | None, zone: ZoneInfo, *, is_end: bool) -> datetime | None:
    """Return the instant that is meant.

    Raises ValueError for a day that is in no calendar, OverflowError where the calendar ends.
    """
    if text is None:
        return None
    if "T" in text:
        return datetime.fromisoformat(text).astimezone(UTC)
    day = date.fromisoformat(text) + timedelta(days=is_end)
    return datetime.combine(day, time(), tzinfo=zone).astimezone(UTC)


def _resolved(named: int | str, known: Known) -> int:
    number = known.number(named)
    assert number is not None, "complaints came first"
    return number


def _no_partner(named: int | str, known: Known) -> str:
    shown = ", ".join(known.names[:8]) + (" and others" if len(known.names) > 8 else "")
    return f"there is no partner {named!r}; known are: {shown or 'none yet'}"
