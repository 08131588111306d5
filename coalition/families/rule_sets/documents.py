"""What people write to propose a rule set: the rules themselves, or a preset with other numbers."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from coalition.families.rule_sets import numbers, presets
from coalition.families.rule_sets.checking import complaints
from coalition.families.rule_sets.complaints import Complaint
from coalition.families.rule_sets.notation import RuleSet, Title
from coalition.families.rule_sets.numbers import NoSuchNumberError
from coalition.points.bonuses.checking import Known


class PresetUse(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A preset, and numbers that stand in the place of its own by the paths of rules."""

    preset: str
    override: dict[str, int | None] = {}
    """`transfer.max: 100000`; null asks for nothing there."""
    title: Title | None = None
    notes: Annotated[str, Meta(max_length=2000)] | None = None


def expanded(use: PresetUse) -> tuple[RuleSet | None, list[Complaint]]:
    """Return the rule set that is meant, or what is wrong with how it is named."""
    if use.preset not in presets.names():
        text = f"there is no preset {use.preset!r}; there are: {', '.join(presets.names())}"
        return None, [Complaint(("preset",), text)]
    found: list[Complaint] = []
    rule_set = presets.document(use.preset)
    for path, number in use.override.items():
        try:
            rule_set = numbers.validated(numbers.replaced(rule_set, {path: number}))
        except NoSuchNumberError as none:
            found.append(Complaint(("override", path), str(none)))
        except msgspec.ValidationError as wrong:
            found.append(Complaint(("override", path), f"{number} cannot stand there: {wrong}"))
    if found:
        return None, found
    told = {"title": use.title, "notes": use.notes}
    own = {name: text for name, text in told.items() if text is not None}
    return msgspec.structs.replace(rule_set, **own), []


def judged(
    written: RuleSet | PresetUse, known: Known | None
) -> tuple[RuleSet | None, list[Complaint]]:
    """Return the rule set with partners by number, or everything that is wrong with it.

    Where no partners are `known` they stay as they are written, and no name is wrong.
    """
    partners = None if known is None else frozenset(known.numbers)
    if isinstance(written, PresetUse):
        rule_set, found = expanded(written)
        if rule_set is None:
            return None, found
        wrong = complaints(rule_set, partners)
        found = [Complaint(("override",), _placed(one)) for one in wrong]
    else:
        rule_set = written
        found = complaints(rule_set, partners)
    if found:
        return None, found
    return rule_set if known is None else _settled(rule_set, known), []


def whole(part: object) -> Any:  # Any: JSON
    """Return a rule set, or a part of it, as JSON with every key.

    What is kept so means the same under later versions of the program.
    """
    if isinstance(part, msgspec.Struct):
        return {key: whole(value) for key, value in msgspec.structs.asdict(part).items()}
    if isinstance(part, tuple):
        return [whole(one) for one in part]
    if isinstance(part, dict):
        return {str(key): whole(value) for key, value in part.items()}
    return part


def brief(part: object) -> Any:  # Any: JSON
    """Return a rule set, or a part of it, as JSON without the keys that say nothing more."""
    if isinstance(part, msgspec.Struct):
        return {
            field.encode_name: brief(value)
            for field in msgspec.structs.fields(part)
            if (value := getattr(part, field.name)) != _default(field)
        }
    if isinstance(part, tuple):
        return [brief(one) for one in part]
    if isinstance(part, dict):
        return {str(key): brief(value) for key, value in part.items()}
    return part


def _default(field: msgspec.structs.FieldInfo) -> object:
    if field.default_factory is not msgspec.NODEFAULT:
        return field.default_factory()
    return field.default


def _placed(complaint: Complaint) -> str:
    where = ".".join(str(key) for key in complaint.path)
    return f"with these numbers {where} is wrong: {complaint.text}"


def _settled(rule_set: RuleSet, known: Known) -> RuleSet:
    """Name partners by number, so that one who is renamed stays meant."""
    sent, brought = rule_set.transfer, rule_set.contribution
    if sent.lots is not None:
        lots = msgspec.structs.replace(sent.lots, issuers=_numbers(sent.lots.issuers, known))
        sent = msgspec.structs.replace(sent, lots=lots)
    sent = msgspec.structs.replace(sent, spend_on=_numbers(sent.spend_on, known))
    if brought.lots is not None:
        lots = msgspec.structs.replace(brought.lots, issuers=_numbers(brought.lots.issuers, known))
        brought = msgspec.structs.replace(brought, lots=lots)
    return msgspec.structs.replace(rule_set, transfer=sent, contribution=brought)


def _numbers(named: tuple[str, ...], known: Known) -> tuple[str, ...]:
    resolved = [one if one == "issuer" else str(known.number(one)) for one in named]
    return tuple(dict.fromkeys(resolved))
