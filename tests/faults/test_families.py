"""Two services serve members at once: no cap is passed, no point lost or made, whatever is killed.

Everybody sends, brings in, spends and joins at the same time against the same caps, pools and
balances. How many succeed is known beforehand, for each cap is the first to run out.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

import httpx
import pytest

from coalition.access.sign_in import claims_of
from coalition.access.signing_keys import active_signing_key
from coalition.kernel import embedded_postgres
from coalition.kernel.clock import SystemClock
from coalition.kernel.database import transaction
from coalition.kernel.settings import Settings
from tests.families.groups.world import account
from tests.families.registered import activated, bound, written
from tests.faults.houses import House
from tests.faults.processes import ServiceProcess
from tests.faults.tills import Act, Till, token_of

pytestmark = pytest.mark.slow

TRIES = 16
EACH, SENT_AT_MOST = 50, 500
BROUGHT_EACH, BROUGHT_AT_MOST = 20, 100
SPENT_EACH, SPENT_AT_MOST = 20, 150
START = 1000
REFUSED = {"transfer_refused", "group_refused"}


class Phone(Till):
    """A member's app, or a till, that tries one service after the other."""

    def __init__(self, services: Iterable[httpx.AsyncClient], token: str) -> None:
        """Speak with `token` to whichever answers."""
        self._tills = [Till(http, token) for http in services]
        self._turn = 0

    async def send(self, act: Act) -> httpx.Response | str:
        """Send `act` once, to the next service."""
        self._turn += 1
        return await self._tills[self._turn % len(self._tills)].send(act)


@dataclass
class Street:
    """Members with apps, a till, and two families: the first has a member more than the other."""

    members: list[str]
    apps: list[Phone]
    till: Phone
    families: list[str]

    async def do(self, who: Phone, what: str, address: str, **body: object) -> Act:
        """Let somebody do something until it is answered."""
        return await who.do(Act(what, 0, 0, address, body, key=what))

    async def crowd(self) -> list[Act]:
        """Let all send, bring in, spend and join at once; return what came of it, by kind."""
        acts = []
        now = SystemClock().now().isoformat()
        for number in range(TRIES):
            acts += [
                self.do(
                    self.apps[2], f"send {number}", "/v1/transfers", to=self.members[3], points=EACH
                ),
                self._bring(0, number),
                self._bring(1, number),
                self.do(
                    self.till,
                    f"spend {number}",
                    "/v1/points/redeem",
                    member_id=self.members[number % 2],
                    receipt=f"spend {number}",
                    occurred_at=now,
                    points=SPENT_EACH,
                ),
            ]
        acts += [self._join(family) for family in self.families]
        return await asyncio.gather(*acts)

    async def _bring(self, member: int, number: int) -> Act:
        address = f"/v1/families/{self.families[0]}/contributions"
        what = f"bring {member} {number}"
        return await self.do(self.apps[member], what, address, points=BROUGHT_EACH)

    async def _join(self, family: str) -> Act:
        head = self.apps[0 if family == self.families[0] else 2]
        address = f"/v1/families/{family}/invitations"
        invited = await self.do(
            head, f"invite {family}", address, member_id=self.members[3], role="friend"
        )
        address = f"/v1/invitations/{invited.document['invitation_id']}/accept"
        return await self.do(self.apps[3], f"join {family}", address)


async def test_a_crowd_at_two_services_never_passes_a_cap(house: House) -> None:
    async with _two_services(house) as services, _street(house, services) as street:
        await _check(house, street, await street.crowd())


async def test_a_service_that_is_killed_leaves_nothing_half_done(house: House) -> None:
    async with _two_services(house) as services, _street(house, services) as street:

        async def kill() -> None:
            await asyncio.sleep(0.05)
            await asyncio.to_thread(services[1].kill)
            await asyncio.to_thread(services[1].start)

        acts, _ = await asyncio.gather(street.crowd(), kill())
        unknown = sum(len(act.unknown) for act in acts)
        print(f"{len(acts)} acts, {unknown} unknown outcomes")  # noqa: T201 - to know what was hit
        await _check(house, street, acts)
        for act in acts:
            if act.is_done and act.kind.startswith(("send", "bring", "spend")):
                who = street.till if act.kind.startswith("spend") else street.apps[_actor(act)]
                await who.check_equal_answer(act)
        await _check(house, street, acts)


def _actor(act: Act) -> int:
    return 2 if act.kind.startswith("send") else int(act.kind.split()[1])


