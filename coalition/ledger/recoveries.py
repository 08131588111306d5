"""Recoveries: points that pay for a debt, each a posting at the issuer whose points were spent.

It settles as if the member had spent the points at that issuer. Some are taken out of a later issue
in its own transaction, others by staff out of what the member has.
"""

from collections.abc import Collection, Sequence
from uuid import UUID

from coalition.kernel.database import Connection
from coalition.kernel.errors import Refused
from coalition.ledger import debts
from coalition.ledger.accounts import OUT_OF_LOT, Account, Kind
from coalition.ledger.debts import Debt, DebtChanges, Payment, chosen, pay_in_order
from coalition.ledger.drafts import Outcome, Paid, Recover, Recovered, Till
from coalition.ledger.journal import Journal
from coalition.ledger.lots import LotChanges
from coalition.ledger.refusals import NotEnoughPoints
from coalition.ledger.rules import Available, Owed, shares_of_debts, take_in_order
from coalition.ledger.spending import spendable


class Recoveries:
    """The open debts of some locked holders, and what of a batch pays for them."""

    def __init__(self, journal: Journal, owed: dict[UUID, list[Debt]]) -> None:
        """Let the debts `owed`, the oldest first, be paid by postings of `journal`."""
        self._journal = journal
        self._owed = owed
        self._changes = DebtChanges(journal.at)

    @classmethod
    async def of(
        cls, connection: Connection, journal: Journal, holders: Collection[UUID]
    ) -> "Recoveries":
        """Return what `holders`, which are locked, owe; for nobody nothing is asked."""
        return cls(journal, await debts.read_open(connection, holders) if holders else {})

    def open(self, holder: UUID, currency_no: int) -> list[Debt]:
        """Return what `holder` owes in a point currency, the oldest first."""
        return [debt for debt in self._owed.get(holder, ()) if debt.currency_no == currency_no]

    def shares_of_issue(
        self, holder: UUID, currency_no: int, points: int, *, most: int
    ) -> list[Payment]:
        """Return what an issue of `points`, of which `most` can be taken, pays of each debt."""
        owed = self.open(holder, currency_no)
        wanted = [Owed(debt.points, debt.recover_percent) for debt in owed]
        shares = shares_of_debts(points, wanted, most=most)
        return [Payment(debt, part) for debt, part in zip(owed, shares, strict=True) if part]

    def pay(
        self,
        payments: Sequence[Payment],
        available: list[Available],
        changes: LotChanges,
        reason: str | None = None,
    ) -> tuple[Recovered, ...]:
        """Post `payments`, which `available` points in spending order cover."""
        return tuple(self._pay_one(*payment, available, changes, reason) for payment in payments)

    async def write(self, connection: Connection) -> None:
        """Write what became of the debts."""
        await self._changes.write(connection)

    def _pay_one(
        self,
        debt: Debt,
        points: int,
        available: list[Available],
        changes: LotChanges,
        reason: str | None,
    ) -> Recovered:
        journal = self._journal
        taken = take_in_order(points, available)
        assert taken is not None, "a payment is checked against what there is before it is made"
        for lot, part in taken:
            changes.take_out(lot, debt.holder, points=part)
        posting = journal.add(
            kind=Kind.RECOVERY,
            holder=debt.holder,
            till=Till(debt.issuer_no, None, None, None, journal.today, journal.at),
            currency_no=debt.currency_no,
            direction=OUT_OF_LOT,
            legs=[(lot, part, None) for lot, part in taken],
            account=Account.RECOVERED,
            linked=debt.posting,
            reason=reason,
        )
        self._changes.recover(debt, points, posting)
        left = debt._replace(points=debt.points - points)
        mine = self._owed[debt.holder]
        position = mine.index(debt)
        mine[position : position + 1] = [left] if left.points else []
        return Recovered(posting, debt.posting, debt.issuer_no, points)


async def recover(
    connection: Connection, journal: Journal, drafts: Sequence[Recover]
) -> list[Outcome]:
    """Post `drafts`, whose holders are locked, one after the other: staff are in no hurry."""
    return [await _recover(connection, journal, draft) for draft in drafts]


async def _recover(connection: Connection, journal: Journal, draft: Recover) -> Outcome:
    holder, currency_no = draft.holder, draft.currency_no
    recoveries = await Recoveries.of(connection, journal, {holder})
    owed = chosen(recoveries.open(holder, currency_no), issue=draft.issue, points=draft.points)
    if isinstance(owed, Refused):
        return owed
    wanted = draft.points or sum(debt.points for debt in owed)
    found = await spendable(connection, journal, {holder: wanted}, currency_no)
    available = found[holder]
    balance = sum(one.points for one in available)
    if balance < (draft.points or 1):
        return NotEnoughPoints(
            f"{wanted} points are owed and fewer can be spent; ask for at most the balance",
            points=wanted,
            balance=balance,
        )
    changes = LotChanges()
    wanted = min(wanted, balance)
    recovered = recoveries.pay(pay_in_order(owed, wanted), available, changes, draft.reason)
    await changes.write(connection)
    await recoveries.write(connection)
    return Paid(holder, wanted, recovered)
