"""Finds what is wrong with who belongs to a group: how many, who spends and who may join."""

from collections.abc import Iterator

from coalition.families.rule_sets.complaints import Complaint, Path, Said, said
from coalition.families.rule_sets.notation import Bounds, Conditions, RuleSet, SpendRule
from coalition.families.rule_sets.vocabulary import Kind, Mechanism, Role, Scope

_POOLING = frozenset(Mechanism) - {Mechanism.P2P, Mechanism.NOMINEE_ONLY}
_SENDING = frozenset({Mechanism.P2P, Mechanism.HEAD_PULL})
_SPENDERS = (*(role.value for role in Role), Kind.ADULT.value, Kind.MINOR.value, "member")


def of_bounds(rule_set: RuleSet) -> Iterator[Complaint]:
    """Yield what is wrong with how many belong to a group."""
    group = rule_set.group
    for name in ("members", "adults", "minors", "infants", "nominees"):
        bounds: Bounds = getattr(group, name)
        if bounds.max is not None and bounds.min > bounds.max:
            text = f"at least {bounds.min} are more than at most {bounds.max}; turn them round"
            yield Complaint(("group", name), text)
    most, least = group.members.max, group.adults.min + group.minors.min
    yield from said(
        (most == 0, ("group", "members", "max"), "the head is a member; write at least 1"),
        (
            most is not None and 0 < most < least,
            ("group", "members", "max"),
            f"{least} adults and minors do not fit into {most}; raise it or lower their min",
        ),
        (
            group.infant_below > group.adult_from,
            ("group", "infant_below"),
            f"an infant would be older than an adult of {group.adult_from}; write a lower age",
        ),
    )


def of_spending(rule_set: RuleSet) -> Iterator[Complaint]:
    """Yield what is wrong with who spends what."""
    group, mechanism = rule_set.group, rule_set.mechanism
    for name, rule in group.spend.items():
        yield from _of_spender(name, rule, mechanism)
    spends_pool = any(rule.scope is Scope.POOL for rule in group.spend.values())
    if mechanism in _POOLING and mechanism is not Mechanism.HEAD_PULL and not spends_pool:
        text = "nobody may spend the pool; write head: {scope: pool}"
        yield Complaint(("group", "spend"), text)


def _of_spender(name: str, rule: SpendRule, mechanism: Mechanism) -> Said:
    at: Path = ("group", "spend", name)
    return said(
        (
            name not in _SPENDERS,
            at,
            f"{name!r} spends nothing; there are: {', '.join(_SPENDERS)}",
        ),
        (
            rule.scope is Scope.POOL and mechanism not in _POOLING,
            (*at, "scope"),
            f"{mechanism} has no pool; write own",
        ),
        (
            name == Role.HEAD and (rule.by_grant or rule.revocable),
            at,
            "the head has the right and gives it; leave by_grant and revocable out",
        ),
    )


def of_eligibility(rule_set: RuleSet) -> Iterator[Complaint]:
    """Yield what is wrong with what is asked of members, heads and receivers."""
    asked, at = rule_set.eligibility, ("eligibility",)
    yield from _of_conditions(asked, at, rule_set)
    yield from said(
        (
            asked.name_match,
            (*at, "name_match"),
            "the name that is matched is the receiver's; write it under eligibility.receiver",
        )
    )
    if asked.head is not None:
        yield from _of_conditions(asked.head, (*at, "head"), rule_set)
        yield from _of_head(asked.head, (*at, "head"))
    if asked.receiver is not None:
        yield from _of_conditions(asked.receiver, (*at, "receiver"), rule_set)
        if rule_set.mechanism not in _SENDING:
            text = f"nobody is sent points by {rule_set.mechanism}; leave receiver out"
            yield Complaint((*at, "receiver"), text)


def _of_conditions(asked: Conditions, at: Path, rule_set: RuleSet) -> Iterator[Complaint]:
    least, most, guarded = asked.min_age, asked.max_age, asked.min_age_with_guardian
    yield from said(
        (
            least is not None and most is not None and least > most,
            (*at, "min_age"),
            f"nobody is at least {least} and at most {most}; turn them round",
        ),
        (
            guarded is not None and (least is None or guarded >= least),
            (*at, "min_age_with_guardian"),
            "it takes the place of a higher min_age; write that, or leave this out",
        ),
        (
            asked.evidence != "none" and not asked.relationships,
            (*at, "evidence"),
            "what is proved is a relationship; name them in relationships",
        ),
    )
    for position, named in enumerate(asked.countries):
        yield from _of_country(named, (*at, "countries", position), rule_set)


def _of_country(named: str, at: Path, rule_set: RuleSet) -> Said:
    lists = rule_set.country_lists
    return said(
        (named == "UK", at, "the United Kingdom is GB in ISO 3166"),
        (
            named.islower() and named not in lists,
            at,
            f"there is no list {named!r}; name its countries in country_lists",
        ),
        (
            named.islower() and named in lists and not lists[named],
            ("country_lists", named),
            "the list is empty, so nobody would pass; name its countries",
        ),
    )


def _of_head(asked: Conditions, at: Path) -> Said:
    return said(
        (
            bool(asked.relationships),
            (*at, "relationships"),
            "relationships are to the head; write them under eligibility",
        ),
        (
            asked.address != "none",
            (*at, "address"),
            "addresses are compared with the head's; write it under eligibility",
        ),
        (
            asked.name_match,
            (*at, "name_match"),
            "the name that is matched is the receiver's; write it under eligibility.receiver",
        ),
    )


def of_join(rule_set: RuleSet) -> Said:
    """Yield what is wrong with how members come in."""
    join = rule_set.join
    return said(
        (
            join.accept == "nobody" and rule_set.mechanism is not Mechanism.NOMINEE_ONLY,
            ("join", "accept"),
            "points come together only with who agrees; write invitee, guardian or both",
        ),
        (
            join.accept != "nobody" and join.invitation_days == 0,
            ("join", "invitation_days"),
            "an invitation would end as it is made; write at least 1",
        ),
    )


def of_contribution(rule_set: RuleSet) -> Said:
    """Yield what is wrong with what members bring into a pool."""
    given, mechanism = rule_set.contribution, rule_set.mechanism
    brings = given.existing != "none" or given.manual
    shares = given.future_percent
    is_account = mechanism is Mechanism.POOL_ACCOUNT
    takes_shares = mechanism in {
        Mechanism.POOL_ACCOUNT, Mechanism.SWEEP_TO_HEAD, Mechanism.LINKED_WALLET
    }  # fmt: skip
    return said(
        (
            brings and not is_account,
            ("contribution", "manual" if given.manual else "existing"),
            f"{mechanism} has no account to bring points to; write mechanism: pool_account",
        ),
        (
            bool(shares) and not takes_shares,
            ("contribution", "future_percent"),
            f"with {mechanism} what is earned stays where it is; leave future_percent out",
        ),
        (
            mechanism is Mechanism.SWEEP_TO_HEAD and not any(shares),
            ("contribution", "future_percent"),
            "nothing would go to the head; write the shares that may be chosen, such as [100]",
        ),
        (
            mechanism is Mechanism.LINKED_WALLET and shares not in {(), (100,)},
            ("contribution", "future_percent"),
            "one wallet gets all that is earned; write [100]",
        ),
        (
            is_account and not brings and not any(shares),
            ("contribution",),
            "nothing ever comes into the pool; write existing, future_percent or manual",
        ),
        (
            len(set(shares)) < len(shares),
            ("contribution", "future_percent"),
            "a share is named twice; keep one of them",
        ),
    )
