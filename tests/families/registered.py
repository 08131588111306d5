"""Rule sets for tests of families: written in a few words, activated and bound by two persons."""

from datetime import datetime
from typing import Any

import msgspec

from coalition.families.rule_sets import presets, registering
from coalition.families.rule_sets.books import KeptBinding, KeptVersion, RuleBook
from coalition.families.rule_sets.documents import PresetUse
from coalition.families.rule_sets.notation import RuleSet
from coalition.federation import catalogue
from coalition.kernel.database import transaction


def written(mechanism: str = "p2p", **keys: Any) -> RuleSet:
    """Return a rule set as it comes from a file; `keys` are its other keys."""
    return msgspec.convert({"title": "Rules", "mechanism": mechanism} | keys, RuleSet)


def varied(preset: str, **keys: Any) -> RuleSet:
    """Return a preset with some of its keys written anew."""
    plain = msgspec.to_builtins(presets.document(preset))
    return msgspec.convert(plain | keys, RuleSet)


async def activated(
    name: str,
    rules: RuleSet | PresetUse,
    at: datetime,
    *,
    valid_from: datetime | None = None,
) -> KeptVersion:
    """Let a version of the rule set `name` be proposed and approved."""
    approval = await registering.prepare(
        name, rules, valid_from=valid_from, prepared_by="staff:anna", at=at
    )
    return await registering.approve(approval, approved_by="staff:bertil", at=at)


async def bound(
    kind: str, name: str | None, at: datetime, *, valid_from: datetime | None = None
) -> KeptBinding:
    """Let `kind` run under the rule set `name`."""
    approval = await registering.prepare_binding(
        kind, name, valid_from=valid_from, prepared_by="staff:anna", at=at
    )
    return await registering.approve_binding(approval, approved_by="staff:bertil", at=at)


async def running(kind: str, name: str, at: datetime) -> KeptVersion:
    """Let the preset `name` be activated under its own name, and `kind` run under it."""
    made = await activated(name, PresetUse(preset=name), at)
    await bound(kind, name, at)
    return made


async def book(before: RuleBook | None = None) -> RuleBook:
    """Return what a process reads now that had read `before`."""
    async with transaction() as connection:
        kept = await catalogue.load(connection)
        return await RuleBook.refresh(connection, before, kept)
