"""Journey 1: a year with a trial is bought, the till knows, and what was shown is kept."""

from datetime import UTC, datetime, timedelta

from billing.plans.countries import shipped
from billing.subscriptions import orders
from billing.subscriptions.orders import OrderState
from billing.subscriptions.views import MembershipState
from coalition.kernel.database import transaction
from tests.billing.journeys.club import DAY, SECOND, Books, Club

YEAR_LATER = datetime(2028, 1, 31, 9, 30, tzinfo=UTC)


async def test_a_year_is_bought_with_a_trial_and_the_till_knows(club: Club) -> None:
    begins = club.now()
    member = await club.enrol()
    assert await club.at_the_till(member) == (await club.at_the_till(member)).__class__(
        member_id=member
    )
    await club.order_and_pay(member, "tried", "year")
    ends = begins + 14 * DAY

    seen = await club.view(member)
    assert (seen.state, seen.ground, seen.trial_ends_at) == (
        MembershipState.TRIALING,
        "trial",
        ends,
    )
    till = await club.at_the_till(member)
    assert (till.plan, till.flags) == ("tried", ("early-access",))
    assert [one.code for one in till.benefits] == ["double", "early"]
    async with transaction() as connection:
        (order,) = await orders.of_member(connection, member)
    assert (order.state, order.disclosure_version) == (
        OrderState.COMPLETE,
        shipped().of("SE").disclosure_version,
    )

    await club.until(ends + timedelta(hours=2))
    assert (await club.view(member)).state is MembershipState.ACTIVE
    grace = YEAR_LATER + 7 * DAY
    assert await club.books(member) == Books(
        state=MembershipState.ACTIVE,
        held=[
            ("tried", "trial", begins, ends),
            ("tried", "paid", ends, YEAR_LATER),
            ("tried", "grace", YEAR_LATER, grace),
        ],
        paid=[("payment", 79_000)],
        points=100,
        told={"started", "renewed"},
    )
    assert await club.plans_at(member, begins, grace - SECOND, grace) == ["tried", "tried", None]
    await club.check()
