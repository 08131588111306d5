"""What is refused of memberships, and what would be right."""

from coalition.kernel.errors import Conflict, Invalid, NotFound


class ActInProgress(Conflict):
    """Something else about this membership is being done; ask again in a moment."""

    code, title = "act_in_progress", "Another act in progress"


class AlreadyMember(Conflict):
    """There is a membership already; change its plan, or order anew once it has ended.

    Whoever has months that were given, and nothing else, may order: it is paid for when they end.
    """

    code, title = "already_member", "Already a member"
    constraint = "one_live_membership_per_member"


class CheckoutOpen(Conflict):
    """Another order waits for its payment; go on with it at `url`, or drop it first."""

    code, title = "checkout_open", "Another order waits"
    constraint = "one_open_order_per_member"


class UnknownPromotion(NotFound):
    """No such promotion code is good now; look at how it is written, or order without it."""

    code, title = "promotion_not_found", "Promotion code not found"


class TrialUsed(Conflict):
    """This card, person or household had a trial; nothing was charged. Order again without one."""

    code, title = "trial_used", "Trial used before"


class UnknownCheckout(NotFound):
    """You have no such order; `GET /v1/membership` names the one that waits, if any."""

    code, title = "checkout_not_found", "Order not found"


class DisclosureOutdated(Conflict):
    """The terms have a newer text; show that, and send its `disclosure_version` with the order."""

    code, title = "disclosure_outdated", "Terms have changed"


class PriceNotOnSale(Conflict):
    """This price is no longer sold; `GET /v1/plans` has those that are."""

    code, title = "price_not_on_sale", "Price not on sale"


class PriceNotForYou(Conflict):
    """This price is for members with `eligibility`; ask for that, or take the price for all."""

    code, title = "price_not_for_you", "Price not for you"


class NotAMember(Conflict):
    """There is no paid membership; order one first."""

    code, title = "not_a_member", "No membership"


class NothingToChange(Conflict):
    """The membership has this price already; choose another."""

    code, title = "nothing_to_change", "Nothing to change"


class ChangeNotPossible(Conflict):
    """A membership that is cancelled, paused or unpaid stays on its plan; mend that first."""

    code, title = "change_not_possible", "Change not possible"


class PreviewOutdated(Conflict):
    """What the change costs may be another amount by now; look at a new preview."""

    code, title = "preview_outdated", "Preview outdated"


class NothingToCancel(Conflict):
    """There is no membership that could be cancelled."""

    code, title = "nothing_to_cancel", "Nothing to cancel"


class NothingToRestore(Conflict):
    """Only a cancelled membership that has not ended goes on again; order a new one."""

    code, title = "nothing_to_restore", "Nothing to restore"


class PauseNotPossible(Conflict):
    """Only a paid membership that renews can be paused, after its trial and once at a time."""

    code, title = "pause_not_possible", "Pause not possible"


class NotPaused(Conflict):
    """The membership is not paused."""

    code, title = "not_paused", "Not paused"


class NothingToWithdraw(Conflict):
    """There is no ordered membership to withdraw from; what was given is not withdrawn from."""

    code, title = "nothing_to_withdraw", "Nothing to withdraw from"


class WithdrawalTooLate(Conflict):
    """The days in which to withdraw are over since `until`; the membership can be cancelled."""

    code, title = "withdrawal_too_late", "Too late to withdraw"


class UnknownMembership(NotFound):
    """No membership has this reference and e-mail address together; both are on its receipt."""

    code, title = "membership_not_found", "Membership not found"


class UnknownWithdrawal(NotFound):
    """There is no such declaration of yours; declare the withdrawal first."""

    code, title = "withdrawal_not_found", "Declaration not found"


class GiftNotSold(Invalid):
    """This plan is not given away in this currency; it needs a monthly price for all in it."""

    code, title = "gift_not_sold", "Gift not sold"


class UnknownGift(NotFound):
    """No gift can be redeemed with this code; codes are used once and before their last day."""

    code, title = "gift_not_found", "Gift not found"


class GiftWaits(Conflict):
    """The gift is kept: redeem it once `detail` is done, or from `until` on where that is told."""

    code, title = "gift_waits", "Gift waits"


class NothingToTakeBack(Conflict):
    """The member was given nothing from this source, or it has ended."""

    code, title = "nothing_to_take_back", "Nothing to take back"


class InvalidPath(Invalid):
    """The way back is a path of this service that begins with one slash, such as /membership."""

    code, title = "invalid_path", "Invalid path"


class NothingUnexplained(NotFound):
    """Nothing that waits has this id or kind; `coalition membership unexplained` lists it."""

    code, title = "nothing_unexplained", "Nothing unexplained"
