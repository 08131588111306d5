"""`coalition rules simulate`: what a draft would say of a transfer, or of those of past days."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated
from uuid import UUID

import msgspec
import rich_click as click
from msgspec import Meta

from coalition.families import simulating
from coalition.families.books import RuleBook
from coalition.families.judging import Book, Judged
from coalition.families.rule_sets import RuleSet
from coalition.families.simulating import BETWEEN_MEMBERS
from coalition.families.vocabulary import Channel, Mechanism
from coalition.families.wishes import Wish
from coalition.families.wording import Language, sentence
from coalition.kernel.clock import SystemClock
from coalition.kernel.database import transaction
from coalition.kernel.errors import Refused
from coalition.kernel.ids import MemberId
from coalition.kernel.settings import Settings
from coalition.members import service
from coalition.members.contacts import ContactKind
from coalition.members.sealing import MemberKeys
from coalition.points import terms as business
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

_INSTANTS = ["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d"]
_SAID = ("from", "to", "points", "answer", "rule", "limit", "used", "remaining",
         "next_possible_at", "text")  # fmt: skip
_COUNTED = ("rule", "transfers")


class GivenTransfer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A transfer on the command line; members by id or card."""

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


@click.command()
@click.argument("source", metavar="FILE|NAME")
@click.option(
    "--transfer", "transfers", type=TransferText(), multiple=True, help="Try this; may be repeated."
)
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
    "coalition rules simulate ours.yaml --days 90 --json",
)
def simulate(
    context: click.Context,
    *,
    source: str,
    transfers: tuple[GivenTransfer, ...],
    days: int | None,
    when: datetime | None,
    language: str,
    as_json: bool,
) -> None:
    """Say what the rules in FILE, or those called NAME, would do with transfers of real members.

    Members are taken as they are now. --days counts which past transfers would be refused, and by
    which rules: limits begin from nothing then, and past balances, groups and sign-ins are not
    judged. Nothing is written.
    """
    if bool(transfers) == (days is not None):
        raise click.UsageError("give --transfer, once or more, or --days")
    at = when.replace(tzinfo=UTC) if when else SystemClock().now()

    async def work(settings: Settings) -> dict[str, object]:
        keys = MemberKeys.of(settings)
        wishes = [await _wish(one, keys) for one in transfers]
        async with transaction() as connection:
            terms = await business.load(connection)
            kept = await RuleBook.refresh(connection, None, terms.catalogue)
            book = Book(terms, kept, keys, at)
            draft = _draft(source, book, is_replay=days is not None)
            if days is None:
                found = await simulating.tried(connection, wishes, draft, book)
                pairs = zip(transfers, found, strict=True)
                tried = [_told(one, judged, book, Language(language)) for one, judged in pairs]
                return {"transfers": tried}
            since = at - timedelta(days=days)
            replay = await simulating.replayed(connection, draft, book, since=since)
            return {"since": since, "until": at} | msgspec.structs.asdict(replay)

    document = do(place_of(context), work)
    answer(
        document,
        as_json=as_json,
        table=lambda: (
            table_of(_rows(document), _SAID)
            if days is None
            else table_of(_counts(document), _COUNTED)
        ),
    )


def _draft(source: str, book: Book, *, is_replay: bool) -> RuleSet:
    """Return the rules in a file, those kept under a name, or a preset."""
    kept = [one.document for one in book.rules.versions if one.name == source]
    is_kept = bool(kept) and not Path(source).is_file()
    draft = kept[-1] if is_kept else right(source, book.terms.catalogue)
    allowed = {Mechanism.P2P} if is_replay else BETWEEN_MEMBERS
    if draft.mechanism not in allowed:
        names = " or ".join(sorted(mechanism.value for mechanism in allowed))
        text = f"by {draft.mechanism} members send each other nothing; only {names} can be tried so"
        raise Stopped(text, exit_code=WRONG_INPUT)
    return draft


async def _wish(given: GivenTransfer, keys: MemberKeys) -> Wish:
    return Wish(
        sender=await _member(given.sender, keys),
        receiver=await _member(given.receiver, keys),
        points=given.points,
        requested_by=ACTOR,
        channel=given.channel,
        relationship=given.relationship,
        purpose=given.purpose,
    )


async def _member(named: str, keys: MemberKeys) -> MemberId:
    """Return the member with this id, or this card."""
    try:
        return MemberId(UUID(named))
    except ValueError:
        return await service.find(ContactKind.CARD, named, keys=keys)


def _told(
    given: GivenTransfer, judged: Judged | Refused, book: Book, language: Language
) -> dict[str, object]:
    row = {"from": given.sender, "to": given.receiver, "points": given.points}
    if isinstance(judged, Refused):
        return row | {"allowed": False, "refusal": judged.code, "text": judged.detail}
    verdict = judged.verdict
    failures = [
        msgspec.structs.asdict(failure)
        | {"text": sentence(failure, language, points=given.points, today=book.today)}
        for failure in verdict.failures
    ]
    return row | {
        "allowed": verdict.passes,
        "failures": failures,
        "fees": msgspec.to_builtins(verdict.fees),
        "needs": [one.value for one in verdict.approvals],
        "hold_hours": verdict.hold_hours,
        "undo_hours": verdict.undo_hours,
        "balance": judged.balance,
    }


def _rows(document: dict[str, object]) -> list[dict[str, object]]:
    """Return a row for each failure, and one for each transfer that would pass."""
    rows: list[dict[str, object]] = []
    transfers = document["transfers"]
    assert isinstance(transfers, list), "they were made above"
    for one in transfers:
        empty = dict.fromkeys(_SAID) | {key: one[key] for key in ("from", "to", "points")}
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
