"""Ordering: one open order and one membership each, what was shown, trials once, special prices."""

from datetime import datetime, timedelta

import pytest

from billing.plans.countries.terms import digest_of
from billing.subscriptions import customers, entries, orders
from billing.subscriptions.orders import OrderState
from billing.subscriptions.refusals import (
    AlreadyMember,
    CheckoutOpen,
    DisclosureOutdated,
    InvalidPath,
    PriceNotForYou,
    PriceNotOnSale,
    TrialUsed,
    UnknownCheckout,
    UnknownPromotion,
)
from billing.subscriptions.views import MembershipState
from coalition.kernel.database import transaction
from coalition.kernel.money import Money
from coalition.members import standings
from tests.billing.memberships.world import DECLINES, PLUS, TRIED, VISA, make_club
from tests.billing.plans.written import MONTHLY, on_sale, plan

pytestmark = pytest.mark.usefixtures("database")


async def test_a_member_orders_pays_and_has_the_plan_at_once(at: datetime) -> None:
    club = await make_club(at)
    member = await club.enrol()
    assert (await club.view(member)).state is MembershipState.NONE

    opened = await club.memberships.checkout(member, await club.order(), key="first", at=club.now())
    waiting = await club.view(member)
    assert (waiting.state, waiting.checkout) == (MembershipState.CHECKOUT, opened)
    assert (opened.plan, opened.price, opened.trial_days) == ("plus", Money(7_900, "SEK"), 0)

    back = await club.pay(opened.url)
    assert back == f"http://house.test/membership?checkout={opened.checkout_id}"
    seen = await club.memberships.returned(member, opened.checkout_id, at=club.now())

    assert (seen.state, seen.plan, seen.ground) == (MembershipState.ACTIVE, "plus", "paid")
    assert seen.renews_at == seen.period_end
    assert seen.entitled_until == at.replace(month=12) + timedelta(days=7)  # with its grace
    assert seen.checkout is None
    async with transaction() as connection:
        held = (await standings.read(connection, [member], club.now()))[member]
    assert held.plan == "plus"


async def test_what_was_shown_before_an_order_is_kept_word_for_word(at: datetime) -> None:
    club = await make_club(at)
    member = await club.enrol()
    shown = (await club.offers(member)).terms.disclosure
    await club.memberships.checkout(member, await club.order(), key="k", at=at)
    async with transaction() as connection:
        (order,) = await orders.of_member(connection, member)
        kept = await connection.fetchval(
            "SELECT shown FROM disclosure_text WHERE digest = $1", order.disclosure
        )
    assert (kept, order.disclosure) == (shown.text, digest_of(shown.text))
    assert (order.disclosure_version, order.language, order.country) == (
        "SE-2026-11",
        "en",
        "SE",
    )


async def test_an_order_on_terms_of_before_is_refused_with_the_present_ones(at: datetime) -> None:
    club = await make_club(at)
    order = await club.order(country="DE")
    with pytest.raises(DisclosureOutdated) as why:
        await club.memberships.checkout(
            await club.enrol(),
            type(order)(
                price_no=order.price_no, country="SE", language="sv", disclosure_version="SE-2020"
            ),
            key="k",
            at=at,
        )
    assert why.value.facts == {"disclosure_version": "SE-2026-11"}


async def test_one_order_waits_at_a_time_and_the_same_again_is_the_same_page(at: datetime) -> None:
    club = await make_club(at)
    member = await club.enrol()
    first = await club.memberships.checkout(member, await club.order(), key="a", at=at)
    again = await club.memberships.checkout(member, await club.order(), key="a", at=at)
    other_tab = await club.memberships.checkout(member, await club.order(), key="b", at=at)
    assert first == again == other_tab
    with pytest.raises(CheckoutOpen) as why:
        await club.memberships.checkout(member, await club.order("premium"), key="c", at=at)
    assert why.value.facts["url"] == first.url

    await club.memberships.drop_checkout(member, key="d", at=at)
    await club.memberships.drop_checkout(member, key="e", at=at)
    other = await club.memberships.checkout(member, await club.order("premium"), key="f", at=at)
    assert other.plan == "premium"


async def test_a_member_has_one_membership(at: datetime) -> None:
    club = await make_club(at)
    member = await club.joined()
    with pytest.raises(AlreadyMember):
        await club.memberships.checkout(member, await club.order(), key=club.key(), at=at)


async def test_an_order_that_was_paid_without_coming_back_is_learnt_of_by_its_event(
    at: datetime,
) -> None:
    club = await make_club(at)
    member = await club.enrol()
    opened = await club.memberships.checkout(member, await club.order(), key="k", at=at)
    await club.pay(opened.url)
    await club.hear()
    assert (await club.view(member)).state is MembershipState.ACTIVE
    async with transaction() as connection:
        (order,) = await orders.of_member(connection, member)
    assert order.state is OrderState.COMPLETE


async def test_an_unpaid_order_ends_and_gives_nothing(at: datetime) -> None:
    club = await make_club(at)
    member = await club.enrol()
    opened = await club.memberships.checkout(member, await club.order(), key="k", at=at)
    await club.pay(opened.url, DECLINES)
    assert (await club.view(member)).state is MembershipState.CHECKOUT
    await club.advance(timedelta(days=2))
    assert (await club.view(member)).state is MembershipState.NONE
    again = await club.memberships.checkout(member, await club.order(), key="again", at=club.now())
    assert again.checkout_id != opened.checkout_id


