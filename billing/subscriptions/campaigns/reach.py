"""Whom a campaign reaches: each member with one of its prices, judged as of now."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import msgspec

from billing.plans.countries import Countries
from billing.subscriptions import register
from billing.subscriptions.campaigns import rows, rules
from billing.subscriptions.campaigns.documents import Campaign, Move
from billing.subscriptions.campaigns.rules import Promise
from billing.subscriptions.register import Membership
from coalition.kernel.database import Connection, transaction
from coalition.kernel.ids import bucket_of

PAGE = 500
TOLD_BY_ANOTHER = "told_by_another"
"""Why a member is told nothing: a price comes by another campaign, which can be stopped."""

_AT_PRICES = """
SELECT id FROM membership
WHERE price_no = ANY($1) AND ended_at IS NULL AND subscription IS NOT NULL AND id > $2
ORDER BY id LIMIT $3
"""
_COUNTRIES = """
SELECT subscription, country FROM membership_order
WHERE bucket = ANY($1) AND subscription = ANY($2)
"""
_NOBODY = UUID(int=0)


class Reached(NamedTuple):
    """A member with one of the prices, and what it is told now, or why it is told nothing."""

    membership: Membership
    move: Move
    country: str
    text_version: str
    verdict: Promise | str


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Members of one country who come from one price to another."""

    country: str
    interval: str
    currency: str
    from_minor: int
    to_minor: int
    members: int
    must_agree: int
    more_a_month: int
    """How much more all of them pay in a month, in minor units; a year's price counts a twelfth."""


class DryRun(msgspec.Struct, frozen=True, kw_only=True):
    """What a campaign would do now: who would be told, and who not, by reason."""

    told: int
    already_told: int
    groups: tuple[Group, ...]
    left_out: dict[str, int]


async def dry_run(campaign: Campaign, countries: Countries, *, at: datetime) -> DryRun:
    """Return what a campaign would do at `at`; nothing is written and nothing asked of Stripe."""
    groups: dict[tuple[str, Move], list[Promise]] = {}
    left_out: dict[str, int] = {}
    already = 0
    async for page in pages(campaign, countries, at=at):
        async with transaction() as connection:
            pairs = [(one.membership.id, one.membership.subscription or "") for one in page]
            known = await rows.known(connection, campaign.no, pairs)
        for one in page:
            if one.membership.subscription in known:
                already += 1
            elif isinstance(one.verdict, str):
                left_out[one.verdict] = left_out.get(one.verdict, 0) + 1
            else:
                groups.setdefault((one.country, one.move), []).append(one.verdict)
    return DryRun(
        told=sum(map(len, groups.values())),
        already_told=already,
        groups=tuple(
            _group(country, move, promises)
            for (country, move), promises in sorted(
                groups.items(), key=lambda item: (item[0][0], item[0][1].from_price)
            )
        ),
        left_out=dict(sorted(left_out.items())),
    )


def _group(country: str, move: Move, promises: Sequence[Promise]) -> Group:
    return Group(
        country=country,
        interval=move.interval,
        currency=move.currency,
        from_minor=move.from_minor,
        to_minor=move.to_minor,
        members=len(promises),
        must_agree=sum(promise.wants_consent for promise in promises),
        more_a_month=len(promises) * move.more_a_year // 12,
    )


async def pages(
    campaign: Campaign, countries: Countries, *, at: datetime
) -> AsyncIterator[list[Reached]]:
    """Yield all members with one of the prices, some at a time, each judged as of `at`."""
    prices = [move.from_price for move in campaign.moves]
    after = _NOBODY
    while True:
        async with transaction() as connection:
            found = await connection.fetch(_AT_PRICES, prices, after, PAGE)
            page = await judged(connection, campaign, countries, [row[0] for row in found], at=at)
        if page:
            yield page
        if len(found) < PAGE:
            return
        after = found[-1][0]


async def judged(
    connection: Connection,
    campaign: Campaign,
    countries: Countries,
    memberships: Sequence[UUID],
    *,
    at: datetime,
) -> list[Reached]:
    """Return what some members are told now; those that have another price by now are left out."""
    found = await register.by_ids(connection, memberships)
    subscriptions = [one.subscription for one in found if one.subscription is not None]
    pictures = await register.pictures(connection, subscriptions)
    buckets = sorted({bucket_of(one.id) for one in found})
    ordered = await connection.fetch(_COUNTRIES, buckets, subscriptions)
    country_of = {row["subscription"]: row["country"] for row in ordered}
    pairs = [(one.id, one.subscription) for one in found if one.subscription is not None]
    elsewhere = await rows.told_elsewhere(connection, campaign.no, pairs)
    judgements = []
    for one in found:
        move = campaign.move_from(one.price_no or 0)
        picture = pictures.get(one.subscription or "")
        if move is None or picture is None or one.ended_at is not None:
            continue
        terms = countries.of(country_of.get(one.subscription))
        country = country_of.get(one.subscription, terms.country)
        verdict = rules.promise(
            campaign.document,
            move,
            terms,
            picture.subscription,
            country=country,
            joined_at=one.started_at,
            at=at,
        )
        if one.subscription in elsewhere:
            # One price at a time: a yes is to what was shown, and nobody is asked for two.
            verdict = TOLD_BY_ANOTHER
        judgements.append(Reached(one, move, country, terms.disclosure_version, verdict))
    return judgements
