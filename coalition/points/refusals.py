"""What points refuse before the ledger is asked."""

from coalition.kernel.errors import Conflict, Forbidden, Invalid


class OneMemberNeeded(Invalid):
    """Name the member by either member_id or card, not by both and not by neither."""

    code, title = "one_member_needed", "Member missing or named twice"


class PurchaseOrPoints(Invalid):
    """Give either the purchase (or measures), whose points are computed, or the points alone."""

    code, title = "purchase_or_points", "Purchase or points"


class UnknownCard(Conflict):
    """No member holds this card; enrol the customer first."""

    code, title, status = "card_not_found", "Card not found", 404


class NotInContract(Conflict):
    """The partner's contract does not allow this."""

    code, title = "not_in_contract", "Not in the contract"


class CreditLimitReached(Conflict):
    """The partner owes as much as its contract allows; it issues again when it has paid."""

    code, title = "credit_limit_reached", "Credit limit reached"


class PartnerInDefault(Conflict):
    """The partner has not paid what it owed; it pays for points again when the operator says so."""

    code, title = "partner_in_default", "Partner in default"


class PrepaidExhausted(Conflict):
    """What the partner has paid in does not cover this issue; it issues again when more is paid."""

    code, title = "prepaid_exhausted", "Prepaid money used up"


class NoEarningRule(Conflict):
    """The partner has no earning rule for this currency at that time."""

    code, title = "no_earning_rule", "No earning rule"


class TooManyPoints(Invalid):
    """The purchase would earn more points than one posting can move; split it."""

    code, title = "too_many_points", "Too many points"


class LinesExceedPurchase(Invalid):
    """The lines together may not cost more than the purchase."""

    code, title = "lines_exceed_purchase", "Lines cost more than the purchase"


class NoLines(Conflict):
    """This posting has no lines; reverse it whole, or name the points."""

    code, title = "no_lines", "No lines"


class UnknownLine(Invalid):
    """The purchase has no line of this number; the first line is number 1."""

    code, title = "unknown_line", "Unknown line"


class LineReversed(Conflict):
    """So much of this line is not there to go back any more."""

    code, title = "line_reversed", "Line reversed already"


class SameCurrency(Invalid):
    """A conversion is between two point currencies; name two."""

    code, title = "same_currency", "Same point currency"


class ForeignPointCurrency(Conflict):
    """The points are another partner's own; the member may convert them first."""

    code, title = "foreign_point_currency", "Foreign point currency"


class InvalidAdjustment(Invalid):
    """An adjustment gives points of the operator or of a partner, or takes what the member has."""

    code, title = "invalid_adjustment", "Invalid adjustment"


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
