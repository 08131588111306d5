"""Watches how PostgreSQL carries statements out: the plans of a connection, as they really ran."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from coalition.kernel.database import Connection

_WATCH = """
LOAD 'auto_explain';
SET auto_explain.log_min_duration = 0;
SET auto_explain.log_analyze = on;
SET auto_explain.log_timing = off;
SET auto_explain.log_format = json;
SET auto_explain.log_parameter_max_length = 0;
SET client_min_messages = log;
"""

BY_KEY = {"Index Scan", "Index Only Scan"}
WHOLE_TABLE_JOINS = {"Hash Join", "Merge Join"}


class Step(NamedTuple):
    """A node of a plan as it was run."""

    node: str
    relation: str | None
    rows_read: float
    loops: float

    @classmethod
    def of(cls, plan: dict[str, Any]) -> "Step":
        per_loop = plan.get("Actual Rows", 0) + sum(
            plan.get(f"Rows Removed by {what}", 0)
            for what in ("Filter", "Join Filter", "Index Recheck")
        )
        return cls(
            plan["Node Type"],
            plan.get("Relation Name"),
            per_loop * plan["Actual Loops"],
            plan["Actual Loops"],
        )


class Plan(NamedTuple):
    """A statement and the steps it took."""

    query: str
    steps: list[Step]

    def faults(self, *, most_rows: int) -> list[str]:
        """Return what is wrong with it: a scan or a join of whole tables, or too many rows read."""
        found = [
            f"{step.node} {step.relation or ''} ({step.rows_read:.0f} rows)"
            for step in self.steps
            if step.node in WHOLE_TABLE_JOINS
            or (step.relation and "Scan" in step.node and step.node not in BY_KEY)
            or step.rows_read > most_rows
        ]
        return [f"{fault} in {' '.join(self.query.split())[:90]}" for fault in found]


def _steps(plan: dict[str, Any]) -> Iterator[Step]:
    yield Step.of(plan)
    for below in plan.get("Plans", ()):
        yield from _steps(below)


@contextmanager
def watched(connection: Connection) -> Iterator[list[Plan]]:
    """Collect the plans of the statements that `connection` runs meanwhile."""
    plans: list[Plan] = []

    def hear(_: object, message: Any) -> None:
        _, found, text = message.message.partition("plan:\n")
        if found:
            told = json.loads(text)
            plans.append(Plan(told["Query Text"], list(_steps(told["Plan"]))))

    connection.add_log_listener(hear)
    try:
        yield plans
    finally:
        connection.remove_log_listener(hear)


async def start_watching(connection: Connection) -> None:
    """Let the server explain to `connection` whatever it runs from now on; needs a superuser."""
    await connection.execute(_WATCH)
