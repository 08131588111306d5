"""The campaign from 79 to 99: told, agreed to, killed and resumed, each pays what it was promised.

Members of many kinds live in one world, which is run by the day; at Stripe's stand-in each act's
answer is lost once, with the process that asked.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import httpx
import msgspec
import pytest

from billing.gateway.client import Gateway
from billing.plans.countries import shipped
from billing.sandbox.faults import Kind
from billing.subscriptions import entries
from billing.subscriptions.campaigns import proposing, reach, rows, running, steering
from billing.subscriptions.campaigns.documents import Campaign, CampaignDocument
from billing.subscriptions.campaigns.refusals import (
    CampaignExists,
    CampaignStopped,
    ConsentIsLaw,
    NothingMoves,
    NothingToAgreeTo,
)
from billing.subscriptions.campaigns.rows import Change
from billing.subscriptions.views import MembershipState
from coalition.kernel.database import transaction
from coalition.kernel.ids import MemberId
from coalition.kernel.money import Money
from coalition.oversight.refusals import SecondPersonNeeded
from tests.billing.campaigns.world import rising, run
from tests.billing.memberships.world import PLUS, PREMIUM, Club, make_club
from tests.support.stripe_sandbox import TEST_KEY

pytestmark = pytest.mark.usefixtures("database")

DAY = timedelta(days=1)


class Killed(BaseException):
    """The process is gone."""


class Mortal(httpx.AsyncBaseTransport):
    """Passes requests on; the process dies when Stripe has answered the first that writes.

    An answer that Stripe only repeats wrote nothing, so it gets through.
    """

    def __init__(self, club: Club) -> None:
        self._inner = httpx.ASGITransport(app=club.sandbox.application)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await self._inner.handle_async_request(request)
        if request.method == "POST" and "idempotent-replayed" not in answer.headers:
            raise Killed
        return answer


async def killed_often(club: Club) -> int:
    """Go on with all campaigns, killed after each answer of Stripe; return how often."""
    house = club.memberships.house
    kills = 0
    while True:
        gateway = Gateway(TEST_KEY, transport=Mortal(club), pauses_s=())
        try:
            await running.run(replace(house, gateway=gateway), at=club.now(), pause_s=0)
        except Killed:
            kills += 1
            continue
        await club.hear()
        return kills


async def change_of(member: MemberId) -> Change:
    """Return what a member was told."""
    async with transaction() as connection:
        (found,) = await rows.of_member(connection, member)
    return found


async def paid(member: MemberId) -> list[int]:
    """Return what a member paid, payment by payment, in öre."""
    async with transaction() as connection:
        found = await entries.of_member(connection, member)
    assert len({one.source for one in found}) == len(found), "each invoice was paid once"
    return [one.amount.amount_minor for one in found]


async def told() -> Mapping[str, list[dict[str, Any]]]:
    """Return the notices that were sent, by member."""
    async with transaction() as connection:
        found = await connection.fetch(
            "SELECT payload FROM outbox WHERE kind = 'membership.price_notice' ORDER BY id"
        )
    notices: dict[str, list[dict[str, Any]]] = {}
    for row in found:
        payload = msgspec.json.decode(row["payload"])
        notices.setdefault(payload["member_id"], []).append(payload)
    return notices


async def by_the_day(club: Club, days: int, *, step: int = 5) -> None:
    """Let days pass, and the worker do its part."""
    for _ in range(days // step):
        await club.advance(step * DAY)
        await run(club)


async def test_each_is_told_once_and_says_yes_once_and_the_dry_run_said_so_before(
    at: datetime,
) -> None:
    club = await make_club(at, PLUS)
    monthly = await club.joined(name="a")
    await club.joined("plus", "year", name="b")
    agrees = await club.joined(name="c", country="DE")
    campaign = await rising(club)
    before = await reach.dry_run(campaign, shipped(), at=club.now())
    assert (before.told, before.left_out) == (2, {"told_later": 1})
    groups = [(one.country, one.members, one.must_agree, one.more_a_month) for one in before.groups]
    assert groups == [("DE", 1, 1, 2_000), ("SE", 1, 0, 2_000)]

    first, again = await run(club), await run(club)
    assert (first.told, again.told) == (2, 0)
    (notice,) = (await told())[str(monthly)]
    prices = notice["old_minor"], notice["new_minor"], notice["wants_consent"]
    assert prices == (7_900, 9_900, False)
    assert datetime.fromisoformat(notice["applies_at"]) >= at + 31 * DAY
    assert notice["text_version"] == shipped().of("SE").disclosure_version
    after = await reach.dry_run(campaign, shipped(), at=club.now())
    assert (after.told, after.already_told) == (0, 2)

    seen = await club.view(agrees)
    assert seen.price_notice is not None
    assert (seen.price_notice.new, seen.price_notice.wants_consent) == (Money(9_900, "SEK"), True)
    said = [
        await club.memberships.agree_to_price(agrees, key=key, at=club.now())
        for key in ("yes", "yes", "tab")
    ]
    assert said[0] == said[1] == said[2]
    german = shipped().of("DE").disclosure_version
    assert (said[0].new_price, said[0].text_version) == (Money(9_900, "SEK"), german)
    with pytest.raises(NothingToAgreeTo):
        await club.memberships.agree_to_price(monthly, key="no", at=club.now())


async def test_killed_and_resumed_each_member_pays_the_promised_price_once(at: datetime) -> None:
    club = await make_club(at, PLUS, PREMIUM)
    monthly = await club.joined(name="a")
    agrees = await club.joined(name="c", country="DE")
    silent = await club.joined(name="d", country="DE")
    leaves = await club.joined(name="e")
    climbs = await club.joined(name="f")
    await rising(club)
    await run(club)
    await club.memberships.agree_to_price(agrees, key="yes", at=club.now())
    await club.advance(32 * DAY)
    assert await killed_often(club) >= 4, "schedules are made in two acts each"
    await club.memberships.cancel(leaves, key="bye", at=club.now())
    premium = await club.price_no("premium")
    said = await club.memberships.preview(climbs, premium, at=club.now())
    await club.memberships.change(
        climbs, premium, previewed_at=said.previewed_at, key="up", at=club.now()
    )
    kept = await club.memberships.keep_plan(monthly, key="keep", at=club.now())
    assert kept.next_price_no == await club.price_no("plus"), "it is no wish of the member"

    await by_the_day(club, 65)
    assert await paid(monthly) == [7_900, 7_900, 9_900, 9_900]
    assert await paid(agrees) == [7_900, 7_900, 9_900, 9_900]
    assert await paid(silent) == [7_900] * 4
    assert await paid(leaves) == [7_900, 7_900]
    assert (await paid(climbs))[-1] == 14_900
    members = (monthly, agrees, silent, leaves, climbs)
    states = [(await change_of(one)).state for one in members]
    assert states == ["done", "done", "kept", "left", "left"]
    assert all(len(one) == 1 for one in (await told()).values())


async def test_who_pays_by_the_year_is_told_later_and_pays_more_from_its_next_year(
    at: datetime,
) -> None:
    club = await make_club(at, PLUS)
    yearly = await club.joined("plus", "year")
    await rising(club)
    assert (await run(club)).told == 0
    await club.advance(300 * DAY)
    assert await killed_often(club) >= 1
    assert (await change_of(yearly)).state == "scheduled"
    await club.advance(70 * DAY)
    await run(club)
    assert await paid(yearly) == [79_000, 99_000]
    assert (await run(club)).acts == 0


async def test_without_consent_it_ends_with_what_is_paid_and_late_consent_restores_it(
    at: datetime,
) -> None:
    club = await make_club(at, PLUS)
    silent = await club.joined(name="a", country="DE")
    late = await club.joined(name="b", country="DE")
    young = await club.enrol("c", country="DE")
    await rising(club, without_consent="ends")
    await run(club)
    applies_at = (await change_of(silent)).applies_at
    await club.join(young, country="DE")
    assert (await club.view(young)).price_notice is None, "it bought at the price on sale"

    await club.advance(applies_at - club.now() - timedelta(hours=20))
    await run(club)
    assert (await club.view(late)).state is MembershipState.ENDING
    await club.memberships.agree_to_price(late, key="yes", at=club.now())
    await run(club)
    seen = await club.view(late)
    assert (seen.state, seen.next_price_no) == (
        MembershipState.ACTIVE,
        await club.price_no("plus"),
    )
    await by_the_day(club, 40, step=20)
    assert (await club.view(silent)).state is MembershipState.ENDED
    assert await paid(silent) == [7_900, 7_900]
    assert (await paid(late))[:3] == [7_900, 7_900, 9_900]


async def test_a_cancellation_taken_back_comes_to_the_new_price_all_the_same(at: datetime) -> None:
    club = await make_club(at, PLUS)
    member = await club.joined()
    await rising(club)
    await run(club)
    await club.advance(32 * DAY)
    await run(club)
    assert (await change_of(member)).state == "scheduled"
    await club.memberships.cancel(member, key="bye", at=club.now())
    await club.advance(DAY)
    await run(club)
    stands = await change_of(member)
    assert (stands.state, stands.reason) == ("told", "cancelled")
    await club.memberships.uncancel(member, key="no", at=club.now())
    await club.advance(DAY)
    await run(club)
    await by_the_day(club, 30, step=15)
    assert await paid(member) == [7_900, 7_900, 9_900]


async def test_stripe_that_wants_us_to_wait_pauses_the_campaign_and_a_stop_ends_it(
    at: datetime,
) -> None:
    club = await make_club(at, PLUS)
    old, new = await club.joined(name="a"), await club.joined(name="b")
    joined = (await club.view(new)).period_start
    assert joined is not None
    await rising(club, grandfathered=[{"joined_before": (joined - DAY).isoformat()}])
    await club.advance(DAY)
    await run(club)
    await club.advance(35 * DAY)
    club.sandbox.faults.add(Kind.RATE_LIMITED, times=4, method="POST", after=False)
    assert (await run(club)).is_paused
    assert (await change_of(old)).doing == "schedule"
    assert not (await run(club)).is_paused
    await club.advance(timedelta(minutes=3))
    await run(club)
    assert {(await change_of(one)).state for one in (old, new)} == {"scheduled"}
    stopped = await steering.stop("rise-1", by="staff:anna", at=club.now())
    assert stopped.stopped_by == "staff:anna"
    assert await steering.stop("rise-1", by="staff:bertil", at=club.now()) == stopped
    assert (await run(club)).looked_at == 0


async def test_a_campaign_rests_and_goes_on_and_what_is_at_stripe_comes_all_the_same(
    at: datetime,
) -> None:
    club = await make_club(at, PLUS)
    first = await club.joined(name="a", country="SE")
    campaign = await rising(club, notice_days=31)
    await steering.pause(campaign.code, by="staff:anna", at=club.now())
    assert (await run(club)).told == 0, "nobody is told while it rests"
    resumed = await steering.resume(campaign.code, by="staff:anna", at=club.now())
    assert resumed.standing == "runs"
    assert (await run(club)).told == 1
    await club.advance(32 * DAY)
    await run(club)
    assert (await change_of(first)).state == "scheduled"

    paused = await steering.pause(campaign.code, by="staff:anna", at=club.now())
    assert paused.standing == "paused"
    await club.advance(31 * DAY)
    done = await run(club)
    assert (done.told, done.acts) == (0, 0)
    assert (await change_of(first)).state == "done", "what was scheduled came, and is known"
    assert (await paid(first))[-1] == 9_900
    async with transaction() as connection:
        acts = await connection.fetch(
            "SELECT action FROM audit_log WHERE action LIKE 'price_campaign.%' ORDER BY 1"
        )
    assert [row[0].partition(".")[2] for row in acts] == ["begun", "paused", "paused", "resumed"]
    await steering.stop(campaign.code, by="staff:anna", at=club.now())
    with pytest.raises(CampaignStopped):
        await steering.resume(campaign.code, by="staff:anna", at=club.now())


async def test_what_is_no_campaign_is_refused_and_one_person_alone_begins_none(
    at: datetime,
) -> None:
    club = await make_club(at, PLUS)
    await rising(club)
    good = {"code": "next", "plan": "plus", "from_version": 1}
    good["applies_from"] = club.now().isoformat()
    for keys, refusal in (
        ({"code": "rise-1"}, CampaignExists),
        ({"from_version": 2}, NothingMoves),
        ({"consent": {"DE": "notice"}}, ConsentIsLaw),
    ):
        document = msgspec.convert(good | keys, CampaignDocument)
        with pytest.raises(refusal):
            await proposing.prepare(
                document, countries=shipped(), prepared_by="staff:anna", at=club.now()
            )
    document = msgspec.convert(good, CampaignDocument)
    alone = await proposing.prepare(
        document, countries=shipped(), prepared_by="staff:anna", at=club.now()
    )
    with pytest.raises(SecondPersonNeeded):
        await proposing.approve(alone, approved_by="staff:anna", at=club.now())


async def test_campaigns_that_are_approved_at_once_wait_for_each_other(at: datetime) -> None:
    club = await make_club(at, PLUS)
    first = await rising(club)
    codes = ("same", "same", "other", "third")
    proposed = [
        await proposing.prepare(
            msgspec.structs.replace(first.document, code=code),
            countries=shipped(),
            prepared_by="staff:anna",
            at=at,
        )
        for code in codes
    ]
    answers = await asyncio.gather(
        *(proposing.approve(one, approved_by="staff:bertil", at=at) for one in proposed),
        return_exceptions=True,
    )
    begun = [one for one in answers if isinstance(one, Campaign)]
    refused = [type(one) for one in answers if not isinstance(one, Campaign)]
    assert (sorted(one.no for one in begun), refused) == ([2, 3, 4], [CampaignExists])


async def test_of_two_campaigns_one_asks_and_a_yes_is_to_the_price_that_was_shown(
    at: datetime,
) -> None:
    club = await make_club(at, PLUS)
    agrees = await club.joined(name="c", country="DE")
    first = await rising(club)
    await run(club)
    shown = await club.price_no("plus")
    second = await rising(club, code="plus", from_version=1)
    waits = await reach.dry_run(second, shipped(), at=club.now())
    assert (waits.told, waits.left_out) == (0, {"told_by_another": 1})
    assert (await run(club)).told == 0

    await steering.stop(first.code, by="staff:anna", at=club.now())
    assert (await run(club)).told == 1
    with pytest.raises(NothingToAgreeTo):
        await club.memberships.agree_to_price(agrees, price_no=shown, key="old", at=club.now())
    seen = (await club.view(agrees)).price_notice
    assert seen is not None
    said = await club.memberships.agree_to_price(
        agrees, price_no=seen.new_price_no, key="new", at=club.now()
    )
    assert said.new_price == Money(11_900, "SEK")
    async with transaction() as connection:
        found = await rows.of_member(connection, agrees)
    assert {one.campaign_no: one.agreed_at for one in found} == {
        first.no: None,
        second.no: club.now(),
    }
