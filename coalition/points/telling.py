"""Says to members, in words, which of their points will end: one message a day."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

from coalition.federation.catalogue import Catalogue
from coalition.kernel.database import Connection
from coalition.kernel.ids import MemberId
from coalition.ledger.endings import Notice
from coalition.members import queries
from coalition.messages import saying, tongues
from coalition.messages.saying import Saying, Words
from coalition.messages.wording import LANGUAGES, Wording
from coalition.points.words import WORDS

LINES_MOST = 50
"""So many ends a message names, the next first; more come only after weeks without a run."""

MEMBERS_AT_ONCE = 1000

PATH = "/wallet"

Languages = Callable[[Connection, Sequence[MemberId]], Awaitable[Mapping[MemberId, str]]]
"""In which of our languages members are spoken to of whom packages above know it."""


class Heard(NamedTuple):
    """Who is told: a member of its own points, or of those that it brought to a pool."""

    member: MemberId
    pool: UUID | None


class Ends(NamedTuple):
    """How many points of a currency end on a day."""

    day: date
    currency_no: int
    points: int


async def tell(
    connection: Connection,
    notices: Sequence[Notice],
    known: Catalogue,
    *,
    languages: Languages,
    at: datetime,
    before: int = 0,
) -> int:
    """Tell members of `notices`, each in its language; return how many messages there are.

    Of whom `languages` says nothing is spoken to in the coalition's.

    `before` says how many have their turn before them.

    Once on a day, however often it is asked. A member is told of all that it holds; of what lies in
    a pool, which is no member, whoever brought it. Frozen members are told, since their points end
    all the same. Nobody is told who was merged, has left or is forgotten.
    """
    ids = {one.holder for one in notices} | {one.contributor for one in notices}
    members = await queries.keep_members(connection, ids)
    heard = by_listener(notices, members)
    spoken = await languages(connection, sorted({one.member for one in heard}))
    wordings = {one: Wording(one, WORDS[one], known.zone) for one in LANGUAGES}
    today = at.astimezone(known.zone).date()
    made = 0
    # Some at a time, since words take a while to make and others of this process wait.
    listeners = list(heard.items())
    for first in range(0, len(listeners), MEMBERS_AT_ONCE):
        sayings = [
            _saying(one, ends, wordings[spoken.get(one.member, known.language)], known, today)
            for one, ends in listeners[first : first + MEMBERS_AT_ONCE]
        ]
        made += await saying.say_all(connection, sayings, at=at, before=before + first)
    return made


async def chosen(connection: Connection, members: Sequence[MemberId]) -> Mapping[MemberId, str]:
    """Return the languages that members have chosen."""
    return await tongues.chosen_by(connection, members)


def by_listener(notices: Iterable[Notice], members: set[MemberId]) -> dict[Heard, list[Ends]]:
    """Return what ends for each who is told, the next first; `members` are those who may be told.

    The same points with two notice days count once.
    """
    found: dict[Heard, dict[tuple[date, int], dict[tuple[UUID, int], int]]] = {}
    for one in notices:
        if one.holder in members:
            listener = Heard(MemberId(one.holder), None)
        elif one.contributor in members:
            listener = Heard(MemberId(one.contributor), one.holder)
        else:
            continue
        ends = found.setdefault(listener, defaultdict(dict))
        ends[one.day, one.currency_no][one.contributor, one.contract_no] = one.points
    return {
        listener: [Ends(*key, sum(parts.values())) for key, parts in sorted(ends.items())]
        for listener, ends in found.items()
    }


def _saying(
    listener: Heard, ends: Sequence[Ends], wording: Wording, known: Catalogue, today: date
) -> Saying:
    is_shared = listener.pool is not None
    name = "ending_shared" if is_shared else "ending"
    key = f"points.ending:{today.isoformat()}" + (f":{listener.pool}" if is_shared else "")
    return Saying(listener.member, key, f"points_{name}", worded(name, ends, wording, known))


def worded(name: str, ends: Sequence[Ends], wording: Wording, known: Catalogue) -> Words:
    """Return what is said of `ends`, of which there is one at least; pure."""
    first, form = ends[0], "subject_several"
    if len(ends) == 1:
        form = "subject_one" if first.points == 1 else "subject"
    lines = [
        wording.say("ending.line", points=_points(one, wording, known), day=wording.day(one.day))
        for one in ends[:LINES_MOST]
    ]
    if len(ends) > LINES_MOST:
        lines.append(wording.say("ending.more", day=wording.day(ends[LINES_MOST - 1].day)))
    facts = {"points": _points(first, wording, known), "day": wording.day(first.day)}
    return Words(
        language=wording.language,
        subject=wording.say(f"{name}.{form}", **facts)[: saying.SUBJECT_MOST],
        body=wording.say(f"{name}.body", lines="\n".join(lines)),
        path=PATH,
    )


def _points(ends: Ends, wording: Wording, known: Catalogue) -> str:
    number = wording.number(ends.points)
    if ends.currency_no != known.coalition.point_currency_no:
        return f"{number} {known.currency_by_no(ends.currency_no).name}"
    return wording.say("point" if ends.points == 1 else "points", number=number)
