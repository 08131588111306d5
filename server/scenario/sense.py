"""What types cannot say of a story: contracts that could be signed, issues that name one thing."""

from collections.abc import Iterator
from decimal import Decimal
from zoneinfo import ZoneInfo

from coalition.federation import rules
from coalition.federation.refusals import InvalidTerms
from coalition.kernel.errors import Refused
from coalition.kernel.money import AMOUNT_MINOR_MAX, CURRENCIES, exponent
from server.documents import Node, Problem
from server.documents.nodes import Path
from server.scenario.founding import earning_of
from server.scenario.steps import AtTill, Contract, Issue
from server.scenario.story import Story
from server.scenario.terms import ContractPart, terms_of


def problems(story: Story, root: Node) -> list[Problem]:
    """Return what is wrong with a story whose types and names are right."""
    complaints = list(_coalition(story))
    if not complaints:  # without a currency and a zone nothing else can be judged
        complaints += _partners(story)
        complaints += _members(story)
        complaints += _steps(story)
    return [root.problem(path, text) for path, text in complaints]


_Complaints = Iterator[tuple[Path, str]]


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


def _partners(story: Story) -> _Complaints:
    for name, partner in story.partners.items():
        path = ("partners", name)
        yield from _contract(story, partner.contract, (*path, "contract"))
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
            yield (*path, str(error["pointer"]).removeprefix("/")), str(error["detail"])


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
        if isinstance(step, AtTill) and (partner := story.partners.get(step.partner)):
            if step.store is not None and step.store not in partner.stores:
                known = ", ".join(partner.stores) or "none"
                yield (*path, "store"), f"{step.partner} has no such store; it has {known}"
            if isinstance(step, Issue):
                currency = partner.contract.currency or story.coalition.currency
                yield from _issue(step, path, currency)


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
