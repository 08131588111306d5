"""What points keep of a member, for the member's copy and for forgetting it.

The books stay as they are: postings, lots, holds and debts name an id that says nothing about
anyone once the person is forgotten. What was bought, line by line, goes.
"""

from collections.abc import AsyncIterator
from datetime import datetime
from uuid import UUID

import asyncpg
import msgspec

from coalition.federation.catalogue import Catalogue
from coalition.kernel.database import Connection
from coalition.kernel.ids import MemberId, bucket_of
from coalition.ledger import posting
from coalition.ledger.accounts import DebtEntry, HoldState
from coalition.members.disclosure import partner_name
from coalition.members.privacy import Keeper, Piece
from coalition.points import history, terms
from coalition.points.terms import Terms

AT_ONCE = 500
"""How many postings are read at a time."""

_BEFORE_ALL = UUID(int=0)

_LOTS = """
SELECT id AS lot_id, currency.code AS currency, issuer_no, funder_no, earned_month, expires_on,
       points_in, points_out, held
FROM every_lot JOIN point_currency AS currency ON currency.no = every_lot.currency_no
WHERE bucket = $1 AND holder = $2 ORDER BY id
"""

_HOLDS = """
SELECT id AS hold_id, partner_no, store_no, receipt, points, state, occurred_at, made_at,
       expires_at, resolved_at, posting AS posting_id
FROM hold WHERE bucket = $1 AND holder = $2 ORDER BY made_at, id
"""

_DEBTS = """
SELECT posting AS posting_id, lot AS lot_id, issuer_no, made_at, booked, recovered, written_off,
       moved,
       (SELECT coalesce(jsonb_agg(jsonb_build_object(
                   'kind', entry.kind, 'points', entry.points, 'posting_id', entry.posting,
                   'made_at', entry.made_at, 'reason', entry.reason)
               ORDER BY entry.made_at, entry.id), '[]')
        FROM debt_entry AS entry
        WHERE entry.bucket = debt.bucket AND entry.debt = debt.posting AND entry.lot = debt.lot
       )::text AS entries
FROM debt WHERE bucket = $1 AND holder = $2 ORDER BY made_at, posting, lot
"""

_PURCHASES = """
SELECT basket.posting AS posting_id, basket.partner_no, basket.store_no, basket.occurred_at,
       basket.currency, basket.amount_minor,
       (SELECT coalesce(jsonb_agg(jsonb_build_object(
                   'no', line.no, 'amount_minor', line.amount_minor, 'category', line.category,
                   'sku', line.sku, 'quantity', line.quantity, 'returned', line.returned)
               ORDER BY line.no), '[]')
        FROM purchase_line AS line
        WHERE line.bucket = basket.bucket AND line.posting = basket.posting)::text AS lines
FROM purchase_basket AS basket
WHERE basket.bucket = $1 AND basket.holder = $2 AND basket.posting > $3
ORDER BY basket.posting LIMIT $4
"""

_BONUSES = """
SELECT source, kind, factor, points, partner_no, category, valid_from, valid_until, ended_at,
       made_at
FROM earning_bonus WHERE bucket = $1 AND holder = $2 ORDER BY made_at, source
"""

_FORGET = (
    """
    DELETE FROM purchase_line USING purchase_basket AS basket
    WHERE basket.bucket = $1 AND basket.holder = $2
        AND purchase_line.bucket = basket.bucket AND purchase_line.posting = basket.posting
    """,
    "DELETE FROM purchase_basket WHERE bucket = $1 AND holder = $2",
    "DELETE FROM earning_bonus WHERE bucket = $1 AND holder = $2",
)


async def _export(
    connection: Connection, member_id: MemberId, at: datetime
) -> AsyncIterator[Piece]:
    known = await terms.load(connection)
    place = (bucket_of(member_id), member_id)
    yield "balances", await _balances(connection, member_id, known, at)
    yield "lots", [_named(row, known) for row in await connection.fetch(_LOTS, *place)]
    yield "postings", _postings(connection, member_id, known)
    yield "purchases", _purchases(connection, member_id, known)
    yield "holds", [_hold(row, known) for row in await connection.fetch(_HOLDS, *place)]
    yield "debts", [_debt(row, known) for row in await connection.fetch(_DEBTS, *place)]
    yield "bonuses", [_named(row, known) for row in await connection.fetch(_BONUSES, *place)]


async def _erase(connection: Connection, member_id: MemberId, asked_at: datetime) -> None:
    del asked_at
    for statement in _FORGET:
        await connection.execute(statement, bucket_of(member_id), member_id)


KEEPER = Keeper("points", _export, _erase)
"""What exports points, and forgets what was bought."""


async def _balances(
    connection: Connection, member_id: MemberId, known: Terms, at: datetime
) -> list[dict[str, object]]:
    told: list[dict[str, object]] = []
    for no, code in await connection.fetch("SELECT no, code FROM point_currency ORDER BY no"):
        found = await posting.balances(
            connection,
            [member_id],
            currency_no=no,
            today=known.day(at),
            suspended=known.catalogue.suspended_at(at),
        )
        told.append({"currency": code, "points": found.get(member_id, 0)})
    return told


async def _postings(
    connection: Connection, member_id: MemberId, known: Terms
) -> AsyncIterator[object]:
    after = _BEFORE_ALL
    while page := await history.list_of_member(
        connection, member_id, terms=known, after=after, limit=AT_ONCE
    ):
        for partner_no, view in page:
            after = view.posting_id
            partner = partner_name(known.catalogue, partner_no)
            yield {"partner": partner} | msgspec.structs.asdict(view)


async def _purchases(
    connection: Connection, member_id: MemberId, known: Terms
) -> AsyncIterator[object]:
    after = _BEFORE_ALL
    place = (bucket_of(member_id), member_id)
    while page := await connection.fetch(_PURCHASES, *place, after, AT_ONCE):
        for row in page:
            after = row["posting_id"]
            yield _named(row, known) | {"lines": msgspec.Raw(row["lines"].encode())}


def _hold(row: asyncpg.Record, known: Terms) -> dict[str, object]:
    return _named(row, known) | {"state": HoldState(row["state"]).name.lower()}


def _debt(row: asyncpg.Record, known: Terms) -> dict[str, object]:
    entries = msgspec.json.decode(row["entries"], type=list[dict[str, object]])
    named = [entry | {"kind": DebtEntry(int(str(entry["kind"]))).name.lower()} for entry in entries]
    return _named(row, known) | {"entries": named}


def _named(row: asyncpg.Record, known: Terms) -> dict[str, object]:
    """Return a row in which partners and stores are called by their names."""
    shown = dict(row)
    for column in ("partner", "issuer", "funder"):
        if f"{column}_no" in shown:
            shown[column] = partner_name(known.catalogue, shown.pop(f"{column}_no"))
    if "store_no" in shown:
        shown["store"] = _store(shown.pop("store_no"), known.catalogue)
    return shown


def _store(no: int | None, known: Catalogue) -> str | None:
    return None if no is None else known.store_by_no(no).code
