"""What members can spend now, of the point currencies that are asked for."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from uuid import UUID

from coalition.federation.refusals import UnknownPointCurrency
from coalition.kernel.database import Connection
from coalition.ledger import holders, posting
from coalition.ledger.holders import Standing
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


async def read_balances(
    connection: Connection,
    wanted: Collection[Wanted],
    terms: Terms,
    standings: Mapping[UUID, Standing],
    at: datetime,
) -> dict[Wanted, int]:
    """Return what each can spend of each point currency; of nearly all it is the coalition's."""
    balances: dict[Wanted, int] = {}
    for code in {code for _, code in wanted}:
        found = await posting.balances(
            connection,
            [member for member, of in wanted if of == code],
            currency_no=terms.catalogue.currency_no(code),
            today=terms.day(at),
            suspended=terms.catalogue.suspended_at(at),
            standings=standings,
        )
        balances |= {(member, code): points for member, points in found.items()}
    return balances
