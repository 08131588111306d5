"""A coalition that settles: partners with real contracts, a member's points, months that close."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from coalition.federation import catalogue, service
from coalition.federation.catalogue import Catalogue
from coalition.federation.terms import ContractTerms, Vat
from coalition.kernel.database import transaction
from coalition.ledger import money
from coalition.ledger.drafts import Draft, Grant, Issue, Posted, Redeem, Reverse, Till
from coalition.ledger.money import MoneyAccount
from coalition.ledger.provenance import Provenance
from partners.settlement import adjusting, closing, sealing, statements
from partners.settlement.adjusting import Adjusted, OfLine
from partners.settlement.closing import Closed
from partners.settlement.kinds import OPERATOR
from partners.settlement.rules import Line
from partners.settlement.statements import Live, Statement
from tests.support.ledger import open_holder, post

ANNA, BO = "staff:anna", "staff:bo"
"""Who prepares and who approves."""

BEGINNING = datetime(2026, 9, 1, tzinfo=UTC)
OCTOBER = datetime(2026, 10, 5, 10, tzinfo=UTC)
NOVEMBER = datetime(2026, 11, 5, 10, tzinfo=UTC)
DECEMBER = datetime(2026, 12, 5, 10, tzinfo=UTC)

PLAIN: dict[str, Any] = {
    "currency": "EUR",
    "issue_price": Decimal("0.0100"),
    "redemption_price": Decimal("0.0085"),
}
"""Terms unless a test says otherwise."""

EXAMPLE_A = {
    "A": {
        "service_fee_per_point": Decimal("0.0008"),
        "vat": {"service_fee": Vat(rate=Decimal("0.25"))},
    },
    "B": {
        "service_fee_per_point": Decimal("0.0010"),
        "vat": {"service_fee": Vat(rate=Decimal("0.25"))},
    },
    "C": {
        "issue_price": Decimal("0.0105"),
        "redemption_price": Decimal("0.0080"),
        "service_fee_per_point": Decimal("0.0010"),
        "vat": {"service_fee": Vat(rate=Decimal("0.25"))},
    },
}
"""The contracts of worked example A."""


class World:
    """Partners by name and one member whose points they give and take."""

    def __init__(self, numbers: Mapping[str, int], holder: UUID, known: Catalogue) -> None:
        self.numbers = numbers
        self.holder = holder
        self.known = known

    async def reload(self) -> None:
        """Read the contracts again, after a new version."""
        async with transaction() as connection:
            self.known = await catalogue.load(connection)

    async def issue(
        self,
        partner: str,
        points: int,
        at: datetime,
        *,
        funder: str | None = None,
        posted_at: datetime | None = None,
        holder: UUID | None = None,
    ) -> UUID:
        """Issue points that occurred at `at`; return the posting."""
        no = self.numbers[partner]
        contract = self.known.contract_at(no, at)
        funder_no = no if funder is None else self._number(funder)
        share = Decimal(1)
        if funder_no != OPERATOR:
            share = self.known.contract_at(funder_no, at).prefunded_share
        source = Provenance(
            currency_no=1,
            issuer_no=no,
            contract_no=contract.no,
            funder_no=funder_no,
            earned_month=int(f"{at:%Y%m}"),
            expires_on=None,
            issue_price=contract.issue_price,
            prefunded_share=share,
        )
        draft = Issue(holder or self.holder, till(no, at), (Grant(source, points),))
        return await posted(draft, posted_at or at)

    async def redeem(
        self, partner: str, points: int, at: datetime, *, posted_at: datetime | None = None
    ) -> UUID:
        """Take points as payment that occurred at `at`; return the posting."""
        draft = Redeem(self.holder, till(self.numbers[partner], at), 1, points)
        return await posted(draft, posted_at or at)

    async def reverse(
        self, partner: str, posting: UUID, at: datetime, points: int | None = None
    ) -> UUID:
        """Reverse a posting of the partner, or some points of it; return the posting."""
        draft = Reverse(posting, till(self.numbers[partner], at), points, "reverse", at.date())
        return await posted(draft, at)

    async def live(self, partner: str, at: datetime) -> Live:
        """Return what of the partner is not closed."""
        return await statements.live(self._number(partner), at)

    async def statement(self, partner: str, period: str, at: datetime = DECEMBER) -> Statement:
        """Return the partner's statement of a period."""
        return await statements.read(self._number(partner), period, at)

    async def adjust(
        self, partner: str, amount_minor: int, at: datetime, *, line: OfLine | None = None
    ) -> Adjusted:
        """Charge the partner (positive) or give it money in euros, by two persons."""
        approval = await adjusting.prepare(
            partner_no=self.numbers[partner],
            amount_minor=amount_minor,
            currency="EUR",
            reason="agreed by phone",
            prepared_by=ANNA,
            at=at,
            line=line,
        )
        return await adjusting.approve(approval, approved_by=BO, at=at)

    def _number(self, partner: str) -> int:
        return OPERATOR if partner == "operator" else self.numbers[partner]


