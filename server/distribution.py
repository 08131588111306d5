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

# Nodes reach each other as the role of a transaction. What the poster inserts from a SELECT comes
# to a node as a COPY, which row-level security refuses; its policies show it every row anyway.
_ROLES = {"coalition_poster": "LOGIN BYPASSRLS", "coalition_tenant": "LOGIN"}

_MAY = """
SELECT count(*) FROM pg_roles
WHERE rolcanlogin AND (rolbypassrls OR rolname <> 'coalition_poster') AND rolname = ANY ($1::text[])
"""

# Of the subqueries of policies Citus runs none on a distributed table. What is left keeps partners
# apart: the policies of the tables that such a row hangs on, and the statements, which name them.
LOOKING_ELSEWHERE = """
SELECT polname::text AS policy, polrelid::regclass::text AS of_table FROM pg_policy
WHERE polrelid::regclass::text = ANY ($1::text[]) AND polqual::text LIKE '%{SUBLINK %'
ORDER BY 2, 1
"""
"""Finds the policies of given tables that have a subquery."""

# A foreign key would make its other table a local one of Citus, which nothing distributed may name.
_FOREIGN_KEYS = """
SELECT conrelid::regclass::text AS of_table, quote_ident(conname) AS name,
       pg_get_constraintdef(oid) AS said
FROM pg_constraint
WHERE contype = 'f' AND conparentid = 0
  AND (conrelid::regclass::text = ANY ($1::text[]) OR confrelid::regclass::text = ANY ($1::text[]))
ORDER BY 1, 2
"""

# What a transaction says by SET LOCAL (its role, the tenant, its plans) holds on every node. Citus
# would ask of each row of pg_class whether it is a shard: seconds, when a client looks up a type.
_OF_THE_DATABASE = """
DO $$ BEGIN
    EXECUTE format(
        'ALTER DATABASE %I SET citus.propagate_set_commands = local', current_database());
    EXECUTE format(
        'ALTER DATABASE %I SET citus.override_table_visibility = off', current_database());
END $$
"""


async def let_nodes_in(connection: Connection) -> None:
    """Let the nodes reach each other in the two roles below the owner, unless they may already.

    The roles get no password: who may come is said by each node's `pg_hba.conf`. Roles belong to
    the whole server, and only a superuser may say this of them.
    """
    if await connection.fetchval(_MAY, list(_ROLES)) < len(_ROLES):
        for role, rights in _ROLES.items():
            await connection.execute(f"ALTER ROLE {role} {rights}")


async def distribute(connection: Connection) -> None:
    """Distribute the member-owned tables by bucket and copy the reference tables to every node.

    Called once, by `coalition migrate`, after the migrations of an empty database. Each group of
    tables is one shard (docs/adr/0018): what is asked of many buckets at once is refused for more.
    """
    await connection.execute("SET LOCAL citus.multi_shard_modify_mode = 'sequential'")
    await connection.execute("SET LOCAL citus.shard_count = 1")
    await connection.execute(_OF_THE_DATABASE)
    for policy, of_table in await connection.fetch(LOOKING_ELSEWHERE, list(BY_BUCKET)):
        await connection.execute(f"ALTER POLICY {policy} ON {of_table} USING (true)")
    keys = await connection.fetch(_FOREIGN_KEYS, [*REFERENCE, *BY_BUCKET])
    for of_table, name, _ in keys:
        await connection.execute(f"ALTER TABLE {of_table} DROP CONSTRAINT {name}")
    for table in REFERENCE:
        await connection.execute(f"SELECT create_reference_table('{table}')")
    for table, beside in BY_BUCKET.items():
        await connection.execute(
            "SELECT create_distributed_table($1::text::regclass, 'bucket', colocate_with => $2)",
            table,
            beside or "none",
        )
    # Not those of the coordinator's own tables: they would make them tables of Citus, which ended
    # the server (13.2.2) at an INSERT ... ON CONFLICT.
    for of_table, name, said in keys:
        if of_table not in LOCAL:
            await connection.execute(f"ALTER TABLE {of_table} ADD CONSTRAINT {name} {said}")
