"""What limits say: sums over all that was done, act by act, in windows told day by day."""

from collections.abc import Iterator
from datetime import date
from uuid import UUID

from tests.properties.families.asked import CHANGES, Document, Done, Fails, Question, begins_session
from tests.properties.families.lots import same_day


def limit_name(limit: Document) -> str:
    """Return the name under which a limit that has none of its own is told."""
    parts = [limit["subject"], limit["measure"], limit["window"].replace(" ", "_")]
    if limit.get("on", "transfer") != "transfer":
        parts.insert(0, limit["on"])
    return "limits." + ".".join(parts)


def passed(limit: Document, asked: Question) -> Iterator[Fails]:
    """Yield that a limit would be passed by an act."""
    event = limit.get("on", "transfer")
    if event != asked.event and not (event == "change" and asked.event in CHANGES):
        return
    subject = limit["subject"]
    if subject == "group" and (
        asked.family is None or (event == "change" and not begins_session(asked))
    ):
        return
    used = measured(limit, asked)
    adds = asked.points if limit["measure"] == "amount" else 1
    if limit["measure"] == "counterparties":
        adds = int(_other(subject, asked) not in _others(limit, asked))
    if used + adds > limit["max"] and adds:
        # What others have sent to a receiver its senders are not told.
        ward = asked.receiver is not None and asked.receiver.id in asked.guards
        is_told = subject != "receiver" or ward
        told = (used, limit["max"] - used) if is_told else (None, None)
        yield Fails(limit_name(limit), limit["max"], *told)


def measured(limit: Document, asked: Question) -> int:
    """Return what was used of a limit by all that was done before."""
    if limit["measure"] == "counterparties":
        return len(_others(limit, asked))
    acts = _counted(limit, asked)
    return sum(act.points if limit["measure"] == "amount" else 1 for act in acts)


def _others(limit: Document, asked: Question) -> set[UUID | None]:
    acts = _counted(limit, asked)
    if limit["subject"] == "sender":
        return {act.receiver for act in acts}
    return {act.actor for act in acts}


def _other(subject: str, asked: Question) -> UUID | None:
    if subject == "sender":
        return asked.receiver.id if asked.receiver else None
    return asked.actor.id


def _counted(limit: Document, asked: Question) -> list[Done]:
    subject, event = limit["subject"], limit.get("on", "transfer")
    since = asked.actor.joined
    if subject == "receiver" and asked.receiver:
        since = asked.receiver.joined
    if subject == "group" and asked.family:
        since = asked.family.formed_at
    anchor = since.astimezone(asked.zone).date()
    return [
        act
        for act in asked.done
        if act.counts
        and (act.event == event or (event == "change" and act.event in CHANGES))
        and _is_of(subject, event, act, asked)
        and is_in(limit["window"], act.day, asked.today, anchor)
    ]


def _is_of(subject: str, event: str, act: Done, asked: Question) -> bool:
    if subject == "group":
        is_same = asked.family is not None and act.family == asked.family.id
        return is_same and (event != "change" or act.begins_session)
    receiver = asked.receiver.id if asked.receiver else None
    if subject == "receiver":
        return act.receiver == receiver
    is_same = act.actor == asked.actor.id
    return is_same and (subject != "pair" or act.receiver == receiver)


def is_in(window: str, day: date, today: date, anchor: date) -> bool:
    """Tell whether what was done on a day still counts today."""
    if window.startswith("rolling"):
        _, number, unit = window.split()
        if unit == "days":
            return (today - day).days < int(number)
        return day > same_day(today, -int(number))
    same = {
        "day": day == today,
        "calendar_month": (day.year, day.month) == (today.year, today.month),
        "calendar_year": day.year == today.year,
        "membership_year": _anniversaries(anchor, day) == _anniversaries(anchor, today),
        "lifetime": True,
    }
    return same[window]


def _anniversaries(anchor: date, day: date) -> int:
    years = day.year - anchor.year
    return years - (same_day(anchor, 12 * years) > day)
