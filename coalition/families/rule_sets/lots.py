"""Which points rules are about: by who issued them, when they were earned, and how they came."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from uuid import UUID

from coalition.families.rule_sets.notation import Lots, RuleSet
from coalition.families.rule_sets.vocabulary import LotKind
from coalition.ledger.classes import Binding
from coalition.ledger.clocks import months_later
from coalition.ledger.holdings import Holding
from coalition.ledger.selecting import LotFilter
from coalition.points.terms import Terms

ISSUER = "issuer"
"""What a rule set says instead of a partner's number: whoever issued the points."""


def binding_of(rule_set: RuleSet) -> Binding | None:
    """Return where points can be spent that were received or pooled under rules as they are kept.

    None is everywhere.
    """
    named = rule_set.transfer.spend_on
    if not named:
        return None
    partners = frozenset(int(one) for one in named if one != ISSUER)
    return Binding(partners, at_issuer=ISSUER in named)


def filter_of(
    asked: Lots | None,
    terms: Terms,
    at: datetime,
    *,
    class_nos: frozenset[int] | None = None,
    contributor: UUID | None = None,
) -> LotFilter | None:
    """Return what the ledger looks at to find the lots that rules let move; None is all lots."""
    issuers, since = _bounds(asked or Lots(), terms, at)
    kinds = _class_nos(asked or Lots(), terms)
    if kinds is not None:
        class_nos = kinds if class_nos is None else kinds & class_nos
    if issuers is None and since is None and class_nos is None and contributor is None:
        return None
    return LotFilter(
        issuer_nos=issuers, class_nos=class_nos, contributor=contributor, earned_since=since
    )


def tells_apart(rule_set: RuleSet) -> bool:
    """Tell whether not all points of a sender may move."""
    return rule_set.transfer.lots is not None or not rule_set.transfer.may_move_on


def received(rule_set: RuleSet, kinds: Iterable[Holding], terms: Terms) -> int:
    """Return how many of the points that somebody has others sent, where these may not move on."""
    if rule_set.transfer.may_move_on:
        return 0
    classes = terms.catalogue.classes.received
    return sum(kind.points for kind in kinds if kind.class_no in classes)


def transferable(
    rule_set: RuleSet, kinds: Iterable[Holding], terms: Terms, at: datetime
) -> int | None:
    """Return how many of the points that somebody has may be sent by their lots; None: all."""
    return of_lots(rule_set.transfer.lots, kinds, terms, at)


def of_lots(asked: Lots | None, kinds: Iterable[Holding], terms: Terms, at: datetime) -> int | None:
    """Return how many of the points that somebody has are of the `asked` lots; None: all."""
    if asked is None:
        return None
    wanted = filter_of(asked, terms, at)
    return sum(kind.points for kind in kinds if wanted is None or _is_of(kind, wanted))


def _is_of(kind: Holding, wanted: LotFilter) -> bool:
    return (
        (wanted.issuer_nos is None or kind.issuer_no in wanted.issuer_nos)
        and (wanted.class_nos is None or kind.class_no in wanted.class_nos)
        and (wanted.earned_since is None or kind.earned_month >= wanted.earned_since)
    )


def _class_nos(asked: Lots, terms: Terms) -> frozenset[int] | None:
    """Return the classes of the kinds that are asked for; None is every kind."""
    if not asked.classes:
        return None
    classes = terms.catalogue.classes
    of = {
        LotKind.ORDINARY: classes.ordinary,
        LotKind.RECEIVED: classes.received,
        LotKind.BOUND: classes.bound,
    }
    return frozenset().union(*(of[kind] for kind in asked.classes))


def _bounds(asked: Lots, terms: Terms, at: datetime) -> tuple[frozenset[int] | None, int | None]:
    """Return the numbers of the issuers and the first month (yyyymm) that are asked for."""
    issuers = frozenset(_issuer_nos(asked, terms)) if asked.issuers else None
    if asked.max_age_months is None:
        return issuers, None
    first = months_later(terms.day(at), -asked.max_age_months)
    return issuers, first.year * 100 + first.month


def _issuer_nos(asked: Lots, terms: Terms) -> Iterator[int]:
    for partner in terms.catalogue.partners:
        if str(partner.no) in asked.issuers or partner.name in asked.issuers:
            yield partner.no
