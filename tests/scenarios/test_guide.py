"""The guide to stories says what is so: its story, what it prints, its verbs and its sections."""

import io
import json
import re
import typing
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from server.documents import BadDocumentError
from server.scenario import loading, playing
from server.scenario.printing import Reader
from server.scenario.steps import LATER, Step
from server.scenario.story import Story
from server.scenario.terms import ContractPart
from tests.scenarios.telling import STORIES, plain

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "scenarios.md"
TEXT = GUIDE.read_text("utf-8")
_BLOCKS = re.findall(r"^```\w*\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
_BOOKS = re.compile(r"All \d+ checks")


async def test_the_first_story_prints_what_the_guide_shows(postgres_url: str) -> None:
    story = loading.load(_BLOCKS[0].encode())
    reader = Reader(story)

    outcome = await playing.play(story, server_url=postgres_url, told=reader.told)

    page = io.StringIO()
    Console(file=page, width=80, markup=False, highlight=False).print(reader.page(outcome))
    printed = "\n".join(line.rstrip() for line in page.getvalue().splitlines())
    _, _, shown = _BLOCKS[1].partition("\n")
    assert _BOOKS.sub("", printed) == _BOOKS.sub("", shown.rstrip())


async def test_the_first_story_comes_out_as_the_one_beside_it(postgres_url: str) -> None:
    in_guide = await playing.play(loading.load(_BLOCKS[0].encode()), server_url=postgres_url)
    in_file = await playing.play(
        loading.load((STORIES / "first-story.yaml").read_bytes()), server_url=postgres_url
    )

    assert plain(in_guide)["members"] == plain(in_file)["members"]


async def test_the_closed_months_come_out_as_the_guide_shows(postgres_url: str) -> None:
    (shown,) = (block for block in _BLOCKS if "two-months-are-closed.yaml" in block)
    story = loading.load((STORIES / "two-months-are-closed.yaml").read_bytes())

    outcome = plain(await playing.play(story, server_url=postgres_url))

    told = outcome["statements"]
    wanted = [told["A"], told["C"], *outcome["netting"]]
    assert [json.loads(line) for line in shown.splitlines()[1:]] == wanted


def test_the_guide_names_every_verb_those_to_come_and_every_field() -> None:
    verbs = [kind.__struct_config__.tag for kind in typing.get_args(Step)]
    fields = {
        field.encode_name
        for kind in (Story, ContractPart, *typing.get_args(Step))
        for field in msgspec.structs.fields(kind)
    }
    words = set(re.findall(r"`([a-z_]+)`", TEXT))

    assert {*verbs, *LATER} - words == set()
    assert fields - words - {"at", "id", "do"} == set()


def test_every_story_begins_with_what_it_is_about_and_has_its_answer_beside_it() -> None:
    for story in STORIES.glob("*.yaml"):
        assert story.with_suffix(".expected.json").exists(), story
        assert story.read_text("utf-8").startswith("# "), "a story begins with what it is about"


def test_an_invalid_file_is_refused_as_the_guide_shows() -> None:
    content = """\
coalition: {currency: EUR, timezone: Europe/Oslo}
partners:
  A: {contract: {valid_from: 2026-01-01, issue_price: 0.01, redemption_price: "0.0085"}}
members:
  anna:
steps:
  - {at: 2026-10-02T09:00:00+02:00, do: isue, partner: A, member: anna, points: 300}
  - {at: 2026-10-01T09:00:00+02:00, do: redeem, partner: C, member: anna, points: 0}
  - {at: 2026-10-03T09:00:00+02:00, do: estimate, member: anna}
"""

    with pytest.raises(BadDocumentError) as raised:
        loading.load(content.encode())

    assert _BLOCKS[3].splitlines()[2:] == [str(problem) for problem in raised.value.problems]
