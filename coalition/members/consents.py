"""What members agreed to, by purpose and channel: a ledger of grants and withdrawals.

Nothing in it is changed: what holds is the word given last on each purpose, channel and recipient.
Without a word nothing is agreed to.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from coalition.federation.tables import Partner
from coalition.kernel.database import Connection, transaction
from coalition.kernel.database.transactions import TENANT_ROLE
from coalition.kernel.ids import MemberId, bucket_of
from coalition.kernel.web.fields import Instant
from coalition.ledger.refusals import HolderMerged
from coalition.members import queries, relations
from coalition.members.locking import lock_open
from coalition.members.refusals import InvalidConsent, RelationNeeded, UnknownMember
from coalition.oversight import audit_log

SHARING = "sharing"
"""The purpose of handing data to one partner, the recipient."""

NO_PARTNER = -1
"""Stands for the partner where what is shared with any is not asked for."""

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
FURTHEST_AHEAD = timedelta(minutes=5)
MOST_AT_ONCE = 20
NOTE_LENGTH_MAX = 500


class Channel(StrEnum):
    """A way to reach a member; a purpose that needs none has no channel."""

    EMAIL = "email"
    SMS = "sms"
    PUSH = "push"
    POST = "post"


PurposeText = Annotated[
    str,
    Meta(
        pattern=r"^[a-z][a-z0-9_]{0,39}(?![\s\S])",
        max_length=40,
        description=(
            "What for: `marketing`, `profiling`, `sharing` (with the partner that asks), or "
            "another purpose of the coalition's own"
        ),
        examples=["marketing"],
    ),
]
VersionText = Annotated[
    str,
    Meta(
        pattern=r"^[!-~]+(?![\s\S])",
        min_length=1,
        max_length=60,
        description="The version of the text that the member was shown, as 2026-11.sv",
        examples=["2026-11.sv"],
    ),
]


class Given(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A member's word on one purpose and channel; `given_at` is now where it is left out."""

    purpose: PurposeText
    granted: bool
    text_version: VersionText
    channel: Channel | None = None
    given_at: Instant | None = None


GivenList = Annotated[tuple[Given, ...], Meta(max_length=MOST_AT_ONCE)]


