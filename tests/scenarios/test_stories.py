"""The stories of docs/scenarios come out as is written beside them."""

import json
from pathlib import Path

import jsonschema_rs
import msgspec
import pytest

from coalition.families.rule_sets import presets
from server.scenario import schemas
from tests.scenarios.telling import STORIES, document_of, expected_of, loaded, tell, written

_ALL = sorted(STORIES.glob("*.yaml"))
_RULES_OF = sorted(STORIES.glob("rules-of-*.yaml"))
_VALID_STORY = jsonschema_rs.validator_for(schemas.of_story())
_VALID_OUTCOME = jsonschema_rs.validator_for(schemas.of_outcome())


def test_every_preset_has_its_story_and_every_such_story_its_preset() -> None:
    told = {story.stem.removeprefix("rules-of-"): loaded(story) for story in _RULES_OF}

    assert tuple(sorted(told)) == presets.names()
    assert {name: story.rule_sets for name, story in told.items()} == {
        name: {"ours": {"preset": name}} for name in told
    }


@pytest.mark.parametrize("story", [pytest.param(path, id=path.stem) for path in _ALL])
async def test_a_story_comes_out_as_is_written_beside_it(story: Path, postgres_url: str) -> None:
    outcome = await tell(story, postgres_url)

    assert written(outcome) == expected_of(story)
    _VALID_STORY.validate(document_of(story))
    _VALID_OUTCOME.validate(json.loads(msgspec.json.encode(outcome)))
