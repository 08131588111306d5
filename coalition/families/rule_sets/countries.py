"""Puts countries in the place of the names of country lists, so that rules compare codes alone."""

import msgspec

from coalition.families.rule_sets.notation import Conditions, RuleSet


def resolved(rule_set: RuleSet) -> RuleSet:
    """Return the rule set with every country by its code; unknown names are left out."""
    if not rule_set.country_lists:
        return rule_set
    eligibility = rule_set.eligibility
    return msgspec.structs.replace(
        rule_set,
        eligibility=msgspec.structs.replace(
            eligibility,
            countries=_codes(eligibility.countries, rule_set),
            head=_of(eligibility.head, rule_set),
            receiver=_of(eligibility.receiver, rule_set),
        ),
    )


def _of(conditions: Conditions | None, rule_set: RuleSet) -> Conditions | None:
    if conditions is None:
        return None
    countries = _codes(conditions.countries, rule_set)
    return msgspec.structs.replace(conditions, countries=countries)


def _codes(named: tuple[str, ...], rule_set: RuleSet) -> tuple[str, ...]:
    codes = [
        code
        for name in named
        for code in ((name,) if name.isupper() else rule_set.country_lists.get(name, ()))
    ]
    return tuple(dict.fromkeys(codes))
