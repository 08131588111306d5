"""What is asked of who acts, of the receiver and of the head, condition by condition.

Where waiting helps, an age or the days of an account, the failure says from when. What somebody is
told of another's standing, case or address is no more than that the condition does not hold.
"""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, NamedTuple

from coalition.families.evaluator import windows
from coalition.families.evaluator.acts import Failure, Party
from coalition.families.evaluator.predicates import Case, Check, Predicate, is_minor
from coalition.families.rule_sets.notation import Conditions, RuleSet
from coalition.families.rule_sets.vocabulary import Event, Mechanism

_DAY = timedelta(days=1)
_OF_TWO = frozenset({"relationships", "evidence", "address", "name_match"})
"""What is asked of two parties together."""
_ASKS_NOTHING: tuple[object, ...] = ((), False, "none")  # 0 is False here, and asks nothing either


class _Asked(NamedTuple):
    """One condition as it is asked: of whom, under which name, and what it wants."""

    of: str
    rule: str
    # Any: a number, a word or several, each judged by the function of its own field.
    wanted: Any
    conditions: Conditions
    adult_from: int
    joining_asked: bool
    """Whether members of a group were asked when they joined."""

    def fails(self, used: int | str | None = None, **more: Any) -> Failure:
        """Return the failure of this condition."""
        limit = ", ".join(self.wanted) if isinstance(self.wanted, tuple) else self.wanted
        return Failure(rule=self.rule, limit=more.pop("limit", limit), used=used, **more)


_Judge = Callable[[_Asked, Case, Party], Failure | None]


def predicates(rule_set: RuleSet, event: Event) -> Iterator[Predicate]:
    """Yield what is asked at an event: of who acts, then of the receiver, then of the head.

    Joins and transfers ask everything; but in a group whose members only send points to each other
    (p2p) the sender is asked, when it sends, and who joins is not. A contribution asks what
    concerns its member alone: what two parties are to each other was asked when it joined.
    Redeeming, leaving and changing ask nothing but an address that is always checked: who may spend
    is a matter of the group.
    """
    own = rule_set.eligibility
    if event is not Event.JOIN or _asks_who_joins(rule_set):
        yield from _of("actor", "eligibility.", own, rule_set, event)
    yield from _stops_senders(rule_set, event)
    if own.receiver is not None and event is Event.TRANSFER:
        yield from _of("receiver", "eligibility.receiver.", own.receiver, rule_set, event)
    if own.head is not None and event in {Event.JOIN, Event.TRANSFER}:
        yield from _of("head", "eligibility.head.", own.head, rule_set, event)


def _stops_senders(rule_set: RuleSet, event: Event) -> Iterator[Predicate]:
    """Yield that who is frozen, or stopped by a guardian, sends nothing, whatever the rules ask."""
    if event is Event.TRANSFER and not rule_set.eligibility.good_standing:
        failure = Failure(rule="eligibility.good_standing", limit=None, used=None)
        yield Predicate(
            lambda case: None if case.parties.actor.is_active else failure, ("actor.is_active",)
        )


def _of(
    of: str, prefix: str, conditions: Conditions, rule_set: RuleSet, event: Event
) -> Iterator[Predicate]:
    for field, (judge, facts) in _JUDGES.items():
        wanted = getattr(conditions, field)
        asks = wanted is not None and (field == "max_age" or wanted not in _ASKS_NOTHING)
        if asks and _is_asked(field, conditions, event):
            adult_from, joining_asked = rule_set.group.adult_from, _asks_who_joins(rule_set)
            asked = _Asked(of, prefix + field, wanted, conditions, adult_from, joining_asked)
            named = (fact if "." in fact else f"{of}.{fact}" for fact in facts)
            yield Predicate(_check(judge, asked), tuple(named))


def _asks_who_joins(rule_set: RuleSet) -> bool:
    return rule_set.mechanism is not Mechanism.P2P


def _is_asked(field: str, conditions: Conditions, event: Event) -> bool:
    if event in {Event.JOIN, Event.TRANSFER}:
        return True
    if field == "address":
        return conditions.address_checked == "always" and event in {Event.CONTRIBUTE, Event.REDEEM}
    return event is Event.CONTRIBUTE and field not in _OF_TWO


def _check(judge: _Judge, asked: _Asked) -> Check:
    def check(case: Case) -> Failure | None:
        party: Party | None = getattr(case.parties, asked.of)
        return None if party is None else judge(asked, case, party)

    return check


def _other(asked: _Asked, case: Case) -> Party | None:
    """Return the other side: of a transfer the receiver or the sender, else the head."""
    parties = case.parties
    if case.act.event is not Event.TRANSFER:
        return parties.head
    return parties.actor if asked.of == "receiver" else parties.receiver


def _is_head(case: Case, party: Party) -> bool:
    """Tell whether who joins is the head itself, who is nothing to itself."""
    head = case.parties.head
    return case.act.event is Event.JOIN and head is not None and head.member == party.member


def _was_asked(asked: _Asked, case: Case) -> bool:
    """Tell whether a transfer is in a group whose members were asked, towards its head, before."""
    in_group = case.act.event is Event.TRANSFER and case.parties.group is not None
    return in_group and asked.joining_asked


