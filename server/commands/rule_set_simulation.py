"""`coalition rules simulate`: what a draft would say of a transfer, a group, or past days."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec
import rich_click as click
from msgspec import Meta
from rich.table import Table

from coalition.families import simulating
from coalition.families.evaluator.acts import Verdict
from coalition.families.groups.entering import Newcomer
from coalition.families.rule_sets.books import RuleBook
from coalition.families.rule_sets.notation import RuleSet
from coalition.families.rule_sets.vocabulary import Channel, Mechanism
from coalition.families.simulating import BETWEEN_MEMBERS, Entry
from coalition.families.transfers.judging import Book, Judged
from coalition.families.transfers.wishes import Wish
from coalition.families.words.wording import Language, sentence
from coalition.kernel.database import Connection, transaction
from coalition.kernel.errors import Refused
from coalition.kernel.settings import Settings
from coalition.members.sealing import MemberKeys
from coalition.points import terms as business
from server.commands.known import find_member
from server.commands.options import (
    ACTOR,
    answer,
    as_json_option,
    example,
    place_of,
    place_options,
    table_of,
)
from server.commands.rule_set_files import right
from server.databases import do
from server.exits import WRONG_INPUT, Stopped
from server.house_clock import HouseClock

_INSTANTS = ["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d"]
_WISHED, _JOINED = ("from", "to", "points"), ("role", "member", "kind")
_SAID = ("answer", "rule", "limit", "used", "remaining", "next_possible_at", "text")
_COUNTED = ("rule", "transfers")


class GivenTransfer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A transfer on the command line; members by id, card, e-mail or phone."""

    sender: str = msgspec.field(name="from")
    receiver: str = msgspec.field(name="to")
    points: Annotated[int, Meta(ge=1, le=2**31 - 1)]
    channel: Channel = Channel.ONLINE
    relationship: str | None = None
    purpose: str | None = None


class TransferText(click.ParamType[GivenTransfer]):
    """A transfer written as from=MEMBER,to=MEMBER,points=N."""

    name = "from=MEMBER,to=MEMBER,points=N"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> GivenTransfer:
        """Return the transfer that is meant."""
        if isinstance(value, GivenTransfer):
            return value
        parts = dict(part.partition("=")[::2] for part in str(value).split(","))
        try:
            return msgspec.convert(parts, GivenTransfer, strict=False)
        except msgspec.ValidationError as error:
            keys = "from, to and points, and channel, relationship and purpose where they matter"
            self.fail(f"{value!r} is no transfer ({error}); write {keys}", param, ctx)


GivenGroup = tuple[tuple[str, str], ...]
"""Roles and the members that have them, the head first."""


class GroupText(click.ParamType[GivenGroup]):
    """A group written as head=MEMBER,spouse=MEMBER,child=MEMBER."""

    name = "head=MEMBER,ROLE=MEMBER,..."

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> GivenGroup:
        """Return the roles and members that are meant."""
        if isinstance(value, tuple):
            return value
        pairs = tuple(part.partition("=")[::2] for part in str(value).split(","))
        if pairs[0][0] != "head" or not all(role and named for role, named in pairs):
            self.fail(
                f"{value!r} is no group; write head=MEMBER first, then ROLE=MEMBER", param, ctx
            )
        return pairs


@click.command()
@click.argument("source", metavar="FILE|NAME")
@click.option(
    "--transfer", "transfers", type=TransferText(), multiple=True, help="Try this; may be repeated."
)
@click.option("--group", type=GroupText(), help="Try to form a group of these, by their roles.")
@click.option(
    "--days", type=click.IntRange(1, 3660), help="Replay the transfers of so many past days."
)
@click.option(
    "--at", "when", type=click.DateTime(_INSTANTS), help="When it is tried (UTC).  [default: now]"
)
@click.option(
    "--language",
    type=click.Choice([language.value for language in Language]),
    default=Language.EN.value,
    show_default=True,
    help="In which reasons are said.",
)
@place_options
@as_json_option
@click.pass_context
@example(
    "coalition rules simulate hilton --transfer from=HOUSE00400,to=HOUSE00718,points=2500",
    "coalition rules simulate sas --group head=HOUSE00400,spouse=HOUSE00718",
    "coalition rules simulate ours.yaml --days 90 --json",
)
def simulate(
    context: click.Context,
    *,
    source: str,
    transfers: tuple[GivenTransfer, ...],
    group: GivenGroup | None,
    days: int | None,
    when: datetime | None,
    language: str,
    as_json: bool,
) -> None:
    """Say what the rules in FILE, or those called NAME, would do with real members.

    Members are named by card or id and taken as they are now. --group forms a group in thought:
    its head first, then the others one after the other. --days counts which past transfers would
    be refused, and by which rules: limits begin from nothing then, and past balances, groups and
    sign-ins are not judged. Nothing is written.
    """
    if [bool(transfers), group is not None, days is not None].count(True) != 1:
        raise click.UsageError("give --transfer, once or more, or --group, or --days")
    at = when.replace(tzinfo=UTC) if when else HouseClock().now()

    async def work(settings: Settings) -> dict[str, object]:
        keys = MemberKeys.of(settings)
        async with transaction() as connection:
            terms = await business.load(connection)
            kept = await RuleBook.refresh(connection, None, terms.catalogue)
            book = Book(terms, kept, keys, at)
            trial = _Trial(connection, _draft(source, book), book, Language(language))
            if group is not None:
                return {"group": await _try_group(trial, group)}
            _check_sends(trial.draft, is_replay=days is not None)
            if days is None:
                return {"transfers": await _try_transfers(trial, transfers)}
            since = at - timedelta(days=days)
            replay = await simulating.replayed(connection, trial.draft, book, since=since)
            return {"since": since, "until": at} | msgspec.structs.asdict(replay)

    document = do(place_of(context), work)
    answer(document, as_json=as_json, table=lambda: _table(document))


