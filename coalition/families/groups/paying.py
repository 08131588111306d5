"""Acts in groups that cost money: tried as a whole, kept until the fee is paid, and done then.

What is tried is undone in the same transaction, so whoever asks hears every refusal at once and
pays for nothing that could not be done. It holds no place meanwhile but that of an invitation: paid
for and refused by then, the money is to be given back.
"""

import hmac
from datetime import datetime
from typing import Protocol, TypeVar
from uuid import UUID

import msgspec

from coalition.families.groups import act_rows, invitation_rows, sealed_names
from coalition.families.groups.act_rows import ActRow, ActState
from coalition.families.groups.wanted import Accept, AddCard, Nominate, Wanted
from coalition.families.kin.group_refusals import UnknownAct
from coalition.families.kin.purse import MoneyDue, Purse
from coalition.families.kin.speaking import By
from coalition.families.kin.transfer_refusals import FeeNotDue
from coalition.families.rule_sets.notation import Money
from coalition.families.transfers.judging import Book
from coalition.kernel.database import Connection
from coalition.kernel.errors import Refused
from coalition.kernel.ids import bucket_of, shard_of, uuid7
from coalition.kernel.outbox import events
from coalition.kernel.outbox.events import Event
from coalition.members.sealing import SealBrokenError
from coalition.oversight import audit_log

Result_co = TypeVar("Result_co", covariant=True)
Result = TypeVar("Result")

_PURPOSE = b"act"


class Runs(Protocol[Result_co]):
    """One of `Wanted`, by what comes of it."""

    async def run(self, connection: Connection, book: Book, by: By) -> Result_co:
        """Do it in the caller's transaction."""


class WaitingAct(msgspec.Struct, frozen=True, kw_only=True):
    """An act that costs money: what is wanted, by when it is to be paid, and what became of it."""

    act_id: UUID
    group_id: UUID
    act: str
    state: ActState
    payer: UUID
    fee: Money
    made_at: datetime
    expires_at: datetime
    ended_at: datetime | None = None
    refusal: str | None = None
    """Why it could not be done although it was paid for: the code of a refusal."""

    @classmethod
    def of(cls, row: ActRow) -> "WaitingAct":
        """Return what is told of an act."""
        return cls(
            act_id=row.id,
            group_id=row.group_id,
            act=_tag(msgspec.json.decode(row.document)),
            state=row.state,
            payer=row.payer,
            fee=Money(amount_minor=row.fee_minor, currency=row.fee_currency),
            made_at=row.made_at,
            expires_at=row.expires_at,
            ended_at=row.ended_at,
            refusal=row.refusal,
        )


async def perform(
    connection: Connection, book: Book, wanted: Runs[Result], by: By
) -> Result | WaitingAct:
    """Do what is wanted, or let it wait where the rules ask for money first.

    Asked for again it is the same act that waits. Raises what the act refuses.
    """
    purse = Purse()
    await connection.execute("SAVEPOINT an_act")
    done = await wanted.run(connection, book._replace(purse=purse), by)
    if not purse.due:
        await connection.execute("RELEASE SAVEPOINT an_act")
        return done
    await connection.execute("ROLLBACK TO SAVEPOINT an_act")
    return await _let_wait(connection, book, wanted, by, purse.due)


async def fee_paid(
    connection: Connection, act: UUID, book: Book, *, paid: Money, by: By
) -> WaitingAct:
    """Let an act go on whose fee has been paid; called down by whoever charges it.

    What the rules refuse by now is over, and told by `families.fee_to_return`. Repeating it changes
    nothing. Raises `UnknownAct`, and `FeeNotDue` for another amount or an act that waits for none.
    """
    row = await act_rows.read(connection, act, is_to_be_locked=True)
    if (row.fee_minor, row.fee_currency) != (paid.amount_minor, paid.currency):
        raise FeeNotDue(f"the fee is {row.fee_minor} {row.fee_currency}", state=row.state)
    if row.paid_at is not None:
        return WaitingAct.of(row)
    if row.state is not ActState.AWAITING_PAYMENT:
        raise FeeNotDue(state=row.state)
    refusal = await _done(connection, row, book)
    over = msgspec.structs.replace(
        row,
        state=ActState.DONE if refusal is None else ActState.REFUSED,
        paid_at=book.at,
        ended_at=book.at,
        refusal=refusal,
    )
    await act_rows.end(connection, over)
    if refusal is not None:
        await _tell(connection, "fee_to_return", over, book.at, reason=refusal)
    else:
        await _tell(connection, "fee_paid", over, book.at)
    if by.is_staff:
        facts = {"act": act, "amount_minor": paid.amount_minor, "currency": paid.currency}
        await audit_log.record(
            connection,
            actor=by.name,
            action="group.fee_paid",
            subject=f"group:{row.group_id}",
            facts=facts,
            at=book.at,
        )
    return WaitingAct.of(over)


