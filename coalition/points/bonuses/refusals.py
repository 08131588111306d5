"""What is refused of earning rules: documents that are not right, and beginnings in the past."""

from coalition.kernel.errors import Conflict, Invalid, NotFound


class InvalidRule(Invalid):
    """The rule document is not right; `errors` names each key and says what would be right."""

    code, title = "invalid_rule", "Invalid rule"


class RuleRetroactive(Invalid):
    """A rule holds from its activation at the earliest; what was earned stays as it was."""

    code, title = "rule_retroactive", "Retroactive rule"
    constraint = "a_rule_is_never_retroactive"


class UnknownRule(NotFound):
    """There is no rule with this code; `coalition earning list` names those that there are."""

    code, title = "rule_not_found", "Rule not found"


class RuleRetired(Conflict):
    """The rule has been retired; propose a further version of it instead."""

    code, title = "rule_retired", "Rule retired"


class InvalidBonus(Invalid):
    """A bonus multiplies by more than 1 or adds points, for a time that is yet to end."""

    code, title = "invalid_bonus", "Invalid bonus"
