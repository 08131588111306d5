"""Journey 8: from 79 to 99, told, agreed to, killed and resumed: each pays what was promised."""

from billing.plans.countries import shipped
from billing.subscriptions.campaigns import reach
from tests.billing.campaigns.test_running import killed_often
from tests.billing.campaigns.world import rising, run
from tests.billing.journeys.club import DAY, Club

OLD, NEW = ("payment", 7_900), ("payment", 9_900)


async def test_from_79_to_99_each_pays_the_promised_price(club: Club) -> None:
    early = await club.bought(name="early")
    await club.advance(2 * DAY)
    anna = await club.bought(name="anna")
    asked = await club.bought(name="asked", country="DE")
    silent = await club.bought(name="silent", country="DE")
    before = {"joined_before": (club.now() - DAY).isoformat()}
    campaign = await rising(club, grandfathered=[before])
    dry = await reach.dry_run(campaign, shipped(), at=club.now())
    assert (dry.told, dry.left_out) == (3, {"grandfathered": 1})
    assert "price_notice" not in await club.told(anna)

    await run(club)
    await run(club)
    await club.memberships.agree_to_price(asked, key="yes", at=club.now())
    notices = [(await club.told(one))["price_notice"] for one in (anna, asked, silent, early)]
    assert notices == [1, 1, 1, 0]

    kills = 0
    for _ in range(10):
        await club.advance(10 * DAY)
        kills += await killed_often(club)
    assert kills > 0
    paid = [(await club.books(one)).paid for one in (early, anna, asked, silent)]
    assert paid == [
        [OLD, OLD, OLD, OLD],
        [OLD, NEW, NEW, NEW],
        [OLD, OLD, NEW, NEW],
        [OLD, OLD, OLD, OLD],
    ]
    await club.check()