def _relationships(asked: _Asked, case: Case, party: Party) -> Failure | None:
    if _was_asked(asked, case) or _is_head(case, party) or case.act.relationship in asked.wanted:
        return None
    return asked.fails(case.act.relationship)


def _evidence(asked: _Asked, case: Case, party: Party) -> Failure | None:
    act = case.act
    is_due = asked.wanted == "required" or act.evidence_asked
    return None if act.evidence or not is_due or _is_head(case, party) else asked.fails()


def _address(asked: _Asked, case: Case, party: Party) -> Failure | None:
    once = asked.conditions.address_checked == "join"
    if (once and _was_asked(asked, case)) or _is_head(case, party):
        return None
    other = _other(asked, case)
    if other is None or party.address is None or party.address != other.address:
        return asked.fails()
    is_enough = asked.wanted == "same" or (party.address_registered and other.address_registered)
    return None if is_enough else asked.fails()


def _countries(asked: _Asked, _case: Case, party: Party) -> Failure | None:
    return None if party.country in asked.wanted else asked.fails(party.country)


def _min_age(asked: _Asked, case: Case, party: Party) -> Failure | None:
    wanted = _least_age(asked, case, party)
    if party.born is None:
        return asked.fails(limit=wanted)
    age = windows.age(party.born, case.today)
    if age >= wanted:
        return None
    then = windows.start_of(windows.birthday(party.born, wanted), case.zone)
    return asked.fails(age, limit=wanted, next_possible_at=then)


def _least_age(asked: _Asked, case: Case, party: Party) -> int:
    with_guardian = asked.conditions.min_age_with_guardian
    if with_guardian is not None and case.act.has_guardian_in_group:
        place = case.parties.actor_place
        if is_minor(party, place, adult_from=asked.adult_from, today=case.today):
            return with_guardian
    least: int = asked.wanted
    return least


def _max_age(asked: _Asked, case: Case, party: Party) -> Failure | None:
    age = None if party.born is None else windows.age(party.born, case.today)
    return None if age is not None and age <= asked.wanted else asked.fails(age)


def _word(field: str) -> _Judge:
    """Judge a tier or a plan: one of several words."""

    def judge(asked: _Asked, _case: Case, party: Party) -> Failure | None:
        word = getattr(party, field)
        return None if word in asked.wanted else asked.fails(word)

    return judge


def _segments(asked: _Asked, _case: Case, party: Party) -> Failure | None:
    return None if not party.segments.isdisjoint(asked.wanted) else asked.fails()


def _identity_verified(asked: _Asked, _case: Case, party: Party) -> Failure | None:
    return None if "identity_verified" in party.flags else asked.fails(limit=None)


def _name_match(asked: _Asked, case: Case, party: Party) -> Failure | None:
    name = case.act.given_name
    return None if name is not None and name == party.name else asked.fails(limit=None)


def _good_standing(asked: _Asked, _case: Case, party: Party) -> Failure | None:
    is_good = party.is_active and not party.has_open_case
    return None if is_good else asked.fails(limit=None)


def _min_account_days(asked: _Asked, case: Case, party: Party) -> Failure | None:
    wanted = asked.wanted.active if party.was_active else asked.wanted.idle
    joined = windows.local_day(party.joined, case.zone)
    days = (case.today - joined).days
    if days >= wanted:
        return None
    then = windows.start_of(joined + wanted * _DAY, case.zone)
    return asked.fails(days, limit=wanted, next_possible_at=then)


def _least(field: str) -> _Judge:
    """Judge a number that must be so high at least."""

    def judge(asked: _Asked, _case: Case, party: Party) -> Failure | None:
        number: int = getattr(party, field)
        return None if number >= asked.wanted else asked.fails(number)

    return judge


_BOTH = ("actor.address", "receiver.address", "head.address")
_JUDGES: dict[str, tuple[_Judge, tuple[str, ...]]] = {
    "relationships": (_relationships, ("act.relationship",)),
    "evidence": (_evidence, ("act.evidence", "act.evidence_asked")),
    "address": (_address, (*_BOTH, *(f"{fact}_registered" for fact in _BOTH))),
    "countries": (_countries, ("country",)),
    "min_age": (_min_age, ("born", "act.has_guardian_in_group")),
    "max_age": (_max_age, ("born",)),
    "tiers": (_word("tier"), ("tier",)),
    "plans": (_word("plan"), ("plan",)),
    "segments": (_segments, ("segments",)),
    "identity_verified": (_identity_verified, ("flags",)),
    "name_match": (_name_match, ("name", "act.given_name")),
    "good_standing": (_good_standing, ("is_active", "has_open_case")),
    "min_account_days": (_min_account_days, ("joined", "was_active")),
    "min_active_months": (_least("active_months"), ("active_months",)),
    "min_earned": (_least("earned"), ("earned",)),
    "min_balance": (_least("balance"), ("balance",)),
}
"""By condition, in the order of the notation, how it is judged and what it reads of its party."""
