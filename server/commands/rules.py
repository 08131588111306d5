"""`coalition rules`: rule sets of families and transfers, which two persons activate and bind."""

from datetime import datetime

import msgspec
import rich_click as click

from coalition.families.rule_sets import presets
from coalition.families.rule_sets.books import KeptVersion, RuleBook
from coalition.families.rule_sets.documents import PresetUse, brief
from coalition.families.rule_sets.notation import RuleSet
from coalition.families.rule_sets.rule_set_refusals import UnknownRuleSet
from coalition.families.words.describing import described
from coalition.families.words.wording import Language
from coalition.federation import catalogue
from coalition.kernel.database import transaction
from coalition.kernel.settings import Settings
from server.commands import rule_set_proposals, rule_set_simulation
from server.commands.known import read_catalogue
from server.commands.options import (
    answer,
    as_json_option,
    example,
    place_of,
    place_options,
    table_of,
)
from server.commands.rule_set_files import Problems, files_argument, judged, problem_rows
from server.databases import do
from server.exits import WRONG_INPUT
from server.house_clock import HouseClock

_SHOWN = ("name", "version", "state", "mechanism", "kinds", "valid_from", "title")
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


@click.group()
def rules() -> None:
    """List, show, check, try, propose, activate and bind rule sets of families and transfers."""


rule_set_proposals.add_to(rules)
rules.add_command(rule_set_simulation.simulate)


@rules.command("list")
@click.option("--all", "with_all", is_flag=True, help="Also versions that hold no longer.")
@place_options
@as_json_option
@click.pass_context
@example("coalition rules list", "coalition rules list --all --json")
def list_rules(context: click.Context, *, with_all: bool, as_json: bool) -> None:
    """List the rule sets that hold now or will, what is bound to them, and the presets.

    Where nobody named a coalition and there is none, the presets.
    """

    async def work(_: Settings) -> list[dict[str, object]]:
        at = HouseClock().now()
        book = await read_book()
        rows = [_row(version, book, at) for version in book.versions]
        return [row for row in rows if with_all or row["state"] != "ended"]

    place = place_of(context)
    kept = [] if place.is_nowhere else do(place, work)
    rows = [*kept, *(_preset_row(name) for name in presets.names())]
    answer({"items": rows}, as_json=as_json, table=lambda: table_of(rows, _SHOWN))


@rules.command()
@click.argument("name")
@click.option("--version", type=click.IntRange(1), help="Which one.  [default: the last]")
@click.option(
    "--language",
    type=click.Choice([language.value for language in Language]),
    default=Language.EN.value,
    show_default=True,
    help="In which the rules are said.",
)
@place_options
@as_json_option
@click.pass_context
@example("coalition rules show hilton", "coalition rules show hilton --language sv")
def show(
    context: click.Context, *, name: str, version: int | None, language: str, as_json: bool
) -> None:
    """Say the rule set NAME, or the preset of that name, in plain words; --json: its document."""

    async def work(_: Settings) -> tuple[dict[str, object], RuleSet]:
        at = HouseClock().now()
        book = await read_book()
        found = [
            one
            for one in book.versions
            if one.name == name and (version is None or one.version == version)
        ]
        return (_row(found[-1], book, at), found[-1].document) if found else shipped()

    def shipped() -> tuple[dict[str, object], RuleSet]:
        if version is not None or name not in presets.names():
            raise UnknownRuleSet(name=name)
        return _preset_row(name), presets.document(name)

    place = place_of(context)
    is_shipped = place.is_nowhere and version is None and name in presets.names()
    row, document = shipped() if is_shipped else do(place, work)
    whole = row | {"document": brief(document)}
    answer(whole, as_json=as_json, table=lambda: _said(row, document, Language(language)))


@rules.command()
@files_argument
@place_options
@as_json_option
@click.pass_context
@example("coalition rules check household.yaml")
def check(context: click.Context, *, files: tuple[str, ...], as_json: bool) -> None:
    """Say whether each FILE (YAML or JSON) is a rule set, and if not, everything that is wrong.

    Partners are those of the coalition; where nobody named one and there is none, nothing is said
    of them. Nothing is written.
    """

    async def work(_: Settings) -> Problems:
        known = await read_catalogue()
        return [(path, judged(path, known)[1]) for path in files]

    place = place_of(context)
    found = [(path, judged(path, None)[1]) for path in files] if place.is_nowhere else None
    rows = problem_rows(do(place, work) if found is None else found)
    document = {"ok": not rows, "problems": rows}
    columns = ("file", "line", "key", "text")
    answer(
        document,
        as_json=as_json,
        table=lambda: table_of(rows, columns) if rows else _all_good(len(files)),
    )
    if rows:
        context.exit(WRONG_INPUT)


@rules.command()
@example("coalition rules schema > rule-set.schema.json")
def schema() -> None:
    """Print the JSON Schema of a file with a rule set, or with a preset and other numbers."""
    either, parts = msgspec.json.schema_components(
        [RuleSet, PresetUse], ref_template="#/$defs/{name}"
    )
    document = {"$schema": _DIALECT, "title": "A rule set", "anyOf": list(either), "$defs": parts}
    answer(document, as_json=True, table=lambda: "")


async def read_book() -> RuleBook:
    """Return all rule sets and bindings that there are."""
    async with transaction() as connection:
        return await RuleBook.refresh(connection, None, await catalogue.load(connection))


def _row(version: KeptVersion, book: RuleBook, at: datetime) -> dict[str, object]:
    return {
        "name": version.name,
        "version": version.version,
        "state": book.state(version, at),
        "mechanism": version.document.mechanism.value,
        "kinds": ", ".join(book.kinds_of(version, at)),
        "valid_from": version.valid_from,
        "title": version.document.title,
        "prepared_by": version.prepared_by,
        "approved_by": version.approved_by,
    }


def _preset_row(name: str) -> dict[str, object]:
    document = presets.document(name)
    return {
        "name": name,
        "version": None,
        "state": "preset",
        "mechanism": document.mechanism.value,
        "kinds": "",
        "valid_from": None,
        "title": document.title,
        "prepared_by": None,
        "approved_by": None,
    }


def _said(row: dict[str, object], document: RuleSet, language: Language) -> str:
    version = "" if row["version"] is None else f", version {row['version']}"
    lines = [f"{row['name']}{version} ({row['state']}): {document.title}"]
    for part in described(document, language):
        lines += ["", part.heading, *(f"  {sentence}" for sentence in part.sentences)]
    return "\n".join(lines)


def _all_good(count: int) -> str:
    return "The rule set is right." if count == 1 else f"All {count} rule sets are right."
