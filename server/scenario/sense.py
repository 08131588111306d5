"""What types cannot say of a story: contracts that could be signed, issues that name one thing."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

from coalition.federation import rules
from coalition.federation.catalogue import Catalogue
from coalition.federation.refusals import InvalidTerms
from coalition.federation.terms import (
    COALITION_CURRENCY_NO,
    Coalition,
    Partner,
    PartnerState,
    Store,
    StoreState,
)
from coalition.kernel.errors import Refused
from coalition.kernel.money import AMOUNT_MINOR_MAX, CURRENCIES, exponent
from coalition.points.bonuses.checking import Known, complaints
from coalition.points.guards.documents import ENFORCING, checked
from server.documents import Node, Problem
from server.documents.nodes import Path
from server.scenario import family_sense, membership_sense
from server.scenario.founding import earning_of, midnight
from server.scenario.names import OWN_POINTS
from server.scenario.settlement_steps import MoneyRate, Position
from server.scenario.staff_steps import Advance, Contract, Guard, Rules
from server.scenario.story import Story
from server.scenario.terms import ContractPart, terms_of
from server.scenario.till_steps import AtTill, Issue, Redeem


def problems(story: Story, root: Node) -> list[Problem]:
    """Return what is wrong with a story whose types and names are right."""
    found = [*_coalition(story), *_days(story)]
    if not found:  # without a currency, a zone and days of ours nothing else can be judged
        found += _partners(story)
        found += _currencies(story)
        found += _rules(story)
        found += _guards(story)
        known = Known.of(_catalogue(story))
        found += family_sense.complaints(story, known)
        found += membership_sense.complaints(story, known)
        found += _members(story)
        found += _steps(story)
        found += _settlement(story)
        found += _times(story)
    return [root.problem(path, text) for path, text in found]


_Complaints = Iterator[tuple[Path, str]]

_FIRST_BIRTH = date(1900, 1, 1)
_RECEIPT_MOST = 64


def _coalition(story: Story) -> _Complaints:
    if story.coalition.currency not in CURRENCIES:
        yield (
            ("coalition", "currency"),
            f"is not known here; known are {', '.join(sorted(CURRENCIES))}",
        )
    yield from _zone(story.coalition.timezone, ("coalition", "timezone"))


def _zone(timezone: str | None, path: Path) -> _Complaints:
    if timezone is not None:
        try:
            rules.zone_named(timezone)
        except Refused as refusal:
            yield path, refusal.detail


def _days(story: Story) -> _Complaints:
    """Find days and instants that lie outside the years in which a coalition lives."""
    for name, member in story.members.items():
        if member is not None:
            for field in ("joined", "born"):
                yield from _day(getattr(member, field), ("members", name, field))
            last = member.joined or (story.steps[0].at.date() if story.steps else None)
            if member.born is not None and last is not None and last < member.born:
                yield (
                    ("members", name, "born"),
                    "lies after the day of joining; write one before it",
                )
    for position, step in enumerate(story.steps):
        for field in ("at", "occurred_at", "until", "expires"):
            yield from _day(getattr(step, field, None), ("steps", position, field))


def _day(moment: date | None, path: Path) -> _Complaints:
    if moment is not None:
        first = _FIRST_BIRTH if path[-1] == "born" else rules.FIRST_DAY
        day = moment.date() if isinstance(moment, datetime) else moment
        if not first <= day <= rules.LAST_DAY:
            yield path, f"lies outside the years of a coalition; write {first} to {rules.LAST_DAY}"


def _partners(story: Story) -> _Complaints:
    for name, partner in story.partners.items():
        path = ("partners", name)
        for position, code in enumerate(partner.stores):
            if code in partner.stores[:position]:
                yield (*path, "stores", position), f"the store {code} stands here twice; remove one"
        yield from _contract(story, partner.contract, (*path, "contract"))
        yield from _point_currency(story, name, partner.contract, (*path, "contract"))
        if partner.earning is not None:
            try:
                earning_of(partner.earning).per_minor(
                    partner.contract.currency or story.coalition.currency
                )
            except Refused as refusal:
                yield (*path, "earning"), refusal.detail


def _contract(story: Story, contract: ContractPart, path: Path) -> _Complaints:
    yield from _zone(contract.timezone, (*path, "timezone"))
    try:
        rules.valid_day(contract.valid_from)
        rules.settled_terms(terms_of(contract, currency=story.coalition.currency))
    except InvalidTerms as refusal:
        errors = refusal.facts["errors"]
        assert isinstance(errors, list), "the refusal names each field"
        for error in errors:
            yield (*path, *_steps_of(str(error["pointer"]))), str(error["detail"])


def _steps_of(pointer: str) -> Path:
    """Return the path that a pointer such as `/volume_steps/0/from_points` is."""
    return tuple(int(part) if part.isdigit() else part for part in pointer.split("/")[1:])


def _currencies(story: Story) -> _Complaints:
    for code, currency in story.currencies.items():
        if code == OWN_POINTS:
            yield ("currencies", code), f"{OWN_POINTS} is the coalition's own; take another code"
        if currency.partner not in story.partners:
            text = f"{currency.partner!r} is not among the partners of this story; declare it there"
            yield ("currencies", code, "partner"), text


def _point_currency(story: Story, partner: str, contract: ContractPart, path: Path) -> _Complaints:
    code = contract.point_currency
    if code not in {None, OWN_POINTS}:
        currency = story.currencies.get(code or "")
        if currency is None or currency.partner != partner:
            text = f"{code} is no point currency of {partner}; declare it under currencies"
            yield (*path, "point_currency"), text


def _rules(story: Story) -> _Complaints:
    known = Known.of(_catalogue(story))
    codes: set[str] = set()
    for position, document in enumerate(story.earning_rules):
        if document.code in codes:
            text = (
                f"{document.code} stands here twice; its next version is a step with the verb rules"
            )
            yield ("earning_rules", position, "code"), text
        codes.add(document.code)
        for where, text in complaints(document, known):
            yield ("earning_rules", position, *where), text
    for position, step in enumerate(story.steps):
        if isinstance(step, Rules):
            for where, text in complaints(step.rules, known):
                yield ("steps", position, "rules", *where), text


def _guards(story: Story) -> _Complaints:
    for position, step in enumerate(story.steps):
        if isinstance(step, Guard):
            path = ("steps", position, "guard")
            if step.guard.mode not in ENFORCING:
                text = "in a story a guard is one that confirms or refuses; the others watch later"
                yield (*path, "mode"), text
            try:
                checked(step.guard)
            except Refused as refusal:
                yield path, refusal.detail


def _catalogue(story: Story) -> Catalogue:
    """Return the partners and stores of a story as rule documents are judged against them."""
    numbers = {name: no for no, name in enumerate(story.partners, 1)}
    nil, long_ago = UUID(int=0), datetime(2000, 1, 1, tzinfo=UTC)
    return Catalogue(
        version=0,
        coalition=Coalition("Story", story.coalition.timezone, COALITION_CURRENCY_NO),
        partners=[
            Partner(no, nil, name, PartnerState.ACTIVE, long_ago) for name, no in numbers.items()
        ],
        stores=[
            Store(no, nil, numbers[name], code, code, StoreState.ACTIVE)
            for name, partner in story.partners.items()
            for no, code in enumerate(partner.stores, 1)
        ],
    )


def _members(story: Story) -> _Complaints:
    zone = ZoneInfo(story.coalition.timezone)
    for position, step in enumerate(story.steps):
        name = getattr(step, "member", None)
        member = story.members.get(name) if name is not None else None
        if member is None or member.joined is None:
            continue
        if step.at.astimezone(zone).date() < member.joined:
            text = f"{name} joins on {member.joined} only; act on that day or later"
            yield ("steps", position, "member"), text


def _steps(story: Story) -> _Complaints:
    for position, step in enumerate(story.steps):
        path = ("steps", position)
        if isinstance(step, Contract):
            yield from _contract(story, step.contract, (*path, "contract"))
            yield from _point_currency(story, step.partner, step.contract, (*path, "contract"))
        if isinstance(step, AtTill) and (partner := story.partners.get(step.partner)):
            if step.store is not None and step.store not in partner.stores:
                known = ", ".join(partner.stores) or "none"
                yield (*path, "store"), f"{step.partner} has no such store; it has {known}"
            longest = len(f"{step.receipt or ''}-{repeat}") if (repeat := _repeat(step)) > 1 else 0
            if longest > _RECEIPT_MOST:
                text = f"its repetitions have longer numbers than {_RECEIPT_MOST} characters"
                yield (*path, "receipt"), text
            if isinstance(step, Issue):
                currency = partner.contract.currency or story.coalition.currency
                yield from _issue(step, path, currency)


def _settlement(story: Story) -> _Complaints:
    for position, step in enumerate(story.steps):
        path = ("steps", position)
        if isinstance(step, Position) and step.from_partner == step.to_partner:
            yield (*path, "to"), f"{step.to_partner} cannot pay itself; name another partner"
        if isinstance(step, MoneyRate):
            try:
                rules.valid_money_rate(step.from_currency, step.to_currency, step.rate)
            except Refused as refusal:
                yield path, refusal.detail


def _repeat(step: AtTill) -> int:
    return step.repeat if isinstance(step, Issue | Redeem) else 1


def _times(story: Story) -> _Complaints:
    """Find steps that come before the day to which the nights went by."""
    reached = None
    for position, step in enumerate(story.steps):
        if reached is not None and step.at < reached:
            text = f"time goes back here: the nights went by until {reached.isoformat()}"
            yield ("steps", position, "at"), text
        if isinstance(step, Advance) and step.until is not None:
            reached = midnight(step.until, ZoneInfo(story.coalition.timezone))


def _issue(step: Issue, path: Path, currency: str) -> _Complaints:
    is_bought = step.purchase is not None or step.measures is not None
    if (step.points is not None) == is_bought:
        yield path, "name points, or else a purchase or measures that earn them"
        return
    if step.purchase is None and step.lines:
        yield path, "lines are of a purchase; name it, or leave them out"
    if step.points is None and (step.expires is not None or step.funding is not None):
        yield path, "expires and funding go with points; a purchase has them from its rules"
    if isinstance(step.purchase, Decimal):
        yield from _amount(step.purchase, currency, (*path, "purchase"), least=1)
    for position, line in enumerate(step.lines):
        yield from _amount(line.amount, currency, (*path, "lines", position, "amount"), least=0)


def _amount(amount: Decimal, currency: str, path: Path, *, least: int) -> _Complaints:
    minor = amount.scaleb(exponent(currency))
    if minor != minor.to_integral_value() or not least <= minor <= AMOUNT_MINOR_MAX:
        text = f"is an amount of {currency} with at most {exponent(currency)} decimals, above 0"
        yield path, text
