"""The stories of docs/scenarios come out as is written beside them."""

import json
from pathlib import Path

import jsonschema_rs
import msgspec
import pytest

from server.scenario import schemas
from tests.scenarios.telling import STORIES, document_of, expected_of, tell, written

_ALL = sorted(STORIES.glob("*.yaml"))
_VALID_STORY = jsonschema_rs.validator_for(schemas.of_story())
_VALID_OUTCOME = jsonschema_rs.validator_for(schemas.of_outcome())


@pytest.mark.parametrize("story", [pytest.param(path, id=path.stem) for path in _ALL])
async def test_a_story_comes_out_as_is_written_beside_it(story: Path, postgres_url: str) -> None:
    outcome = await tell(story, postgres_url)

    assert written(outcome) == expected_of(story)
    _VALID_STORY.validate(document_of(story))
    _VALID_OUTCOME.validate(json.loads(msgspec.json.encode(outcome)))
