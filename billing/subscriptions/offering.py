"""Which plans are on sale for whom, and on which terms of a country."""

from datetime import datetime
from zoneinfo import ZoneInfo

from billing.plans import words
from billing.plans.catalogue import Plan, PlanPrice, Plans
from billing.plans.countries import CountryDocument
from billing.subscriptions import orders
from billing.subscriptions.house import House
from billing.subscriptions.refusals import PriceNotForYou, PriceNotOnSale
from billing.subscriptions.views import (
    CountryView,
    Disclosure,
    Offers,
    PlanOffer,
    PriceOffer,
)
from coalition.federation import catalogue
from coalition.kernel.database import Connection, transaction
from coalition.kernel.ids import MemberId
from coalition.members import standings


async def plans_for(
    house: House, member: MemberId | None, *, country: str | None, language: str, at: datetime
) -> Offers:
    """Return the plans on sale; see `Memberships.plans_for`."""
    async with transaction() as connection:
        plans = await house.shelf.read(connection)
        if member is not None and country is None:
            country = (await house.person(connection, member)).country
            country = country or await orders.last_country(connection, member)
        held = {} if member is None else await eligibilities(connection, member, at)
        agreed = await catalogue.load(connection)
    terms = house.countries.of(country)
    spoken = terms.language(language)
    names = {str(partner.no): partner.name for partner in agreed.partners}
    items = [
        _offer(plan, terms, held, is_known=member is not None, language=language, names=names)
        for plan in plans.at(at)
    ]
    return Offers(items=tuple(items), terms=country_view(terms, country, spoken))


def country_view(terms: CountryDocument, country: str | None, language: str) -> CountryView:
    """Return what pages have to show in a country."""
    said = terms.words[language]
    return CountryView(
        country=country or terms.country,
        timezone=terms.timezone,
        withdrawal_days=terms.withdrawal_days,
        order_button=said.order_button,
        cancel_button=said.cancel_button,
        cancel_confirm=said.cancel_confirm,
        withdraw_button=said.withdraw_button,
        withdraw_confirm=said.withdraw_confirm,
        has_cancel_button_without_login=terms.cancel_without_login,
        disclosure=disclosure(terms, language),
    )


def disclosure(terms: CountryDocument, language: str) -> Disclosure:
    """Return what has to be shown before an order."""
    return Disclosure(
        version=terms.disclosure_version,
        language=terms.language(language),
        text=terms.disclosure(language),
    )


def _offer(
    plan: Plan,
    terms: CountryDocument,
    held: dict[str, datetime | None],
    *,
    is_known: bool,
    language: str,
    names: dict[str, str],
) -> PlanOffer:
    document = plan.document
    # What is paid in the country's own money comes first, then the cheaper of a kind.
    ordered = sorted(
        plan.prices,
        key=lambda price: (
            price.money.currency != terms.currency,
            price.money.currency,
            price.interval,
            price.money.amount_minor,
        ),
    )
    return PlanOffer(
        plan=plan.code,
        name=document.name,
        version=plan.version,
        rank=document.rank,
        trial_days=document.trial_days,
        seats=document.seats,
        prices=tuple(_price(price, terms.zone, held, is_known=is_known) for price in ordered),
        benefits=document.benefits,
        sentences=words.sentences(document, language, names),
    )


def _price(
    price: PlanPrice, zone: ZoneInfo, held: dict[str, datetime | None], *, is_known: bool
) -> PriceOffer:
    until = held.get(price.eligibility or "")
    return PriceOffer(
        price_no=price.no,
        interval=price.interval,
        price=price.money,
        eligibility=price.eligibility,
        is_for_you=price.eligibility is None or (is_known and price.eligibility in held),
        check_again_on=None if until is None else until.astimezone(zone).date(),
    )


async def eligibilities(
    connection: Connection, member: MemberId, at: datetime
) -> dict[str, datetime | None]:
    """Return the segments and flags of a member, each with when it is to be checked again.

    That is the end of the last word on it; None is for good.
    """
    facts = await standings.history(connection, member)
    last = {(fact.kind, fact.value): fact for fact in facts if fact.valid_from <= at}
    return {
        value: fact.valid_until
        for (kind, value), fact in last.items()
        if kind in {standings.StandingKind.SEGMENT, standings.StandingKind.FLAG}
        and fact.held
        and (fact.valid_until is None or fact.valid_until > at)
    }


async def price_on_sale(
    connection: Connection, plans: Plans, price_no: int, member: MemberId, at: datetime
) -> PlanPrice:
    """Return a price that the member may order now.

    Raises `UnknownPrice`, `PriceNotOnSale`, `PriceNotForYou`.
    """
    price = plans.price(price_no)
    if not plans.plan(price.plan_no).is_sold(at):
        raise PriceNotOnSale(price_no=price_no)
    await check_is_for(connection, price, member, at)
    return price


async def check_is_for(
    connection: Connection, price: PlanPrice, member: MemberId, at: datetime
) -> None:
    """Refuse a special price to whoever holds no standing for it. Raises `PriceNotForYou`."""
    wanted = price.eligibility
    if wanted is not None and wanted not in await eligibilities(connection, member, at):
        raise PriceNotForYou(eligibility=wanted)
