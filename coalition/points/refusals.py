"""What points refuse before the ledger is asked."""

from coalition.kernel.errors import Conflict, Forbidden, Invalid


class OneMemberNeeded(Invalid):
    """Name the member by either member_id or card, not by both and not by neither."""

    code, title = "one_member_needed", "Member missing or named twice"


class PurchaseOrPoints(Invalid):
    """Give either the purchase, whose points are then computed, or the points."""

    code, title = "purchase_or_points", "Purchase or points"


class UnknownCard(Conflict):
    """No member holds this card; enrol the customer first."""

    code, title, status = "card_not_found", "Card not found", 404


class NotInContract(Conflict):
    """The partner's contract does not allow this."""

    code, title = "not_in_contract", "Not in the contract"


class NoEarningRule(Conflict):
    """The partner has no earning rule for this currency at that time."""

    code, title = "no_earning_rule", "No earning rule"


class TooManyPoints(Invalid):
    """The purchase would earn more points than one posting can move; split it."""

    code, title = "too_many_points", "Too many points"


class TimeOutOfBounds(Invalid):
    """The time lies too far back or ahead."""

    code, title = "time_out_of_bounds", "Time out of bounds"


class OtherStore(Forbidden):
    """This key is bound to one store and cannot act for another."""

    code, title = "other_store", "Another store's key"


class EarningRuleTaken(Conflict):
    """The partner has an earning rule for this currency from that time; take a later one."""

    code, title = "earning_rule_taken", "Earning rule taken"
    constraint = "a_partner_has_one_earning_rule_at_a_time"


class InvalidEarningRule(Invalid):
    """An earning rule gives at least one point per positive amount, from now on."""

    code, title = "invalid_earning_rule", "Invalid earning rule"


class ReceiptAndDay(Invalid):
    """A receipt is looked up with its day: give receipt and day, and store where it names one."""

    code, title = "receipt_and_day_needed", "Receipt and day needed"


class StoreClosed(Conflict):
    """The store is closed."""

    code, title = "store_closed", "Store closed"
