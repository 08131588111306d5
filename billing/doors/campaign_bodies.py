"""What staff send and see of campaigns."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from billing.plans.catalogue import Plans
from billing.subscriptions.campaigns.documents import (
    Campaign,
    CampaignDocument,
    Move,
    Standing,
)
from billing.subscriptions.campaigns.rows import Change
from coalition.kernel.money import Money
from coalition.kernel.web.fields import Body


class CampaignBody(Body, frozen=True):
    """A campaign: who pays what from when, who is told how long before, and who must agree."""

    campaign: CampaignDocument


class CampaignRow(msgspec.Struct, frozen=True, kw_only=True):
    """A campaign that two persons agreed on."""

    campaign: str
    plan: str
    state: Standing
    prepared_by: str
    approved_by: str
    made_at: datetime
    paused_at: datetime | None
    paused_by: str | None
    stopped_at: datetime | None
    stopped_by: str | None
    moves: tuple[Move, ...]
    document: CampaignDocument

    @classmethod
    def of(cls, one: Campaign) -> "CampaignRow":
        """Return a campaign as staff see it."""
        return cls(
            campaign=one.code,
            plan=one.document.plan,
            state=one.standing,
            prepared_by=one.prepared_by,
            approved_by=one.approved_by,
            made_at=one.made_at,
            paused_at=one.paused_at,
            paused_by=one.paused_by,
            stopped_at=one.stopped_at,
            stopped_by=one.stopped_by,
            moves=one.moves,
            document=one.document,
        )


class CampaignRows(msgspec.Struct, frozen=True):
    """All campaigns, the first one first."""

    items: list[CampaignRow]


class CampaignTally(msgspec.Struct, frozen=True, kw_only=True):
    """How many members stand so, and why."""

    state: str
    reason: str
    wants_consent: bool
    has_agreed: bool
    members: int


class CampaignStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How far a campaign is; of those told, `awaits_consent` have still to say yes."""

    campaign: CampaignRow
    told: int
    agreed: int
    awaits_consent: int
    scheduled: int
    done: int
    tallies: list[CampaignTally]

    @classmethod
    def of(cls, one: Campaign, tallies: Sequence[CampaignTally]) -> "CampaignStatus":
        """Return a campaign with its members counted."""

        def count(*states: str) -> int:
            return sum(row.members for row in tallies if not states or row.state in states)

        return cls(
            campaign=CampaignRow.of(one),
            told=count(),
            agreed=sum(row.members for row in tallies if row.has_agreed),
            awaits_consent=sum(
                row.members
                for row in tallies
                if row.wants_consent and not row.has_agreed and row.state in {"told", "ending"}
            ),
            scheduled=count("scheduled"),
            done=count("done"),
            tallies=list(tallies),
        )


class CampaignMember(msgspec.Struct, frozen=True, kw_only=True):
    """What a member was told of its new price, what it has said, and how that stands."""

    member_id: UUID
    membership_id: UUID
    subscription: str
    country: str
    old: Money
    new: Money
    told_at: datetime
    text_version: str
    applies_at: datetime
    wants_consent: bool
    agreed_at: datetime | None
    state: str
    reason: str
    changed_at: datetime

    @classmethod
    def of(cls, one: Change, plans: Plans) -> "CampaignMember":
        """Return a member of a campaign as staff see it."""
        return cls(
            member_id=one.member_id,
            membership_id=one.membership_id,
            subscription=one.subscription,
            country=one.country,
            old=plans.price(one.from_price).money,
            new=plans.price(one.to_price).money,
            told_at=one.told_at,
            text_version=one.text_version,
            applies_at=one.applies_at,
            wants_consent=one.wants_consent,
            agreed_at=one.agreed_at,
            state=one.state,
            reason=one.reason,
            changed_at=one.changed_at,
        )


class CampaignMembers(msgspec.Struct, frozen=True, kw_only=True):
    """A page of members of a campaign; `next` begins the next one."""

    items: list[CampaignMember]
    next: str | None = None
