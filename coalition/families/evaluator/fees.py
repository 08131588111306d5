"""What an act costs: flat, by block, by percentage or by bracket, in money or in points."""

from collections.abc import Iterator
from decimal import Decimal

from coalition.families.evaluator.acts import Act, Failure, FeeDue, Parties, Party
from coalition.families.evaluator.predicates import Case, Check, Predicate
from coalition.families.rule_sets.notation import Bracket, Fee, Money, RuleSet, Standing
from coalition.families.rule_sets.vocabulary import Channel, Event


def due(
    fees: tuple[Fee, ...], act: Act, parties: Parties, *, starts_session: bool
) -> tuple[FeeDue, ...]:
    """Return what has to be paid; what comes to nothing is left out.

    A percentage is rounded up to whole points and a block begun counts. A fee on changes is asked
    once of all changes that count as one.
    """
    return tuple(
        priced
        for fee in fees
        if _is_asked(fee, act, parties, starts_session=starts_session)
        and (priced := _price(fee, act)) is not None
    )


def predicates(rule_set: RuleSet, event: Event) -> Iterator[Predicate]:
    """Yield that tables of brackets reach as far as the points, with what fees have to know."""
    for position, fee in enumerate(rule_set.fees):
        if fee.on is event:
            standings = (*fee.waived, fee.only) if fee.only else fee.waived
            facts = (standing_facts(standing, fee.payer) for standing in standings)
            check = _is_priced(fee, f"fees.{position}.brackets")
            yield Predicate(check, tuple(frozenset[str]().union(*facts)))


def holds(standing: Standing, party: Party | None, channel: Channel) -> bool:
    """Tell whether a party has one of the tiers, plans and segments, and comes by a channel."""
    if standing.channels and channel not in standing.channels:
        return False
    if not (standing.tiers or standing.plans or standing.segments):
        return True
    return (
        party is not None
        and (not standing.tiers or party.tier in standing.tiers)
        and (not standing.plans or party.plan in standing.plans)
        and (not standing.segments or not party.segments.isdisjoint(standing.segments))
    )


def meant(parties: Parties, of: str) -> Party | None:
    """Return who is meant by sender, receiver, head or member; the last is whoever acts."""
    if of == "receiver":
        return parties.receiver
    return parties.head if of == "head" else parties.actor


def standing_facts(standing: Standing, of: str) -> frozenset[str]:
    """Return which fields tell whether a standing holds."""
    who = of if of in {"receiver", "head"} else "actor"
    fields = {"tier": standing.tiers, "plan": standing.plans, "segments": standing.segments}
    return frozenset(f"{who}.{field}" for field, wanted in fields.items() if wanted)


def _is_asked(fee: Fee, act: Act, parties: Parties, *, starts_session: bool) -> bool:
    """Tell whether a fee is asked of an act and not waived."""
    if fee.on is Event.CHANGE and not starts_session:
        return False
    payer = meant(parties, fee.payer)
    if fee.only is not None and not holds(fee.only, payer, act.channel):
        return False
    return not any(holds(standing, payer, act.channel) for standing in fee.waived)


def _is_priced(fee: Fee, rule: str) -> Check:
    def check(case: Case) -> Failure | None:
        act = case.act
        if fee.kind != "bracket" or _bracket(fee, act.points) is not None:
            return None
        if not _is_asked(fee, act, case.parties, starts_session=case.starts_session):
            return None
        last = fee.brackets[-1].up_to if fee.brackets else None
        return Failure(rule=rule, limit=last, used=act.points)

    return check


def _price(fee: Fee, act: Act) -> FeeDue | None:
    if fee.kind == "percent":
        return _in_points(fee, _percentage(fee.percent or "0", act.points))
    priced: Fee | Bracket | None = fee
    if fee.kind == "bracket":
        priced = _bracket(fee, act.points)
    if priced is None:
        return None
    times = -(-act.points // (fee.block or 1)) if fee.kind == "per_block" else 1
    if priced.points is not None and (act.pays_in_points or priced.money is None):
        return _in_points(fee, priced.points * times)
    return None if priced.money is None else _in_money(fee, priced.money, times)


def _bracket(fee: Fee, points: int) -> Bracket | None:
    return next((one for one in fee.brackets if one.up_to is None or points <= one.up_to), None)


def _percentage(percent: str, points: int) -> int:
    """Return so many per cent of the points, rounded up."""
    above, below = Decimal(percent).as_integer_ratio()
    return -(-points * above // (100 * below))


def _in_points(fee: Fee, points: int) -> FeeDue | None:
    points = _bounded(fee, points)
    return FeeDue(payer=fee.payer, points=points) if points else None


def _in_money(fee: Fee, money: Money, times: int) -> FeeDue | None:
    amount = _bounded(fee, money.amount_minor * times)
    if not amount:
        return None
    return FeeDue(payer=fee.payer, money=Money(amount_minor=amount, currency=money.currency))


def _bounded(fee: Fee, price: int) -> int:
    """Return the price of a percentage or of all blocks, no less and no more than the fee says."""
    if fee.kind not in {"percent", "per_block"}:
        return price
    least = max(price, fee.min or 0)
    return least if fee.max is None else min(least, fee.max)
