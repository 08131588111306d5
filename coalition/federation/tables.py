"""How Piccolo sees the tables of the federation; the migrations make them."""

from piccolo.columns import (
    UUID,
    Array,
    BigInt,
    Boolean,
    Date,
    Integer,
    Numeric,
    SmallInt,
    Text,
    Timestamptz,
)
from piccolo.table import Table


class CatalogueVersion(Table):
    """The counter of changes to reference data; its one row is the lock under which they come."""

    no = SmallInt(primary_key=True, default=1)
    version = BigInt()


class PointCurrency(Table):
    """A kind of points; number 1 is the coalition's own."""

    no = SmallInt(primary_key=True, default=1)
    code = Text()
    name = Text()
    partner_no = Integer(null=True, default=None)


class Coalition(Table):
    """The one coalition of this database."""

    no = SmallInt(primary_key=True, default=1)
    name = Text()
    timezone = Text()
    point_currency_no = SmallInt()
    expiry_suspended_tiers = Array(base_column=Text())
    language = Text()
    created_at = Timestamptz(default=None)


class Partner(Table):
    """A partner company; its roles live in its contracts."""

    no = Integer(primary_key=True, default=None)
    id = UUID(default=None)
    name = Text()
    state = Text()
    created_at = Timestamptz(default=None)


class Store(Table):
    """A store of a partner, named on receipts by its code."""

    no = Integer(primary_key=True, default=None)
    id = UUID(default=None)
    partner_no = Integer()
    code = Text()
    name = Text()
    state = Text()
    created_at = Timestamptz(default=None)


class Contract(Table):
    """One dated version of the terms between operator and partner; never changed."""

    no = Integer(primary_key=True, default=None)
    partner_no = Integer()
    version = Integer()
    valid_from = Date(default=None)
    timezone = Text()
    issues = Boolean()
    accepts = Boolean()
    currency = Text()
    issue_price = Numeric(digits=(18, 9))
    redemption_price = Numeric(digits=(18, 9))
    service_fee_per_point = Numeric(digits=(18, 9))
    mode = Text()
    prefunded_share = Numeric(digits=(7, 6))
    expiry_rule = Text()
    expiry_months = Integer(null=True, default=None)
    refund_order = Text()
    return_grace_days = Integer()
    reversal_policy = Text()
    recover_percent = Integer()
    point_currency_no = Integer()
    inactivity_months = Integer(null=True, default=None)
    clock_no = Integer()
    expiry_notice_days = Array(base_column=Integer(), default=None)
    calendar = Text()
    cut_off_grace_hours = Integer()
    service_fee_percent = Numeric(digits=(9, 6))
    fixed_fee_minor = BigInt()
    minimum_fee_minor = BigInt()
    volume_steps = Text()
    vat = Text()
    payment = Text()
    payment_days = Integer()
    breakage_share = Numeric(digits=(7, 6))
    credit_mode = Text()
    credit_limit_minor = BigInt(null=True, default=None)
    low_water_minor = BigInt(null=True, default=None)
    on_default = Text()
    signed_at = Timestamptz(default=None)
    prepared_by = Text()
    approved_by = Text()
