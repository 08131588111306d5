"""What members can spend now, of the point currencies that are asked for."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from msgspec import UNSET, UnsetType

from coalition.federation.refusals import UnknownPointCurrency
from coalition.kernel.database import Connection
from coalition.kernel.errors import Refused
from coalition.ledger import funds, holders, posting
from coalition.ledger.holders import Standing
from coalition.ledger.journal import Journal
from coalition.points.pools import PoolAct, Pools, PoolWish
from coalition.points.terms import Terms

Wanted = tuple[UUID, str | None]
"""A member, and the code of a point currency; None is the coalition's own."""


async def survivors(
    connection: Connection, wanted: list[Wanted], known: dict[UUID, Standing]
) -> list[Wanted]:
    """Return `wanted` with the survivor in place of each member who was merged, now `known` too."""
    into = {one: kept.merged_into for one, kept in known.items() if kept.merged_into is not None}
    if into:
        known |= await holders.read_states(connection, set(into.values()))
    return [(into.get(member, member), code) for member, code in wanted]


def unknown_currencies(
    wanted: Iterable[Wanted], terms: Terms
) -> dict[str | None, UnknownPointCurrency]:
    """Return the refusal of each point currency that there is not."""
    refusals: dict[str | None, UnknownPointCurrency] = {}
    for code in {code for _, code in wanted if code is not None}:
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
    for code in {code for _, code in wanted}:
        found = await posting.balances(
            connection,
            [member for member, of in wanted if of == code],
            currency_no=terms.catalogue.currency_no(code),
            today=terms.day(at),
            suspended=terms.catalogue.suspended_at(at),
            standings=standings,
        )
        balances |= {(member, code): Balance(points) for member, points in found.items()}
        sharing = [member for member in found if member in standings and standings[member].shares]
        if sharing:
            own = {member: found[member] for member in sharing}
            shared = await _together(connection, own, terms, at, code=code, pools=pools)
            balances |= {(member, code): balance for member, balance in shared.items()}
    return balances


async def _together(
    connection: Connection,
    own: Mapping[UUID, int],
    terms: Terms,
    at: datetime,
    *,
    code: str | None,
    pools: Pools,
) -> dict[UUID, Balance]:
    """Return what members who share can spend, each with others by its right, or by itself.

    Who may spend nothing at all, not even its own, has a balance of nothing.
    """
    currency_no = terms.catalogue.currency_no(code)
    wishes = [PoolWish(member, PoolAct.REDEEM, 0, at, currency_no) for member in own]
    plans = dict(zip(own, await pools.plans(connection, wishes, at), strict=True))
    balances = {
        member: Balance(0, own[member], 0)
        for member, plan in plans.items()
        if isinstance(plan, Refused)
    }
    journal = Journal(at, terms.day(at), terms.catalogue.clocks, terms.catalogue.suspended_at(at))
    sources = {
        member: plan.sources for member, plan in plans.items() if not isinstance(plan, Refused)
    }
    found = await funds.together(connection, journal, sources, currency_no)
    for member, parts in found.items():
        balances[member] = Balance(sum(parts), own[member], parts.others)
    return balances
