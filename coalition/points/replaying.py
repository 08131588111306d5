"""Replays past purchases under other earning rules; reads only, and writes nothing anywhere."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from coalition.kernel.database import Connection
from coalition.kernel.ids import MemberId
from coalition.ledger import sales
from coalition.ledger.sales import Sale
from coalition.members import standings
from coalition.members.standings import Standings
from coalition.points import purchases
from coalition.points.bonuses import personal
from coalition.points.bonuses.compiled import Rule, RuleVersion
from coalition.points.bonuses.documents import RuleDocument
from coalition.points.bonuses.evaluation import ActiveRules, Basket, Evaluation, Line, evaluate
from coalition.points.purchases import Circumstances, KeptBasket
from coalition.points.terms import Terms

_NOBODY = Standings()


class Difference(msgspec.Struct, kw_only=True):
    """What purchases at one partner earned, and what they would have earned."""

    partner_no: int
    purchases: int = 0
    without_lines: int = 0
    """Of which the till sent no lines, so that no rule about categories could count them."""
    points: int = 0
    would_be: int = 0

    @property
    def more(self) -> int:
        """Return how many points more it would have been."""
        return self.would_be - self.points


class Replay(msgspec.Struct, kw_only=True):
    """What a draft of rules would have changed in some time."""

    partners: dict[int, Difference] = {}
    rules: Counter[str] = msgspec.field(default_factory=Counter)
    """Points by code of the rule; those of the base rate are not in it."""
    funders: Counter[int] = msgspec.field(default_factory=Counter)
    """Points by who would have paid for them, 0 is the operator."""


def drafted(
    terms: Terms, kept: Iterable[RuleVersion], documents: Sequence[RuleDocument], begins: datetime
) -> ActiveRules:
    """Return the rules as they are, with `documents` in place of theirs of the same code.

    The documents are settled ones; they hold from `begins`, whatever they say of their time.
    """
    codes = {document.code for document in documents}
    versions = list(kept)
    others = [version for version in versions if version.code not in codes]
    last = max((version.no for version in versions), default=0)
    drafts = [
        RuleVersion(
            no=no,
            root_no=no,
            code=document.code,
            version=1,
            document=document,
            valid_from=begins,
            valid_until=None,
        )
        for no, document in enumerate(documents, start=last + 1)
    ]
    return ActiveRules([*others, *drafts], terms.rules, terms.catalogue.defaults)


async def replay(
    connection: Connection, terms: Terms, rules: ActiveRules, *, begin: datetime, end: datetime
) -> Replay:
    """Return what the purchases from `begin` until `end` would have earned under `rules`.

    Caps are counted from nothing at `begin`. What a till told beyond the amount is taken from where
    it was kept; what a member is, from its standings at the time.
    """
    found = Replay()
    used: Counter[tuple[UUID, int, str]] = Counter()
    has_bonuses = await personal.any_given(connection)
    async for page in sales.pages(connection, begin=begin, end=end):
        baskets = await purchases.read(connection, [sale.posting for sale in page])
        told = await _standings(connection, rules, page)
        holders = {MemberId(sale.holder) for sale in page}
        own = await personal.read(connection, holders) if has_bonuses else {}
        for sale in page:
            member = MemberId(sale.holder)
            standing = told.get((member, sale.occurred_at), _NOBODY)
            kept = baskets.get(sale.posting)
            basket = _basket(sale, kept, standing, own.get(member, ()), terms)
            evaluation = evaluate(rules, basket, _used_by(used, sale.holder, rules, basket))
            for usage in evaluation.usage:
                used[sale.holder, usage.rule_no, usage.period] += usage.points
            _count(found, sale, evaluation, has_lines=kept is not None)
    return found


async def _standings(
    connection: Connection, rules: ActiveRules, page: Sequence[Sale]
) -> Mapping[tuple[MemberId, datetime], Standings]:
    if not rules.needs_standings:
        return {}
    pairs = {(MemberId(sale.holder), sale.occurred_at) for sale in page}
    return await standings.read_each(connection, pairs)


def _used_by(
    used: Counter[tuple[UUID, int, str]], holder: UUID, rules: ActiveRules, basket: Basket
) -> dict[tuple[int, str], int]:
    return {counter: used[(holder, *counter)] for counter in rules.caps_for(basket)}


def _basket(
    sale: Sale,
    kept: KeptBasket | None,
    standing: Standings,
    own: tuple[Rule, ...],
    terms: Terms,
) -> Basket:
    store = None if sale.store_no is None else terms.catalogue.store_by_no(sale.store_no).code
    told = kept.circumstances if kept is not None else Circumstances()
    lines = kept.lines if kept is not None else ()
    return Basket(
        partner_no=sale.partner_no,
        occurred_at=sale.occurred_at,
        local=sale.occurred_at.astimezone(terms.catalogue.zone),
        currency=sale.currency,
        amount_minor=sale.amount_minor,
        store=store,
        lines=tuple(
            Line(line.no, line.amount_minor, line.category, line.sku, line.quantity)
            for line in lines
        ),
        measures=told.measures,
        tier=standing.tier,
        plan=standing.plan,
        segments=standing.segments,
        flags=standing.flags,
        personal=own,
    )


def _count(found: Replay, sale: Sale, evaluation: Evaluation, *, has_lines: bool) -> None:
    partner = found.partners.get(sale.partner_no)
    if partner is None:
        partner = found.partners[sale.partner_no] = Difference(partner_no=sale.partner_no)
    partner.purchases += 1
    partner.without_lines += not has_lines
    partner.points += sale.points
    partner.would_be += evaluation.points
    for gain in evaluation.gains:
        found.rules[gain.rule.code] += gain.points
    for share in evaluation.shares:
        found.funders[share.funder_no] += share.points
