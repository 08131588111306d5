"""How old somebody is on a day, and as what it counts in a group. Pure."""

from datetime import date

from coalition.families.evaluator.windows import birthday
from coalition.families.rule_sets.notation import Group
from coalition.families.rule_sets.vocabulary import Kind

OF_AGE = 18
"""The age whose birthday is kept of the young; those of other ages are counted from it."""


def kind_on(group: Group, turns_adult_on: date | None, today: date) -> Kind:
    """Return as what somebody counts on the day `today`, by its eighteenth birthday.

    Whose age is not known counts as an adult.
    """
    if turns_adult_on is None:
        return Kind.ADULT
    if today < birthday(turns_adult_on, group.infant_below - OF_AGE):
        return Kind.INFANT
    if today < birthday(turns_adult_on, group.adult_from - OF_AGE):
        return Kind.MINOR
    return Kind.ADULT


def turning_day(born: date | None) -> date | None:
    """Return the eighteenth birthday of who was born on `born`; None where that is not known."""
    return None if born is None else birthday(born, OF_AGE)