async def make_world(terms: Mapping[str, Mapping[str, Any]], zone: str = "Europe/Oslo") -> World:
    """Make a coalition of partners with `terms` beside the plain ones, since September 2026."""
    await service.create_coalition(name="Norr", timezone=zone, actor=ANNA, at=BEGINNING)
    numbers = {}
    for name, own in terms.items():
        made = await service.create_partner(
            name=name,
            terms=ContractTerms(**(PLAIN | dict(own))),
            actor=ANNA,
            at=BEGINNING,
            valid_from=date(2026, 10, 1),
        )
        numbers[name] = made.partner.no
    async with transaction() as connection:
        known = await catalogue.load(connection)
    return World(numbers, await open_holder(BEGINNING), known)


async def play_example_a(world: World) -> None:
    """Let a month pass as worked example A has it."""
    given = await world.issue("A", 5_000_000, OCTOBER)
    await world.issue("B", 2_000_000, OCTOBER)
    await world.issue("C", 500_000, OCTOBER)
    await world.reverse("A", given, OCTOBER, 50_000)
    await world.redeem("A", 3_000_000, OCTOBER)
    await world.redeem("B", 1_000_000, OCTOBER)
    taken = await world.redeem("C", 1_800_000, OCTOBER)
    await world.reverse("C", taken, OCTOBER, 20_000)


def till(partner_no: int, at: datetime) -> Till:
    """Return a till of the partner, without a receipt."""
    return Till(partner_no, None, None, None, at.date(), at)


async def posted(draft: Draft, at: datetime) -> UUID:
    """Post a draft that nothing may refuse; return the posting."""
    [outcome] = await post([draft], at)
    assert isinstance(outcome, Posted), outcome
    return outcome.posting


async def close(period: str, at: datetime, partner_no: int | None = None) -> tuple[Closed, ...]:
    """Seal what is due and close the periods of this name, by two persons."""
    await sealing.seal_due(at)
    approval = await closing.prepare(period=period, prepared_by=ANNA, at=at, partner_no=partner_no)
    return await closing.approve(approval, approved_by=BO, at=at)


def told(statement: Statement) -> list[tuple[str, int, int, int]]:
    """Return kind, points, amount and VAT of each line."""
    return [told_line(line) for line in statement.lines]


def told_line(line: Line) -> tuple[str, int, int, int]:
    """Return kind, points, amount and VAT of a line."""
    return line.kind.name.lower(), line.points, line.amount_minor, line.vat_minor


async def book() -> dict[tuple[str, int], Decimal]:
    """Return what the accounts of the money book come to, by name and partner."""
    async with transaction() as connection:
        balances = await money.trial_balance(connection)
    return {
        (MoneyAccount(one.account).name.lower(), one.partner_no): one.amount.normalize()
        for one in balances
    }
