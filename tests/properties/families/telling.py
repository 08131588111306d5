"""What the product answers, in the words of the model."""

from datetime import date, datetime
from typing import Any

from coalition.families.groups.contributing import Brought
from coalition.kernel.errors import Refused
from tests.properties.families.asked import Fails
from tests.properties.families.house import Answer
from tests.properties.families.lots import Lot


def alive(lots: dict[Lot, int], today: date) -> dict[Lot, int]:
    """Return of lots those that can be spent."""
    return {lot: points for lot, points in lots.items() if lot.ends is None or lot.ends >= today}


def said(told: Any) -> Answer:
    """Return what the product says in the words of the model."""
    if not isinstance(told, Refused):
        facts: Any = told if isinstance(told, dict) else {"points": getattr(told, "points", 0)}
        points = 0 if isinstance(told, Brought) else facts.get("points", 0)
        return Answer(facts.get("state", "done"), points=points)
    if told.code in ("group_refused", "transfer_refused"):
        return Answer("refused", tuple(rule_of(one) for one in failures_of(told)))
    if told.code == "not_enough_points" and "can be sent" in str(told):
        return Answer("refused", (Fails("balance", told.facts["balance"], told.facts["points"]),))
    names = {"not_enough_points": "not_enough", "head_must_hand_over": "must_hand_over"}
    return Answer(names.get(told.code, told.code))


def failures_of(refusal: Refused) -> list[dict[str, Any]]:
    """Return the rules that an act did not pass, as they are told."""
    found: Any = refusal.facts.get("failures", [])
    return list(found)


def rule_of(told: dict[str, Any]) -> Fails:
    """Return a rule that failed; what another person was measured is left out."""
    of_others = told["rule"].startswith(("eligibility.receiver.", "eligibility.head."))
    used = None if of_others else told["used"]
    return Fails(told["rule"], told["limit"], used, told["remaining"])


def instants(refusal: Refused) -> list[datetime | None]:
    """Return from when each rule would let the same act pass."""
    found = [one["next_possible_at"] for one in failures_of(refusal)]
    return [None if one is None else datetime.fromisoformat(one) for one in found]
