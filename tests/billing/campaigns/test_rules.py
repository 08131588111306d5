"""When a member comes to a new price, and what is next: by how things stand alone."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from billing.gateway.shapes import Subscription, SubscriptionStatus
from billing.plans.countries import shipped
from billing.subscriptions.campaigns import rules
from billing.subscriptions.campaigns.documents import CampaignDocument, Move
from billing.subscriptions.campaigns.rules import Promise, Stand, Step

NOW = datetime(2027, 1, 10, 12, tzinfo=UTC)
DAY = timedelta(days=1)
MONTH = Move(
    from_price=1, to_price=4, interval="month", currency="SEK", from_minor=7_900, to_minor=9_900
)
OLD, NEW = "price_old", "price_new"


def document(**keys: Any) -> CampaignDocument:
    """Return a campaign that applies now, as it comes from a file."""
    plain = {"code": "rise", "plan": "plus", "from_version": 1, "applies_from": NOW.isoformat()}
    return msgspec.convert(plain | keys, CampaignDocument)


def subscription(**keys: Any) -> Subscription:
    """Return a monthly subscription at the old price that renews in twenty days."""
    plain: dict[str, Any] = {
        "id": "sub_1",
        "customer_id": "cus_1",
        "status": SubscriptionStatus.ACTIVE,
        "created_at": NOW - 11 * DAY,
        "item_id": "si_1",
        "price_id": OLD,
        "period_start": NOW - 11 * DAY,
        "period_end": NOW + 20 * DAY,
    }
    return Subscription(**plain | keys)


def promised(country: str = "SE", one: Subscription | None = None, **keys: Any) -> Promise | str:
    """Return what a member of a country is told."""
    return rules.promise(
        document(**keys),
        MONTH,
        shipped().of(country),
        one or subscription(),
        country=country,
        joined_at=NOW - 11 * DAY,
        at=NOW,
    )


def test_the_price_holds_from_the_first_renewal_after_the_notice() -> None:
    near = promised(notice_days=10)
    days = shipped().of("SE").price_rise.notice_days
    assert isinstance(near, Promise)
    assert near.applies_at >= NOW + days * DAY
    far = promised(notice_days=60)
    assert isinstance(far, Promise)
    assert far.applies_at == datetime(2027, 3, 30, 12, tzinfo=UTC)


def test_the_terms_of_a_country_say_the_days_and_whether_to_ask() -> None:
    told = promised("DE", notice_days=1)
    assert isinstance(told, Promise)
    assert told.wants_consent
    assert told.applies_at >= NOW + 42 * DAY


def test_a_campaign_may_ask_where_the_law_does_not() -> None:
    free = next(one.country for one in shipped().all() if not one.price_rise.consent)
    quiet, asked = promised(free), promised(free, consent={free: "explicit"})
    assert isinstance(quiet, Promise)
    assert isinstance(asked, Promise)
    assert (quiet.wants_consent, asked.wants_consent) == (False, True)


def test_nobody_agrees_to_pay_less() -> None:
    less = msgspec.structs.replace(MONTH, to_minor=5_900)
    assert not rules.wants_consent(document(), shipped().of("DE"), less, "DE")


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ({"status": SubscriptionStatus.TRIALING}, "trialing"),
        ({"cancel_at_period_end": True}, "cancelled"),
        ({"is_collection_paused": True}, "paused"),
        ({"status": SubscriptionStatus.PAST_DUE}, "unpaid"),
        ({"has_pending_update": True}, "change_waits_for_payment"),
        ({"next_price_id": "price_other"}, "changes_otherwise"),
        ({"period_end": NOW + 300 * DAY}, "told_later"),
    ],
)
def test_who_is_in_the_midst_of_something_is_told_nothing(
    keys: dict[str, Any], reason: str
) -> None:
    assert promised(one=subscription(**keys)) == reason


@pytest.mark.parametrize("far", ["9999-12-31T23:59:59Z", "9999-12-31T23:59:59-14:00"])
def test_a_price_of_the_end_of_time_is_told_later(far: str) -> None:
    assert promised(applies_from=far) == "told_later"
    group = {"joined_before": (NOW + DAY).isoformat(), "until": far}
    assert promised(grandfathered=[group]) == "told_later"


def test_who_joined_before_keeps_its_price_until_the_day_that_was_said() -> None:
    group = {"joined_before": NOW.isoformat()}
    assert promised(grandfathered=[group]) == "grandfathered"
    later = group | {"until": (NOW + 80 * DAY).isoformat()}
    told = promised(grandfathered=[later])
    assert isinstance(told, Promise)
    assert told.applies_at >= NOW + 80 * DAY


def step(one: Subscription, at: datetime = NOW, **keys: Any) -> tuple[Step, str]:
    """Return what is next for a member who was promised the renewal of `subscription`."""
    plain: dict[str, Any] = {
        "applies_at": NOW + 20 * DAY,
        "wants_consent": False,
        "has_agreed": False,
        "is_ending": False,
        "without_consent": "stays",
    }
    return rules.next_step(Stand(**plain | keys), one, old=OLD, new=NEW, at=at)


def test_a_price_is_scheduled_in_the_last_period_at_the_old_one() -> None:
    assert step(subscription())[0] is Step.SCHEDULE
    assert step(subscription(), applies_at=NOW + 21 * DAY) == (Step.WAIT, "not_yet")
    assert step(subscription(next_price_id=NEW)) == (Step.WATCH, "scheduled")
    assert step(subscription(price_id=NEW)) == (Step.DONE, "renewed")
    assert step(subscription(price_id="price_premium")) == (Step.LEAVE, "changed_otherwise")
    assert step(subscription(status=SubscriptionStatus.CANCELED)) == (Step.LEAVE, "ended")


def test_a_renewal_that_is_due_now_is_waited_for() -> None:
    assert step(subscription(), NOW + 20 * DAY) == (Step.WAIT, "not_yet")


def test_without_consent_it_stays_or_ends_the_day_before() -> None:
    asked: dict[str, Any] = {"wants_consent": True}
    late = NOW + 19 * DAY
    assert step(subscription(), **asked) == (Step.WAIT, "consent")
    assert step(subscription(), late, **asked) == (Step.KEEP, "no_consent")
    assert step(subscription(), late, **asked, without_consent="ends")[0] is Step.END
    assert step(subscription(), late, **asked, has_agreed=True)[0] is Step.SCHEDULE


def test_consent_in_the_last_hours_restores_what_was_to_end() -> None:
    ended = subscription(cancel_at_period_end=True)
    late = NOW + 19 * DAY
    asked: dict[str, Any] = {"wants_consent": True, "is_ending": True, "without_consent": "ends"}
    assert step(ended, late, **asked) == (Step.WATCH, "no_consent")
    assert step(ended, late, **asked, has_agreed=True)[0] is Step.RESTORE
    assert step(ended, late, has_agreed=True, wants_consent=True) == (Step.WAIT, "cancelled")
