"""Founds what families of a story need: rule sets and their bindings, guardians, and groups."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import msgspec

from coalition.families.groups import forming, place_changes
from coalition.families.groups.entering import Newcomer
from coalition.families.kin import guardians
from coalition.families.kin.speaking import By
from coalition.families.rule_sets import documents, registering
from coalition.families.rule_sets.books import KeptVersion
from coalition.families.rule_sets.documents import PresetUse
from coalition.families.rule_sets.notation import RuleSet
from coalition.families.rule_sets.vocabulary import Mechanism
from coalition.families.transfers.judging import P2P
from coalition.kernel.database import transaction
from coalition.kernel.errors import Refused
from coalition.ledger import posting
from coalition.ledger.partitions import ensure_partition
from server.scenario.founding import ACTOR, SECOND, midnight
from server.scenario.household_steps import Form
from server.scenario.story import FamilyPart
from server.scenario.world import World


class StoryRefused(Refused):
    """A family of a story cannot be formed under its rules; write another one, or join later."""

    code, title = "story_refused", "Story refused"


def written(plain: Any) -> RuleSet | PresetUse:  # Any: as the file has it, looked at before
    """Return what stands in a story as a rule set."""
    if "preset" in plain:
        return msgspec.convert(plain, PresetUse)
    return msgspec.convert(plain, RuleSet)


def expanded(plain: Any) -> RuleSet | None:  # Any: as `written`
    """Return what stands in a story as a whole rule set; None where its preset is none."""
    one = written(plain)
    return documents.expanded(one)[0] if isinstance(one, PresetUse) else one


async def activate(
    world: World,
    name: str,
    plain: Any,
    at: datetime | None = None,  # Any: as `written`
) -> KeptVersion:
    """Let a version of a rule set hold from now, by two persons."""
    at = at or world.at
    approval = await registering.prepare(
        name, written(plain), valid_from=None, prepared_by=ACTOR, at=at
    )
    return await registering.approve(approval, approved_by=SECOND, at=at)


async def found_families(world: World) -> None:
    """Activate the rule sets of a story before everything, and form its families in their time."""
    story = world.story
    later = {step.family for step in story.steps if isinstance(step, Form)}
    formed = {
        name: _formed(world, part) for name, part in story.families.items() if name not in later
    }
    begins = world.families_at = min([world.at, *formed.values()])
    for name, plain in story.rule_sets.items():
        await activate(world, name, plain, begins)
    for kind, name in _bindings(world):
        approval = await registering.prepare_binding(
            kind, name, valid_from=None, prepared_by=ACTOR, at=begins
        )
        await registering.approve_binding(approval, approved_by=SECOND, at=begins)
    for name, member in story.members.items():
        if member is not None and member.guardian is not None:
            await guardians.appoint(
                world.members[name],
                world.members[member.guardian],
                source="story",
                actor=ACTOR,
                keys=world.keys,
                at=begins,
            )
    for name, at in sorted(formed.items(), key=lambda one: one[1]):
        try:
            await form(world, name, story.families[name], at)
        except Refused as refusal:
            raise StoryRefused(
                f"the family {name} cannot be formed on {at.date()}: {refusal.detail}",
                **refusal.facts,
            ) from refusal


def _formed(world: World, part: FamilyPart) -> datetime:
    return min(world.at, midnight(part.formed, world.zone)) if part.formed else world.at


def _bindings(world: World) -> Iterator[tuple[str, str]]:
    """Yield what runs under which rule set: each kind of group by its name, and plain transfers."""
    plain = next(
        (name for name, doc in world.story.rule_sets.items() if _mechanism(doc) is Mechanism.P2P),
        None,
    )
    if plain is not None:
        yield P2P, plain
    for name in dict.fromkeys(part.rules for part in world.story.families.values()):
        yield name, name


def _mechanism(plain: Mapping[str, Any]) -> Mechanism:  # Any: as `written`
    rule_set = expanded(plain)
    assert rule_set is not None, "a story was checked: its presets are there"
    return rule_set.mechanism


async def form(world: World, name: str, part: FamilyPart, at: datetime) -> None:
    """Form a family of a story at `at`. Raises what its rules refuse."""
    founders = [
        Newcomer(
            member=world.members[member],
            role=role,
            future_percent=part.shares.get(member),
            relationship=part.relationships.get(member),
        )
        for member, role in part.members.items()
    ]
    await ensure_partition(at)
    async with transaction(posting.PINNED) as connection:
        book = await world.transfers.book(connection, at)
        head = world.members[part.head]
        group = await forming.form(connection, part.rules, head, book, founders=founders)
        for nominee in part.nominees:
            await place_changes.name(connection, group.id, nominee, book, by=By.of(head))
    world.families[name] = group.id
