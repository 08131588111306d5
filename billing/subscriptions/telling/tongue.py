"""How a member is spoken to: in which language, and by which clock.

The language is the one the member chose, else that of its last order; the clock that of the country
it ordered from. Else both are the coalition's.
"""

from collections.abc import Mapping, Sequence
from zoneinfo import ZoneInfo

from billing.plans.countries import Countries, shipped
from billing.subscriptions import orders
from billing.subscriptions.orders import OrderRow
from billing.subscriptions.telling.words import WORDS
from coalition.federation import catalogue
from coalition.kernel.database import Connection
from coalition.kernel.ids import MemberId
from coalition.messages import tongues
from coalition.messages.wording import LANGUAGES, Wording


async def wording_for(
    connection: Connection,
    member: MemberId,
    *,
    countries: Countries | None = None,
    like: MemberId | None = None,
) -> Wording:
    """Return the words for a member; of whom nothing is known, those of `like`, who is close.

    Without `countries` the shipped terms tell the clock of a country.
    """
    order = await _last_order(connection, member)
    language = await _language(connection, member, order)
    if like is not None and (language is None or order is None):
        other = await _last_order(connection, like)
        language = language or await _language(connection, like, other)
        order = order or other
    known = countries or shipped()
    zone = await _zone(connection) if order is None else known.of(order.country).zone
    spoken = language or await catalogue.language(connection)
    return Wording(spoken, WORDS[spoken], zone)


async def languages_of(
    connection: Connection, members: Sequence[MemberId]
) -> Mapping[MemberId, str]:
    """Return in which language each of many is spoken to; nobody of whom nothing is known."""
    known = await tongues.chosen_by(connection, members)
    rest = [one for one in members if one not in known]
    ordered = await orders.languages_of(connection, rest)
    return known | {one: spoken for one, spoken in ordered.items() if spoken in LANGUAGES}


async def _last_order(connection: Connection, member: MemberId) -> OrderRow | None:
    return next(iter(await orders.of_member(connection, member)), None)


async def _language(connection: Connection, member: MemberId, order: OrderRow | None) -> str | None:
    found = await tongues.chosen(connection, member)
    if found is None and order is not None and order.language in LANGUAGES:
        return order.language
    return found


async def _zone(connection: Connection) -> ZoneInfo:
    known = await catalogue.load(connection)
    return known.zone if known.is_set_up else ZoneInfo("UTC")
