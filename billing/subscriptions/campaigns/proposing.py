"""Campaigns are proposed and approved by two persons, with the amounts written out."""

from datetime import datetime
from uuid import UUID

import msgspec

from billing.plans import catalogue
from billing.plans.catalogue import Plans
from billing.plans.countries import Countries
from billing.plans.refusals import UnknownPlan
from billing.subscriptions.campaigns import rows
from billing.subscriptions.campaigns.documents import (
    Campaign,
    CampaignDocument,
    Move,
    PreparedCampaign,
)
from billing.subscriptions.campaigns.refusals import (
    CampaignExists,
    ConsentIsLaw,
    NothingMoves,
    PricesMoved,
)
from coalition.kernel import outbox
from coalition.kernel.database import Connection, transaction
from coalition.kernel.outbox import Event
from coalition.oversight import approvals, audit_log

CAMPAIGN = "price_campaign"
"""The kind of approval by which a campaign begins."""


async def prepare(
    document: CampaignDocument, *, countries: Countries, prepared_by: str, at: datetime
) -> UUID:
    """Prepare a campaign; return the id of its approval.

    Raises `UnknownPlan`, `NothingMoves`, `ConsentIsLaw`, `CampaignExists`.
    """
    check_consent(document, countries)
    async with transaction() as connection:
        if await rows.campaign(connection, document.code) is not None:
            raise CampaignExists(campaign=document.code)
        moves = moves_of(await catalogue.load(connection), document, at)
    return await approvals.prepare(
        kind=CAMPAIGN,
        subject=f"plan:{document.plan}",
        payload=PreparedCampaign(document=document, moves=moves),
        prepared_by=prepared_by,
        at=at,
    )


async def approve(approval_id: UUID, *, approved_by: str, at: datetime) -> Campaign:
    """Let a campaign begin, as the second person; the worker tells members next.

    Raises what `approvals.approve` raises, `PricesMoved` and `CampaignExists`.
    """
    kept = await approvals.approve(approval_id, approved_by=approved_by, at=at, kind=CAMPAIGN)
    assert isinstance(kept, Campaign), "the applier of this kind returns the campaign"
    return kept


def check_consent(document: CampaignDocument, countries: Countries) -> None:
    """Refuse with `ConsentIsLaw` what would be against the terms of a country."""
    for country, mode in document.consent.items():
        if mode == "notice" and countries.of(country).price_rise.consent:
            raise ConsentIsLaw(country=country)


def moves_of(plans: Plans, document: CampaignDocument, at: datetime) -> tuple[Move, ...]:
    """Return from which prices to which, of what is on sale at `at`.

    Raises `UnknownPlan` and `NothingMoves`.
    """
    versions = [one for one in plans.plans if one.code == document.plan]
    before = next((one for one in versions if one.version == document.from_version), None)
    if before is None:
        raise UnknownPlan(plan=document.plan, version=document.from_version)
    sold = {
        (one.interval, one.money.currency, one.eligibility): one
        for plan in versions
        if plan.is_sold(at)
        for one in plan.prices
    }
    moves = [
        Move(
            from_price=old.no,
            to_price=new.no,
            interval=old.interval,
            currency=old.money.currency,
            from_minor=old.money.amount_minor,
            to_minor=new.money.amount_minor,
        )
        for old in before.prices
        if (new := sold.get((old.interval, old.money.currency, old.eligibility))) is not None
        and old.interval in document.intervals
        and old.money != new.money
    ]
    if not moves:
        raise NothingMoves(plan=document.plan, version=document.from_version)
    return tuple(moves)


def tried(plans: Plans, document: CampaignDocument, at: datetime) -> Campaign:
    """Return the campaign that a document would be, for a dry run. Raises what `moves_of` does."""
    return Campaign(
        no=0,
        code=document.code,
        document=document,
        moves=moves_of(plans, document, at),
        prepared_by="",
        approved_by="",
        made_at=at,
    )


@approvals.applies(CAMPAIGN)
async def _apply(connection: Connection, approval: approvals.Approval) -> Campaign:
    assert approval.decided_by is not None, "only a decided approval is applied"
    assert approval.decided_at is not None, "only a decided approval is applied"
    by, at = approval.decided_by, approval.decided_at
    wanted = msgspec.json.decode(approval.payload, type=PreparedCampaign)
    document = wanted.document
    # One at a time: each has a number and a code of its own.
    await rows.lock(connection)
    if moves_of(await catalogue.load(connection), document, at) != wanted.moves:
        raise PricesMoved
    if await rows.campaign(connection, document.code) is not None:
        raise CampaignExists(campaign=document.code)
    await rows.add(
        connection,
        document,
        wanted.moves,
        prepared_by=approval.prepared_by,
        approved_by=by,
        at=at,
    )
    told = {"campaign": document.code, "plan": document.plan}
    await outbox.append(connection, [Event("billing.price_campaign_begun", told)], at)
    await audit_log.record(
        connection,
        actor=by,
        action="price_campaign.begun",
        subject=approval.subject,
        facts=told | {"prepared_by": approval.prepared_by, "document": document},
        at=at,
    )
    kept = await rows.campaign(connection, document.code)
    assert kept is not None, "it was added just now"
    return kept
