"""Money of prepaid partners that this process may spend, so that nobody issues beyond what is paid.

A process leases some of what a partner has left, spends it in memory, and writes with each batch of
postings what they cost at most. The lease's row holds that too: what a process that was killed had
not spent is free again when its lease ends, to the cent. See docs/adr/0034. Partners without
prepaid money cost nothing here.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple, TypeVar
from uuid import UUID

from coalition.kernel.clock import Clock
from coalition.kernel.database import Connection, transaction
from coalition.kernel.database.transactions import is_outage, is_passing
from coalition.kernel.ids import random_id
from coalition.kernel.money import exponent
from coalition.ledger import posting

LEASED_FOR = timedelta(seconds=30)
"""How long a lease lasts; what is left of it then is free for others again."""

PART = 16
"""A process takes a sixteenth of what is left, or what it needs now if that is more."""

_DRY_FOR = timedelta(seconds=1)
"""For how long a process does not ask again where there was not enough."""

Result = TypeVar("Result")

_LOCK = """
SELECT true FROM partner_limit WHERE partner_no = $1 AND currency = $2 FOR NO KEY UPDATE
"""

# One statement, one snapshot: a posting moves its cost from a lease to what is not drained, a drain
# moves it into the balance, and either is seen whole or not at all.
HEADROOM = """
SELECT (SELECT coalesce(sum(amount), 0) FROM (
            SELECT amount FROM money_balance WHERE partner_no = $1 AND currency = $2
            UNION ALL
            SELECT amount FROM money_delta WHERE partner_no = $1 AND currency = $2
        ) AS posted) AS owed,
       (SELECT coalesce(sum(amount_minor), 0)::int8 FROM prepaid_spend AS spend
        WHERE partner_no = $1 AND EXISTS (
            SELECT FROM generate_series(0, 15) AS number
            JOIN settlement_queue AS queue ON queue.shard = number AND queue.batch = spend.batch
        )) AS undrained,
       (SELECT coalesce(sum(amount_minor - used_minor), 0)::int8 FROM prepaid_lease
        WHERE partner_no = $1) AS leased