class _Trial(NamedTuple):
    """A draft, what it is tried on, and in which language it is answered."""

    connection: Connection
    draft: RuleSet
    book: Book
    language: Language


async def _try_group(trial: _Trial, group: GivenGroup) -> list[dict[str, object]]:
    newcomers = [
        Newcomer(member=await find_member(named, trial.book.keys), role=role)
        for role, named in group
    ]
    found = await simulating.formed(trial.connection, trial.draft, trial.book, newcomers)
    return [_joined(one, entry, trial) for one, entry in zip(group, found, strict=True)]


async def _try_transfers(
    trial: _Trial, transfers: Sequence[GivenTransfer]
) -> list[dict[str, object]]:
    wishes = [await _wish(one, trial.book.keys) for one in transfers]
    found = await simulating.tried(trial.connection, wishes, trial.draft, trial.book)
    return [_told(one, judged, trial) for one, judged in zip(transfers, found, strict=True)]


def _table(document: dict[str, object]) -> Table:
    if "by_rule" in document:
        return table_of(_counts(document), _COUNTED)
    if "group" in document:
        return table_of(_rows(document["group"], _JOINED), (*_JOINED, *_SAID))
    return table_of(_rows(document["transfers"], _WISHED), (*_WISHED, *_SAID))


def _draft(source: str, book: Book) -> RuleSet:
    """Return the rules in a file, those kept under a name, or a preset."""
    kept = [one.document for one in book.rules.versions if one.name == source]
    is_kept = bool(kept) and not Path(source).is_file()
    return kept[-1] if is_kept else right(source, book.terms.catalogue)


def _check_sends(draft: RuleSet, *, is_replay: bool) -> None:
    """Stop where no transfers can be tried under the draft."""
    allowed = {Mechanism.P2P} if is_replay else BETWEEN_MEMBERS
    if draft.mechanism not in allowed:
        names = " or ".join(sorted(mechanism.value for mechanism in allowed))
        text = (
            f"by {draft.mechanism} members send each other nothing; only {names} can be tried so,"
            " others with --group"
        )
        raise Stopped(text, exit_code=WRONG_INPUT)


async def _wish(given: GivenTransfer, keys: MemberKeys) -> Wish:
    return Wish(
        sender=await find_member(given.sender, keys),
        receiver=await find_member(given.receiver, keys),
        points=given.points,
        requested_by=ACTOR,
        channel=given.channel,
        relationship=given.relationship,
        purpose=given.purpose,
    )


def _told(given: GivenTransfer, judged: Judged | Refused, trial: _Trial) -> dict[str, object]:
    row = {"from": given.sender, "to": given.receiver, "points": given.points}
    if isinstance(judged, Refused):
        return row | {"allowed": False, "refusal": judged.code, "text": judged.detail}
    said = _said(judged.verdict, trial, points=given.points)
    return row | said | {"balance": judged.balance}


def _joined(member: tuple[str, str], entry: Entry, trial: _Trial) -> dict[str, object]:
    role, named = member
    row = {"role": role, "member": named, "kind": entry.kind.value}
    return row | _said(entry.verdict, trial)


def _said(verdict: Verdict, trial: _Trial, points: int | None = None) -> dict[str, object]:
    failures = [
        failure.told()
        | {"text": sentence(failure, trial.language, points=points, today=trial.book.today)}
        for failure in verdict.failures
    ]
    return {
        "allowed": verdict.passes,
        "failures": failures,
        "fees": msgspec.to_builtins(verdict.fees),
        "needs": [one.value for one in verdict.approvals],
        "hold_hours": verdict.hold_hours,
        "undo_hours": verdict.undo_hours,
    }


def _rows(tried: object, named: Sequence[str]) -> list[dict[str, object]]:
    """Return a row for each failure, and one for each act that would pass."""
    assert isinstance(tried, list), "they were made above"
    rows: list[dict[str, object]] = []
    for one in tried:
        empty = dict.fromkeys(_SAID) | {key: one[key] for key in named}
        answered = "allowed" if one["allowed"] else "refused"
        reasons = one.get("failures") or [{"text": one.get("text")}]
        rows += [empty | {"answer": answered} | reason for reason in reasons]
    return rows


def _counts(document: dict[str, object]) -> list[dict[str, object]]:
    by_rule = document["by_rule"]
    assert isinstance(by_rule, dict), "the replay made it"
    return [
        {"rule": "all that were asked for", "transfers": document["transfers"]},
        {"rule": "refused", "transfers": document["refused"]},
        *({"rule": f"by {rule}", "transfers": count} for rule, count in by_rule.items()),
    ]
