"""Earning rules judged slowly, from the guide's words: documents as written, fractions, no index.

It imports nothing of the product. A document is the mapping that staff wrote, with partners by
number; CEL is not spoken here, so conditions come with their meaning in Python.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from typing import Any, NamedTuple

Document = Mapping[str, Any]
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
NUMBERS = {"operator": 0}


class Version(NamedTuple):
    """A version of a document, with the time in which it was to hold."""

    no: int
    root_no: int
    version: int
    document: Document
    valid_from: datetime
    valid_until: datetime | None


class Bought(NamedTuple):
    """One line of a receipt."""

    no: int
    amount: int
    category: str | None
    quantity: int


@dataclass
class Purchase:
    """What is judged, in plain values."""

    partner: int
    store: str | None
    currency: str
    at: datetime
    local: datetime
    amount: int
    lines: list[Bought]
    measures: Mapping[str, int]
    tier: str | None
    plan: str | None
    segments: frozenset[str]
    flags: frozenset[str]


@dataclass
class Earned:
    """What a purchase earns, by rule and funder (0 is the base rate), and what it uses of caps."""

    points: int = 0
    shares: dict[tuple[int, int], int] = field(default_factory=dict)
    usage: dict[tuple[int, str], int] = field(default_factory=dict)


Meanings = Mapping[str, Callable[[Purchase], bool]]


def judge(
    versions: list[Version],
    purchase: Purchase,
    used: Mapping[tuple[int, str], int],
    *,
    base_rate: tuple[int, int],
    meanings: Meanings,
) -> Earned:
    """Return what `purchase` earns; the base rate is so many points for so many minor units."""
    applying = _applying(versions, purchase, meanings)
    base = _Base(base_rate, applying, purchase)
    earned = Earned()
    _give(earned, 0, [("issuer", 1)], base.plain, purchase)
    seen: set[str] = set()
    for version in applying:
        group = _group(version)
        if group in seen:
            continue
        rivals = [version]
        if group is not None:
            seen.add(group)
            rivals = [other for other in applying if _group(other) == group]
        so_far = earned.points
        offers = [
            _within_caps(one, _worth(one, base, purchase, so_far), purchase, used) for one in rivals
        ]
        points = max(offers)
        winner = rivals[offers.index(points)]
        _give(earned, winner.no, _funding(winner.document), points, purchase)
        for period in winner.document.get("caps", {}):
            if points and period != "basket":
                earned.usage[winner.root_no, _name(period, purchase.local)] = points
    return earned


def _applying(versions: list[Version], purchase: Purchase, meanings: Meanings) -> list[Version]:
    """Return the versions that apply, in their order, through the first that stops."""
    applying = []
    for version in sorted(
        versions, key=lambda one: (one.document.get("stacking", {}).get("order", 100), one.root_no)
    ):
        holds = _holds(version, versions, purchase.at)
        if holds and _applies(version.document, purchase, meanings):
            applying.append(version)
            if _combine(version.document) == "stop":
                break
    return applying


def _group(version: Version) -> str | None:
    group: str | None = version.document.get("stacking", {}).get("group")
    return group


def _holds(version: Version, versions: list[Version], at: datetime) -> bool:
    """Tell whether a version holds: it has begun, it has not ended, and no later one has begun."""
    replaced = any(
        other.root_no == version.root_no and other.version > version.version
        for other in versions
        if other.valid_from <= at
    )
    ended = version.valid_until is not None and version.valid_until <= at
    return version.valid_from <= at and not ended and not replaced


def _applies(document: Document, purchase: Purchase, meanings: Meanings) -> bool:
    asks = document.get("applies_to", {})
    lines = _counted(document, purchase)
    least = asks.get("least")
    amount = purchase.amount
    if least is not None and least.get("of") == "lines":
        amount = sum(line.amount for line in lines)
    condition = document.get("condition")
    return all(
        (
            purchase.partner in asks.get("partners", [purchase.partner]),
            purchase.store in asks.get("stores", [purchase.store]),
            purchase.currency == asks.get("currency", purchase.currency),
            purchase.tier in asks.get("tiers", [purchase.tier]),
            purchase.plan in asks.get("plans", [purchase.plan]),
            "segments" not in asks or purchase.segments & set(asks["segments"]),
            "flags" not in asks or purchase.flags & set(asks["flags"]),
            WEEKDAYS[purchase.local.weekday()] in asks.get("weekdays", WEEKDAYS),
            any(_in_hours(hours, purchase.local) for hours in asks.get("hours", ["00:00-24:00"])),
            "categories" not in asks or lines,
            least is None or amount >= least["amount_minor"],
            condition is None or meanings[condition](purchase),
        )
    )


def _in_hours(hours: str, local: datetime) -> bool:
    begin, end = hours.split("-")
    now = f"{local.hour:02}:{local.minute:02}"
    return begin <= now < end if begin < end else now >= begin or now < end


def _counted(document: Document, purchase: Purchase) -> list[Bought]:
    categories = document.get("applies_to", {}).get("categories")
    return [line for line in purchase.lines if categories is None or line.category in categories]


def _combine(document: Document) -> str:
    fallback = "replaces_base" if document["effect"]["kind"] == "rate" else "add"
    combine: str = document.get("stacking", {}).get("combine", fallback)
    return combine


class _Base:
    """What the base comes to: who stands in place of the base rate, and for which lines."""

    def __init__(self, rate: tuple[int, int], applying: list[Version], purchase: Purchase) -> None:
        self.rate = rate
        self.owner: dict[int, Version] = {}
        self.rest: Version | None = None
        self.instead: dict[int, int] = {}
        left = purchase.amount
        for version in applying:
            if _combine(version.document) != "replaces_base":
                continue
            self.instead[version.no] = 0
            if self.rest is not None:
                continue
            mine = [
                line for line in _counted(version.document, purchase) if line.no not in self.owner
            ]
            if "categories" not in version.document.get("applies_to", {}):
                self.rest = version
                self.instead[version.no] = _plain(version.document, purchase, mine, left)
                left = 0
            elif mine:
                amount = sum(line.amount for line in mine)
                self.instead[version.no] = _plain(version.document, purchase, mine, amount)
                self.owner |= {line.no: version for line in mine}
                left = max(left - amount, 0)
        self.plain = 0 if self.rest else left * rate[0] // rate[1]

    def of(self, lines: list[Bought] | None) -> int:
        """Return the points of the base for some lines, each rate rounding once; or for all."""
        if lines is None:
            return self.plain + sum(self.instead.values())
        amounts: dict[int, int] = {}
        owners: dict[int, Version | None] = {}
        for line in lines:
            owner = self.owner.get(line.no, self.rest)
            number = owner.no if owner else 0
            owners[number] = owner
            amounts[number] = amounts.get(number, 0) + line.amount
        points = 0
        for number, amount in amounts.items():
            owner = owners[number]
            if owner is None:
                points += amount * self.rate[0] // self.rate[1]
            elif owner.document["effect"]["kind"] == "rate":
                points += _rated(owner.document, amount)
        return points


def _rated(document: Document, amount: int) -> int:
    effect = document["effect"]
    return _rounded(Fraction(amount * effect["points"], effect["per_minor"]), document)


def _plain(document: Document, purchase: Purchase, lines: list[Bought], amount: int) -> int:
    """Return what an effect that needs no base gives for these lines and this amount."""
    effect = document["effect"]
    items = sum(line.quantity for line in lines)
    match effect["kind"]:
        case "rate":
            return _rated(document, amount)
        case "bonus":
            times = {"basket": 1, "line": len(lines), "item": items}
            points: int = effect["points"] * times[effect.get("per", "basket")]
            return points
        case _:
            counted = purchase.measures.get(effect["measure"], 0)
            counted = items if effect["measure"] == "quantity" else counted
            return _rounded(Fraction(counted * effect["points"], effect.get("per", 1)), document)


def _worth(version: Version, base: _Base, purchase: Purchase, so_far: int) -> int:
    document = version.document
    if version.no in base.instead:
        return base.instead[version.no]
    lines = _counted(document, purchase)
    has_categories = "categories" in document.get("applies_to", {})
    effect = document["effect"]
    if effect["kind"] == "multiplier":
        of = so_far if effect.get("of") == "so_far" else base.of(lines if has_categories else None)
        return _rounded(of * (Fraction(effect["factor"]) - 1), document)
    amount = sum(line.amount for line in lines) if has_categories else purchase.amount
    return _plain(document, purchase, lines, amount)


def _rounded(exact: Fraction, document: Document) -> int:
    rounding = document.get("rounding", "down")
    if rounding == "up":
        return math.ceil(exact)
    if rounding == "half_even":
        return round(exact)
    return math.floor(exact + (Fraction(1, 2) if rounding == "half_away_from_zero" else 0))


def _within_caps(
    version: Version, points: int, purchase: Purchase, used: Mapping[tuple[int, str], int]
) -> int:
    lefts = [points]
    for period, most in version.document.get("caps", {}).items():
        before = used.get((version.root_no, _name(period, purchase.local)), 0)
        lefts.append(max(most - (0 if period == "basket" else before), 0))
    return min(lefts)


def _name(period: str, local: datetime) -> str:
    iso = local.isocalendar()
    return {
        "basket": "",
        "day": f"day:{local:%Y-%m-%d}",
        "week": f"week:{iso.year}-W{iso.week:02}",
        "month": f"month:{local:%Y-%m}",
        "year": f"year:{local:%Y}",
        "campaign": "campaign",
    }[period]


def _funding(document: Document) -> list[tuple[str | int, Fraction | int]]:
    parts = document.get("funding") or [{"funder": "issuer", "weight": 1}]
    return [(part["funder"], Fraction(part.get("share") or part["weight"])) for part in parts]


def _give(
    earned: Earned,
    number: int,
    funding: list[Any],
    points: int,
    purchase: Purchase,
) -> None:
    """Share `points` among funders: largest remainder, ties to the lower number."""
    earned.points += points
    weights: dict[int, Fraction] = {}
    for funder, weight in funding:
        payer = purchase.partner if funder == "issuer" else NUMBERS.get(funder, funder)
        weights[payer] = weights.get(payer, Fraction()) + weight
    whole = sum(weights.values())
    exact = {payer: points * weight / whole for payer, weight in weights.items()}
    parts = {payer: math.floor(part) for payer, part in exact.items()}
    by_rest = sorted(exact, key=lambda payer: (parts[payer] - exact[payer], payer))
    for payer in by_rest[: points - sum(parts.values())]:
        parts[payer] += 1
    for payer, part in parts.items():
        if part:
            earned.shares[number, payer] = part
