"""Spreading the schema over servers by bucket, where the database has the Citus extension.

Every member-owned table leads with `bucket`, so that all rows of a member live on one node and a
posting's statements stay there. Claims and contact indexes are spread by a bucket of their own
digest.
"""

from coalition.kernel.database import Connection

CLAIMS = "receipt_claim"
MEMBERS = "holder"

BY_BUCKET = {
    MEMBERS: None,
    "lot": MEMBERS,
    "lot_history": MEMBERS,
    "lot_again": MEMBERS,
    "posting": MEMBERS,
    "leg": MEMBERS,
    "reversed_leg": MEMBERS,
    "hold": MEMBERS,
    "hold_leg": MEMBERS,
    "passage": MEMBERS,
    "compensation": MEMBERS,
    "debt": MEMBERS,
    "debt_entry": MEMBERS,
    "holder_clock": MEMBERS,
    "kept_share": MEMBERS,
    "earning_bonus": MEMBERS,
    "earning_usage": MEMBERS,
    "purchase_basket": MEMBERS,
    "purchase_line": MEMBERS,
    "purchase_earning": MEMBERS,
    "purchase_usage": MEMBERS,
    "member": MEMBERS,
    "member_key": MEMBERS,
    "personal_data": MEMBERS,
    "partner_member": MEMBERS,
    "standing": MEMBERS,
    "consent": MEMBERS,
    "message": MEMBERS,
    "message_language": MEMBERS,
    "family_group": MEMBERS,
    "group_member": MEMBERS,
    "group_of_member": MEMBERS,
    "invitation": MEMBERS,
    "separation": MEMBERS,
    "guardianship": MEMBERS,
    "relationship": MEMBERS,
    "transfer": MEMBERS,
    "transfer_event": MEMBERS,
    "transfer_approval": MEMBERS,
    "known_device": MEMBERS,
    "family_usage": MEMBERS,
    "family_redemption": MEMBERS,
    "group_act": MEMBERS,
    "erasure": MEMBERS,
    "erasure_step": MEMBERS,
    "membership": MEMBERS,
    "membership_ground": MEMBERS,
    "membership_entry": MEMBERS,
    "benefit_entitlement": MEMBERS,
    "benefit_schedule": MEMBERS,
    "benefit_grant": MEMBERS,
    "benefit_use": MEMBERS,
    "benefit_return": MEMBERS,
    "membership_act": MEMBERS,
    "member_at_stripe": MEMBERS,
    "membership_order": MEMBERS,
    "membership_receipt": MEMBERS,
    "membership_notice": MEMBERS,
    "membership_withdrawal": MEMBERS,
    "price_change": MEMBERS,
    "membership_seat": MEMBERS,
    "family_fee": MEMBERS,
    CLAIMS: None,
    "idempotency_claim": CLAIMS,
    "contact_index": CLAIMS,
    "benefit_use_claim": CLAIMS,
    "guard_count": CLAIMS,
    "guard_sighting": CLAIMS,
    "stripe_subscription": CLAIMS,
    "batch": CLAIMS,
    "batch_chunk": CLAIMS,
    "trial_taken": CLAIMS,
    "gift": CLAIMS,
}
"""The distributed tables in the order of their foreign keys, each with whose nodes it shares."""

REFERENCE = (
    "catalogue_version",
    "point_currency",
    "coalition",
    "partner",
    "store",
    "contract",
    "exchange_rate",
    "money_rate",
    "partner_default",
    "partner_limit",
    "expiry_clock",
    "lot_class",
    "earning_rule",
    "guard_rule",
    "rule_version",
    "rule_set",
    "rule_set_version",
    "rule_binding",
    "plan_version",
    "plan_price",
    "plan_sale_end",
    "plan_at_stripe",
    "plan_price_at_stripe",
    "disclosure_text",
    "price_campaign",
)
"""Small tables that every node holds whole, in the order of their foreign keys."""

LOCAL: tuple[str, ...] = (
    "settlement_queue",
    "money_posting",
    "money_entry",
    "money_delta",
    "money_balance",
    "prepaid_lease",
    "prepaid_spend",
    "settlement_period",
    "settlement_shard",
    "first_open",
    "drain",
    "drained",
    "tariff",
    "tariff_total",
    "block",
    "block_tariff",
    "drain_digest",
    "settlement_adjustment",
    "statement",
    "statement_line",
    "statement_total",
    "statement_counter",
    "clearing_cycle",
    "clearing_statement",
    "clearing_leg",
    "clearing_default",
    "clearing_claim",
    "clearing_set_off",
    "partner_delta",
    "partner_total",
    "expiry_notice",
    "outbox",
    "approval",
    "audit_log",
    "audit_log_head",
    "guard_batch",
    "guard_case",
    "guard_hit",
    "stripe_event",
    "stripe_intent",
    "membership_reconciliation",
    "membership_unexplained",
    "client",
    "client_key",
    "client_secret",
    "client_assertion",
    "signing_key",
    "revocation",
    "login",
    "sign_in_attempt",
    "page_session",
)
"""Tables that stay on the coordinator: queues, logs and keys, never joined with members' rows."""

_AVAILABLE = "SELECT count(*) FROM pg_extension WHERE extname = 'citus'"


async def is_available(connection: Connection) -> bool:
    """Tell whether this database has the extension."""
    return bool(await connection.fetchval(_AVAILABLE))


async def distribute(connection: Connection) -> None:
    """Distribute the member-owned tables by bucket and copy the reference tables to every node.

    Called once, by `coalition migrate`, after the migrations of an empty database.
    """
    for table in REFERENCE:
        await connection.execute(f"SELECT create_reference_table('{table}')")
    for table, beside in BY_BUCKET.items():
        await connection.execute(
            "SELECT create_distributed_table($1::text::regclass, 'bucket', colocate_with => $2)",
            table,
            beside or "none",
        )
