"""A small coalition for the tests of points: a grocer and a fuel chain, tills and customers."""

import itertools
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec

from coalition.federation import service
from coalition.federation.terms import ContractTerms
from coalition.kernel.clock import FixedClock
from coalition.kernel.errors import Refused
from coalition.kernel.idempotency import Answer, Claim
from coalition.kernel.web.decoding import Media
from coalition.members import service as members
from coalition.members.personal import Enrolment
from coalition.members.sealing import MemberKeys
from coalition.points import earning
from coalition.points.commands import Asked, Command
from coalition.points.till import Request, Tills

ACTOR = "staff:test"
KEYS = MemberKeys(blind_index_key=b"i" * 32, master_key=b"m" * 32)
TERMS = ContractTerms(
    currency="SEK",
    issue_price=Decimal("0.01"),
    redemption_price=Decimal("0.10"),
    expiry_months=12,
)

_numbers = itertools.count(1)


class World:
    """A coalition with two partners whose purchases earn a point per krona."""

    def __init__(self, *, grocer: int, fuel: int, clock: FixedClock) -> None:
        self.grocer = grocer
        self.fuel = fuel
        self.clock = clock
        self.tills = self.more_tills()

    def more_tills(self) -> Tills:
        """Return what another process would have."""
        return Tills(card_key=KEYS.blind_index_key, clock=self.clock)

    @property
    def at(self) -> datetime:
        return self.clock.now()

    async def member(self, card: str | None = None) -> UUID:
        """Return a new member with `card`, enrolled at the grocer."""
        wanted = Enrolment(card=card or f"card{next(_numbers)}")
        enrolled = await members.enrol(wanted, partner_no=self.grocer, keys=KEYS, at=self.at)
        return enrolled.member_id

    def asked(
        self, command: Command, partner_no: int | None = None, target: UUID | None = None
    ) -> Asked:
        return Asked(partner_no or self.grocer, 7, None, command, target)

    async def ask(
        self,
        command: Command,
        *,
        partner_no: int | None = None,
        target: UUID | None = None,
        key: str | None = None,
        tills: Tills | None = None,
    ) -> Any:
        """Send a request as JSON; return what the answer says, or the refusal."""
        request = self.request(command, partner_no=partner_no, target=target, key=key)
        try:
            answer = await (tills or self.tills).post(request)
        except Refused as refusal:
            return refusal
        return msgspec.json.decode(answer.body)

    def request(
        self,
        command: Command,
        *,
        partner_no: int | None = None,
        target: UUID | None = None,
        key: str | None = None,
    ) -> Request:
        """Return a request under `key`, or under a key of its own."""
        claim = Claim.of(7, key or f"key-{next(_numbers)}", "/", msgspec.json.encode(command))
        return Request(self.asked(command, partner_no, target), claim, Media.JSON)


async def make_world(at: datetime, *, terms: ContractTerms = TERMS) -> World:
    """Make the coalition with its partners, contracts from 400 days back and earning rules."""
    await service.create_coalition(name="Norr", timezone="Europe/Stockholm", actor=ACTOR, at=at)
    numbers = []
    since = at - timedelta(days=500)
    for name in ("Grocer", "Fuel"):
        made = await service.create_partner(
            name=name, terms=terms, actor=ACTOR, at=at, valid_from=since.date()
        )
        no = made.partner.no
        await earning.agree(
            partner_no=no,
            currency="SEK",
            points=1,
            per_minor=100,
            valid_from=since,
            actor=ACTOR,
            at=at,
        )
        numbers.append(no)
    return World(grocer=numbers[0], fuel=numbers[1], clock=FixedClock(at))


def receipt() -> str:
    """Return a receipt number that no other test uses."""
    return f"receipt-{next(_numbers)}"


def day(text: str) -> date:
    return date.fromisoformat(text)


def answered(answer: Answer | Refused) -> Any:
    """Return what an answer says as JSON."""
    assert isinstance(answer, Answer), answer
    return msgspec.json.decode(answer.body)
