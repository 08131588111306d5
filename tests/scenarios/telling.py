"""How tests tell a story, and what is masked of its outcome: ids, and how many checks there are."""

import json
from pathlib import Path
from typing import Any

import msgspec

from server.scenario import loading, playing
from server.scenario.outcome import Outcome

STORIES = Path(__file__).parents[2] / "docs" / "scenarios"
MASK = "…"


async def tell(content: str, postgres_url: str) -> Outcome:
    """Play the story in `content` beside the databases of the tests."""
    story = loading.load(content.encode())
    return await playing.play(story, server_url=postgres_url)


def written(outcome: Outcome) -> str:
    """Return an outcome as `--json` writes it, masked."""
    document = json.loads(msgspec.json.encode(outcome))
    for step in document["steps"]:
        for key in ("posting", "hold"):
            if key in step:
                step[key] = MASK
    document["audit"]["checks"] = MASK
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def plain(outcome: Outcome) -> Any:  # Any: JSON
    """Return an outcome as JSON has it."""
    return msgspec.json.decode(msgspec.json.encode(outcome))
