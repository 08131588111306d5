"""Campaigns of prices in a club, agreed on by two persons."""

from typing import Any

import msgspec

from billing.plans.countries import shipped
from billing.subscriptions.campaigns import proposing, running
from billing.subscriptions.campaigns.documents import Campaign, CampaignDocument
from tests.billing.memberships.world import Club
from tests.billing.plans.written import on_sale


async def rising(club: Club, code: str = "plus", **keys: Any) -> Campaign:
    """Let a plan be dearer by a quarter, and return the campaign for those who have it."""
    before = (await club.plans()).by_code(code, club.now())
    prices = [
        msgspec.structs.replace(
            one, amount_minor=one.amount_minor + (2_000 if one.interval == "month" else 20_000)
        )
        for one in before.document.prices
    ]
    dearer = msgspec.structs.replace(before.document, prices=tuple(prices))
    await on_sale(dearer, club.now())
    plain: dict[str, Any] = {
        "code": f"rise-{before.version}",
        "plan": code,
        "from_version": before.version,
        "notice_days": 31,
        "applies_from": club.now().isoformat(),
    }
    document = msgspec.convert(plain | keys, CampaignDocument)
    proposed = await proposing.prepare(
        document, countries=shipped(), prepared_by="staff:anna", at=club.now()
    )
    return await proposing.approve(proposed, approved_by="staff:bertil", at=club.now())


async def run(club: Club) -> running.Progress:
    """Go on with all campaigns once."""
    done = await running.run(club.memberships.house, at=club.now(), pause_s=0)
    await club.hear()
    return done