class Consent(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the ledger, as it was written down.

    `source` says how the word came; `through_partner_no` through which partner; `recipient_no` is
    the partner that data may be shared with. `given_as` is the member of before a merge.
    """

    member_id: MemberId
    purpose: str
    channel: Channel | None
    recipient_no: int | None
    granted: bool
    text_version: str
    source: str
    through_partner_no: int | None
    note: str | None = None
    given_at: datetime
    made_at: datetime
    given_as: MemberId | None = None


class Word(msgspec.Struct, frozen=True, kw_only=True):
    """What holds of one purpose and channel; sharing is with the partner that asks."""

    purpose: str
    channel: Channel | None
    granted: bool
    text_version: str
    given_at: datetime


# The members' rows are locked, or nobody knows of them yet: nobody else counts on from there.
_ADD = """
INSERT INTO consent (bucket, member_id, no, purpose, channel, recipient_no, granted, text_version,
    source, through_partner_no, note, given_at, made_at, given_as)
SELECT given.bucket, given.member_id,
       last.no + row_number() OVER (PARTITION BY given.bucket, given.member_id ORDER BY given.line),
       given.purpose, given.channel, given.recipient_no, given.granted, given.text_version,
       given.source, given.through_partner_no, given.note, given.given_at, given.made_at,
       given.given_as
FROM unnest($1::int2[], $2::uuid[], $3::text[], $4::text[], $5::int4[], $6::bool[], $7::text[],
            $8::text[], $9::int4[], $10::text[], $11::timestamptz[], $12::timestamptz[],
            $13::uuid[]) WITH ORDINALITY
    AS given (bucket, member_id, purpose, channel, recipient_no, granted, text_version, source,
              through_partner_no, note, given_at, made_at, given_as, line),
LATERAL (
    SELECT coalesce(max(no), 0) AS no FROM consent
    WHERE bucket = given.bucket AND member_id = given.member_id
    OFFSET 0) AS last
"""

_CURRENT = """
SELECT DISTINCT ON (purpose, channel, recipient_no)
       purpose, channel, granted, text_version, given_at
FROM consent
WHERE bucket = $1 AND member_id = $2 AND (recipient_no IS NULL OR recipient_no = $3)
ORDER BY purpose, channel, recipient_no, given_at DESC, no DESC
"""

_HISTORY = """
SELECT member_id, purpose, channel, recipient_no, granted, text_version, source,
       through_partner_no, note, given_at, made_at, given_as
FROM consent WHERE bucket = $1 AND member_id = $2 ORDER BY no
"""


async def give_through_partner(
    member_id: MemberId, given: Sequence[Given], *, partner_no: int, at: datetime
) -> None:
    """Write down what a member said at a partner that knows the member; joins a transaction.

    Raises what `lock_open` does, `RelationNeeded` and `InvalidConsent`.
    """
    async with transaction() as connection:
        await lock_open(connection, [member_id])
        if not await relations.exists(connection, member_id, partner_no):
            raise RelationNeeded
        rows = at_till(member_id, given, partner_no=partner_no, source="till", at=at)
        await add(connection, rows)


async def give_by_staff(
    member_id: MemberId,
    given: Given,
    *,
    recipient_no: int | None = None,
    note: str | None = None,
    actor: str,
    at: datetime,
) -> None:
    """Write down what a member told the coalition's staff; `note` is erased with the member.

    Raises what `lock_open` does, and `InvalidConsent`.
    """
    if (given.purpose == SHARING) != (recipient_no is not None):
        raise InvalidConsent("Sharing, and sharing alone, names the partner it is with")
    if note is not None and not (1 <= len(note) <= NOTE_LENGTH_MAX and note.isprintable()):
        raise InvalidConsent(f"A note has 1 to {NOTE_LENGTH_MAX} printable characters")
    consent = Consent(
        member_id=member_id,
        purpose=given.purpose,
        channel=given.channel,
        recipient_no=recipient_no,
        granted=given.granted,
        text_version=given.text_version,
        source=actor,
        through_partner_no=None,
        note=note,
        given_at=_time(given, at),
        made_at=at,
    )
    async with transaction() as connection:
        await lock_open(connection, [member_id])
        if recipient_no is not None and not await Partner.exists().where(
            Partner.no == recipient_no
        ):
            raise InvalidConsent("There is no such partner to share with")
        await add(connection, [consent])
        await audit_log.record(
            connection,
            actor=actor,
            action="member_consent.granted" if given.granted else "member_consent.withdrawn",
            subject=f"member:{member_id}",
            facts={"purpose": given.purpose, "channel": given.channel},
            at=at,
        )


async def give_by_member(member_id: MemberId, given: Given, *, source: str, at: datetime) -> None:
    """Write down what a member said to us itself; the same word again is not written again.

    It is about the coalition, with nobody to share with. Raises what `lock_open` does, and
    `InvalidConsent`.
    """
    if given.purpose == SHARING:
        raise InvalidConsent("Sharing names the partner it is with; say it there")
    async with transaction() as connection:
        await lock_open(connection, [member_id])
        said = await current(connection, member_id, partner_no=NO_PARTNER)
        wanted = given.purpose, given.channel, given.granted
        if wanted in {(word.purpose, word.channel, word.granted) for word in said}:
            return
        consent = Consent(
            member_id=member_id,
            purpose=given.purpose,
            channel=given.channel,
            recipient_no=None,
            granted=given.granted,
            text_version=given.text_version,
            source=source,
            through_partner_no=None,
            given_at=_time(given, at),
            made_at=at,
        )
        await add(connection, [consent])


def at_till(
    member_id: MemberId, given: Iterable[Given], *, partner_no: int, source: str, at: datetime
) -> list[Consent]:
    """Return what is written down of words given at a partner's till. Raises `InvalidConsent`."""
    return [
        Consent(
            member_id=member_id,
            purpose=word.purpose,
            channel=word.channel,
            recipient_no=partner_no if word.purpose == SHARING else None,
            granted=word.granted,
            text_version=word.text_version,
            source=source,
            through_partner_no=partner_no,
            given_at=_time(word, at),
            made_at=at,
        )
        for word in given
    ]


async def add(connection: Connection, consents: Sequence[Consent]) -> None:
    """Add rows to the ledger, in order; the members are locked or new."""
    if not consents:
        return
    await connection.execute(
        _ADD,
        [bucket_of(one.member_id) for one in consents],
        *([getattr(one, name) for one in consents] for name in Consent.__struct_fields__),
    )


async def take_over(
    connection: Connection, *, from_id: MemberId, into_id: MemberId, at: datetime
) -> None:
    """Let the words of `from_id` be those of `into_id` too, each as of when it was given."""
    await add(
        connection,
        [
            msgspec.structs.replace(
                word, member_id=into_id, made_at=at, given_as=word.given_as or from_id
            )
            for word in await history(connection, from_id)
        ],
    )


async def show(member_id: MemberId, *, partner_no: int) -> list[Word]:
    """Return what holds of a member, for a partner that knows the member.

    It sees what concerns the coalition or itself, never what is shared with others. Raises
    `UnknownMember`, `HolderMerged` and `RelationNeeded`.
    """
    async with transaction(role=TENANT_ROLE, partner_no=partner_no) as connection:
        standing = await queries.read_standing(connection, member_id)
        if standing is None:
            raise UnknownMember
        if standing.merged_into is not None:
            raise HolderMerged(merged_into=str(standing.merged_into))
        if not await relations.exists(connection, member_id, partner_no):
            raise RelationNeeded
        return await current(connection, member_id, partner_no=partner_no)


async def current(connection: Connection, member_id: MemberId, *, partner_no: int) -> list[Word]:
    """Return the last word on each purpose and channel; on sharing, that with this partner."""
    rows = await connection.fetch(_CURRENT, bucket_of(member_id), member_id, partner_no)
    return [msgspec.convert(dict(row), Word) for row in rows]


async def history(connection: Connection, member_id: MemberId) -> list[Consent]:
    """Return every word of the member in the order in which they were written down."""
    rows = await connection.fetch(_HISTORY, bucket_of(member_id), member_id)
    return [msgspec.convert(dict(row), Consent) for row in rows]


def _time(given: Given, at: datetime) -> datetime:
    """Return when the word was given; a till's clock may be a little ahead of ours."""
    if given.given_at is None:
        return at
    if not EARLIEST <= given.given_at <= at + FURTHEST_AHEAD:
        raise InvalidConsent("given_at lies in the past, since 2000; check the till's clock")
    return min(given.given_at, at)
