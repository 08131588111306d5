"""Ways to hear what is wrong with a story, and a world in which nothing is."""

import textwrap

import pytest

from server.documents import BadDocumentError
from server.scenario import loading

WORLD = """\
coalition: {currency: EUR, timezone: Europe/Oslo}
partners:
  A:
    contract: {valid_from: 2026-01-01, issue_price: "0.01", redemption_price: "0.01"}
    stores: [s1]
  B:
    contract:
      {valid_from: 2026-01-01, issue_price: "0.01", redemption_price: "0.01", currency: JPY}
members:
  anna: {joined: 2026-02-01}
  bo:
steps:
"""
AT = "2026-03-01T12:00:00+01:00"
FIRST = WORLD.count("\n") + 1
"""The line of the first step of a story that begins with this world."""


def problems(content: str) -> list[str]:
    """Return what is wrong with a story, in sentences."""
    with pytest.raises(BadDocumentError) as raised:
        loading.load(textwrap.dedent(content).encode())
    return [str(problem) for problem in raised.value.problems]


def of_steps(*steps: str) -> list[str]:
    """Return what is wrong with these steps in a world that is right."""
    return problems(WORLD + "".join(f"  - {{at: {AT}, {step}}}\n" for step in steps))
