"""The rules that may apply to a basket, found by partner and time without looking at the others."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime

import msgspec
import structlog

from coalition.federation.terms import PartnerDefault
from coalition.points.bonuses import conditions
from coalition.points.bonuses.baskets import Basket, Member
from coalition.points.bonuses.compiled import ISSUER, OPERATOR, Rule, RuleVersion, ready
from coalition.points.bonuses.conditions import BadConditionError
from coalition.points.rules import EarningRules

_REMEMBERED_MOST = 1024
_NEVER = 1 << 63
"""More than any amount is."""

Plain = tuple[str | None, str, Member]
"""Store, currency and member of a plain basket: no lines, no measures, no bonuses of its own."""

_logger = structlog.get_logger(__name__)


class _Span:
    """The rules of one partner between two instants at which a rule begins or ends."""

    def __init__(self, rules: tuple[Rule, ...]) -> None:
        self._rules = rules
        self._welcoming: dict[tuple[object, ...], tuple[Rule, ...]] = {}
        self.least: dict[Plain, int] = {}
        """What `least_minor` has returned."""

    def candidates(self, basket: Basket) -> tuple[Rule, ...]:
        """Return in order the rules that a basket of this place, currency and member may meet."""
        key = (
            basket.store, basket.currency, basket.tier, basket.plan, basket.segments, basket.flags,
            not basket.lines, not basket.measures,
        )  # fmt: skip
        known = self._welcoming.get(key)
        if known is None:
            if len(self._welcoming) >= _REMEMBERED_MOST:
                self._welcoming.clear()
            known = self._welcoming[key] = _welcoming(self._rules, basket)
        return known

    def least_minor(self, plain: Plain, bought: Basket) -> int:
        """Return from which amount on a basket like `bought`, which is `plain`, may meet a rule."""
        if len(self.least) >= _REMEMBERED_MOST:
            self.least.clear()
        found = min(map(_least_minor, self.candidates(bought)), default=_NEVER)
        self.least[plain] = found
        return found


def _welcoming(rules: tuple[Rule, ...], basket: Basket) -> tuple[Rule, ...]:
    """Return the rules that baskets of this place, currency and member can meet.

    Whether there are lines and measures at all is part of it. Conditions are judged here as far as
    these facts decide them: what CEL does not know is an error that `false && …` and `true || …` do
    without, so any other verdict holds whatever is missing.
    """
    told = conditions.common_to(basket)
    found = []
    for rule in rules:
        if not rule.welcomes(basket) or (rule.categories and not basket.lines):
            continue
        verdict = True if rule.condition is None else rule.condition.judge(told)
        if verdict is True:
            found.append(msgspec.structs.replace(rule, condition=None))
        elif verdict is not False:
            found.append(rule)
    return tuple(found)


_Timeline = tuple[list[datetime], list[_Span]]


class ActiveRules:
    """All versions of all rules, and the base rates, as of one version of the catalogue."""

    def __init__(
        self,
        versions: Iterable[RuleVersion],
        base: EarningRules,
        defaults: Iterable[PartnerDefault] = (),
    ) -> None:
        """Compile `versions` and find out when each of them holds."""
        self.base = base
        self.defaults = tuple(sorted(defaults, key=lambda one: (one.begins_at, one.no)))
        """Since when and until when partners pay for nothing; nearly always none."""
        self._spans = [
            (rule, begins, ends)
            for version, begins, ends in in_force(versions)
            if (rule := _ready_or_none(version)) is not None
        ]
        self._by_no = {rule.no: rule for rule, _, _ in self._spans}
        self._timelines: dict[int, _Timeline] = {}
        self._failed: set[int] = set()
        self.needs_standings = any(rule.needs_standings for rule, _, _ in self._spans)
        """Whether any rule looks at what a member is, so that it has to be read beforehand."""

    def numbered(self, no: int) -> Rule:
        """Return the rule version with this number, which is written in our own books."""
        return self._by_no[no]

    def candidates(self, basket: Basket) -> tuple[Rule, ...]:
        """Return in order the rules that may apply, with the member's own; hours are not judged."""
        found = self._span(basket.partner_no, basket.occurred_at).candidates(basket)
        if not basket.personal:
            return found
        personal = tuple(
            rule
            for rule in basket.personal
            if rule.welcomes(basket) and rule.holds_at(basket.occurred_at)
        )
        return tuple(sorted(found + personal, key=_place)) if personal else found

    def least_minor(self, partner_no: int, occurred_at: datetime, plain: Plain) -> int:
        """Return from which amount on a `plain` basket may meet a rule; below, its base counts.

        Which rules a till meets at all is told without looking at any, and most purchases are less.
        """
        span = self._span(partner_no, occurred_at)
        known = span.least.get(plain)
        if known is None:
            known = span.least_minor(plain, _basket_of(partner_no, occurred_at, plain))
        return known

    def caps_for(
        self, basket: Basket, candidates: tuple[Rule, ...] | None = None
    ) -> tuple[tuple[int, str], ...]:
        """Return the counters, (root number, period), that `evaluate` has to be told.

        `candidates` are those of the basket, from whoever has them at hand.
        """
        known = self.candidates(basket) if candidates is None else candidates
        capped = [rule for rule in known if rule.caps]
        if not capped:
            return ()
        return tuple(
            (rule.root_no, period_name(cap.period, basket.local))
            for rule in capped
            if rule.reaches(basket)
            for cap in rule.caps
        )

    def is_paid_for(self, rule: Rule, basket: Basket) -> bool:
        """Tell whether all who pay for the rule beside the partner at the till do pay."""
        payers = {funder for funder, _ in rule.funding} - {ISSUER, OPERATOR, basket.partner_no}
        failing: dict[int, bool] = {}
        for one in self.defaults:
            if one.partner_no in payers and one.begins_at <= basket.occurred_at:
                failing[one.partner_no] = one.on_default is not None
        return not any(failing.values())

    def note_failure(self, rule: Rule, why: str) -> None:
        """Log that a condition could not be judged, once per rule and version of the catalogue."""
        if rule.no not in self._failed:
            self._failed.add(rule.no)
            _logger.warning("rule_condition_failed", rule=rule.code, version=rule.version, why=why)

    def _span(self, partner_no: int, instant: datetime) -> _Span:
        timeline = self._timelines.get(partner_no)
        if timeline is None:
            timeline = self._timelines[partner_no] = self._timeline(partner_no)
        starts, spans = timeline
        if instant.tzinfo is not UTC:
            instant = instant.astimezone(UTC)  # comparing across zones costs ten times as much
        if starts and starts[-1] <= instant:
            return spans[-1]
        return spans[bisect_right(starts, instant)]

    def _timeline(self, partner_no: int) -> _Timeline:
        """Return the instants at which something changes, and the rules before and between them."""
        mine = [
            span for span in self._spans if not span[0].partners or partner_no in span[0].partners
        ]
        starts = sorted({instant for span in mine for instant in span[1:] if instant is not None})
        spans = [_Span(())]
        for start in starts:
            holding = (
                rule
                for rule, begins, ends in mine
                if begins <= start and (ends is None or start < ends)
            )
            spans.append(_Span(tuple(sorted(holding, key=_place))))
        return starts, spans


