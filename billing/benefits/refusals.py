"""What is refused of benefits at tills: what the member has not, has used up, or has otherwise."""

from coalition.kernel.errors import Conflict, Invalid, NotFound


class BenefitNotHeld(Conflict):
    """The member's plan gives no such benefit here and then; read its entitlements first."""

    code, title = "benefit_not_held", "Benefit not held"


class BenefitUsedUp(Conflict):
    """The benefit was had as often as its plan gives it in a period; it is there again in the next.

    `limit` is how often, `renews_at` when the next period begins.
    """

    code, title = "benefit_used_up", "Benefit used up"


class InvalidSaving(Invalid):
    """What was saved is more than the benefit gives, or says no price before it; see `detail`."""

    code, title = "invalid_saving", "Invalid saving"


class SavingInOtherCurrency(Invalid):
    """Money of a benefit is in the currency of your contract, which `currency` names."""

    code, title = "saving_in_other_currency", "Saving in another currency"


class ReturnsTooMuch(Conflict):
    """Less is left of what the benefit saved than is to go back; `left_minor` is what is left."""

    code, title = "returns_too_much", "Returns too much"


class ReceiptUsedOtherwise(Conflict):
    """The receipt has this benefit already, for another member or amount; return that first."""

    code, title = "receipt_used_otherwise", "Receipt used otherwise"


class UnknownUse(NotFound):
    """The member had no such benefit on this receipt of yours."""

    code, title = "benefit_use_not_found", "Use of a benefit not found"


class PlanOfMerged(Conflict):
    """The member to be merged has a membership, or a bank still decides on a payment of it.

    Merge the other one into it instead, or end its membership first and wait for the bank.
    """

    code, title = "plan_of_merged", "Plan of the merged member"
