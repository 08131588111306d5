"""`coalition earning`: base rates, and the rules beyond them that two persons activate."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import rich_click as click

from coalition.kernel.database import transaction
from coalition.kernel.settings import Settings
from coalition.points.bonuses import store
from coalition.points.bonuses.active import in_force
from coalition.points.bonuses.compiled import combine_of
from coalition.points.bonuses.documents import RuleDocument
from coalition.points.bonuses.refusals import UnknownRule
from coalition.points.bonuses.store import KeptRule
from server.commands import earning_proposals, earning_rates, earning_simulation
from server.commands.earning_files import Problems, files_argument, judged, problem_rows
from server.commands.known import read_catalogue
from server.commands.options import (
    answer,
    as_json_option,
    example,
    place_of,
    place_options,
    table_of,
)
from server.databases import do
from server.exits import WRONG_INPUT
from server.house_clock import HouseClock

_SHOWN = ("no", "code", "version", "name", "partners", "order", "combine", "state", "valid_from",
          "valid_until")  # fmt: skip
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


@click.group()
def earning() -> None:
    """Set base rates; list, check, try, propose and activate the rules beyond them."""


earning_rates.add_to(earning)
earning_proposals.add_to(earning)
earning.add_command(earning_simulation.simulate)


@earning.command("list")
@click.option("--all", "with_all", is_flag=True, help="Also versions that hold no longer.")
@place_options
@as_json_option
@click.pass_context
@example("coalition earning list", "coalition earning list --all --json")
def list_rules(context: click.Context, *, with_all: bool, as_json: bool) -> None:
    """List the rules that hold now or will."""

    async def work(_: Settings) -> list[dict[str, object]]:
        at = HouseClock().now()
        known = await read_catalogue()
        names = {partner.no: partner.name for partner in known.partners}
        kept = await _kept()
        ends = {version.no: (begins, end) for version, begins, end in in_force(kept)}
        rows = [_row(version, ends.get(version.no), names, at) for version in kept]
        return [row for row in rows if with_all or row["state"] != "ended"]

    rows = do(place_of(context), work)
    answer({"items": rows}, as_json=as_json, table=lambda: table_of(rows, _SHOWN))


@earning.command()
@click.argument("code")
@place_options
@as_json_option
@click.pass_context
@example("coalition earning show weekend-fruit --json")
def show(context: click.Context, *, code: str, as_json: bool) -> None:
    """Show every version of the rule CODE, the first first, with its document."""

    async def work(_: Settings) -> list[dict[str, Any]]:  # Any: a document as JSON
        found = [one for one in await _kept() if one.code == code]
        if not found:
            raise UnknownRule(code=code)
        return [msgspec.to_builtins(one) for one in found]

    versions = do(place_of(context), work)
    plain = [one | _flat(one["document"]) for one in versions]
    terms = [
        name
        for name in dict.fromkeys(key for one in plain for key in one)
        if name not in {"document", "code", "version"}
    ]
    rows = [
        {"term": name, **{str(one["version"]): one.get(name) for one in plain}} for name in terms
    ]
    columns = ["term", *(str(one["version"]) for one in versions)]
    answer({"items": versions}, as_json=as_json, table=lambda: table_of(rows, columns))


@earning.command()
@files_argument
@place_options
@as_json_option
@click.pass_context
@example("coalition earning check weekend-fruit.yaml")
def check(context: click.Context, *, files: tuple[Path, ...], as_json: bool) -> None:
    """Say whether each FILE (YAML or JSON) is a rule, and if not, everything that is wrong.

    Partners and stores are those of the coalition; nothing is written.
    """

    async def work(_: Settings) -> Problems:
        known = await read_catalogue()
        return [(path, judged(path, known)[1]) for path in files]

    found = do(place_of(context), work)
    rows = problem_rows(found)
    document = {"ok": not rows, "problems": rows}
    columns = ("file", "line", "key", "text")
    answer(
        document,
        as_json=as_json,
        table=lambda: table_of(rows, columns) if rows else _all_good(len(files)),
    )
    if rows:
        context.exit(WRONG_INPUT)


@earning.command()
@example("coalition earning schema > rule.schema.json")
def schema() -> None:
    """Print the JSON Schema of a rule file."""
    document = {
        "$schema": _DIALECT,
        "title": "An earning rule",
        **msgspec.json.schema(RuleDocument),
    }
    answer(document, as_json=True, table=lambda: "")


async def _kept() -> list[KeptRule]:
    async with transaction() as connection:
        return await store.versions(connection)


def _row(
    version: KeptRule,
    held: tuple[datetime, datetime | None] | None,
    names: Mapping[int, str],
    at: datetime,
) -> dict[str, object]:
    document = version.document
    partners = [names[no] for no in document.applies_to.partners if isinstance(no, int)]
    return {
        "no": version.no,
        "code": version.code,
        "version": version.version,
        "name": document.name,
        "partners": ", ".join(partners) or "all",
        "order": document.stacking.order,
        "combine": combine_of(document).value,
        "state": _state(held, at),
        "valid_from": version.valid_from,
        "valid_until": held[1] if held else version.valid_until,
    }


def _state(held: tuple[datetime, datetime | None] | None, at: datetime) -> str:
    if held is None or (held[1] is not None and held[1] <= at):
        return "ended"
    return "holds" if held[0] <= at else "to come"


def _flat(document: Mapping[str, Any], above: str = "") -> dict[str, object]:  # Any: JSON
    found: dict[str, object] = {}
    for key, value in document.items():
        if isinstance(value, dict):
            found |= _flat(value, f"{above}{key}.")
        else:
            found[f"{above}{key}"] = value
    return found


def _all_good(count: int) -> str:
    return "The rule is right." if count == 1 else f"All {count} rules are right."