def _basket_of(partner_no: int, occurred_at: datetime, plain: Plain) -> Basket:
    store, currency, standing = plain
    return Basket(
        partner_no=partner_no,
        occurred_at=occurred_at,
        local=occurred_at,
        currency=currency,
        amount_minor=0,
        store=store,
        tier=standing.tier,
        plan=standing.plan,
        segments=standing.segments,
        flags=standing.flags,
    )


def _least_minor(rule: Rule) -> int:
    """Return from which amount on a basket without lines may meet the rule."""
    return max(rule.least_minor, rule.condition.least_minor if rule.condition is not None else 0)


def _ready_or_none(version: RuleVersion) -> Rule | None:
    """Return the rule, or None when the library no longer takes its condition: it holds no more."""
    try:
        return ready(version)
    except BadConditionError as bad:
        _logger.exception("rule_condition_refused", rule=version.code, why=str(bad))
        return None


def in_force(
    versions: Iterable[RuleVersion],
) -> list[tuple[RuleVersion, datetime, datetime | None]]:
    """Return each version with the time in which it holds; those that never do are left out.

    A later version ends the earlier ones of its code where it begins, also when it holds at no time
    itself: that is how a rule is retired.
    """
    by_code: dict[str, list[RuleVersion]] = defaultdict(list)
    for version in versions:
        by_code[version.code].append(version)
    found = []
    for of_code in by_code.values():
        of_code.sort(key=lambda version: version.version)
        for at, version in enumerate(of_code):
            ends = [later.valid_from for later in of_code[at + 1 :]]
            ends += [version.valid_until] if version.valid_until is not None else []
            end = min(ends, default=None)
            if end is None or version.valid_from < end:
                found.append((version, version.valid_from, end))
    return found


def period_name(period: str, local: datetime) -> str:
    """Return the name of the period that `local` lies in: day:2026-10-02, week:2026-W40 ..."""
    if period == "day":
        return f"day:{local.date().isoformat()}"
    if period == "week":
        year, week, _ = local.isocalendar()
        return f"week:{year}-W{week:02d}"
    if period == "month":
        return f"month:{local.year}-{local.month:02d}"
    if period == "year":
        return f"year:{local.year}"
    return "campaign"


def _place(rule: Rule) -> tuple[int, int, int]:
    return rule.order, rule.root_no, rule.no
