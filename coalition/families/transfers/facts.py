"""Gathers what rules ask of members: set by set for many acts at once, and only what is asked.

A rule set of plain transfers costs one statement for since when people are members; what lies
sealed is opened only where a rule asks for an age, a country, a name or an address.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, timedelta
from uuid import UUID

import msgspec

from coalition.families.evaluator.acts import Party
from coalition.families.evaluator.rules import Needs
from coalition.kernel.database import Connection
from coalition.kernel.ids import MemberId
from coalition.ledger import holdings
from coalition.members import circumstances, standings
from coalition.members.sealing import MemberKeys
from coalition.members.standings import Standings
from coalition.members.states import MemberState
from coalition.points.guards import cases

_NO_STANDINGS = Standings()
_YEAR = timedelta(days=366)


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Of whom what is to be read, in which point currency, and when."""

    needs: Sequence[Needs]
    """Of each rule set by which somebody is judged; what one of them asks is read of all."""
    currency_no: int
    at: datetime
    today: date
    """The day of `at` in the coalition's zone, on which points are spendable or not."""
    received: frozenset[int]
    """The classes of points that others have sent."""


async def parties(
    connection: Connection,
    members: Collection[MemberId],
    asked: Asked,
    *,
    balances: Mapping[MemberId, int],
    keys: MemberKeys,
) -> dict[MemberId, Party]:
    """Return each of `members` that exists as it stands, with the balance that is given."""
    is_personal = any(need.personal for need in asked.needs)
    people = await circumstances.read(connection, members, keys=keys if is_personal else None)
    held = {}
    if any(need.standings for need in asked.needs):
        held = await standings.read(connection, members, asked.at)
    earned = {}
    if any(need.earned for need in asked.needs):
        earned = await holdings.earned(
            connection, members, currency_no=asked.currency_no, received=asked.received
        )
    suspects: frozenset[UUID] = frozenset()
    if any(need.cases for need in asked.needs):
        suspects = await cases.open_of(connection, members)
    first_month = _month(asked.today - _YEAR)
    found = {}
    for member, person in people.items():
        holds = held.get(member, _NO_STANDINGS)
        by_month = earned.get(member, {})
        found[member] = Party(
            member=member,
            joined=person.joined,
            is_active=person.state is MemberState.ACTIVE,
            has_open_case=member in suspects,
            born=person.born,
            country=person.country,
            address=person.address,
            address_registered=person.address_registered,
            name=person.name,
            tier=holds.tier,
            plan=holds.plan,
            segments=holds.segments,
            flags=holds.flags,
            balance=balances.get(member, 0),
            earned=sum(by_month.values()),
            active_months=sum(month > first_month for month in by_month),
            was_active=bool(by_month),
        )
    return found


def _month(day: date) -> int:
    return day.year * 100 + day.month
