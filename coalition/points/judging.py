"""What a purchase earns: its basket, judged by the base rate and by the rules that hold."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import msgspec

from coalition.federation.terms import Contract
from coalition.kernel.database import Connection
from coalition.kernel.ids import MemberId
from coalition.kernel.money import POINTS_MAX, split
from coalition.ledger.drafts import Grant
from coalition.members import standings
from coalition.members.standings import NOBODY, Standings
from coalition.points import usage
from coalition.points.bonuses import personal
from coalition.points.bonuses.compiled import Rule
from coalition.points.bonuses.evaluation import ActiveRules, Basket, Evaluation, Line, evaluate
from coalition.points.commands import Agreed, IssueBody, Purchase, PurchaseLine, QuoteBody
from coalition.points.refusals import (
    LinesExceedPurchase,
    NoEarningRule,
    PartnerInDefault,
    PurchaseOrPoints,
    TooManyPoints,
)
from coalition.points.rules import EarningRule, Reason, earn, why_earned
from coalition.points.terms import Facts, Terms
from coalition.points.usage import Counter

NOT_FUNDED = (
    "Who is to pay for these points is in default; let another partner pay, or the operator"
)


class Known(NamedTuple):
    """What is known of the members of a flush: their cards, standings and own bonuses."""

    cards: Mapping[str, UUID] = {}
    standings: Mapping[tuple[MemberId, datetime], Standings] = {}
    own: Mapping[MemberId, tuple[Rule, ...]] = {}
    """The bonuses that each member has by itself."""


class Earned(msgspec.Struct, frozen=True, gc=False):
    """What a purchase earns; where more than the base rate was asked, the basket and its verdict.

    `used` is what the member had had of the caps before.
    """

    points: int
    rule: EarningRule | None
    purchase: Purchase | None
    basket: Basket | None = None
    verdict: Evaluation | None = None
    used: Mapping[Counter, int] = {}

    @property
    def reasons(self) -> list[Reason]:
        """Return why, the base rate first; rules that gave nothing say so where they could have."""
        if self.verdict is None:
            return [why_earned(self.points, self.rule, self.purchase)]
        return self.verdict.reasons


async def known_of(
    connection: Connection,
    wanted: AbstractSet[tuple[MemberId, datetime]],
    terms: Terms,
    cards: Mapping[str, UUID],
    facts: Facts | None = None,
) -> Known:
    """Return what the rules of `terms` ask of members at their instants, read for all at once.

    `facts` tell, where they were read, what those are who hold none of `cards`.
    """
    held = dict(facts or {})
    own: dict[MemberId, tuple[Rule, ...]] = {}
    by_card = set(cards.values())
    unread = wanted if facts is None else {pair for pair in wanted if pair[0] in by_card}
    if unread and terms.active.needs_standings:
        held |= await standings.read_each(connection, unread)
    if wanted and terms.has_bonuses:
        own = await personal.read(connection, {member for member, _ in wanted})
    return Known(cards, held, own)


def ask(
    command: IssueBody | QuoteBody,
    terms: Terms,
    known: Known,
    *,
    contract: Contract,
    store_no: int | None,
    member: UUID | None,
) -> tuple[Earned, tuple[Counter, ...]]:
    """Return what the command earns; where counters are returned as well, its basket alone.

    These have to be read, under the holder's lock, before `judge` can tell. Raises
    `PurchaseOrPoints`, `LinesExceedPurchase`, `NoEarningRule` and `TooManyPoints`.
    """
    bought = command.purchase
    given = command.points if isinstance(command, IssueBody) else None
    is_bought = bought is not None or bool(command.measures)
    if (given is None) != is_bought:
        raise PurchaseOrPoints
    at = _time_of(command)
    if not terms.has_rules and not command.lines and not command.measures:
        return _plainly(given, bought, terms, contract.partner_no, at), ()
    if given is not None and command.lines:
        raise PurchaseOrPoints
    if given is not None:
        return Earned(given, None, None), ()
    if command.lines:
        _check_lines(command.lines, bought)
    return _ask_rules(command, terms, known, contract=contract, store_no=store_no, member=member)


def _ask_rules(
    command: IssueBody | QuoteBody,
    terms: Terms,
    known: Known,
    *,
    contract: Contract,
    store_no: int | None,
    member: UUID | None,
) -> tuple[Earned, tuple[Counter, ...]]:
    bought, at = command.purchase, _time_of(command)
    standing, own = _of_member(known, member, at)
    store = None if store_no is None else terms.catalogue.store_by_no(store_no).code
    if bought is not None and not (command.lines or command.measures or own):
        plain = store, bought.currency, standing
        if bought.amount_minor < terms.active.least_minor(contract.partner_no, at, plain):
            return _plainly(None, bought, terms, contract.partner_no, at), ()
    basket = _basket_of(command, terms, contract, store=store, standing=standing, own=own)
    candidates = terms.active.candidates(basket)
    caps = terms.active.caps_for(basket, candidates) if terms.has_caps else ()
    if caps:
        return Earned(0, None, bought, basket), caps
    return judge(basket, bought, terms.active, {}, candidates), ()


async def quote(
    connection: Connection,
    command: QuoteBody,
    terms: Terms,
    *,
    contract: Contract,
    store_no: int | None,
    member: UUID | None,
) -> Earned:
    """Return what the command would earn now; without a member nothing was used of any cap.

    Raises as `ask` does.
    """
    wanted = set() if member is None else {(MemberId(member), _time_of(command))}
    known = await known_of(connection, wanted, terms, {})
    earned, caps = ask(command, terms, known, contract=contract, store_no=store_no, member=member)
    if not caps:
        return earned
    used: dict[Counter, int] = {}
    if member is not None:
        found = await usage.read(connection, [(member, caps)])
        used = {counter: points for (_, counter), points in found.items()}
    assert earned.basket is not None, "what waits for counters has a basket"
    return judge(earned.basket, earned.purchase, terms.active, used)


def judge(
    basket: Basket,
    purchase: Purchase | None,
    rules: ActiveRules,
    used: Mapping[Counter, int],
    candidates: tuple[Rule, ...] | None = None,
) -> Earned:
    """Return what `basket` earns under `rules`, given what was `used` of the caps before.

    `candidates` are those of the basket, from whoever has them at hand. Raises `NoEarningRule`
    where no rate and no rule says anything, and `TooManyPoints`.
    """
    verdict = evaluate(rules, basket, used, candidates)
    if not verdict.is_ruled:
        raise _no_rule(basket.currency)
    _check_points(verdict.points)
    return Earned(verdict.points, verdict.rate, purchase, basket, verdict, used)


def grants_of(
    earned: Earned,
    contract: Contract,
    terms: Terms,
    at: datetime,
    agreed: Agreed | None = None,
) -> tuple[Grant, ...]:
    """Return the grants of what was earned at `at`: one per funder, in rule order.

    What is `agreed` holds for a number of points; what rules earn has its funding from them. Points
    of several rules that one funder pays for cannot be told apart in the books, so they are one
    grant, and one row of the journal where one funder pays for all; which rule gave how many is
    kept with the purchase.
    """
    if earned.verdict is None:
        if agreed is not None:
            return _grants_as_agreed(earned.points, agreed, contract, terms, at)
        return (Grant(terms.base_provenance(contract, at), earned.points),)
    by_funder: dict[int, int] = {}
    for share in earned.verdict.shares:
        by_funder[share.funder_no] = by_funder.get(share.funder_no, 0) + share.points
    return tuple(
        Grant(terms.provenance(contract, at, funder_no=funder_no), points)
        for funder_no, points in by_funder.items()
    )


def _grants_as_agreed(
    points: int, agreed: Agreed, contract: Contract, terms: Terms, at: datetime
) -> tuple[Grant, ...]:
    """Share `points` over the funders by largest remainder; a share of nothing is no grant.

    Raises `PartnerInDefault` where a funder does not pay.
    """
    funding = agreed.funding or ((contract.partner_no, 1),)
    for funder_no, _ in funding:
        if funder_no != contract.partner_no and terms.catalogue.default_at(funder_no, at):
            raise PartnerInDefault(NOT_FUNDED)
    shares = split(points, [weight for _, weight in funding])
    grants = []
    for (funder_no, _), share in zip(funding, shares, strict=True):
        provenance = terms.provenance(contract, at, funder_no=funder_no)
        if agreed.expires_on is not None:
            provenance = provenance._replace(expires_on=agreed.expires_on)
        if share:
            grants.append(Grant(provenance, share))
    return tuple(grants)


def _check_lines(lines: Sequence[PurchaseLine], bought: Purchase | None) -> None:
    most = bought.amount_minor if bought else 0
    costs = sum(line.amount_minor for line in lines)
    if costs > most:
        raise LinesExceedPurchase(
            f"the lines cost {costs} and the purchase {most}; send lines after discounts",
            limit=most,
            errors=[{"pointer": "/lines", "detail": "cost more than the purchase"}],
        )


def _time_of(command: IssueBody | QuoteBody) -> datetime:
    assert command.occurred_at is not None, "a quote's time is filled in"
    return command.occurred_at


def _plainly(
    given: int | None, bought: Purchase | None, terms: Terms, partner_no: int, at: datetime
) -> Earned:
    """Return the points given, or those of the base rate, where no rule need be asked."""
    if bought is None:
        return Earned(given or 0, None, None)
    rule = terms.rules.at(partner_no, bought.currency, at)
    if rule is None:
        raise _no_rule(bought.currency)
    points = earn(bought.amount_minor, rule)
    _check_points(points)
    return Earned(points, rule, bought)


def _of_member(
    known: Known, member: UUID | None, at: datetime
) -> tuple[Standings, tuple[Rule, ...]]:
    """Return what the member is at that time, and its own bonuses."""
    if member is None or not (known.standings or known.own):
        return NOBODY, ()
    one = MemberId(member)
    return known.standings.get((one, at), NOBODY), known.own.get(one, ())


def _basket_of(
    command: IssueBody | QuoteBody,
    terms: Terms,
    contract: Contract,
    *,
    store: str | None,
    standing: Standings,
    own: tuple[Rule, ...],
) -> Basket:
    """Return the command's basket as rules see it, with what is known of its member."""
    occurred_at = _time_of(command)
    bought = command.purchase
    return Basket(
        partner_no=contract.partner_no,
        occurred_at=occurred_at,
        local=occurred_at.astimezone(terms.catalogue.zone),
        currency=bought.currency if bought else contract.currency,
        amount_minor=bought.amount_minor if bought else 0,
        store=store,
        lines=tuple(
            Line(no, line.amount_minor, line.category, line.sku, line.quantity)
            for no, line in enumerate(command.lines, start=1)
        )
        if command.lines
        else (),
        measures=command.measures or {},
        tier=standing.tier,
        plan=standing.plan,
        segments=standing.segments,
        flags=standing.flags,
        personal=own,
    )


def _check_points(points: int) -> None:
    if points > POINTS_MAX:
        raise TooManyPoints(
            f"the purchase would earn {points} points and a posting moves at most {POINTS_MAX}; "
            "check the amount, or split the purchase",
            errors=[{"pointer": "/purchase/amount_minor", "detail": "earns too many points"}],
        )


def _no_rule(currency: str) -> NoEarningRule:
    return NoEarningRule(
        f"There is no earning rule of this partner for {currency} at that time; "
        "agree on one, or name the points",
        currency=currency,
    )
