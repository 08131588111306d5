"""The JSON Schemas of stories and of what comes of them, made of the Structs themselves."""

from typing import Any

import msgspec

from server.scenario.family_steps import RuleSetStep
from server.scenario.outcome import Outcome
from server.scenario.staff_steps import Rules
from server.scenario.story import Story

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def of_story() -> dict[str, Any]:  # Any: a JSON Schema
    """Return the JSON Schema of a scenario file.

    A version of a rule set is also written as the verb `rules`, told apart by its `name`.
    """
    schema = _schema(Story, "A story that runs")
    verb = schema["$defs"][RuleSetStep.__name__]["properties"]["do"]
    verb["enum"] = [*verb["enum"], Rules.__struct_config__.tag]
    return schema


def of_outcome() -> dict[str, Any]:  # Any: a JSON Schema
    """Return the JSON Schema of what `coalition scenario run --json` prints."""
    return _schema(Outcome, "What came of a story")


def _schema(kind: type, title: str) -> dict[str, Any]:  # Any: a JSON Schema
    return {"$schema": _DIALECT, "title": title, **msgspec.json.schema(kind)}
