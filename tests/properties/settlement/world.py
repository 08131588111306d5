"""A coalition to write histories in: partners with terms, holders, and a clock that moves on."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

from coalition.federation import contracts, defaults, money_rates, service
from coalition.federation.expiry import earned_month
from coalition.federation.refusals import NoContract
from coalition.federation.terms import ContractTerms, OnDefault
from coalition.kernel.database import transaction
from coalition.kernel.errors import Refused
from coalition.ledger import expiry, merging
from coalition.ledger.drafts import (
    Adjust,
    Convert,
    Draft,
    Grant,
    Issue,
    Outcome,
    Posted,
    Recover,
    Redeem,
    Reverse,
    Till,
    Transfer,
    Transferred,
    UndoTransfer,
)
from coalition.ledger.partitions import ensure_partition
from coalition.ledger.provenance import Provenance
from coalition.points import terms as business
from coalition.points.owing import recovery_by_contract
from tests.properties.settlement.facts import OPERATOR, Posting
from tests.support.ledger import open_holder, post

ANNA, BO = "staff:anna", "staff:bo"
TICK = timedelta(seconds=1)
OTHER_POINTS = 2
"""A second point currency; the ledger knows it by its number alone."""


class World:
    """What happens in a coalition, one thing after the other, each a second later."""

    def __init__(self, at: datetime) -> None:
        """Begin at an instant; `open` makes the coalition."""
        self.at = at
        self.terms: business.Terms
        self.members: list[UUID] = []
        self.partners: list[int] = []
        self.reversible: list[tuple[UUID, int]] = []
        """Issues and redemptions, each with its partner."""
        self.sent: list[UUID] = []
        """Transfers."""
        self.seals: list[tuple[int, datetime]] = []
        """Whose period was sealed when; a seal drains everything before it."""

    async def open(
        self,
        partners: Sequence[tuple[ContractTerms, str]],
        *,
        members: int = 3,
        begun_days: int = 3,
    ) -> None:
        """Make the coalition, partners with a contract since some days ago in a zone, holders."""
        await service.create_coalition(
            name="Norr", timezone="Europe/Stockholm", actor=ANNA, at=self.at
        )
        for number, (terms, zone) in enumerate(partners):
            made = await service.create_partner(
                name=f"Partner {number + 1}",
                terms=terms,
                actor=ANNA,
                at=self.at,
                valid_from=(self.at - timedelta(days=begun_days)).date(),
                timezone=zone,
            )
            self.partners.append(made.partner.no)
        self.members = [await open_holder(self.at) for _ in range(members)]
        await self.read_terms()

    def first_open(self, posting: Posting, partner: int) -> int:
        """Return a partner's first period that was not sealed when a posting was made."""
        before = [one for one, at in self.seals if one == partner and at <= posting.committed_at]
        return len(before) + 1

    async def read_terms(self) -> None:
        """Read what is agreed now, as a till does."""
        async with transaction() as connection:
            self.terms = await business.load(connection)

    def tick(self, further: timedelta = TICK) -> datetime:
        """Let time pass; return what it is then."""
        self.at += further
        return self.at

    async def sign(self, partner: int, terms: ContractTerms, *, days: int) -> bool:
        """Sign another version, valid from so many days from now; tell whether it was possible."""
        at = self.tick()
        zone = self.terms.catalogue.contracts_of(partner)[-1].timezone
        try:
            approval = await contracts.prepare(
                partner_no=partner,
                terms=terms,
                valid_from=_today(at, zone) + timedelta(days=days),
                prepared_by=ANNA,
                at=at,
            )
            await contracts.sign(approval, approved_by=BO, at=at)
        except Refused:
            return False
        await self.read_terms()
        return True

    async def agree_on_rate(self, source: str, target: str, rate: str) -> None:
        """Agree on what one unit of a currency is worth in another from now on."""
        at = self.tick()
        approval = await money_rates.prepare(
            from_currency=source,
            to_currency=target,
            rate=Decimal(rate),
            prepared_by=ANNA,
            at=at,
        )
        await money_rates.approve(approval, approved_by=BO, at=at)
        await self.read_terms()

    async def default(self, partner: int, on_default: OnDefault) -> None:
        """Let a partner be in default from now on; one that is already pays again."""
        at = self.tick()
        if self.terms.catalogue.default_at(partner, at) is None:
            async with transaction() as connection:
                await defaults.declare(
                    connection,
                    partner_no=partner,
                    on_default=on_default,
                    prepared_by=ANNA,
                    approved_by=BO,
                    at=at,
                )
        else:
            approval = await defaults.prepare_end(partner_no=partner, prepared_by=ANNA, at=at)
            await defaults.approve_end(approval, approved_by=BO, at=at)
        await self.read_terms()

    def issue(
        self, member: int, partner: int, shares: Sequence[tuple[int, int]], back: timedelta
    ) -> Draft | None:
        """Return an issue of points, each share a funder's; None before there is a contract."""
        occurred = self.at - back
        try:
            contract = self.terms.catalogue.contract_at(partner, occurred)
            grants = [
                Grant(self.terms.provenance(contract, occurred, funder_no=funder), points)
                for funder, points in shares
            ]
        except NoContract:
            return None
        return Issue(self.members[member], self.till(partner, occurred), tuple(grants))

    def redeem(self, member: int, partner: int, points: int, back: timedelta) -> Draft | None:
        """Return a payment with points; None before there is a contract."""
        occurred = self.at - back
        try:
            self.terms.catalogue.contract_at(partner, occurred)
        except NoContract:
            return None
        return Redeem(self.members[member], self.till(partner, occurred), 1, points)

    def reverse(self, which: int, points: int | None, *, order: str = "reverse") -> Draft | None:
        """Return a reversal of an earlier issue or redemption."""
        if not self.reversible:
            return None
        original, partner = self.reversible[which % len(self.reversible)]
        grace = self.at.date() + timedelta(days=30)
        debts = recovery_by_contract(self.terms.catalogue)
        return Reverse(original, self.till(partner, self.at), points, order, grace, debts=debts)

    def adjust(self, member: int, partner: int, points: int) -> Draft:
        """Return points that a partner or the operator gives, or that are taken (below zero)."""
        given = None if points < 0 else self._given_by(partner)
        till = self.till(partner if given else OPERATOR, self.at)
        return Adjust(self.members[member], till, 1, abs(points), "by hand", given)

    def convert(self, member: int, points: int, rate: tuple[int, int]) -> Draft:
        """Return an exchange of the coalition's points for others."""
        till = self.till(self.partners[0], self.at)
        return Convert(self.members[member], till, 1, OTHER_POINTS, points, *rate)

    def recover(self, member: int) -> Draft:
        """Return what staff take for debts."""
        return Recover(self.members[member], self.till(OPERATOR, self.at), 1, None, None, "owed")

    def transfer(self, member: int, other: int, points: int, fee: int) -> Transfer:
        """Return points that one member sends another, and points that this costs."""
        return Transfer(
            holder=self.members[member],
            receiver=self.members[other],
            till=self.till(OPERATOR, self.at),
            currency_no=1,
            points=points,
            fee_points=fee,
        )

    def undo(self, which: int) -> Draft | None:
        """Return what undoes an earlier transfer."""
        if not self.sent:
            return None
        grace = self.at.date() + timedelta(days=30)
        till = self.till(OPERATOR, self.at)
        return UndoTransfer(
            posting=self.sent[which % len(self.sent)], till=till, grace_expires_on=grace
        )

    def till(self, partner: int, occurred: datetime) -> Till:
        """Return a till without a receipt, so that nothing stands in the way of a second one."""
        return Till(partner, None, None, None, occurred.date(), occurred)

    async def post(self, drafts: Sequence[Draft | None]) -> list[Outcome]:
        """Post what there is of `drafts` in one batch; what is refused leaves nothing."""
        wanted = [draft for draft in drafts if draft is not None]
        if not wanted:
            return []
        outcomes = await post(wanted, self.at)
        for draft, outcome in zip(wanted, outcomes, strict=True):
            if isinstance(draft, Issue | Redeem) and isinstance(outcome, Posted):
                self.reversible.append((outcome.posting, draft.till.partner_no))
            if isinstance(draft, Transfer) and isinstance(outcome, Transferred):
                self.sent.append(outcome.posting)
        self.tick()
        return outcomes

    async def expire(self) -> int:
        """Book what has ended."""
        booked = await expiry.expire(self.at, self.at.date())
        self.tick()
        return booked

    async def merge(self, gone: int, kept: int) -> None:
        """Let one holder take over from another, where that is possible."""
        await ensure_partition(self.at)
        try:
            async with transaction() as connection:
                await merging.merge(
                    connection,
                    from_holder=self.members[gone],
                    into_holder=self.members[kept],
                    at=self.at,
                    today=self.at.date(),
                )
        except Refused:
            pass
        self.tick()

    def _given_by(self, partner: int) -> Provenance:
        if partner != OPERATOR:
            contract = self.terms.catalogue.contract_at(partner, self.at)
            return self.terms.base_provenance(contract, self.at)
        return Provenance(
            currency_no=1,
            issuer_no=OPERATOR,
            contract_no=OPERATOR,
            funder_no=OPERATOR,
            earned_month=earned_month(self.at, self.terms.catalogue.zone),
            expires_on=None,
            issue_price=Decimal(0),
            prefunded_share=Decimal(1),
        )


def _today(at: datetime, zone: str) -> date:
    return at.astimezone(ZoneInfo(zone)).date()