"""

_EXTEND = """
UPDATE prepaid_lease SET amount_minor = amount_minor + $2 WHERE id = $1 RETURNING true
"""

_TAKE = """
INSERT INTO prepaid_lease (id, partner_no, amount_minor, expires_at) VALUES ($1, $2, $3, $4)
"""

# Locked in the order of ids. A lease that has ended, or that others spent, is missing from the
# answer.
_SPEND = """
WITH given AS MATERIALIZED (
    SELECT * FROM unnest($2::uuid[], $3::int4[], $4::int8[]) AS one (lease, partner_no, cost)
), held AS MATERIALIZED (
    SELECT id FROM prepaid_lease WHERE id = ANY ($2::uuid[]) ORDER BY id FOR NO KEY UPDATE
), used AS (
    UPDATE prepaid_lease SET used_minor = used_minor + given.cost
    FROM given, held
    WHERE prepaid_lease.id = given.lease AND held.id = given.lease
      AND used_minor + given.cost <= amount_minor
    RETURNING given.lease, given.partner_no, given.cost
), noted AS (
    INSERT INTO prepaid_spend (partner_no, batch, amount_minor)
    SELECT partner_no, $1, sum(cost) FROM used GROUP BY partner_no
)
SELECT lease FROM used
"""

_RETURN = "DELETE FROM prepaid_lease WHERE id = ANY ($1::uuid[])"


class Cost(NamedTuple):
    """What an issue may cost its partner at most."""

    partner_no: int
    currency: str
    minor: int


class HeadroomNeededError(Exception):
    """Money has to be leased first; `Leases.covered` does so and tries again."""

    def __init__(self, wanted: Sequence[Cost], version: int) -> None:
        """Say how much of whose, under which version of the terms."""
        super().__init__("money has to be leased first")
        self.wanted = wanted
        self.version = version


@dataclass(slots=True)
class _Lease:
    """A lease as this process knows it; what is left here is never more than its row has."""

    id: UUID
    left_minor: int
    expires_at: datetime


class Taken(NamedTuple):
    """A cost, and the lease out of which it was taken."""

    lease: UUID
    cost: Cost


_SESSION: ContextVar[list[Taken] | None] = ContextVar("_SESSION", default=None)
"""What the transaction of this task has taken so far."""


class Leases:
    """The leases of one process."""

    def __init__(self, clock: Clock) -> None:
        """Begin without any; times are read from `clock`."""
        self._clock = clock
        self._held: dict[int, _Lease] = {}
        self._dry: dict[int, tuple[int, datetime]] = {}
        self._leasing = asyncio.Lock()

    async def covered(self, attempt: Callable[[], Awaitable[Result]]) -> Result:
        """Return what `attempt`, one transaction, returns; lease what it lacks and begin it again.

        When it fails, what it had taken is put back: nothing was committed.
        """
        while True:
            session: list[Taken] = []
            token = _SESSION.set(session)
            try:
                return await attempt()
            except HeadroomNeededError as needed:
                self.put_back(session)
                lacking = needed
            except BaseException:
                self.put_back(session)
                raise
            finally:
                _SESSION.reset(token)
            for cost in lacking.wanted:
                await self._lease(cost, lacking.version)

    def reserve(self, version: int) -> "Reserved":
        """Return an empty reservation for one batch of postings under the terms of a version."""
        return Reserved(self, version)

    async def finish(self) -> None:
        """Give everything back; for a process that posts nothing more.

        Without a database the leases end by themselves.
        """
        identifiers = [lease.id for lease in self._held.values()]
        self._held.clear()
        if not identifiers:
            return
        try:
            async with transaction(posting.PINNED, role=posting.POSTER_ROLE) as connection:
                await connection.execute(_RETURN, identifiers)
        except Exception as error:
            if not (is_passing(error) or is_outage(error)):
                raise

    def take(self, cost: Cost) -> Taken | None:
        """Take a cost out of the partner's lease, in memory; None where it does not cover it."""
        lease = self._lease_of(cost.partner_no)
        if lease is None or lease.left_minor < cost.minor:
            return None
        lease.left_minor -= cost.minor
        return Taken(lease.id, cost)

    def put_back(self, taken: Iterable[Taken]) -> None:
        """Put back what was not spent, unless its lease has ended meanwhile."""
        for identifier, cost in taken:
            lease = self._held.get(cost.partner_no)
            if lease is not None and lease.id == identifier:
                lease.left_minor += cost.minor

    def left(self, partner_no: int) -> int:
        """Return what is left of the partner's lease in minor units."""
        lease = self._lease_of(partner_no)
        return 0 if lease is None else lease.left_minor

    def _lease_of(self, partner_no: int) -> _Lease | None:
        lease = self._held.get(partner_no)
        if lease is not None and lease.expires_at <= self._clock.now():
            del self._held[partner_no]
            return None
        return lease

    def forget(self, identifiers: Collection[UUID]) -> None:
        """Use these leases no more: their rows are gone, or hold less than was thought."""
        for partner_no, lease in list(self._held.items()):
            if lease.id in identifiers:
                del self._held[partner_no]

    def is_dry(self, partner_no: int, version: int) -> bool:
        """Tell whether there was not enough a moment ago, and nothing is known to have changed."""
        known, until = self._dry.get(partner_no, (None, None))
        return known == version and until is not None and self._clock.now() < until

    async def _lease(self, wanted: Cost, version: int) -> None:
        """Lease what is lacking of `wanted`, or what there is, in a transaction of its own."""
        async with self._leasing:
            lacking = wanted.minor - self.left(wanted.partner_no)
            if lacking <= 0:
                return  # another batch has leased meanwhile
            async with transaction(posting.PINNED, role=posting.POSTER_ROLE) as connection:
                granted = await _granted(connection, wanted, lacking)
                lease = await self._write(connection, wanted.partner_no, granted)
            self._note(wanted.partner_no, lease)
            if granted < lacking:
                until = self._clock.now() + _DRY_FOR
                self._dry[wanted.partner_no] = version, until

    async def _write(self, connection: Connection, partner_no: int, granted: int) -> _Lease | None:
        """Extend the partner's lease by what is granted; return that, or a new lease of it."""
        if not granted:
            return None
        held = self._lease_of(partner_no)
        if held is not None and await connection.fetchval(_EXTEND, held.id, granted):
            return _Lease(held.id, granted, held.expires_at)
        made = _Lease(random_id(), granted, self._clock.now() + LEASED_FOR)
        await connection.execute(_TAKE, made.id, partner_no, granted, made.expires_at)
        return made

    def _note(self, partner_no: int, leased: _Lease | None) -> None:
        """Have what was leased in hand, now that it is committed."""
        if leased is None:
            return
        held = self._held.get(partner_no)
        if held is not None and held.id == leased.id:
            held.left_minor += leased.left_minor
        else:
            self._held[partner_no] = leased


