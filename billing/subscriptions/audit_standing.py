"""How a membership stands in our books beside how its pictures and grounds make it stand."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

import asyncpg
import msgspec

from billing.benefits.entitlements import Entitlement
from billing.gateway.shapes import Payment, Picture
from billing.plans.catalogue import Plans
from billing.subscriptions import deriving, endings, register
from billing.subscriptions.register import Kept, Membership
from coalition.kernel.database import Connection

_GROUNDS = """
SELECT begins, ends, taken_back_at, unpaid_from, source, made_at FROM membership_ground
WHERE bucket = $1 AND membership_id = $2
"""
_OF_GIFTS = """
SELECT picture FROM gift WHERE picture IS NOT NULL AND 'gift:' || id = ANY ($1)
"""
_SEATS = "SELECT count(*) FROM membership_seat WHERE membership_id = $1"

_DERIVED = (
    *("state", "ground", "plan_no", "price_no", "subscription", "customer_id", "entitled_until"),
    *("period_start", "period_end", "turns_at"),
)
"""What a derivation says of a membership, whatever it was before."""

_decoder = msgspec.json.Decoder(Payment)


class Facts(NamedTuple):
    """What a membership is derived from."""

    kept: Sequence[Kept]
    pictures: Sequence[Picture]
    held: Sequence[Entitlement]
    plans: Plans


async def unlike(connection: Connection, row: Membership, facts: Facts) -> list[str]:
    """Return what of `row` is not as it was derived last from `facts`."""
    grounds = await connection.fetch(_GROUNDS, *register.place_of(row.id))
    at = _derived_at(row, facts.kept, grounds)
    fresh = msgspec.structs.replace(row, ended_at=None)
    subscriptions = [one.subscription for one in facts.pictures]
    derived = deriving.standing_now(fresh, facts.held, subscriptions, facts.plans, at)
    is_alive = derived.ended_at is None
    if is_alive and row.ended_at is not None and await _had_another(connection, row, at):
        derived = msgspec.structs.replace(row, turns_at=None)
    if row.turns_at is not None and row.turns_at <= at:
        # It is due to be derived anew, as a migration asks for.
        derived = msgspec.structs.replace(derived, turns_at=row.turns_at)
    broken = [
        f"membership {row.id}: its {name} is {getattr(row, name)}, derived {wanted}"
        for name in _DERIVED
        if getattr(row, name) != (wanted := getattr(derived, name))
    ]
    if (row.ended_at is None) != (derived.ended_at is None):
        broken.append(f"membership {row.id}: it ended {row.ended_at}, derived {derived.ended_at}")
    elif row.ended_at != derived.ended_at and not await _can_have_ended(
        connection, row, facts, grounds
    ):
        broken.append(f"membership {row.id}: nothing of it can have ended at {row.ended_at}")
    return broken


def _derived_at(
    row: Membership, kept: Iterable[Kept], grounds: Iterable[asyncpg.Record]
) -> datetime:
    """Return the last time at which a membership was derived."""
    times = [row.changed_at, *(one.applied_at for one in kept if one.applied_at is not None)]
    for one in grounds:
        times += [at for at in (one["made_at"], one["taken_back_at"]) if at is not None]
    return max(times)


async def _had_another(connection: Connection, row: Membership, at: datetime) -> bool:
    """Tell whether another membership lived at `at`, beside which this one stayed ended."""
    return any(
        one.id != row.id and (one.ended_at is None or max(one.ended_at, one.changed_at) >= at)
        for one in await register.of_member(connection, row.member_id)
    )


async def _can_have_ended(
    connection: Connection, row: Membership, facts: Facts, grounds: Sequence[asyncpg.Record]
) -> bool:
    """Tell whether a membership can have ended when it was told, by facts that were true then.

    What is shared ends as what its payer had then, which nobody knows any more; what never held
    anything ended when that was seen.
    """
    assert row.ended_at is not None, "it has ended"
    if row.ended_at > max([row.changed_at, *_ended(facts.pictures)]):
        return False
    if await connection.fetchval(_SEATS, row.id) or not (facts.held or _ended(facts.pictures)):
        return True
    gifts = await connection.fetch(_OF_GIFTS, [one["source"] for one in grounds])
    instants = endings.possible(
        facts.pictures,
        deriving.terms_of(facts.plans, facts.pictures),
        [edge for one in grounds for edge in tuple(one)[:4] if edge is not None],
        _taken_of(one["picture"] for one in gifts),
    )
    return row.ended_at in instants


def _ended(pictures: Iterable[Picture]) -> list[datetime]:
    ended = (one.subscription.ended_at for one in pictures)
    return [at for at in ended if at is not None]


def _taken_of(gifts: Iterable[bytes]) -> list[datetime]:
    """Return when anything went back of gifts, whatever became of it since."""
    shown = [_decoder.decode(one) for one in gifts]
    refunds = [taken.created_at for one in shown for taken in one.refunds]
    return refunds + [taken.created_at for one in shown for taken in one.disputes]