async def withdraw(connection: Connection, act: UUID, book: Book, *, by: By) -> WaitingAct:
    """Take back what waits, as who asked for it or would pay; repeating it changes nothing.

    Raises `UnknownAct`, or `FeeNotDue` for what is over otherwise.
    """
    row = await act_rows.read(connection, act, is_to_be_locked=True)
    _check_seen(row, by)
    if row.state is ActState.WITHDRAWN:
        return WaitingAct.of(row)
    if row.state is not ActState.AWAITING_PAYMENT:
        raise FeeNotDue(state=row.state)
    over = msgspec.structs.replace(row, state=ActState.WITHDRAWN, ended_at=book.at)
    await act_rows.end(connection, over)
    return WaitingAct.of(over)


async def show(connection: Connection, act: UUID, *, by: By) -> WaitingAct:
    """Return an act to who asked for it or pays, and to staff. Raises `UnknownAct`."""
    row = await act_rows.read(connection, act)
    _check_seen(row, by)
    return WaitingAct.of(row)


async def of_member(connection: Connection, member: UUID) -> list[WaitingAct]:
    """Return the acts that a member asked for or pays, the latest first."""
    return [WaitingAct.of(row) for row in await act_rows.of_member(connection, member)]


def _check_seen(row: ActRow, by: By) -> None:
    if not by.is_staff and by.member not in {row.payer, row.asked_member}:
        raise UnknownAct


async def _let_wait(
    connection: Connection, book: Book, wanted: object, by: By, due: list[MoneyDue]
) -> WaitingAct:
    """Keep an act, and tell whoever charges what is due; in one currency, of one payer."""
    assert isinstance(wanted, Wanted), "acts are data"
    first = due[0]
    until = min(one.until for one in due)
    if isinstance(wanted, Accept):
        until = min(until, (await invitation_rows.read(connection, wanted.invitation)).expires_at)
    document, sealed, sealed_for = wanted, None, None
    if isinstance(wanted, Nominate | AddCard):
        sealed_for = wanted.member if isinstance(wanted, AddCard) else first.payer
        sealed = await sealed_names.seal_text(
            connection, sealed_for, wanted.words, book.keys, purpose=_PURPOSE
        )
        document = msgspec.structs.replace(wanted, words="")
    row, is_new = await act_rows.add(
        connection,
        ActRow(
            id=uuid7(book.at, bucket_of(first.group)),
            group_id=first.group,
            digest=_digest(wanted, by, book),
            document=msgspec.json.encode(document).decode(),
            sealed=sealed,
            sealed_for=sealed_for,
            asked_by=by.name,
            asked_member=by.member,
            payer=first.payer,
            fee_minor=sum(one.money.amount_minor for one in due),
            fee_currency=first.money.currency,
            state=ActState.AWAITING_PAYMENT,
            made_at=book.at,
            expires_at=until,
        ),
    )
    if is_new:
        await _tell(connection, "fee_due", row, book.at, on=first.on, expires_at=row.expires_at)
    return WaitingAct.of(row)


async def _done(connection: Connection, row: ActRow, book: Book) -> str | None:
    """Do an act that was paid for; return the code of what refuses it, if anything does."""
    by = By(row.asked_member, row.asked_by)
    await connection.execute("SAVEPOINT an_act")
    try:
        wanted = await _opened(connection, row, book)
        await wanted.run(connection, book._replace(purse=Purse(is_paid=True)), by)
    except Refused as refusal:
        await connection.execute("ROLLBACK TO SAVEPOINT an_act")
        return refusal.code
    await connection.execute("RELEASE SAVEPOINT an_act")
    return None


async def _opened(connection: Connection, row: ActRow, book: Book) -> Wanted:
    wanted: Wanted = msgspec.json.decode(row.document, type=Wanted)
    if row.sealed is None or row.sealed_for is None:
        return wanted
    assert isinstance(wanted, Nominate | AddCard), "only these have words about a person"
    try:
        words = await sealed_names.unseal_text(
            connection, row.sealed_for, row.sealed, book.keys, purpose=_PURPOSE
        )
    except SealBrokenError as error:
        raise UnknownAct from error
    return msgspec.structs.replace(wanted, words=words)


def _digest(wanted: Wanted, by: By, book: Book) -> bytes:
    """Return what tells the same act asked for again by the same."""
    text = by.name.encode() + b"\0" + msgspec.json.encode(wanted)
    return hmac.digest(book.keys.blind_index_key, b"act\0" + text, "sha256")[:16]


def _tag(document: dict[str, object]) -> str:
    return str(document["type"])


async def _tell(
    connection: Connection, what: str, row: ActRow, at: datetime, **facts: object
) -> None:
    told = {
        "act_id": row.id,
        "group_id": row.group_id,
        "member_id": row.payer,
        "amount_minor": row.fee_minor,
        "currency": row.fee_currency,
    }
    event = Event(f"families.{what}", told | facts, shard=shard_of(bucket_of(row.group_id)))
    await events.append(connection, [event], at)
