"""Holds the papers against the code: what they name is there, and what must be named is named."""

import asyncio
import importlib
import pkgutil
import re
from collections.abc import Iterator

import rich_click as click

import billing
import coalition
import partners
from coalition.kernel import settings
from coalition.kernel.clock import SystemClock
from coalition.kernel.errors import Refused
from coalition.kernel.web.metrics import Metrics
from server import cli
from server.gauges import Watch
from tests.structure import tree

PAPERS = [
    tree.ROOT / "README.md",
    tree.ROOT / "ARCHITECTURE.md",
    *sorted((tree.ROOT / "docs").rglob("*.md")),
]
ARCHITECTURE = (tree.ROOT / "ARCHITECTURE.md").read_text("utf-8")
OPERATOR = tree.ROOT / "docs" / "guides" / "operator.md"
RECORDS = sorted((tree.ROOT / "docs" / "adr").glob("*.md"))
RECORD_PARTS = ["Context", "Decision", "Consequences", "Considered"]
LONGEST_RECORD_LINES = 45

_TOP = "|".join((*tree.PRODUCT, "tests", "bench", "docs"))
_PLACE = re.compile(rf"`((?:{_TOP})/[\w./-]*|[\w.-]+\.(?:py|yml|toml|lock)|Dockerfile)`")
_NAME = re.compile(r"`([A-Za-z_][\w.]*)`")
_LINK = re.compile(r"\]\((?![a-z]+:)([^)#]+)(?:#[^)]*)?\)")
_REFUSAL = re.compile(r"^\| `([a-z_]+)` \| (\d{3}) \|", re.MULTILINE)
_SETTING = re.compile(r"^\| `(COALITION_\w+)` \|", re.MULTILINE)
_METRIC = re.compile(r"^\| `(coalition_\w+)` \|", re.MULTILINE)
_COMMAND = re.compile(r"(?:^|`|-- )coalition((?: [a-z][a-z-]*)+)", re.MULTILINE)
_TERM = re.compile(r"^\| ([^|]+) \| [^|]+ \|$", re.MULTILINE)
_CREATED = re.compile(r"CREATE (?:TABLE|VIEW) (\w+)")


def test_every_file_that_a_paper_names_is_there() -> None:
    named = {
        (tree.shown(paper), place)
        for paper in PAPERS
        for place in _PLACE.findall(paper.read_text("utf-8"))
    }
    assert {one for one in named if not (tree.ROOT / one[1]).exists() and "/" in one[1]} == set()
    known = {path.name for path in tree.text_files()}
    assert {one for one in named if "/" not in one[1] and one[1] not in known} == set()


def test_every_name_of_the_code_that_the_tour_or_a_record_uses_is_in_the_code() -> None:
    code = "\n".join(path.read_text("utf-8") for path in tree.python_files())
    used = {
        (tree.shown(paper), name)
        for paper in (tree.ROOT / "ARCHITECTURE.md", *RECORDS)
        # What was considered and left need not be there.
        for word in _NAME.findall(paper.read_text("utf-8").partition("**Considered.**")[0])
        for name in word.split(".")
    }
    missing = {one for one in used if one[1] not in code and one[1] not in {"Dockerfile", "py"}}
    assert missing == set()


def test_every_link_leads_somewhere() -> None:
    links = {
        (tree.shown(paper), link)
        for paper in PAPERS
        for link in _LINK.findall(paper.read_text("utf-8"))
    }
    assert {one for one in links if not (tree.ROOT / one[0]).parent.joinpath(one[1]).exists()} == (
        set()
    )


def test_the_tour_names_every_table_and_no_other() -> None:
    section = ARCHITECTURE.partition("## Tables and who owns them")[2].partition("\n## ")[0]
    named = {
        name
        for row in re.findall(r"^\| `[^|]+\| (.+) \|$", section, re.MULTILINE)
        for name in re.findall(r"`(\w+)`", row)
    }
    assert named == set(created_tables())


def test_the_tour_names_every_package() -> None:
    packages = {
        tree.shown(path.parent)
        for top in ("coalition", "partners")
        for path in (tree.ROOT / top).glob("*/__init__.py")
    }
    assert {package for package in packages if f"| `{package}` |" not in ARCHITECTURE} == set()


