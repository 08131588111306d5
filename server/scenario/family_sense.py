"""What types cannot say of the families of a story: names that are declared, rules that hold."""

from collections.abc import Iterator
from itertools import chain

from coalition.families.rule_sets import documents
from coalition.families.rule_sets.vocabulary import Role
from coalition.points.bonuses.checking import Known
from server.documents.nodes import Path
from server.scenario.family_founding import written
from server.scenario.family_steps import Join, RuleSetStep, Transfer
from server.scenario.household_steps import Change, Invite
from server.scenario.steps import Step
from server.scenario.story import FamilyPart, Story

_Complaints = Iterator[tuple[Path, str]]


def complaints(story: Story, known: Known) -> _Complaints:
    """Yield what is wrong with rule sets, families and guardians, each with its place."""
    for name, plain in story.rule_sets.items():
        yield from _rules(("rule_sets", name), plain, known)
    for name, family in story.families.items():
        yield from _family(story, ("families", name), family)
    for name, member in story.members.items():
        if member is not None and member.guardian is not None:
            yield from _guardian(story, name, member.guardian)
    for position, step in enumerate(story.steps):
        yield from _step(("steps", position), step, known)


def _rules(path: Path, plain: object, known: Known) -> _Complaints:
    for where, text in documents.judged(written(plain), known)[1]:
        yield (*path, *where), text


def _guardian(story: Story, name: str, guardian: str) -> _Complaints:
    path = ("members", name, "guardian")
    if guardian not in story.members:
        yield path, _undeclared(guardian, "members")
    elif guardian == name:
        yield path, "nobody guards itself; name another member"


def _step(path: Path, step: Step, known: Known) -> _Complaints:
    if isinstance(step, RuleSetStep):
        yield from _rules((*path, "rules"), step.rules, known)
    if isinstance(step, Join | Invite):
        yield from _role((*path, "role"), step.role)
    if isinstance(step, Change) and step.role is not None:
        yield from _role((*path, "role"), step.role)
    if isinstance(step, Transfer) and step.name is not None and " " not in step.name:
        yield (*path, "name"), "is a first and a last name, with a space between them"


def _family(story: Story, path: Path, family: FamilyPart) -> _Complaints:
    if family.rules not in story.rule_sets:
        yield (*path, "rules"), _undeclared(family.rules, "rule_sets")
    if family.head not in story.members:
        yield (*path, "head"), _undeclared(family.head, "members")
    for name, role in family.members.items():
        where = (*path, "members", name)
        if name not in story.members:
            yield where, _undeclared(name, "members")
        elif name == family.head:
            yield where, "is the head already; leave it out here"
        yield from _role(where, role)
    belonging = {family.head, *family.members}
    named = chain(
        (("shares", name) for name in family.shares),
        (("relationships", name) for name in family.relationships),
    )
    for section, name in named:
        if name not in belonging:
            yield (*path, section, name), f"{name} does not belong to this family"


def _role(path: Path, role: str) -> _Complaints:
    known = [one.value for one in Role if one is not Role.HEAD]
    if role not in known:
        yield path, f"{role!r} is no role; known are {', '.join(known)}"


def _undeclared(name: str, where: str) -> str:
    return f"{name!r} is not among the {where} of this story; declare it there"
