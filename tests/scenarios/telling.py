"""How tests tell a story, and what is masked of its outcome: ids, and how many checks there are."""

import json
from pathlib import Path
from typing import Any

import msgspec

from server import documents
from server.scenario import loading, playing
from server.scenario.outcome import Outcome
from server.scenario.story import Story

STORIES = Path(__file__).parents[2] / "docs" / "scenarios"
MASK = "…"


async def tell(story: str | Path, postgres_url: str) -> Outcome:
    """Play a story, or the one in a file, beside the databases of the tests."""
    return await playing.play(loaded(story), server_url=postgres_url)


def loaded(story: str | Path) -> Story:
    """Return a story, or the one in a file."""
    return loading.load(story.encode() if isinstance(story, str) else story.read_bytes())


def document_of(story: Path) -> Any:  # Any: JSON
    """Return the file of a story as plain values."""
    return documents.read_file(story).plain()


def expected_of(story: Path) -> str:
    """Return what is written beside a story."""
    return story.with_suffix(".expected.json").read_text("utf-8")


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
