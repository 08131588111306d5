"""Tells a member something of its membership, in the transaction of the fact."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from billing.plans.countries import Countries
from billing.subscriptions.telling.tongue import wording_for
from coalition.kernel.database import Connection
from coalition.kernel.ids import MemberId
from coalition.kernel.money import Money
from coalition.messages import saying
from coalition.messages.saying import SUBJECT_MOST, Words
from coalition.messages.wording import Wording

OWN = "/membership"
"""The page of the own membership, where most of what is told goes on."""


class Each(NamedTuple):
    """A price for each month or year."""

    money: Money
    interval: str


class Moment(NamedTuple):
    """An instant that is told with its time of day; others are told as days."""

    at: datetime


class Part(NamedTuple):
    """Words of their own with their own facts, such as a line that only some are told."""

    key: str
    facts: "Mapping[str, Fact]"


Fact = Money | Each | Moment | Part | datetime | int | str


async def tell(
    connection: Connection,
    member: MemberId,
    kind: str,
    about: UUID | str,
    *,
    at: datetime,
    countries: Countries | None = None,
    like: MemberId | None = None,
    path: str | None = OWN,
    facts: Mapping[str, Fact],
) -> UUID | None:
    """Tell a member, once of each kind and what it is about; return the message's id.

    None where it was told before, or nobody is there to be told. See `saying.say`.
    """
    wording = await wording_for(connection, member, countries=countries, like=like)
    return await saying.say(
        connection,
        worded(wording, kind, facts, path=path),
        member=member,
        key=f"membership.{kind}:{about}",
        kind=kind,
        at=at,
    )


def worded(
    wording: Wording, kind: str, facts: Mapping[str, Fact], *, path: str | None = OWN
) -> Words:
    """Return what is told of one kind with its facts put in; pure."""
    shown = {name: _shown(wording, fact) for name, fact in facts.items()}
    body = wording.say(f"{kind}.body", **shown)
    return Words(
        language=wording.language,
        subject=wording.say(f"{kind}.subject", **shown)[:SUBJECT_MOST],
        # A line that is not told leaves no gap.
        body="\n\n".join(part.strip() for part in body.split("\n\n") if part.strip()),
        path=path,
    )


def _shown(wording: Wording, fact: Fact) -> str:
    match fact:
        case Money():
            return wording.money(fact)
        case Each(money, interval):
            return wording.say(f"each.{interval}", price=wording.money(money))
        case Moment(at):
            return wording.instant(at)
        case Part(key, facts):
            return wording.say(key, **{name: _shown(wording, one) for name, one in facts.items()})
        case datetime():
            return wording.day(fact)
        case _:
            return str(fact)