async def test_a_trial_is_had_once_by_a_person_and_by_a_card(at: datetime) -> None:
    club = await make_club(at, TRIED, PLUS)
    anna = await club.enrol()
    seen = await club.join(anna, "tried")
    assert (seen.state, seen.ground) == (MembershipState.TRIALING, "trial")
    assert seen.trial_ends_at == at + timedelta(days=14)

    await club.memberships.cancel(anna, key=club.key(), at=club.now())
    await club.advance(timedelta(days=15))
    assert (await club.view(anna)).state is MembershipState.ENDED
    again = await club.memberships.checkout(
        anna, await club.order("tried"), key=club.key(), at=club.now()
    )
    assert again.trial_days == 0

    bo = await club.enrol("bo")
    with pytest.raises(TrialUsed):
        await club.join(bo, "tried", card=VISA)
    assert (await club.view(bo)).state in {MembershipState.NONE, MembershipState.ENDED}
    carl = await club.enrol("carl")
    seen = await club.join(carl, "tried", card="5555555555554444")
    assert seen.state is MembershipState.TRIALING


async def test_a_special_price_is_for_whoever_holds_its_standing(at: datetime) -> None:
    club = await make_club(at)
    member = await club.enrol()
    student = await club.price_no("plus", "month", "student")

    async def offered() -> tuple[bool, object]:
        (plus,) = [one for one in (await club.offers(member)).items if one.plan == "plus"]
        (price,) = [one for one in plus.prices if one.price_no == student]
        return price.is_for_you, price.check_again_on

    assert await offered() == (False, None)
    order = await club.order("plus", eligibility="student")
    with pytest.raises(PriceNotForYou) as why:
        await club.memberships.checkout(member, order, key=club.key(), at=at)
    assert why.value.facts == {"eligibility": "student"}
    async with transaction() as connection:
        await standings.grant(
            connection,
            member=member,
            kind="segment",
            value="student",
            valid_from=at,
            valid_until=at + timedelta(days=365),
            source="staff:anna",
            at=at,
        )
    assert await offered() == (True, (at + timedelta(days=365)).date())
    opened = await club.memberships.checkout(member, order, key=club.key(), at=at)
    assert opened.price == Money(3_900, "SEK")


async def test_a_price_of_an_earlier_version_is_no_longer_sold_and_kept_by_who_has_it(
    at: datetime,
) -> None:
    club = await make_club(at)
    member = await club.joined()
    order = await club.order()
    await on_sale(plan(prices=[MONTHLY | {"amount_minor": 9_900}]), club.now())
    with pytest.raises(PriceNotOnSale):
        await club.memberships.checkout(await club.enrol("bo"), order, key="k", at=club.now())
    await club.advance(timedelta(days=32))
    seen = await club.view(member)
    assert (seen.state, seen.price) == (MembershipState.ACTIVE, Money(7_900, "SEK"))


async def test_nobody_is_led_elsewhere_and_no_stranger_settles_an_order(at: datetime) -> None:
    club = await make_club(at)
    member = await club.enrol()
    for path in ("https://evil.example", "//evil.example", "/\\evil", "membership"):
        with pytest.raises(InvalidPath):
            await club.memberships.checkout(member, await club.order(back_to=path), key="k", at=at)
    opened = await club.memberships.checkout(member, await club.order(), key="k", at=at)
    with pytest.raises(UnknownCheckout):
        await club.memberships.returned(await club.enrol("bo"), opened.checkout_id, at=at)


async def test_german_members_see_german_buttons(at: datetime) -> None:
    club = await make_club(at)
    offers = await club.memberships.plans_for(None, country="DE", language="de", at=at)
    assert offers.terms.order_button == "Zahlungspflichtig bestellen"
    assert offers.terms.cancel_button == "Verträge hier kündigen"
    assert [one.plan for one in offers.items] == ["plus", "premium"]


async def test_what_stands_to_a_members_credit_pays_for_its_order(at: datetime) -> None:
    club = await make_club(at)
    member = await club.joined()
    await club.memberships.confirm_withdrawal(
        (await club.memberships.declare_withdrawal(member, at=at)).withdrawal_id,
        member=member,
        key="w",
        at=at,
    )
    customer = await customers.find(member)
    path = f"/v1/customers/{customer}/balance_transactions"
    await club.gateway.post(None, path, {"amount": -10_000, "currency": "sek"})
    assert (await club.join(member)).state is MembershipState.ACTIVE
    assert (await club.gateway.get(f"/v1/customers/{customer}"))["balance"] == -2_100
    async with transaction() as connection:
        assert await entries.net(connection, member) == {"SEK": 0}


async def test_a_promotion_code_takes_off_what_it_says(at: datetime) -> None:
    club = await make_club(at)
    post = club.gateway.post
    coupon = await post(None, "/v1/coupons", {"percent_off": 50, "duration": "once"})
    promotion = {"type": "coupon", "coupon": coupon["id"]}
    await post(None, "/v1/promotion_codes", {"promotion": promotion, "code": "SPRING"})
    member = await club.enrol()
    with pytest.raises(UnknownPromotion):
        await club.join(member, promotion="AUTUMN")
    seen = await club.join(member, promotion=" spring ")
    assert seen.price == Money(7_900, "SEK")
    async with transaction() as connection:
        assert await entries.net(connection, member) == {"SEK": 3_950}
