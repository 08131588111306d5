"""What members can spend now, of the point currencies that are asked for."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from msgspec import UNSET, UnsetType

from coalition.federation.refusals import UnknownPointCurrency
from coalition.kernel.database import Connection
from coalition.kernel.errors import Refused
from coalition.ledger import elsewhere, funds, holders, posting
from coalition.ledger.holders import Standing
from coalition.ledger.journal import Journal
from coalition.ledger.waiting import Waiting
from coalition.points.commands import HoldAnswer, PostingAnswer
from coalition.points.pools import PoolAct, Pools, PoolWish
from coalition.points.terms import Beside, Terms


class Wanted(NamedTuple):
    """Whose balance is asked for, of which point currency and where."""

    member: UUID
    code: str | None = None
    """Of the point currency; None is the coalition's own."""
    partner_no: int = 0
    """What can be spent at this partner; 0 is whatever can be spent anywhere."""


async def survivors(
    connection: Connection, wanted: list[Wanted], known: dict[UUID, Standing]
) -> list[Wanted]:
    """Return `wanted` with the survivor in place of each member who was merged, now `known` too."""
    into = {one: kept.merged_into for one, kept in known.items() if kept.merged_into is not None}
    if not into:
        return wanted
    known |= await holders.read_states(connection, set(into.values()))
    return [one._replace(member=into.get(one.member, one.member)) for one in wanted]


def unknown_currencies(
    wanted: Iterable[Wanted], terms: Terms
) -> dict[str | None, UnknownPointCurrency]:
    """Return the refusal of each point currency that there is not."""
    refusals: dict[str | None, UnknownPointCurrency] = {}
    for code in {one.code for one in wanted if one.code is not None}:
        try:
            terms.catalogue.currency(code)
        except UnknownPointCurrency as refusal:
            refusals[code] = refusal
    return refusals


class Balance(NamedTuple):
    """What a member can spend now; where others' points count, what is its own and what theirs."""

    points: int
    own: int | UnsetType = UNSET
    others: int | UnsetType = UNSET


NOTHING = Balance(0)


def tell_beside(
    lines: Iterable[PostingAnswer | HoldAnswer | Refused], beside: Beside, waiting: Waiting
) -> None:
    """Let lines tell balances that are known without asking.

    Of those whose gifts wait nothing else has changed since it was read beside the terms, nor of
    those who are locked since it was read with their lots.
    """
    catalogue, spendable = beside.terms.catalogue, beside.spendable
    own_no, given, found = catalogue.coalition.point_currency_no, waiting.given, waiting.found
    for line in lines:
        if isinstance(line, Refused):
            continue
        code = line.point_currency
        key = line.member_id, catalogue.currency_no(code) if code else own_no
        now = found.get(key)
        if now is None and not code and key in given:
            now = spendable.get(line.member_id)
        if now is not None:
            line.balance = now + waiting.change(*key)


async def read_balances(
    connection: Connection,
    wanted: Collection[Wanted],
    terms: Terms,
    standings: Mapping[UUID, Standing],
    at: datetime,
    *,
    pools: Pools,
) -> dict[Wanted, Balance]:
    """Return what each can spend of each point currency; of nearly all it is the coalition's.

    `standings` tells how all of them stand. Of those who share others' points count as well.
    """
    balances: dict[Wanted, Balance] = {}
    for code in {one.code for one in wanted}:
        asked = [one for one in wanted if one.code == code]
        found = await posting.balances(
            connection,
            [one.member for one in asked],
            currency_no=terms.catalogue.currency_no(code),
            today=terms.day(at),
            suspended=terms.catalogue.suspended_at(at),
            standings=standings,
        )
        own = {one: found[one.member] for one in asked if one.member in found}
        if terms.catalogue.classes.are_bound:
            own = await _without_bound(connection, own, terms, at)
        balances |= {one: Balance(points) for one, points in own.items()}
        sharing = {
            one: points
            for one, points in own.items()
            if one.member in standings and standings[one.member].shares
        }
        if sharing:
            balances |= await _together(connection, sharing, terms, at, code=code, pools=pools)
    return balances


async def _without_bound(
    connection: Connection, own: Mapping[Wanted, int], terms: Terms, at: datetime
) -> dict[Wanted, int]:
    """Return balances of one point currency without what is bound to other partners."""
    at_partners = {one: (one.member, one.partner_no) for one in own if one.partner_no}
    if not at_partners:
        return dict(own)
    (code,) = {one.code for one in own}
    bound = await elsewhere.read(
        connection,
        at_partners.values(),
        currency_no=terms.catalogue.currency_no(code),
        today=terms.day(at),
        suspended=terms.catalogue.suspended_at(at),
    )
    return {
        one: points - (bound[at_partners[one]] if one in at_partners else 0)
        for one, points in own.items()
    }


async def _together(
    connection: Connection,
    own: Mapping[Wanted, int],
    terms: Terms,
    at: datetime,
    *,
    code: str | None,
    pools: Pools,
) -> dict[Wanted, Balance]:
    """Return what members who share can spend, each with others by its right, or by itself.

    Who may spend nothing at all, not even its own, has a balance of nothing.
    """
    catalogue = terms.catalogue
    currency_no = catalogue.currency_no(code)
    wishes = [PoolWish(one.member, PoolAct.REDEEM, 0, at, currency_no) for one in own]
    plans = dict(zip(own, await pools.plans(connection, wishes, at), strict=True))
    balances = {
        one: Balance(0, own[one], 0) for one, plan in plans.items() if isinstance(plan, Refused)
    }
    suspended = catalogue.suspended_at(at)
    journal = Journal(at, terms.day(at), catalogue.clocks, suspended, catalogue.classes)
    planned = {
        one: ((one.member, one.partner_no), plan.sources)
        for one, plan in plans.items()
        if not isinstance(plan, Refused)
    }
    found = await funds.together(connection, journal, dict(planned.values()), currency_no)
    for one, (key, _) in planned.items():
        balances[one] = Balance(sum(found[key]), own[one], found[key].others)
    return balances
