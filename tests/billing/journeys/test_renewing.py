"""Journey 2: a trial, its reminder, and a year of renewals on the last day of each month."""

import itertools
from datetime import UTC, datetime, timedelta

from billing.plans.countries import shipped
from billing.subscriptions import noticing
from billing.subscriptions.views import MembershipState
from tests.billing.journeys.club import DAY, Books, Club


def day(month: int, number: int, year: int = 2027) -> datetime:
    """Return the hour of the club's opening on a day."""
    return datetime(year, month, number, 9, 30, tzinfo=UTC)


ANCHORS = [day(1, 31), day(2, 28), day(3, 31), day(4, 30), day(5, 31), day(6, 30), day(7, 31)]
ANCHORS += [day(8, 31), day(9, 30), day(10, 31), day(11, 30), day(12, 31), day(1, 31, 2028)]


async def test_a_trial_and_twelve_renewals_keep_to_the_ends_of_months(club: Club) -> None:
    begins = club.now()
    member = await club.bought("tried")
    assert (await club.view(member)).trial_ends_at == ANCHORS[0]
    # Sweden wants three days; told once, however often it is looked at.
    reminders = []
    for days in (4, 3, 2, 1):
        await club.until(ANCHORS[0] - days * DAY)
        await noticing.tell(shipped(), club.now())
        reminders.append((await club.told(member))["trial_ends"])
    assert reminders == [0, 1, 1, 1]
    for paid, until in itertools.pairwise(ANCHORS):
        await club.until(paid + timedelta(hours=2))
        seen = await club.view(member)
        assert (seen.state, seen.period_start, seen.renews_at) == (
            MembershipState.ACTIVE,
            paid,
            until,
        )
    assert await club.books(member) == Books(
        state=MembershipState.ACTIVE,
        held=[
            ("tried", "trial", begins, ANCHORS[0]),
            ("tried", "paid", ANCHORS[0], ANCHORS[12]),
            ("tried", "grace", ANCHORS[12], ANCHORS[12] + 7 * DAY),
        ],
        paid=[("payment", 7_900)] * 12,
        points=1_200,
        told={"started", "trial_ends", "renewed"},
    )
    await club.check()
