"""Checks of memberships: what breaks a promise of I9, found by queries and one walk.

A benefit has a paid, trial or grace period behind it, or what was given: so every membership is
derived again from the pictures of its subscriptions and its grounds, and compared with what stands.
"""

from uuid import UUID

from billing.benefits import entitlement_rows
from billing.plans import catalogue
from billing.plans.catalogue import Plans
from billing.subscriptions import audit_standing, deriving, entries, gift_audit, grounds, register
from billing.subscriptions.audit_standing import Facts
from billing.subscriptions.bookings import bookings
from billing.subscriptions.register import Membership
from billing.subscriptions.seats import rows as seats
from billing.subscriptions.states import entitlements
from coalition.kernel.database import Connection
from coalition.ledger.audit import Walk
from coalition.ledger.audit_checks import Check

_COUNTED = Check(
    "I9",
    "the entries of a source count from one, are of one currency, and never sum to the other side",
    """
    SELECT member_id, source, count(*) AS entries, max(no) AS last, sum(amount_minor) AS amount
    FROM membership_entry GROUP BY bucket, member_id, source
    HAVING max(no) <> count(*) OR count(DISTINCT currency) > 1
        OR (bool_or(kind = 'payment') AND sum(amount_minor) < 0)
        OR (bool_or(kind IN ('refund', 'dispute')) AND sum(amount_minor) > 0)
    """,
)

_SOLD = Check(
    "I9",
    "every entry of a gift is of one that was bought",
    """
    SELECT entry.member_id, entry.gift_id, entry.source, entry.amount_minor
    FROM membership_entry AS entry
    WHERE entry.gift_id IS NOT NULL
        AND NOT EXISTS (SELECT FROM gift WHERE gift.id = entry.gift_id)
    """,
)

_ENTITLED = Check(
    "I9",
    "every entitlement is of a membership of its member, and holds no more once that has ended "
    "and no other has begun",
    """
    SELECT held.member_id, held.membership_id, held.begins, held.ends, membership.ended_at,
        membership.changed_at
    FROM benefit_entitlement AS held
    LEFT JOIN membership ON membership.bucket = held.bucket
        AND membership.id = held.membership_id AND membership.member_id = held.member_id
    WHERE membership.id IS NULL
        -- What is paid for after the end gives back time that has passed, never time to come.
        OR (held.ends > membership.ended_at AND held.ends > membership.changed_at
            -- A gift whose dispute is won holds on beside what was begun meanwhile.
            AND NOT EXISTS (
                SELECT FROM membership AS other
                WHERE other.bucket = membership.bucket AND other.id > membership.id
                    AND other.member_id = membership.member_id
                    AND (other.ended_at IS NULL
                        OR greatest(other.ended_at, other.changed_at) >= membership.changed_at)))
    """,
)

_PAGE = 500
_SOME = "SELECT id FROM membership WHERE (bucket, id) > ($1, $2) ORDER BY bucket, id LIMIT $3"
_GONE = """
SELECT count(*) FROM member
WHERE bucket = $1 AND id = $2 AND (state = 'closed' OR merged_into IS NOT NULL)
"""
_NOBODY = UUID(int=0)


async def _not_as_derived(connection: Connection) -> list[str]:
    """Return what of each membership is not as its pictures and grounds make it."""
    plans = await catalogue.load(connection)
    broken: list[str] = []
    place: tuple[int, UUID] = (-1, _NOBODY)
    while rows := await connection.fetch(_SOME, *place, _PAGE):
        for row in rows:
            broken += await _of_membership(connection, row["id"], plans)
        place = register.place_of(rows[-1]["id"])
    return broken


async def _of_membership(connection: Connection, membership_id: UUID, plans: Plans) -> list[str]:
    row = await register.by_id(connection, membership_id)
    assert row is not None, "it was just listed"
    kept = await register.kept_of(connection, membership_id)
    pictures = [one.picture for one in kept if one.picture is not None]
    given = await grounds.of_membership(connection, membership_id, plans)
    given += await seats.given(connection, membership_id, plans)
    held = entitlements(pictures, deriving.terms_of(plans, pictures), given)
    broken = []
    if not await _is_gone(connection, row):
        applied = await entitlement_rows.read(connection, row.member_id)
        mine = [one.entitlement for one in applied if one.membership_id == membership_id]
        if tuple(mine) != held:
            broken.append(f"membership {membership_id}: its entitlements have other grounds")
    facts = Facts(kept, pictures, held, plans)
    broken += await audit_standing.unlike(connection, row, facts)
    told = [booking for picture in pictures for booking in bookings(picture)]
    for _, lacking in await entries.lacking(connection, row.member_id, told):
        broken.append(f"membership {membership_id}: {lacking.source} is not booked as it is paid")
    others = await entries.unlike(connection, row.member_id, told)
    broken += [f"membership {membership_id}: {one} is booked as something else" for one in others]
    return broken


async def _is_gone(connection: Connection, row: Membership) -> bool:
    """Tell whether the member has left, so that benefits follow no more."""
    place = register.place_of(row.member_id)
    return bool(await connection.fetchval(_GONE, *place))


CHECKS = (_COUNTED, _ENTITLED, _SOLD)
WALKS = (
    Walk(
        "I9",
        "a membership stands, and entitles, as its subscriptions and what was given make it",
        _not_as_derived,
    ),
    gift_audit.WALK,
)
