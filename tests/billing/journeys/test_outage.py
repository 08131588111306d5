"""Journey 9: Stripe is down for an hour while members act: each is told so, and asks again."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta

import pytest

from billing.gateway.refusals import StripeUnavailable
from billing.sandbox.faults import Fault, Faults, Kind
from billing.subscriptions.refusals import NothingToCancel, PreviewOutdated
from billing.subscriptions.views import MembershipState
from coalition.kernel.ids import MemberId
from tests.billing.gateway.webhooks import rows
from tests.billing.journeys.club import Club, open_club
from tests.billing.journeys.conftest import OPENS
from tests.billing.journeys.ways import Way

MINUTE = timedelta(minutes=1)
NAMES = ("anna", "bo", "carl", "dora", "eva", "finn", "gro")


class Outage(Faults):
    """While `is_down` nothing is answered, or of what changes something the answer is lost."""

    def __init__(self, *, does: bool) -> None:
        super().__init__()
        self.is_down, self._does = False, does

    def take(self, method: str, path: str) -> Fault | None:
        del path
        if not self.is_down or (self._does and method == "GET"):
            return None
        return Fault(Kind.LOST, after=True) if self._does else Fault(Kind.BROKEN)


class Crowd:
    """Members who all want something of Stripe, each under a key of its own."""

    def __init__(self, club: Club) -> None:
        self.club = club
        self.members: dict[str, MemberId] = {}

    async def come(self) -> dict[str, Callable[[], Awaitable[object]]]:
        """Let members come, and return what each of them will ask."""
        club, acts = self.club, self.club.memberships
        self.members = {name: await club.bought(name=name) for name in NAMES}
        self.members["hal"] = await club.enrol("hal")
        who = self.members
        await club.advance(60 * MINUTE)
        order = await club.order()
        premium, year = await club.price_no("premium"), await club.price_no("plus", "year")
        up = await acts.preview(who["anna"], premium, at=club.now())
        longer = await acts.preview(who["gro"], year, at=club.now())
        await acts.cancel(who["carl"], key="went", at=club.now())
        declared = await acts.declare_withdrawal(who["finn"], at=club.now())

        def change(name: str, price: int, previewed_at: datetime) -> Awaitable[object]:
            return acts.change(who[name], price, previewed_at=previewed_at, key=name, at=club.now())

        return {
            "upgrade": lambda: change("anna", premium, up.previewed_at),
            "to the year": lambda: change("gro", year, longer.previewed_at),
            "cancel": lambda: acts.cancel(who["bo"], key="bye", at=club.now()),
            "restore": lambda: acts.uncancel(who["carl"], key="stay", at=club.now()),
            "pause": lambda: acts.pause(who["dora"], months=1, key="rest", at=club.now()),
            "withdraw": lambda: acts.confirm_withdrawal(
                declared.withdrawal_id, member=who["finn"], key="back", at=club.now()
            ),
            "order": lambda: acts.checkout(who["hal"], order, key="buy", at=club.now()),
        }


async def _opened(*, does: bool) -> tuple[Outage, Club]:
    faults = Outage(does=does)
    return faults, await open_club(OPENS, Way.AS_SENT, faults)


async def _is_refused(acts: Mapping[str, Callable[[], Awaitable[object]]]) -> None:
    """See that each act, also asked again, is told that Stripe does not answer."""
    for _ in range(2):
        for act in acts.values():
            with pytest.raises(StripeUnavailable):
                await act()


async def _is_as_asked(club: Club, who: Mapping[str, MemberId], url: str) -> None:
    await club.pay(url)
    await club.hear()
    assert {name: (await club.view(member)).state.value for name, member in who.items()} == {
        **dict.fromkeys(("anna", "carl", "eva", "gro", "hal"), "active"),
        "bo": "ending",
        "dora": "paused",
        "finn": "ended",
    }
    assert (await club.view(who["anna"])).plan == "premium"
    assert (await club.view(who["gro"])).interval == "year"


@pytest.mark.usefixtures("database")
async def test_stripe_is_down_for_an_hour_and_the_drain_catches_up() -> None:
    faults, club = await _opened(does=False)
    crowd = Crowd(club)
    acts = await crowd.come()
    who = crowd.members
    # At Stripe's own desk somebody is cancelled; what Stripe tells of it comes when it is down.
    club.way = Way.DOUBLED
    (one,) = await club.gateway.subscriptions_of(await club.customer(who["eva"]))
    for no, cancel in enumerate((True, False, True)):
        await club.gateway.cancel_at_period_end(f"desk-{no}", one.id, cancel=cancel)
    await club.sandbox.deliver_due()

    faults.is_down = True
    await _is_refused(acts)
    await club.hear()
    for _ in range(60):
        await club.sandbox.advance(club.now() + MINUTE)
        await club.drain()
    waits = [row for row in await rows() if row["target"] == one.id and row["failure"]]
    # It was asked about less and less often: not each minute, and nobody has given it up.
    assert {8 <= row["attempts"] <= 12 for row in waits} == {True}
    assert all("StripeUnavailable" in row["failure"] for row in waits)
    assert (await club.view(who["eva"])).state is MembershipState.ACTIVE

    faults.is_down = False
    await club.sandbox.advance(club.now() + 60 * MINUTE)
    await club.hear()
    assert [row for row in await rows() if row["handled_at"] is None] == []
    assert (await club.view(who["eva"])).state is MembershipState.ENDING
    await club.memberships.uncancel(who["eva"], key="stay", at=club.now())
    for name in ("upgrade", "to the year"):
        # After so long it may cost another amount, which nobody has been shown.
        with pytest.raises(PreviewOutdated):
            await acts.pop(name)()
    await club.change(who["anna"], "premium")
    await club.change(who["gro"], "plus", "year")
    once = {name: await act() for name, act in acts.items()}
    assert {name: await act() for name, act in acts.items()} == once
    await _is_as_asked(club, who, once["order"].url)  # type: ignore[attr-defined]  # it is a page
    await club.check()


@pytest.mark.usefixtures("database")
async def test_what_stripe_did_and_could_not_answer_is_done_once_when_it_is_asked_again() -> None:
    faults, club = await _opened(does=True)
    crowd = Crowd(club)
    acts = await crowd.come()
    faults.is_down = True
    await _is_refused(acts)
    # Its events tell of what was done before anybody asks again, an hour later.
    await club.advance(60 * MINUTE)
    faults.is_down = False
    once = {name: await act() for name, act in acts.items()}
    assert {name: await act() for name, act in acts.items()} == once
    url = once["order"].url  # type: ignore[attr-defined]  # it is a page
    await _is_as_asked(club, crowd.members, url)
    receipts = [await club.memberships.receipts(one) for one in crowd.members.values()]
    kinds = [[one.kind.value for one in some] for some in receipts]
    assert kinds == [
        *([], ["cancelled"], ["uncancelled", "cancelled"], ["paused"], [], ["withdrawn"], [], []),
    ]
    await club.check()


class DownOnceEnded(Faults):
    """Stripe goes down with the end of a subscription, which it has still answered."""

    has_ended = False

    def take(self, method: str, path: str) -> Fault | None:
        if not self.has_ended:
            self.has_ended = method == "DELETE" and path.startswith("/v1/subscriptions/")
            return None
        return Fault(Kind.BROKEN)


@pytest.mark.usefixtures("database")
async def test_an_unpaid_membership_that_is_ended_and_no_more_answered_has_its_receipt() -> None:
    faults = DownOnceEnded()
    club = await open_club(OPENS, Way.AS_SENT, faults)
    member = await club.bought()
    await club.replace_card(member, "pm_card_chargeCustomerFail")
    await club.until(OPENS.replace(month=2, day=19))
    assert (await club.view(member)).state is MembershipState.PAST_DUE
    with pytest.raises(StripeUnavailable):
        await club.memberships.cancel(member, key="bye", at=club.now())
    faults.has_ended = False
    await club.hear()
    assert (await club.view(member)).state is MembershipState.ENDED
    receipt = await club.memberships.cancel(member, key="bye", at=club.now())
    assert receipt.ends_at == club.now()
    assert await club.memberships.cancel(member, key="bye", at=club.now()) == receipt
    with pytest.raises(NothingToCancel):
        await club.memberships.cancel(member, key="again", at=club.now())
    await club.check()
