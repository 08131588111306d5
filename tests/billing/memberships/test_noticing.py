"""Notices ahead: of the end of a trial and of a yearly renewal, once, as the country wants it."""

from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from billing.plans.countries import shipped
from billing.subscriptions import notices, noticing
from coalition.kernel.database import transaction
from tests.billing.memberships.world import PLUS, TRIED, Club, make_club

pytestmark = pytest.mark.usefixtures("database")

DAY = timedelta(days=1)


async def told(club: Club) -> list[dict[str, Any]]:
    """Tell what is to be told now; return what was ever told."""
    await noticing.tell(shipped(), club.now())
    async with transaction() as connection:
        rows = await connection.fetch(
            "SELECT kind, payload FROM outbox WHERE kind = ANY ($1) ORDER BY id",
            ["membership.trial_ends", "membership.renews"],
        )
    return [msgspec.json.decode(row["payload"]) | {"kind": row["kind"]} for row in rows]


async def test_the_end_of_a_trial_is_told_as_many_days_ahead_as_the_country_wants(
    at: datetime,
) -> None:
    club = await make_club(at, TRIED, PLUS)
    await club.joined("tried", country="SE")
    await club.joined("tried", country="DE", name="bo", card="5555555555554444")
    await club.joined("plus", name="carl")
    assert await told(club) == []
    await club.advance(7 * DAY)  # of 14: Germany wants a week, Sweden three days
    (german,) = await told(club)
    assert (german["kind"], german["amount_minor"]) == ("membership.trial_ends", 7_900)
    assert german["text_version"] == shipped().of("DE").disclosure_version
    async with transaction() as connection:
        (listed,) = await notices.listed(connection, kind=None, most=10)
        assert await notices.listed(connection, kind="price", most=10) == []
    assert (str(listed.member_id), listed.kind, listed.text_version) == (
        german["member_id"],
        "trial_ends",
        german["text_version"],
    )
    await club.advance(4 * DAY)
    assert len(await told(club)) == 2
    assert len(await told(club)) == 2


async def test_a_yearly_renewal_is_told_a_month_ahead_but_not_to_who_leaves(at: datetime) -> None:
    club = await make_club(at)
    await club.joined("plus", "year")
    leaving = await club.joined("plus", "year", name="bo")
    await club.memberships.cancel(leaving, key="c", at=club.now())
    await club.advance(334 * DAY)
    assert await told(club) == []
    await club.advance(2 * DAY)
    (renewal,) = await told(club)
    assert (renewal["kind"], renewal["amount_minor"]) == ("membership.renews", 79_000)
    assert renewal["at"] == at.replace(year=2027).isoformat()