async def _check(house: House, street: Street, acts: list[Act]) -> None:
    assert {act.code for act in acts if not act.is_done} <= REFUSED, acts
    assert _done(acts, "send") == SENT_AT_MOST // EACH
    for member in (0, 1):
        assert _done(acts, f"bring {member}") == BROUGHT_AT_MOST // BROUGHT_EACH
    assert _done(acts, "spend") == SPENT_AT_MOST // SPENT_EACH
    assert _done(acts, "join") == 1, "a member belongs to one family at a time"
    await house.check_books()
    async with transaction() as connection:
        places = await connection.fetchval(
            "SELECT count(*) FROM group_of_member WHERE member_id = $1 AND left_at IS NULL",
            UUID(street.members[3]),
        )
        left = await connection.fetchval("SELECT sum(points_in - points_out - held) FROM lot")
    assert places == 1
    assert left == START * len(street.members) - _done(acts, "spend") * SPENT_EACH


def _done(acts: list[Act], kind: str) -> int:
    return sum(act.is_done for act in acts if act.kind.startswith(f"{kind} "))


@asynccontextmanager
async def _two_services(house: House) -> AsyncIterator[list[ServiceProcess]]:
    """Run two services on the house's database."""
    with embedded_postgres.start(house.data) as server:
        services = [
            ServiceProcess(
                ["--database-url", server.url],
                house.service.log.with_name(f"service{number}.log"),
                environ=_environ(house),
            )
            for number in range(2)
        ]
        try:
            for service in services:
                await asyncio.to_thread(service.start)
            yield services
        finally:
            for service in services:
                await asyncio.to_thread(service.close)


@asynccontextmanager
async def _street(house: House, services: list[ServiceProcess]) -> AsyncIterator[Street]:
    """Give members points, rules and two families."""
    at = SystemClock().now()
    settings = Settings.load(_environ(house), database_url="the one of the house")
    clients = [httpx.AsyncClient(base_url=one.url, timeout=30) for one in services]
    async with house.books(), clients[0], clients[1]:
        await _rules()
        async with transaction() as connection:
            key = await active_signing_key(connection, master_key=settings.master_key, at=at)

        def phone(token: str) -> Phone:
            return Phone(clients, token)

        apps = [
            phone(key.sign(claims_of(UUID(member), issuer=settings.issuer, at=at)))
            for member in house.members
        ]
        till = phone(await token_of(services[0].url, house.clients[0]))
        street = Street(house.members, apps, till, [])
        for number, member in enumerate(house.members):
            earned = await street.do(
                till,
                f"earn {number}",
                "/v1/points/issue",
                member_id=member,
                receipt=f"earn {number}",
                occurred_at=at.isoformat(),
                points=START,
            )
            assert earned.is_done, earned.answer
        for head in (0, 2):
            formed = await street.do(apps[head], f"form {head}", "/v1/families", kind="home")
            assert formed.is_done, formed.answer
            street.families.append(formed.document["group_id"])
        await _let_in(street)
        yield street


async def _let_in(street: Street) -> None:
    """Let the second member join the first family, and bring in what is to be spent."""
    address = f"/v1/families/{street.families[0]}"
    invited = await street.do(
        street.apps[0],
        "invite 1",
        f"{address}/invitations",
        member_id=street.members[1],
        role="spouse",
    )
    assert invited.is_done, invited.answer
    accept = f"/v1/invitations/{invited.document['invitation_id']}/accept"
    joined = await street.do(street.apps[1], "accept 1", accept)
    assert joined.is_done, joined.answer


async def _rules() -> None:
    at = SystemClock().now()
    life = {"window": "lifetime", "measure": "amount"}
    sending = written(limits=[{**life, "subject": "sender", "max": SENT_AT_MOST}])
    home = account(
        group={"groups_per_member": 1},
        contribution={"manual": True},
        debit={"order": "proportional"},
        limits=[
            {**life, "subject": "member", "on": "contribute", "max": BROUGHT_AT_MOST},
            {**life, "subject": "group", "on": "redeem", "max": SPENT_AT_MOST},
        ],
    )
    for kind, rules in (("p2p", sending), ("home", home)):
        await activated(kind, rules, at)
        await bound(kind, kind, at)


def _environ(house: House) -> dict[str, str]:
    return {
        "COALITION_BLIND_INDEX_KEY": (house.data / "blind_index_key").read_text(),
        "COALITION_MASTER_KEY": (house.data / "master_key").read_text(),
        "COALITION_ISSUER": "http://127.0.0.1:8000",
    }
