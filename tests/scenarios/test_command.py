"""`coalition scenario`: what it prints, how it ends, and that nothing of it stays."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import jsonschema_rs
import pytest

from coalition.kernel import embedded_postgres
from coalition.kernel.database import bound_engine
from server.scenario import scratch
from tests.scenarios.telling import STORIES
from tests.server.processes import within

RUN = ("scenario", "run")
FIRST = STORIES / "first-story.yaml"
_BAD = "coalition: {currency: EUR}\npartners: {}\nsteps:\n  - {do: dance}\n"


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    """Return a file that is no story."""
    path = tmp_path / "bad.yaml"
    path.write_text(_BAD)
    return path


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    """Yield a data directory with a database in which there is nothing yet."""
    directory = tmp_path / "data"
    with embedded_postgres.start(directory):
        yield directory


async def databases(url: str) -> set[str]:
    connection = await asyncpg.connect(url)
    try:
        return {row[0] for row in await connection.fetch("SELECT datname FROM pg_database")}
    finally:
        await connection.close()


def test_run_prints_one_json_document_on_a_server_of_its_own() -> None:
    ended = within(*RUN, FIRST, "--json")

    assert (ended.status, ended.err) == (0, "")
    assert ended.document["members"]["anna"]["balance"] == 150
    assert ended.document["audit"]["ok"] is True


def test_run_tells_people_what_happened_when(postgres_url: str) -> None:
    story = STORIES / "returns-in-reverse-order.yaml"

    ended = within(*RUN, story, "--database-url", postgres_url)

    assert ended.status == 0, ended.err
    assert "2026-07-01 12:00" in ended.out
    assert "Cafe takes 1,000 from eva" in ended.out
    assert "[reversal_exceeds_original]" in ended.out
    assert "50 of Grocer until 2027-01-31" in ended.out
    assert "checks of the books hold." in ended.out


def test_a_story_beside_a_data_directory_leaves_it_as_it_was(data: Path) -> None:
    with embedded_postgres.start(data) as server:
        before = asyncio.run(databases(server.url))

        ended = within(*RUN, FIRST, "--json", "--data", data)

        assert ended.status == 0, ended.err
        assert asyncio.run(databases(server.url)) == before


def test_a_data_directory_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    ended = within(*RUN, FIRST, "--data", tmp_path / "none")

    assert ended.status == 2
    assert not (tmp_path / "none").exists()


def test_an_invalid_file_is_refused_with_line_and_key_before_anything_runs(bad: Path) -> None:
    ended = within(*RUN, bad, "--json")

    assert (ended.status, ended.out) == (2, "")
    assert ended.err.splitlines() == [
        f"{bad} is no valid story, so nothing was run:",
        "line 2: partners: has at least 1 entries",
        "line 4: steps[0].do: 'dance' is not known; did you mean advance?",
    ]


def test_check_says_that_a_story_is_valid() -> None:
    assert within("scenario", "check", FIRST).out == "The story is valid.\n"
    assert within("scenario", "check", FIRST, "--json").document == {"ok": True, "problems": []}


def test_check_names_every_problem_and_ends_with_2(bad: Path) -> None:
    ended = within("scenario", "check", bad, "--json")

    assert ended.status == 2
    assert [problem["key"] for problem in ended.document["problems"]] == ["partners", "steps[0].do"]
    shown = within("scenario", "check", bad)
    assert shown.status == 2
    assert "did you mean advance?" in shown.out


@pytest.mark.parametrize("of", ["story", "outcome"])
def test_schema_prints_a_json_schema(of: str) -> None:
    printed = within("scenario", "schema", of).document

    jsonschema_rs.meta.validate(printed)
    assert printed["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_schema_is_of_stories_unless_told_otherwise() -> None:
    assert within("scenario", "schema").out == within("scenario", "schema", "story").out


async def test_a_scratch_database_is_gone_after_an_error(postgres_url: str) -> None:
    names = []

    async def fail() -> None:
        async with scratch.database(postgres_url):
            names.append(_name())
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()

    assert names
    assert not await databases(postgres_url) & set(names)


async def test_a_scratch_database_is_gone_after_being_told_to_end(postgres_url: str) -> None:
    opened: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def stay() -> None:
        async with scratch.database(postgres_url):
            opened.set_result(_name())
            await asyncio.Event().wait()

    task = asyncio.create_task(stay())
    name = await opened
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert name not in await databases(postgres_url)


def _name() -> str:
    return str(urlsplit(bound_engine().config["dsn"]).path[1:])
