"""Founds the coalition of a story: partners with contracts, stores and earning rules, members."""

from datetime import UTC, date, datetime, time
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

from coalition.federation import catalogue, service, stores
from coalition.federation.stores import NewStore
from coalition.kernel.database import transaction
from coalition.kernel.ids import MemberId
from coalition.members import service as members
from coalition.members import standings
from coalition.members.personal import Enrolment
from coalition.members.sealing import MemberKeys
from coalition.members.standings import Fact, StandingKind
from coalition.points import earning
from server.founding import Earning
from server.scenario.story import MemberPart, PartnerPart, Story
from server.scenario.terms import terms_of

ACTOR = "staff:story"
SECOND = "staff:story-second"
"""Whoever signs what needs two persons."""

_NEVER_BEFORE = datetime(2000, 1, 1, tzinfo=UTC)


def earning_of(text: str) -> Earning:
    """Return the earning rule that `1/1.00` says."""
    points, _, amount = text.partition("/")
    return Earning(int(points), Decimal(amount))


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """Return the instant in UTC at which `day` begins in `zone`."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


async def found_partners(story: Story, at: datetime) -> dict[str, int]:
    """Set up the coalition and its partners; return the number of each."""
    home = story.coalition
    await service.create_coalition(name="Story", timezone=home.timezone, actor=ACTOR, at=at)
    return {name: await _found(story, name, part, at) for name, part in story.partners.items()}


async def _found(story: Story, name: str, partner: PartnerPart, at: datetime) -> int:
    terms = terms_of(partner.contract, currency=story.coalition.currency)
    made = await service.create_partner(
        name=name,
        terms=terms,
        actor=ACTOR,
        at=at,
        valid_from=partner.contract.valid_from,
        timezone=partner.contract.timezone,
    )
    no = made.partner.no
    if partner.stores:
        wanted = [NewStore(code, code) for code in partner.stores]
        await stores.create_stores(partner_no=no, stores=wanted, actor=ACTOR, at=at)
    if partner.earning is not None and terms.issues:
        rule = earning_of(partner.earning)
        await earning.agree(
            partner_no=no,
            currency=terms.currency,
            points=rule.points,
            per_minor=rule.per_minor(terms.currency),
            valid_from=catalogue.beginning(made.contract),
            actor=ACTOR,
            at=at,
        )
    return no


async def enrol_members(
    story: Story, *, partner_no: int, keys: MemberKeys, at: datetime
) -> dict[str, UUID]:
    """Enrol all members, each on the day on which it joined; return their ids."""
    zone = ZoneInfo(story.coalition.timezone)
    ids: dict[str, UUID] = {}
    facts: list[Fact] = []
    for position, (name, part) in enumerate(story.members.items(), 1):
        member = part or MemberPart()
        joined = midnight(member.joined, zone) if member.joined is not None else at
        enrolment = Enrolment(card=f"STORY{position:06d}", born=member.born)
        enrolled = await members.enrol(enrolment, partner_no=partner_no, keys=keys, at=joined)
        ids[name] = enrolled.member_id
        facts += _standings(enrolled.member_id, member, joined)
    if facts:
        async with transaction() as connection:
            await standings.add(connection, facts)
    return ids


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
