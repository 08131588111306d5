"""What is refused of rule sets: documents that are not right, names, and beginnings in the past."""

from collections.abc import Sequence

from coalition.families.rule_sets.complaints import Complaint
from coalition.kernel.errors import Invalid, NotFound


class InvalidRuleSet(Invalid):
    """The rule set is not right; `errors` names each key and says what would be right."""

    code, title = "invalid_rule_set", "Invalid rule set"

    @classmethod
    def of(cls, found: Sequence[Complaint]) -> "InvalidRuleSet":
        """Return the refusal that names each complaint by its place in the document."""
        errors = [
            {"pointer": "".join(f"/{key}" for key in path), "detail": text} for path, text in found
        ]
        where = ".".join(str(key) for key in found[0].path)
        return cls(f"{where}: {found[0].text}", errors=errors)


class RuleSetRetroactive(Invalid):
    """A rule set and a binding hold from their approval at the earliest; leave the time out."""

    code, title = "rule_set_retroactive", "Retroactive rule set"
    constraint = "a_rule_set_is_never_retroactive"


class BindingRetroactive(RuleSetRetroactive):
    """A binding holds from its approval at the earliest; leave the time out."""

    code, title = "rule_binding_retroactive", "Retroactive binding"
    constraint = "a_binding_is_never_retroactive"


class UnknownRuleSet(NotFound):
    """There is no rule set with this name; `coalition rules list` names those that there are."""

    code, title = "rule_set_not_found", "Rule set not found"


class InvalidRuleSetName(Invalid):
    """A name is 1 to 40 small letters, digits, `_` and `-` and begins with a letter."""

    code, title = "invalid_rule_set_name", "Invalid name"


class RuleSetOfAnotherMechanism(Invalid):
    """Transfers run under p2p rules; a version keeps the mechanism, so take another name."""

    code, title = "rule_set_of_another_mechanism", "Rule set of another mechanism"
