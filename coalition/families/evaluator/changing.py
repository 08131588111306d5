"""Other numbers for who has a tier, a plan or a segment, or comes through a channel."""

from coalition.families.evaluator import fees
from coalition.families.evaluator.acts import Parties
from coalition.families.rule_sets.notation import Change, RuleSet
from coalition.families.rule_sets.numbers import replaced
from coalition.families.rule_sets.vocabulary import Channel


def which(changes: tuple[Change, ...], parties: Parties, channel: Channel) -> tuple[int, ...]:
    """Return the positions of the changes that hold for these parties."""
    return tuple(
        position
        for position, change in enumerate(changes)
        if fees.holds(change.when, fees.meant(parties, change.of), channel)
    )


def changed(rule_set: RuleSet, positions: tuple[int, ...]) -> RuleSet:
    """Return the rule set with the numbers of these changes; of several the last one counts."""
    numbers: dict[str, int | None] = {}
    for position in positions:
        numbers |= rule_set.changes[position].set
    return replaced(rule_set, numbers)
