"""What the federation refuses, with the database constraint that guards the same rule."""

from coalition.kernel.errors import Conflict, Invalid, NotFound


class CoalitionNotSetUp(Conflict):
    """There is no coalition yet; set it up with a name and a time zone first."""

    code, title = "coalition_not_set_up", "Coalition not set up"


class CoalitionDiffers(Conflict):
    """The coalition is set up already, with another name or time zone."""

    code, title = "coalition_differs", "Coalition differs"
    constraint = "there_is_one_coalition"


class InvalidPointCurrency(Invalid):
    """A point currency has a code of 3 to 12 capitals, such as POINT."""

    code, title = "invalid_point_currency", "Invalid point currency"
    constraint = "a_point_currency_code_is_3_to_12_capitals"


class PointCurrencyTaken(Conflict):
    """There is a point currency with this code already; give each a code of its own."""

    code, title = "point_currency_taken", "Point currency taken"
    constraint = "a_point_currency_code_is_used_once"


class UnknownPointCurrency(Invalid):
    """There is no point currency with this code; use one that the coalition has."""

    code, title = "unknown_point_currency", "Unknown point currency"


class InvalidExchangeRate(Invalid):
    """A rate exchanges 1 to 1,000,000 points of one point currency for as many of another."""

    code, title = "invalid_exchange_rate", "Invalid exchange rate"


class ExchangeRateRetroactive(Invalid):
    """A rate begins when it is approved or later; what was exchanged stays."""

    code, title = "exchange_rate_retroactive", "Exchange rate retroactive"
    constraint = "a_rate_is_not_retroactive"


class ExchangeRateTaken(Conflict):
    """A rate between these point currencies begins at that time already; choose another time."""

    code, title = "exchange_rate_taken", "Exchange rate taken"
    constraint = "there_is_one_rate_at_a_time"


class NoExchangeRate(Conflict):
    """No rate between these point currencies holds at that time; two persons agree on one first."""

    code, title = "no_exchange_rate", "No exchange rate"


class InvalidMoneyRate(Invalid):
    """A rate is between two currencies, above 0 and below 1,000,000,000, to nine decimals."""

    code, title = "invalid_money_rate", "Invalid money rate"


class MoneyRateRetroactive(Invalid):
    """A rate of money begins when it is approved or later; what was settled stays."""

    code, title = "money_rate_retroactive", "Money rate retroactive"
    constraint = "a_money_rate_is_not_retroactive"


class MoneyRateTaken(Conflict):
    """A rate between these currencies begins at that time already; choose another time."""

    code, title = "money_rate_taken", "Money rate taken"
    constraint = "there_is_one_money_rate_at_a_time"


class UnknownPartner(NotFound):
    """There is no such partner; list the partners to find it."""

    code, title = "partner_not_found", "Partner not found"


class PartnerSuspended(Conflict):
    """The partner is suspended; it does no business until the operator reactivates it."""

    code, title = "partner_suspended", "Partner suspended"


class NotInDefault(Conflict):
    """Only a default is ended, and the partner is in none."""

    code, title = "not_in_default", "Not in default"


class UnknownStore(Invalid):
    """The partner has no store with this code; use the code of one of its stores."""

    code, title = "unknown_store", "Unknown store"


class DuplicateStoreCode(Conflict):
    """The partner has a store with this code already; give each store a code of its own."""

    code, title = "duplicate_store_code", "Duplicate store code"
    constraint = "a_store_code_is_used_once_per_partner"


class InvalidName(Invalid):
    """A name has 1 to 200 printable characters."""

    code, title = "invalid_name", "Invalid name"


class InvalidStoreCode(Invalid):
    """A store code has 1 to 32 letters, digits, dots, underscores or hyphens."""

    code, title = "invalid_store_code", "Invalid store code"
    constraint = "a_store_code_is_1_to_32_signs"


class UnknownTimezone(Invalid):
    """The time zone is not one of the IANA names, such as Europe/Stockholm."""

    code, title = "unknown_timezone", "Unknown time zone"


class InvalidTerms(Invalid):
    """The terms contradict each other or are out of bounds; `errors` says what would be right."""

    code, title = "invalid_terms", "Invalid contract terms"


class NoContract(Conflict):
    """The partner has no contract that holds at that time."""

    code, title = "no_contract", "No contract"


class ContractRetroactive(Invalid):
    """A later version may not begin before today in its zone; choose today or a later day."""

    code, title = "contract_retroactive", "Contract retroactive"
    constraint = "a_later_contract_version_is_not_retroactive"


class ContractDayTaken(Conflict):
    """A contract version begins on that day already and stays as it is; choose another day."""

    code, title = "contract_day_taken", "Contract day taken"
    constraint = "a_contract_has_one_version_per_day"
