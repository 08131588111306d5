"""One person lets a campaign rest, go on, or end; what two persons agreed on stays as it is."""

from datetime import datetime

from billing.subscriptions.campaigns import rows
from billing.subscriptions.campaigns.documents import Campaign
from billing.subscriptions.campaigns.refusals import CampaignStopped, UnknownCampaign
from coalition.kernel.database import Connection, transaction
from coalition.oversight import audit_log


async def known(connection: Connection, code: str) -> Campaign:
    """Return a campaign. Raises `UnknownCampaign`."""
    found = await rows.campaign(connection, code)
    if found is None:
        raise UnknownCampaign(campaign=code)
    return found


async def stop(code: str, *, by: str, at: datetime) -> Campaign:
    """Let a campaign go no further, at once and for good; what is scheduled at Stripe comes.

    Raises `UnknownCampaign`. Stopped before it is returned as it is.
    """
    async with transaction() as connection:
        found = await known(connection, code)
        if await rows.stop(connection, code, by=by, at=at):
            await _record(connection, found, "stopped", by=by, at=at)
        return await known(connection, code)


async def pause(code: str, *, by: str, at: datetime) -> Campaign:
    """Let a campaign rest, at once: nobody is told, and no price is scheduled, until it goes on.

    Who was told can agree meanwhile, and what is scheduled at Stripe comes. Raises
    `UnknownCampaign` and `CampaignStopped`. Paused before it is returned as it is.
    """
    async with transaction() as connection:
        found = await known(connection, code)
        if await rows.pause(connection, code, by=by, at=at):
            await _record(connection, found, "paused", by=by, at=at)
        return await _not_stopped(connection, code)


async def resume(code: str, *, by: str, at: datetime) -> Campaign:
    """Let a campaign that rests go on where it was; who was told is not told again.

    Raises `UnknownCampaign` and `CampaignStopped`. One that runs is returned as it is.
    """
    async with transaction() as connection:
        found = await known(connection, code)
        if await rows.resume(connection, code):
            await _record(connection, found, "resumed", by=by, at=at)
        return await _not_stopped(connection, code)


async def _not_stopped(connection: Connection, code: str) -> Campaign:
    found = await known(connection, code)
    if found.stopped_at is not None:
        raise CampaignStopped(campaign=code)
    return found


async def _record(
    connection: Connection, one: Campaign, what: str, *, by: str, at: datetime
) -> None:
    await audit_log.record(
        connection,
        actor=by,
        action=f"price_campaign.{what}",
        subject=f"plan:{one.document.plan}",
        facts={"campaign": one.code},
        at=at,
    )