def test_the_operators_guide_lists_every_setting_once() -> None:
    assert sorted(_SETTING.findall(OPERATOR.read_text("utf-8"))) == sorted(settings.KNOWN)


def test_the_operators_guide_lists_every_metric_once() -> None:
    metrics = Metrics()
    Watch(SystemClock()).register(metrics)
    shown = asyncio.run(metrics.exposition()).decode()
    listed = _METRIC.findall(OPERATOR.read_text("utf-8"))
    assert sorted(listed) == sorted(re.findall(r"^# HELP (coalition_\w+)", shown, re.MULTILINE))


def test_every_refusal_that_a_guide_explains_exists_with_its_status() -> None:
    known = {(kind.code, kind.status) for kind in refusals()}
    explained = {
        (tree.shown(paper), (code, int(status)))
        for paper in PAPERS
        for code, status in _REFUSAL.findall(paper.read_text("utf-8"))
    }
    assert explained
    assert {one for one in explained if one[1] not in known} == set()


def test_every_command_that_a_paper_shows_exists() -> None:
    shown = {
        (tree.shown(paper), words.strip())
        for paper in PAPERS
        for words in _COMMAND.findall(paper.read_text("utf-8"))
    }
    assert shown
    assert {one for one in shown if not is_command(one[1].split())} == set()


def test_the_readme_tells_of_every_command() -> None:
    told = {words.split()[0] for words in _COMMAND.findall(PAPERS[0].read_text("utf-8"))}
    assert set(cli.main.list_commands(click.Context(cli.main))) - told == set()


def test_decision_records_are_numbered_in_full_and_short() -> None:
    assert [path.name[:4] for path in RECORDS] == [f"{no:04d}" for no in range(1, len(RECORDS) + 1)]
    for path in RECORDS:
        text = path.read_text("utf-8")
        assert text.startswith(f"# {int(path.name[:4])}. "), path.name
        assert re.findall(r"^\*\*(\w+)\.\*\*", text, re.MULTILINE) == RECORD_PARTS, path.name
        assert text.count("\n") <= LONGEST_RECORD_LINES, path.name


def test_the_glossary_explains_each_word_once() -> None:
    text = (tree.ROOT / "docs" / "glossary.md").read_text("utf-8")
    words = [word for word in _TERM.findall(text) if word not in {"word", "---"}]
    assert len(words) > 60
    assert sorted(words) == sorted(set(words))


def created_tables() -> Iterator[str]:
    """Yield each table and view that a migration of ours makes."""
    for path in tree.product_files():
        if re.fullmatch(r"m\d{4}_\w+\.py", path.name):
            yield from _CREATED.findall(path.read_text("utf-8"))


def refusals() -> set[type[Refused]]:
    """Return every class of refusal that the product has."""
    for package in (billing, coalition, partners):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(found.name)
    return set(_below(Refused))


def _below(kind: type[Refused]) -> Iterator[type[Refused]]:
    for child in kind.__subclasses__():
        yield child
        yield from _below(child)


def is_command(words: list[str]) -> bool:
    """Tell whether the command line leads to a command; words after it are its arguments."""
    command: click.Command | None = cli.main
    context = click.Context(cli.main)
    for word in words:
        if not isinstance(command, click.Group):
            return True
        command = command.get_command(context, word)
        if command is None:
            return False
    return True


def test_a_command_that_is_not_there_is_seen() -> None:
    assert is_command(["serve"])
    assert is_command(["partner", "create"])
    assert not is_command(["conjure"])
    assert not is_command(["partner", "conjure"])


def test_every_paper_is_known_to_the_reader_of_another() -> None:
    """A paper that no other links to would never be found."""
    linked = {
        (paper.parent / link).resolve()
        for paper in PAPERS
        for link in _LINK.findall(paper.read_text("utf-8"))
    }
    unlinked = set(PAPERS) - linked - set(RECORDS) - {tree.ROOT / "README.md"}
    assert {tree.shown(path) for path in unlinked} == set()
