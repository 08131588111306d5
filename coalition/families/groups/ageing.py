"""Growing up: who reaches the age at which its group ends for it leaves, everybody else counts on.

Run by the clock. Birth dates are sealed, so places of the young carry their eighteenth birthday;
the ages of rule sets are counted from there, each on the day of its own zone.
"""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from coalition.families.evaluator.windows import birthday
from coalition.families.groups import departing, gathering
from coalition.families.groups.gathering import OpenGroup
from coalition.families.kin.ages import OF_AGE
from coalition.families.kin.places import GroupState, Leaving, PlaceRow
from coalition.families.rule_sets.books import Bound
from coalition.families.rule_sets.vocabulary import Kind
from coalition.families.transfers.judging import Book
from coalition.kernel.database import Connection

GROUPS_AT_ONCE = 200

# A group being separated waits until that is settled. Of somebody born on 29 February the database
# may be a day early; whoever lets it leave looks again.
_DUE = """
SELECT DISTINCT family_group.id
FROM group_member
JOIN family_group ON family_group.bucket = group_member.bucket
    AND family_group.id = group_member.group_id
JOIN unnest($1::int4[], $2::date[]) AS rule (no, last) ON rule.no = family_group.rule_set_no
WHERE group_member.left_at IS NULL AND group_member.turns_adult_on <= $3
    AND group_member.turns_adult_on <= rule.last
    AND family_group.state = 'active' AND group_member.member_id <> family_group.head
    AND family_group.id > $4
ORDER BY 1 LIMIT $5
"""

_GROWN = """
UPDATE group_member SET kind = '{grown}'
FROM (
    SELECT place.bucket, place.group_id, place.no
    FROM group_member AS place
    JOIN family_group ON family_group.bucket = place.bucket AND family_group.id = place.group_id
    JOIN unnest($1::int4[], $2::date[]) AS rule (no, last) ON rule.no = family_group.rule_set_no
    WHERE place.left_at IS NULL AND place.kind = '{young}'
        AND place.turns_adult_on <= $3 AND place.turns_adult_on <= rule.last
    ORDER BY 1, 2, 3) AS grown
WHERE group_member.bucket = grown.bucket AND group_member.group_id = grown.group_id
    AND group_member.no = grown.no
"""


async def due(connection: Connection, book: Book, after: UUID) -> list[UUID]:
    """Return some groups, behind `after`, in which somebody has come to the age to leave at."""
    last = {
        one.rule_set_no: _last_day(one, one.rule_set.exits.at_age, book)
        for one in _rule_sets(book)
        if one.rule_set.exits.at_age is not None
    }
    if not last:
        return []
    days = list(last), list(last.values()), max(last.values())
    rows = await connection.fetch(_DUE, *days, after, GROUPS_AT_ONCE)
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
    changed = 0
    for young, grown in ((Kind.MINOR, Kind.ADULT), (Kind.INFANT, Kind.MINOR)):
        last = {one.rule_set_no: _grown_by(one, young, book) for one in _rule_sets(book)}
        if last:
            statement = _GROWN.format(young=young.value, grown=grown.value)
            days = list(last), list(last.values()), max(last.values())
            changed += int((await connection.execute(statement, *days)).split()[-1])
    return changed


def _grown_by(bound: Bound, young: Kind, book: Book) -> date:
    group = bound.rule_set.group
    age = group.infant_below if young is Kind.INFANT else group.adult_from
    return _last_day(bound, age, book)


def _last_day(bound: Bound, age: int | None, book: Book) -> date:
    """Return the last eighteenth birthday of who is of an age by now, in the zone of its rules."""
    today = book.at.astimezone(bound.zone).date()
    return birthday(today, OF_AGE - (age or 0))


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
