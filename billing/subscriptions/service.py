"""Memberships as members act on them: one class for the HTTP doors, the pages and stories alike.

Every act that writes takes the caller's `key`: repeated with the same key it is the same act, also
at Stripe. One act of a member goes on at a time; another is refused with `act_in_progress`.
"""

from datetime import datetime
from uuid import UUID

from billing.gateway.client import Gateway
from billing.plans.countries import Countries, shipped
from billing.subscriptions import (
    changing,
    checkouts,
    customers,
    gifts,
    leaving,
    offering,
    reading,
    receipts,
    withdrawing,
)
from billing.subscriptions.campaigns import agreeing
from billing.subscriptions.fees import listing as owed
from billing.subscriptions.fees import paying as fees
from billing.subscriptions.house import House
from billing.subscriptions.seats import sharing
from billing.subscriptions.views import (
    CancelOffer,
    ChangePreview,
    CheckoutView,
    FeeView,
    GiftOrder,
    GiftView,
    MembershipView,
    Offers,
    Order,
    Receipt,
    Relative,
    SeatsView,
    Withdrawal,
)
from coalition.kernel.database import transaction
from coalition.kernel.ids import MemberId
from coalition.members.sealing import MemberKeys


class Memberships:
    """What members do with memberships; `home` is our own address, without a slash at its end."""

    def __init__(
        self,
        gateway: Gateway,
        keys: MemberKeys,
        *,
        home: str,
        countries: Countries | None = None,
    ) -> None:
        """Keep what all acts need; without `countries` the shipped terms hold."""
        self._house = House(gateway, keys, home, countries or shipped())

    @property
    def house(self) -> House:
        """What all acts work with, for whoever handles what Stripe tells."""
        return self._house

    async def plans_for(
        self, member: MemberId | None, *, country: str | None, language: str, at: datetime
    ) -> Offers:
        """Return the plans on sale in a country.

        None is the member's own, or that of its latest order, else the EU's terms.

        Prices of the country's currency come first. A special price is for whoever holds its
        standing (a segment or flag of that name) at `at`; others see it with `is_for_you` false.
        """
        return await offering.plans_for(
            self._house, member, country=country, language=language, at=at
        )

    async def membership(self, member: MemberId, *, at: datetime) -> MembershipView:
        """Return the member's membership as our own books have it; nothing is asked of Stripe."""
        return await reading.view(self._house, member, at=at)

    async def checkout(
        self, member: MemberId, order: Order, *, key: str, at: datetime
    ) -> CheckoutView:
        """Begin an order; the member pays on Stripe's page at `url`.

        Whoever has months that were given is first charged when they end. The same order again,
        while it waits, is the same checkout. Raises `AlreadyMember`,
        `CheckoutOpen` while another order waits, `DisclosureOutdated`, `PriceNotForYou`,
        `PriceNotOnSale`, and `StripeUnavailable`. Whoever had a trial gets none.
        """
        return await checkouts.checkout(self._house, member, order, key=key, at=at)

    async def drop_checkout(self, member: MemberId, *, key: str, at: datetime) -> None:
        """Let an order that waits be none; without one nothing happens."""
        await checkouts.drop(self._house, member, key=key, at=at)

    async def returned(self, member: MemberId, checkout_id: str, *, at: datetime) -> MembershipView:
        """Look at Stripe what became of an order, as its event would, and return the membership.

        Raises `UnknownCheckout` for one that is not the member's.
        """
        await checkouts.returned(self._house, member, checkout_id, at=at)
        return await reading.view(self._house, member, at=at)

    async def portal(self, member: MemberId, *, back_to: str, at: datetime) -> str:
        """Return the address of Stripe's page for cards and invoices. Raises `NotAMember`."""
        del at  # The page is opened by Stripe's clock.
        return await customers.portal(self._house, member, back_to=back_to)

    async def preview(self, member: MemberId, price_no: int, *, at: datetime) -> ChangePreview:
        """Return what a change to a price would charge now, to the minor unit, and when it holds.

        Raises `NotAMember`, `PriceNotForYou`, `PriceNotOnSale`, `NothingToChange`, and
        `ChangeNotPossible` for a membership that is cancelled, paused or unpaid.
        """
        return await changing.preview(self._house, member, price_no, at=at)

    async def change(
        self,
        member: MemberId,
        price_no: int,
        *,
        previewed_at: datetime,
        key: str,
        at: datetime,
    ) -> MembershipView:
        """Change to a price as it was previewed at `previewed_at`, which charges just that.

        An upgrade that cannot be charged leaves the plan as it was (`has_pending_change`). Raises
        what `preview` does, and `PreviewOutdated` after `PREVIEW_HOLDS` or a renewal.
        """
        await changing.change(
            self._house, member, price_no, previewed_at=previewed_at, key=key, at=at
        )
        return await reading.view(self._house, member, at=at)

    async def keep_plan(self, member: MemberId, *, key: str, at: datetime) -> MembershipView:
        """Take back a downgrade that waits for the end of the period; else nothing happens."""
        await changing.keep_plan(self._house, member, key=key, at=at)
        return await reading.view(self._house, member, at=at)

    async def cancel_offer(self, member: MemberId, *, at: datetime) -> CancelOffer:
        """Return the first of two steps: when it would end, and what is offered instead.

        Nothing is changed. Raises `NothingToCancel`.
        """
        return await leaving.cancel_offer(self._house, member, at=at)

    async def cancel(
        self, member: MemberId, *, key: str, at: datetime, reason: str | None = None
    ) -> Receipt:
        """End the membership with what is paid (or with the trial); return the receipt.

        Cancelled already it returns the first receipt. Raises `NothingToCancel`.
        """
        return await leaving.cancel(self._house, member, key=key, at=at, reason=reason)

    async def cancel_as_stranger(
        self, *, reference: UUID, email: str, at: datetime, reason: str | None = None
    ) -> Receipt:
        """Cancel without signing in, by the membership's id and the member's e-mail address.

        Asked again it returns the first receipt (DE § 312k BGB: a button that everybody reaches).
        Raises `UnknownMembership` where the two do not belong together, `TooManyAttempts`, and
        `NothingToCancel`.
        """
        member = await withdrawing.member_behind(self._house, reference, email, at=at)
        return await leaving.cancel_as_stranger(self._house, member, at=at, reason=reason)

    async def uncancel(self, member: MemberId, *, key: str, at: datetime) -> Receipt:
        """Let a cancelled membership go on, while it has not ended. Raises `NothingToRestore`."""
        return await leaving.uncancel(self._house, member, key=key, at=at)

    async def pause(self, member: MemberId, *, months: int, key: str, at: datetime) -> Receipt:
        """Pause from the end of what is paid, for 1 to 3 months; nothing is charged meanwhile.

        Raises `NotAMember`, and `PauseNotPossible` in a trial, or where it is cancelled, unpaid or
        paused already.
        """
        return await leaving.pause(self._house, member, months=months, key=key, at=at)

    async def resume(self, member: MemberId, *, key: str, at: datetime) -> Receipt:
        """End a pause now. Raises `NotPaused`."""
        return await leaving.resume(self._house, member, key=key, at=at)

    async def declare_withdrawal(self, member: MemberId, *, at: datetime) -> Withdrawal:
        """Return the first of two steps of a withdrawal: what would come back.

        The same until it is confirmed, but for what is used meanwhile. Raises `NothingToWithdraw`
        and `WithdrawalTooLate` with the date that was the last.
        """
        return await withdrawing.declare(self._house, member, at=at)

    async def declare_withdrawal_as_stranger(
        self, *, reference: UUID, email: str, at: datetime
    ) -> Withdrawal:
        """Declare without signing in, by the membership's id and the member's e-mail address.

        Raises `UnknownMembership` where the two do not belong together, and `TooManyAttempts`.
        """
        return await withdrawing.declare_as_stranger(
            self._house, reference=reference, email=email, at=at
        )

    async def confirm_withdrawal(
        self, withdrawal_id: UUID, *, member: MemberId | None, key: str, at: datetime
    ) -> Receipt:
        """Withdraw: the membership ends now and what `Withdrawal` says is given back.

        Less what was used since it was declared; the receipt says what it is.
        `member` None is whoever holds the id of a declaration. Confirmed already it returns the
        first receipt. Raises `UnknownWithdrawal` and `WithdrawalTooLate`: what was declared in time
        may be confirmed for a day after.
        """
        del key  # A declaration is confirmed once: its id is the key.
        return await withdrawing.confirm(self._house, withdrawal_id, member=member, at=at)

    async def agree_to_price(
        self, member: MemberId, *, key: str, at: datetime, price_no: int | None = None
    ) -> Receipt:
        """Agree to the new price of `MembershipView.price_notice`; return the receipt.

        With `price_no`, that which was shown, to no other. Agreed already it returns the first
        receipt. Raises `NothingToAgreeTo`.
        """
        return await agreeing.agree(self._house, member, price_no=price_no, key=key, at=at)

    async def seats(self, member: MemberId, *, at: datetime) -> SeatsView:
        """Return with whom a member shares its plan, or who shares one with it."""
        return await sharing.view(self._house, member, at=at)

    async def family_of(self, member: MemberId) -> tuple[Relative, ...]:
        """Return the others of the member's families, with whom it may share its plan."""
        return await sharing.family_of(self._house, member)

    async def add_seat(self, member: MemberId, other: MemberId, *, at: datetime) -> SeatsView:
        """Share the plan with another of the family; with whom it is shared already it stays so.

        It holds while both are of one family, the member is entitled to its plan, and that has so
        many seats. What a plan gives by the month is given to who pays alone. Raises `NoSeats`,
        `SeatsTaken`, `NotOfYourFamily`, `HasAPlan`.
        """
        return await sharing.add(self._house, member, other, at=at)

    async def remove_seat(self, member: MemberId, other: MemberId, *, at: datetime) -> SeatsView:
        """Share the plan no more; with the own id: give up the seat. Raises `UnknownSeat`."""
        return await sharing.remove(self._house, member, other, at=at)

    async def receipts(self, member: MemberId) -> tuple[Receipt, ...]:
        """Return all receipts of a member, the latest first."""
        async with transaction() as connection:
            return await receipts.of_member(connection, member)

    async def fee(self, member: MemberId, fee_id: UUID, *, at: datetime) -> FeeView:
        """Return a fee of a transfer or an act that the member pays, by the id of either.

        Raises `UnknownFee`, and `FeeNotDue` for what neither waits for it nor was paid here.
        """
        return await fees.show(self._house, member, fee_id, at=at)

    async def fees(self, member: MemberId, *, at: datetime) -> tuple[FeeView, ...]:
        """Return the fees that the member owes, then those it has paid, the latest first."""
        return await owed.of_member(member, at=at)

    async def check_fee(self, member: MemberId, fee_id: UUID) -> None:
        """Raise `UnknownFee` unless the member pays what has this id."""
        await fees.check(member, fee_id)

    async def pay_fee(
        self, member: MemberId, fee_id: UUID, *, back_to: str, key: str, at: datetime
    ) -> FeeView:
        """Open the page on which a fee is paid; while it is open it is the same page.

        Raises as `fee` does.
        """
        return await fees.checkout(self._house, member, fee_id, back_to=back_to, key=key, at=at)

    async def buy_gift(
        self, member: MemberId, order: GiftOrder, *, key: str, at: datetime
    ) -> GiftView:
        """Begin to buy months of a plan for somebody; who buys pays at `url`.

        Raises `UnknownPlan`, `GiftNotSold` where there is no monthly price in the currency.
        """
        return await gifts.buy(self._house, member, order, key=key, at=at)

    async def gifts(self, member: MemberId, *, at: datetime) -> tuple[GiftView, ...]:
        """Return the gifts that a member has bought, the latest first."""
        return await gifts.bought(self._house, member, at=at)

    async def redeem_gift(
        self, member: MemberId, code: str, *, key: str, at: datetime
    ) -> MembershipView:
        """Turn the code of a gift into months of its plan, after what the member has already.

        A membership that renews is charged next when they end. Raises `UnknownGift` (also for a
        code that was used or has expired, told apart only to whom used it), `GiftWaits` while a
        payment is due or a change is under way, and `TooManyAttempts`.
        """
        await gifts.redeem(self._house, member, code, key=key, at=at)
        return await reading.view(self._house, member, at=at)
