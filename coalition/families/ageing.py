"""Growing up: who reaches the age at which its group ends for it leaves, everybody else counts on.

Run by the clock. Birth dates are sealed, so places of the young carry their eighteenth birthday;
the ages of rule sets are counted from there, each on the day of its own zone.
"""

from collections.abc import Sequence
from uuid import UUID

import asyncpg

from coalition.families import departing, gathering
from coalition.families.ages import OF_AGE
from coalition.families.books import Bound
from coalition.families.gathering import OpenGroup
from coalition.families.judging import Book
from coalition.families.places import GroupState, Leaving, PlaceRow
from coalition.families.windows import birthday
from coalition.kernel.database import Connection

GROUPS_AT_ONCE = 200

# A group being separated waits until that is settled. Of somebody born on 29 February the database
# may be a day early; whoever lets it leave looks again.
_DUE = """
SELECT DISTINCT family_group.id
FROM unnest($1::int4[], $2::int4[], $3::date[]) AS rule (no, years, today)
JOIN family_group ON family_group.rule_set_no = rule.no AND family_group.state = 'active'
JOIN group_member ON group_member.bucket = family_group.bucket
    AND group_member.group_id = family_group.id
WHERE group_member.left_at IS NULL
    AND group_member.member_id <> family_group.head
    AND group_member.turns_adult_on + make_interval(years => rule.years) <= rule.today
    AND family_group.id > $5
ORDER BY 1 LIMIT $4
"""

_GROWN = """
UPDATE group_member SET kind = grown.kind
FROM (
    SELECT place.bucket, place.group_id, place.no,
           CASE WHEN place.turns_adult_on + make_interval(years => rule.adult) <= rule.today
                THEN 'adult'
                WHEN place.turns_adult_on + make_interval(years => rule.minor) <= rule.today
                THEN 'minor' ELSE 'infant' END AS kind
    FROM unnest($1::int4[], $2::int4[], $3::int4[], $4::date[]) AS rule (no, adult, minor, today)
    JOIN family_group ON family_group.rule_set_no = rule.no AND family_group.state <> 'closed'
    JOIN group_member AS place ON place.bucket = family_group.bucket
        AND place.group_id = family_group.id
    WHERE place.left_at IS NULL AND place.turns_adult_on IS NOT NULL
    ORDER BY 1, 2, 3) AS grown
WHERE group_member.bucket = grown.bucket AND group_member.group_id = grown.group_id
    AND group_member.no = grown.no AND group_member.kind <> grown.kind
"""


async def due(connection: Connection, book: Book, after: UUID) -> list[UUID]:
    """Return some groups, behind `after`, in which somebody has come to the age to leave at."""
    bounds = [one for one in _rule_sets(book) if one.rule_set.exits.at_age is not None]
    rows: list[asyncpg.Record] = await connection.fetch(
        _DUE,
        [one.rule_set_no for one in bounds],
        [(one.rule_set.exits.at_age or OF_AGE) - OF_AGE for one in bounds],
        [book.at.astimezone(one.zone).date() for one in bounds],
        GROUPS_AT_ONCE,
        after,
    )
    return [row["id"] for row in rows]


async def age_out(connection: Connection, group: UUID, book: Book) -> int:
    """Let those of a group leave who have come to its age; return how many.

    The head is not among them: a head is an adult, and hands over before it goes.
    """
    found = await gathering.lock(connection, group, book)
    if found.row.state is not GroupState.ACTIVE:
        return 0
    going = [place for place in found.places if _is_due(found, place)]
    if going:
        treatment = found.rules.exits.ageing_out
        await departing.depart(connection, found, going, treatment, Leaving.AGED_OUT)
    return len(going)


async def grow(connection: Connection, book: Book) -> int:
    """Let everybody who has grown up count as such in its group; return how many places changed."""
    bounds = _rule_sets(book)
    done: str = await connection.execute(
        _GROWN,
        [one.rule_set_no for one in bounds],
        [one.rule_set.group.adult_from - OF_AGE for one in bounds],
        [one.rule_set.group.infant_below - OF_AGE for one in bounds],
        [book.at.astimezone(one.zone).date() for one in bounds],
    )
    return int(done.rsplit(maxsplit=1)[-1])


def _is_due(group: OpenGroup, place: PlaceRow) -> bool:
    at_age = group.rules.exits.at_age
    if at_age is None or place.turns_adult_on is None or place.member_id == group.row.head:
        return False
    return birthday(place.turns_adult_on, at_age - OF_AGE) <= group.today


def _rule_sets(book: Book) -> Sequence[Bound]:
    """Return the version in force of every rule set."""
    numbers = sorted({one.rule_set_no for one in book.rules.versions})
    found = [book.rules.rule_set(no, book.at) for no in numbers]
    return [one for one in found if one is not None]
