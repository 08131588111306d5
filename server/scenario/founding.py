"""Founds the coalition of a story: partners with contracts, stores and earning rules, members."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import msgspec

from coalition.families.rule_sets import documents
from coalition.families.rule_sets.countries import resolved
from coalition.families.rule_sets.documents import PresetUse
from coalition.families.rule_sets.notation import RuleSet
from coalition.federation import catalogue, contracts, currencies, service, stores
from coalition.federation.stores import NewStore
from coalition.federation.terms import Contract
from coalition.kernel.database import transaction
from coalition.kernel.ids import MemberId
from coalition.members import addresses, standings
from coalition.members import service as members
from coalition.members.personal import Enrolment
from coalition.members.standings import Fact, StandingKind
from coalition.points import earning
from coalition.points.bonuses import store
from coalition.points.bonuses.checking import validity
from server.founding import Earning
from server.scenario.story import MemberPart, PartnerPart, Story
from server.scenario.terms import ContractPart, terms_of
from server.scenario.world import World

ACTOR = "staff:story"
SECOND = "staff:story-second"
"""Whoever signs what needs two persons."""


def earning_of(text: str) -> Earning:
    """Return the earning rule that `1/1.00` says."""
    points, _, amount = text.partition("/")
    return Earning(int(points), Decimal(amount))


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """Return the instant in UTC at which `day` begins in `zone`."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


async def found_coalition(world: World) -> None:
    """Set up the coalition of a story, its partners, their point currencies, and its rules."""
    home = world.story.coalition
    await service.create_coalition(name="Story", timezone=home.timezone, actor=ACTOR, at=world.at)
    if home.expiry_suspended_tiers:
        await service.suspend_expiry_of_tiers(
            tiers=home.expiry_suspended_tiers, actor=ACTOR, at=world.at
        )
    for name, part in world.story.partners.items():
        world.partners[name] = await _found_partner(world, name, part)
    for document in world.story.earning_rules:
        begins, _ = validity(document, world.zone)
        at = min(world.at, begins or world.at)
        approval = await store.prepare(document, prepared_by=ACTOR, at=at)
        await store.activate(approval, approved_by=SECOND, at=at)


async def _found_partner(world: World, name: str, partner: PartnerPart) -> int:
    """Make a partner with its contract, stores and base rate; return its number.

    A contract in a point currency of its own is a second version: the partner is there before its
    currency, and is there with a first. That one ends on the day on which the second begins.
    """
    contract = partner.contract
    terms = terms_of(contract, currency=world.story.coalition.currency)
    own = {code: made for code, made in world.story.currencies.items() if made.partner == name}
    is_own = contract.point_currency in own
    day = contract.valid_from
    made = await service.create_partner(
        name=name,
        terms=terms,
        actor=ACTOR,
        at=world.at,
        valid_from=day - timedelta(days=1) if is_own else day,
        timezone=contract.timezone,
    )
    no = made.partner.no
    for code, currency in own.items():
        kept = await currencies.create_currency(
            code=code, name=currency.name or code, actor=ACTOR, at=world.at, partner_no=no
        )
        world.currencies[code] = kept.no
    if is_own:
        await _sign_in_own_currency(world, no, contract)
    if partner.stores:
        wanted = [NewStore(code, code) for code in partner.stores]
        await stores.create_stores(partner_no=no, stores=wanted, actor=ACTOR, at=world.at)
    if partner.earning is not None and terms.issues:
        await _agree_on_rate(no, partner.earning, made.contract, world.at)
    return no


async def _sign_in_own_currency(world: World, partner_no: int, contract: ContractPart) -> None:
    zone = ZoneInfo(contract.timezone or world.zone.key)
    at = min(world.at, midnight(contract.valid_from, zone))
    approval = await contracts.prepare(
        partner_no=partner_no,
        terms=terms_of(
            contract,
            currency=world.story.coalition.currency,
            point_currency_no=world.currency_no(contract.point_currency),
        ),
        valid_from=contract.valid_from,
        prepared_by=ACTOR,
        at=at,
    )
    await contracts.sign(approval, approved_by=SECOND, at=at)


async def _agree_on_rate(partner_no: int, text: str, contract: Contract, at: datetime) -> None:
    rate = earning_of(text)
    await earning.agree(
        partner_no=partner_no,
        currency=contract.currency,
        points=rate.points,
        per_minor=rate.per_minor(contract.currency),
        valid_from=catalogue.beginning(contract),
        actor=ACTOR,
        at=at,
    )


async def enrol_members(world: World) -> None:
    """Enrol all members, each on the day on which it joined."""
    enrolled_by = next(iter(world.partners.values()))
    facts: list[Fact] = []
    home = country_of_rules(world.story)
    for position, (name, part) in enumerate(world.story.members.items(), 1):
        member = part or MemberPart()
        joined = midnight(member.joined, world.zone) if member.joined is not None else world.at
        first_name, last_name = name_of(name, member)
        enrolment = Enrolment(
            card=f"STORY{position:06d}",
            born=member.born,
            address=member.address,
            country=member.country or home,
            first_name=first_name,
            last_name=last_name,
        )
        enrolled = await members.enrol(
            enrolment, partner_no=enrolled_by, keys=world.keys, at=joined
        )
        if member.address is not None and member.address_registered:
            await addresses.confirm(enrolled.member_id, keys=world.keys, actor=ACTOR, at=joined)
        world.members[name] = enrolled.member_id
        facts += _standings(enrolled.member_id, member, joined)
    if facts:
        async with transaction() as connection:
            await standings.add(connection, facts)


def name_of(name: str, member: MemberPart | None) -> tuple[str, str]:
    """Return the first and last name of a member, who is called as in the story unless it says."""
    part = member or MemberPart()
    return part.first_name or name, part.last_name or "of the Story"


def country_of_rules(story: Story) -> str | None:
    """Return the first country in which rule sets of a story want members to live, if any do.

    Who says no country lives there.
    """
    for plain in story.rule_sets.values():
        written = (
            documents.expanded(msgspec.convert(plain, PresetUse))[0]
            if ("preset" in plain)
            else msgspec.convert(plain, RuleSet)
        )
        if written is not None and (asked := resolved(written).eligibility.countries):
            return asked[0]
    return None


def _standings(member_id: MemberId, member: MemberPart, since: datetime) -> list[Fact]:
    held = [
        *((StandingKind.TIER, value) for value in (member.tier,) if value),
        *((StandingKind.PLAN, value) for value in (member.plan,) if value),
        *((StandingKind.SEGMENT, value) for value in member.segments),
        *((StandingKind.FLAG, value) for value in member.flags),
    ]
    return [
        Fact(
            member_id=member_id,
            kind=kind,
            value=value,
            valid_from=since,
            valid_until=None,
            source="story",
            made_at=since,
        )
        for kind, value in held
    ]
