"""`coalition settle waiting|approve|reject`: one person of finance proposes, another agrees."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple
from uuid import UUID

import msgspec
from rich.table import Table

from coalition.federation import defaults
from coalition.federation.catalogue import Catalogue
from coalition.federation.defaults import PreparedEnd
from coalition.oversight.approvals import Approval
from partners.settlement import adjusting, clearing, closing, defaulting, prepaying
from partners.settlement.adjusting import PreparedAdjustment
from partners.settlement.clearing import PreparedCycle
from partners.settlement.closing import Position, PreparedClose
from partners.settlement.cycles import Cycle, PreparedLeg
from partners.settlement.defaulting import PreparedDefault
from partners.settlement.prepaying import PreparedPrepayment
from server.commands.amounts import in_major
from server.commands.known import party_name, read_catalogue
from server.commands.options import table_of
from server.commands.second_person import Row, SecondPerson, Signature, of_its_kind

_WAITING = ("approval_id", "act", "about", "prepared_by", "expires_at")


class _Act(NamedTuple):
    """One kind of what takes two persons: what it is called, told of and done by."""

    name: str
    tell: Callable[[Catalogue, str], list[str]]
    """Returns in words what the payload of an approval says, a line for each partner."""
    approve: Callable[[UUID, Signature], Awaitable[Row]]


def _told_close(known: Catalogue, payload: str) -> list[str]:
    wanted = msgspec.json.decode(payload, type=PreparedClose)
    return [
        f"{wanted.period}: {party_name(known, one.partner_no)} {_positions(one.net)}"
        for one in wanted.statements
    ]


async def _close(approval_id: UUID, by: Signature) -> Row:
    known = await read_catalogue()
    closed = await closing.approve(approval_id, approved_by=by.approved_by, at=by.at)
    return {
        "act": "close",
        "statements": [
            {
                "partner": party_name(known, one.partner_no),
                "period": one.period,
                "number": one.number,
                "statement_id": one.statement,
                "net": _positions(one.net),
                "digest": one.digest.hex(),
            }
            for one in closed
        ],
    }


def _told_adjustment(known: Catalogue, payload: str) -> list[str]:
    wanted = msgspec.json.decode(payload, type=PreparedAdjustment)
    amount = _pays(wanted.amount_minor, wanted.currency)
    return [f"{party_name(known, wanted.partner_no)} {amount} before VAT: {wanted.reason}"]


async def _adjust(approval_id: UUID, by: Signature) -> Row:
    known = await read_catalogue()
    adjusted = await adjusting.approve(approval_id, approved_by=by.approved_by, at=by.at)
    return {
        "act": "adjust",
        "adjustment_id": adjusted.id,
        "partner": party_name(known, adjusted.partner_no),
        "period": adjusted.period,
        "amount": in_major(adjusted.amount_minor, adjusted.currency),
        "currency": adjusted.currency,
        "vat_code": adjusted.vat_code,
        "vat_rate": f"{adjusted.vat_rate.normalize():f}",
    }


def _told_cycle(known: Catalogue, payload: str) -> list[str]:
    wanted = msgspec.json.decode(payload, type=PreparedCycle)
    legs = [
        f"{party_name(known, leg.partner_no)} {_pays(leg.amount_minor, wanted.currency)}"
        for leg in wanted.legs
    ]
    set_offs = [
        f"of that {party_name(known, one.creditor_no)} gets "
        f"{in_major(one.amount_minor, wanted.currency)} {wanted.currency} "
        f"that it claims from {party_name(known, one.defaulter_no)}"
        for one in wanted.set_offs
    ]
    return [", ".join(wanted.periods), *legs, *set_offs]


async def _clear(approval_id: UUID, by: Signature) -> Row:
    cycle = await clearing.approve(approval_id, approved_by=by.approved_by, at=by.at)
    return {"act": "net", **shown_cycle(await read_catalogue(), cycle)}


def _told_default(known: Catalogue, payload: str) -> list[str]:
    wanted = msgspec.json.decode(payload, type=PreparedDefault)
    guarantee, reserve, haircut = (
        in_major(minor, wanted.currency)
        for minor in (
            wanted.guarantee_minor,
            wanted.reserve_minor,
            sum(one.amount_minor for one in wanted.haircuts),
        )
    )
    loss = f"{in_major(wanted.loss_minor, wanted.currency)} {wanted.currency}"
    return [
        f"{party_name(known, wanted.defaulter_no)} does not pay {loss}",
        f"guarantee {guarantee}, reserve {reserve}, creditors {haircut}",
    ]


async def _default(approval_id: UUID, by: Signature) -> Row:
    cycle = await defaulting.approve(approval_id, approved_by=by.approved_by, at=by.at)
    return {"act": "default", **shown_cycle(await read_catalogue(), cycle)}


def _told_end(known: Catalogue, payload: str) -> list[str]:
    wanted = msgspec.json.decode(payload, type=PreparedEnd)
    return [f"{party_name(known, wanted.partner_no)} is in default no more"]


async def _end_default(approval_id: UUID, by: Signature) -> Row:
    ended = await defaults.approve_end(approval_id, approved_by=by.approved_by, at=by.at)
    partner = party_name(await read_catalogue(), ended.partner_no)
    return {"act": "end-default", "partner": partner, "ended_at": ended.begins_at}


def _told_prepayment(known: Catalogue, payload: str) -> list[str]:
    wanted = msgspec.json.decode(payload, type=PreparedPrepayment)
    amount = in_major(wanted.amount_minor, wanted.currency)
    partner = party_name(known, wanted.partner_no)
    return [f"{partner} has paid in {amount} {wanted.currency}: {wanted.reference}"]


async def _prepay(approval_id: UUID, by: Signature) -> Row:
    made = await prepaying.approve(approval_id, approved_by=by.approved_by, at=by.at)
    return {
        "act": "prepay",
        "partner": party_name(await read_catalogue(), made.partner_no),
        "amount": in_major(made.amount_minor, made.currency),
        "amount_minor": made.amount_minor,
        "currency": made.currency,
        "reference": made.reference,
        "posting": made.posting,
    }


_ACTS = {
    closing.KIND: _Act("close", _told_close, _close),
    clearing.KIND: _Act("net", _told_cycle, _clear),
    adjusting.KIND: _Act("adjust", _told_adjustment, _adjust),
    prepaying.KIND: _Act("prepay", _told_prepayment, _prepay),
    defaulting.KIND: _Act("default", _told_default, _default),
    defaults.KIND: _Act("end-default", _told_end, _end_default),
}


def shown_cycle(known: Catalogue, cycle: Cycle) -> Row:
    """Return a clearing cycle as it is told to finance, with every version of its legs."""
    return {
        "cycle_id": cycle.id,
        "currency": cycle.currency,
        "periods": list(cycle.periods),
        "prepared_by": cycle.prepared_by,
        "approved_by": cycle.approved_by,
        "approved_at": cycle.approved_at,
        "statements": list(cycle.statements),
        "legs": [_leg(known, leg, cycle.currency) for leg in cycle.legs],
        "versions": [
            {
                "version": version.version,
                "legs": [_leg(known, leg, cycle.currency) for leg in version.legs],
            }
            for version in cycle.versions
        ],
        "defaults": [
            {
                "defaulter": party_name(known, one.defaulter_no),
                **msgspec.structs.asdict(one),
                "loss": in_major(one.loss_minor, cycle.currency),
                "guarantee": in_major(one.guarantee_minor, cycle.currency),
                "reserve": in_major(one.reserve_minor, cycle.currency),
                "creditors": in_major(one.haircut_minor, cycle.currency),
            }
            for one in cycle.defaults
        ],
        "claims": [
            {
                "creditor": party_name(known, one.creditor_no),
                "against": party_name(known, one.defaulter_no),
                **msgspec.structs.asdict(one),
                "amount": in_major(one.amount_minor, cycle.currency),
                "open": in_major(one.open_minor, cycle.currency),
            }
            for one in cycle.claims
        ],
        "set_offs": [
            {
                "creditor": party_name(known, one.creditor_no),
                "against": party_name(known, one.defaulter_no),
                **msgspec.structs.asdict(one),
                "amount": in_major(one.amount_minor, cycle.currency),
            }
            for one in cycle.set_offs
        ],
    }


def legs_table(row: Row) -> Table:
    """Return what each partner and the operator pay and receive in a cycle, as it stands."""
    legs = row["legs"]
    assert isinstance(legs, list), "rows of legs"
    return table_of(legs, ("partner", "pays", "receives", "currency"))


def _leg(known: Catalogue, leg: PreparedLeg, currency: str) -> Row:
    amount = in_major(abs(leg.amount_minor), currency)
    return {
        "partner": party_name(known, leg.partner_no),
        "amount_minor": leg.amount_minor,
        "pays": amount if leg.amount_minor > 0 else None,
        "receives": amount if leg.amount_minor < 0 else None,
        "currency": currency,
    }


def _pays(amount_minor: int, currency: str) -> str:
    verb = "pays" if amount_minor >= 0 else "receives"
    return f"{verb} {in_major(abs(amount_minor), currency)} {currency}"


def _positions(net: tuple[Position, ...]) -> str:
    return ", ".join(_pays(one.net_minor, one.currency) for one in net) or "pays nothing"


def _described(known: Catalogue, one: Approval) -> Row:
    act = _ACTS[one.kind]
    return {
        "act": act.name,
        "about": act.tell(known, one.payload),
        "payload": msgspec.json.decode(one.payload),
    }


async def _approve(by: Signature) -> Row:
    async def of(kind: str) -> Row:
        return await _ACTS[kind].approve(by.approval_id, by)

    return await of_its_kind(tuple(_ACTS), of)


def _in_cells(row: Row) -> Row:
    about = row["about"]
    assert isinstance(about, list), "a line for each partner"
    return row | {"about": "\n".join(about)}


_DONE: dict[object, tuple[str, ...]] = {
    "adjust": ("partner", "period", "amount", "currency", "vat_code", "vat_rate"),
    "end-default": ("partner", "ended_at"),
    "prepay": ("partner", "amount", "currency", "reference"),
}
"""The columns of what was done, of acts that one row tells of."""


def _done_table(row: Row) -> Table:
    if row["act"] == "close":
        statements = row["statements"]
        assert isinstance(statements, list), "rows of statements"
        return table_of(statements, ("number", "partner", "period", "net"))
    columns = _DONE.get(row["act"])
    return legs_table(row) if columns is None else table_of([row], columns)


SECOND = SecondPerson(
    kind=closing.KIND,
    further_kinds=tuple(kind for kind in _ACTS if kind != closing.KIND),
    command="settle",
    approves="Do what was proposed under APPROVAL_ID, as another person than who proposed it.",
    describe=_described,
    approve=_approve,
    waiting_columns=_WAITING,
    done_table=_done_table,
    in_cells=_in_cells,
)
"""How whatever takes two persons in settlement is approved, all by the same commands."""
