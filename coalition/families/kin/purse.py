"""What an act in groups costs in money, gathered while it is tried."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from coalition.families.rule_sets.notation import Money


class MoneyDue(NamedTuple):
    """A fee in money that an act asks for: in which group, of whom, and how long it may wait."""

    group: UUID
    payer: UUID
    on: str
    money: Money
    until: datetime


class Purse:
    """The fees in money of one act; once they are paid, nothing more is gathered."""

    def __init__(self, *, is_paid: bool = False) -> None:
        """Begin empty; `is_paid` when the act goes on because its fee was paid."""
        self.is_paid = is_paid
        self.due: list[MoneyDue] = []

    def add(self, due: MoneyDue) -> None:
        """Gather a fee."""
        if not self.is_paid:
            self.due.append(due)