async def _granted(connection: Connection, wanted: Cost, lacking: int) -> int:
    """Return how much may be leased, under a lock that lets one process ask at a time."""
    if await connection.fetchrow(_LOCK, wanted.partner_no, wanted.currency) is None:
        return 0  # nothing was ever paid in
    left = await headroom(connection, wanted.partner_no, wanted.currency)
    return max(0, min(left, max(lacking, left // PART)))


async def headroom(connection: Connection, partner_no: int, currency: str) -> int:
    """Return what a partner has left in minor units: its credit less what is spent and leased."""
    owed, undrained, leased = await connection.fetchrow(HEADROOM, partner_no, currency)
    credit = math.floor(-owed * 10 ** exponent(currency))
    return int(credit - undrained - leased)


class Reserved:
    """What the issues of one batch cost at most, taken out of leases before they are posted."""

    def __init__(self, leases: Leases, version: int) -> None:
        """Begin with nothing."""
        self._leases = leases
        self._version = version
        self._taken: dict[int, Taken] = {}
        session = _SESSION.get()
        self._session = [] if session is None else session

    def take(self, costs: Mapping[int, Cost]) -> dict[int, int]:
        """Take the costs of the issues at some positions, in their order.

        Returns what is left, in minor units, for each position whose cost it does not cover. Raises
        `HeadroomNeededError` where more may be leased.
        """
        lacking: dict[int, int] = {}
        needed: list[Cost] = []
        for position, cost in sorted(costs.items()):
            taken = self._leases.take(cost)
            if taken is not None:
                self._taken[position] = taken
                self._session.append(taken)
            elif self._leases.is_dry(cost.partner_no, self._version):
                lacking[position] = self._leases.left(cost.partner_no)
            else:
                needed.append(cost)
        if needed:
            raise HeadroomNeededError(self._all_of(needed), self._version)
        return lacking

    async def spend(self, connection: Connection, batch: UUID, posted: Collection[int]) -> None:
        """Write down, with the postings of `batch`, what those at the positions `posted` cost.

        The rest is put back. Raises `HeadroomNeededError` where a lease has ended meanwhile.
        """
        for position in [position for position in self._taken if position not in posted]:
            taken = self._taken.pop(position)
            self._session.remove(taken)
            self._leases.put_back([taken])
        if not self._taken:
            return
        costs: dict[tuple[UUID, int], int] = {}
        for lease, cost in self._taken.values():
            costs[lease, cost.partner_no] = costs.get((lease, cost.partner_no), 0) + cost.minor
        rows = [(lease, partner_no, minor) for (lease, partner_no), minor in costs.items()]
        columns = zip(*rows, strict=True)
        written = {row[0] for row in await connection.fetch(_SPEND, batch, *columns)}
        lost = {lease for lease, _ in costs if lease not in written}
        if lost:
            self._leases.forget(lost)
            # All of it is among what was taken, so nothing is needed beside.
            wanted = {
                cost._replace(minor=0) for lease, cost in self._taken.values() if lease in lost
            }
            raise HeadroomNeededError(self._all_of(wanted), self._version)

    def give_back(self) -> None:
        """Put everything back: what it was taken for is not posted."""
        for taken in self._taken.values():
            self._session.remove(taken)
        self._leases.put_back(self._taken.values())
        self._taken.clear()

    def _all_of(self, needed: Iterable[Cost]) -> list[Cost]:
        """Return by partner what is needed with what this transaction had taken and takes again."""
        sums: dict[tuple[int, str], int] = {}
        for cost in needed:
            sums[cost[:2]] = sums.get(cost[:2], 0) + cost.minor
        for _, cost in self._session:
            if cost[:2] in sums:
                sums[cost[:2]] += cost.minor
        return [Cost(*key, minor) for key, minor in sums.items()]
