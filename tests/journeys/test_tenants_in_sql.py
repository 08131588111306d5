"""No statement shows a partner what is another's (I12): the database's own guard, by its catalogue.

Every table, view and function of the database is looked at: a new one without a guard fails here.
"""

from collections.abc import Iterator
from uuid import UUID

import asyncpg
import pytest

from coalition.kernel.database import transaction
from coalition.kernel.database.transactions import TENANT_ROLE
from coalition.ledger.posting import POSTER_ROLE
from partners.settlement import draining
from tests.journeys.world import Scene, World, close_first_month, set_scene
from tests.points.bonuses.world import activated, document

SHARED = {
    "catalogue_version": "one number for all",
    "point_currency": "the currencies of the coalition and of its partners",
    "exchange_rate": "what points of one currency are worth in another: see COLUMNS",
    "money_rate": "what money of one currency is worth in another: see COLUMNS",
    "lot_class": "at which partners points can be spent, named by lots",
    "expiry_clock": "after how many months without activity points end, named by contracts",
    "coalition": "the name and the zone of the coalition",
    "member": "its random id and its state: a card may be presented anywhere",
    "contact_index": "HMACs under a key that the database has not: found by exact value only",
    "lot": "of points that come from anywhere only where from: see COLUMNS",
    "lot_history": "likewise",
}
"""What a tenant may read without row-level security, and why that tells it nothing of another."""

COLUMNS = {
    "member": {"bucket", "id", "state", "state_since", "merged_into"},
    "lot": {"bucket", "id", "issuer_no", "expires_on"},
    "lot_history": {"bucket", "id", "issuer_no", "expires_on"},
    "exchange_rate": {"no", "from_no", "to_no", "from_points", "to_points", "valid_from"},
    "money_rate": {"no", "from_currency", "to_currency", "rate", "valid_from"},
    "client_secret": {"id", "client_no", "partner_no", "created_at", "expires_at", "revoked_at"},
}
"""Of these a tenant may read the columns named and no others."""

POSTER_NEVER_READS = {
    *("personal_data", "member_key", "client", "client_secret", "client_key", "client_assertion"),
    *("signing_key", "revocation", "audit_log", "audit_log_head", "approval", "migration"),
    *("guard_case", "guard_hit", "guard_sighting", "guard_batch", "login", "sign_in_attempt"),
}
POSTER_CHANGES = {
    "holder": {"state", "owes"},
    "holder_clock": {"last_activity", "live_until"},
    "debt": {"booked", "moved", "recovered", "written_off"},
    "lot": {"points_in", "points_out", "held"},
    "reversed_leg": {"reversed"},
    "hold": {"state", "resolved_at", "posting"},
    "purchase_line": {"returned"},
    "purchase_usage": {"kept"},
    "earning_usage": {"points"},
    "guard_count": {"total", "part"},
    "partner_limit": {"leased_minor"},
    "prepaid_lease": {"amount_minor", "used_minor"},
    "batch": {"state", "posted", "refused", "finished_at"},
    "batch_chunk": {"records", "results"},
    "passage": {"returned"},
    "family_redemption": {"returned"},
    "lot_again": {"points"},
    "family_usage": {"amount", "times"},
    "family_group": {"id"},
}
"""The columns that a posting transaction changes; facts are not among them. The id of a group is
named for its lock alone."""
POSTER_REMOVES = {"receipt_claim", "prepaid_lease"}
"""A hold gives its receipt back when it is released, a till what it did not spend of a lease."""

_LIMIT = """
INSERT INTO partner_limit VALUES ($1, 'SEK', false, false, false, 0, 0, 0, 0, $2)
"""

_RELATIONS = """
SELECT relation.oid, relation.relname, relation.relkind::text AS kind, relation.relrowsecurity,
       relation.relispartition,
       'security_invoker=true' = ANY (coalesce(relation.reloptions, '{}')) AS is_invoked,
       ARRAY(SELECT attname::text FROM pg_attribute
             WHERE attrelid = relation.oid AND attnum > 0 AND NOT attisdropped
               AND has_column_privilege($1, relation.oid, attnum, 'SELECT')) AS read,
       ARRAY(SELECT attname::text FROM pg_attribute
             WHERE attrelid = relation.oid AND attnum > 0 AND NOT attisdropped
               AND has_column_privilege($1, relation.oid, attnum, 'UPDATE')) AS updated,
       has_any_column_privilege($1, relation.oid, 'INSERT') AS inserted,
       has_table_privilege($1, relation.oid, 'DELETE') AS deleted,
       has_table_privilege($1, relation.oid, 'TRUNCATE') AS emptied
FROM pg_class AS relation
WHERE relation.relkind IN ('r', 'p', 'v', 'm', 'f')
  AND relation.relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
  AND relation.relnamespace::regnamespace::text NOT LIKE 'pg_toast%'
ORDER BY relation.relname
"""


async def relations(role: str) -> Iterator[asyncpg.Record]:
    """Return every table and view with what `role` may do with it."""
    async with transaction() as connection:
        found = await connection.fetch(_RELATIONS, role)
    assert len(found) > 30
    return iter(found)


async def test_whatever_a_tenant_may_read_is_guarded_row_by_row_or_shared_for_a_reason(
    scene: Scene,
) -> None:
    readable = {row["relname"]: row for row in await relations(TENANT_ROLE) if row["read"]}
    # A view that is read with the rights of who reads it is guarded as its tables are.
    views = {name for name, row in readable.items() if row["kind"] == "v" and row["is_invoked"]}
    assert views == {"charge"}
    unguarded = {name for name, row in readable.items() if not row["relrowsecurity"]} - views
    assert unguarded == SHARED.keys()
    assert {name: set(readable[name]["read"]) for name in COLUMNS} == COLUMNS
    # The policies of a parent do not hold for who reads its partition by name.
    assert [name for name, row in readable.items() if row["relispartition"]] == []
    others = [name for name, row in readable.items() if row["kind"] not in {"r", "p"}]
    assert others == [*views]


async def test_a_tenants_session_changes_nothing(scene: Scene) -> None:
    for row in await relations(TENANT_ROLE):
        assert not any((row["updated"], row["inserted"], row["deleted"], row["emptied"])), row


async def test_a_posting_session_changes_no_fact_and_reads_no_person(scene: Scene) -> None:
    rows = {row["relname"]: row for row in await relations(POSTER_ROLE)}
    assert rows.keys() >= POSTER_NEVER_READS
    assert [name for name in POSTER_NEVER_READS if rows[name]["read"]] == []
    changed = {name: set(row["updated"]) for name, row in rows.items() if row["updated"]}
    assert changed == POSTER_CHANGES
    assert {name for name, row in rows.items() if row["deleted"]} == POSTER_REMOVES
    assert [name for name, row in rows.items() if row["emptied"]] == []


async def test_neither_role_logs_in_or_rises_or_passes_the_guard_by(scene: Scene) -> None:
    async with transaction() as connection:
        roles = await connection.fetch(
            "SELECT * FROM pg_roles WHERE rolname = ANY ($1)", [TENANT_ROLE, POSTER_ROLE]
        )
        members = await connection.fetchval(
            "SELECT count(*) FROM pg_auth_members WHERE member = ANY ($1::regrole[])",
            [TENANT_ROLE, POSTER_ROLE],
        )
        owned = await connection.fetchval(
            "SELECT count(*) FROM pg_class WHERE relowner = ANY ($1::regrole[])",
            [TENANT_ROLE, POSTER_ROLE],
        )
        as_owner = await connection.fetch(
            "SELECT proname FROM pg_proc WHERE prosecdef AND pronamespace = 'public'::regnamespace"
        )
        makers = [
            row[0]
            for row in await connection.fetch(
                "SELECT role FROM unnest($1::text[]) AS role"
                " WHERE has_schema_privilege(role, 'public', 'CREATE')",
                [TENANT_ROLE, POSTER_ROLE],
            )
        ]
    assert len(roles) == 2
    for role in roles:
        dangerous = ("rolsuper", "rolcanlogin", "rolbypassrls", "rolcreaterole", "rolcreatedb")
        assert not any(role[power] for power in dangerous), role
    assert (members, owned, as_owner, makers) == (0, 0, [], [])


async def visible(table: str, columns: set[str], partner_no: int) -> set[str]:
    """Return the rows of `table`, as text, that a session of the partner sees."""
    listed = ", ".join(sorted(columns))
    async with transaction(role=TENANT_ROLE, partner_no=partner_no) as connection:
        rows = await connection.fetch(f"SELECT row({listed})::text FROM {table}")
    return {row[0] for row in rows}


async def test_no_row_of_a_guarded_table_is_seen_by_two_partners(world: World) -> None:
    await _do_business(world)
    guarded = [
        (row["relname"], set(row["read"]))
        for row in await relations(TENANT_ROLE)
        if row["read"] and (row["relrowsecurity"] or row["kind"] == "v")
    ]
    empty = set()
    for table, columns in guarded:
        first, second = [
            await visible(table, columns, shop.partner.no) for shop in (world.grocer, world.fuel)
        ]
        assert first.isdisjoint(second), f"{table} shows both {first & second}"
        if not (first and second):
            empty.add(table)
        assert await visible(table, columns, 99) == set(), f"{table} shows rows to a stranger"
    # Clients prove themselves by secrets here; without rows of both a table would prove nothing.
    assert empty == {"client_key"}


async def test_a_row_belongs_to_the_partner_whose_session_sees_it(world: World) -> None:
    await _do_business(world)
    for row in await relations(TENANT_ROLE):
        if "partner_no" not in row["read"] or row["relname"] in SHARED:
            continue
        for shop in (world.grocer, world.fuel):
            own = await visible(row["relname"], {"partner_no"}, shop.partner.no)
            assert own <= {f"({shop.partner.no})"}, row["relname"]


async def test_a_session_that_names_no_partner_or_a_wrong_one_sees_nothing(scene: Scene) -> None:
    for setting in ({}, {"coalition.partner_no": ""}, {"coalition.partner_no": "1 OR true"}):
        with pytest.raises(asyncpg.PostgresError):
            async with transaction(setting, role=TENANT_ROLE) as connection:
                await connection.fetch("SELECT * FROM posting")


STATEMENTS = {
    POSTER_ROLE: (
        "UPDATE posting SET points = points + 1",
        "UPDATE posting SET partner_no = 2",
        "DELETE FROM posting",
        "TRUNCATE posting",
        "UPDATE leg SET points = 1",
        "DELETE FROM leg",
        "DELETE FROM lot",
        "UPDATE purchase_line SET amount_minor = 1",
        "UPDATE purchase_earning SET points = 1",
        "DELETE FROM earning_usage",
        "UPDATE lot SET issuer_no = 2",
        "UPDATE hold SET points = 1",
        "UPDATE contract SET issue_price = 0",
        "UPDATE idempotency_claim SET status = 500",
        "SELECT * FROM personal_data",
        "SELECT * FROM member_key",
        "SELECT hash FROM client_secret",
        "SELECT * FROM client",
        "SELECT private_key FROM signing_key",
        "INSERT INTO audit_log DEFAULT VALUES",
        "ALTER TABLE posting DISABLE ROW LEVEL SECURITY",
        "CREATE TABLE mine (a int)",
    ),
    TENANT_ROLE: (
        "SELECT * FROM holder",
        "SELECT * FROM every_lot",
        "SELECT * FROM entry",
        "SELECT points_in FROM lot",
        "SELECT * FROM purchase_basket",
        "SELECT * FROM earning_usage",
        "SELECT hash FROM client_secret",
        "SELECT enrolled_by FROM member",
        "SELECT note FROM consent",
        "SELECT through_partner_no FROM consent",
        "SELECT * FROM standing",
        "SELECT * FROM erasure",
        "SELECT * FROM idempotency_claim",
        "SELECT * FROM drain",
        "SELECT * FROM drained",
        "SELECT * FROM settlement_queue",
        "SELECT * FROM money_entry",
        "SELECT * FROM clearing_leg",
        "UPDATE statement_line SET amount_minor = 0",
        "INSERT INTO settlement_adjustment SELECT * FROM settlement_adjustment",
        "SELECT * FROM outbox",
        "SELECT * FROM audit_log",
        "SELECT * FROM posting_2026_11",
        "INSERT INTO partner_member SELECT * FROM partner_member",
        "UPDATE posting SET partner_no = 1",
        "DELETE FROM hold",
        "ALTER TABLE posting DISABLE ROW LEVEL SECURITY",
        "SELECT pg_read_file('/etc/passwd')",
        "COPY posting TO PROGRAM 'cat'",
    ),
}


@pytest.mark.parametrize(
    ("role", "statement"),
    [(role, statement) for role, statements in STATEMENTS.items() for statement in statements],
    ids=lambda part: part,
)
async def test_a_statement_that_the_role_never_needs_is_refused(
    scene: Scene, role: str, statement: str
) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with transaction(role=role, partner_no=scene.grocer.partner.no) as connection:
            await connection.execute(statement)


async def _do_business(world: World) -> None:
    """Let each partner have everything, with members of its own."""
    await set_scene(world)
    await activated(document("bonus"), world.grocer.at)
    for shop in (world.grocer, world.fuel):
        member = await shop.new_member(f"7000{shop.partner.no}")
        agreed = {"purpose": "sharing", "granted": True, "text_version": "1"}
        said = await shop.post(f"/v1/members/{member}/consents", {"consents": [agreed]})
        assert said.status_code == 201, said.text
        bought = shop.purchase(member, lines=[{"amount_minor": 500}])
        assert (await shop.post("/v1/points/issue", bought)).status_code == 201
        posting = UUID(await shop.issue(member, 50))
        await shop.issue(member, 50, occurred_at="2026-10-10T12:00:00Z")
        paid = await shop.post("/v1/points/redeem", shop.payment(member, 70))
        for reversed_ in (paid.json()["posting_id"], posting):
            answer = await shop.post(f"/v1/postings/{reversed_}/reverse", {"points": 5})
            assert answer.status_code == 201, answer.text
        held = await shop.post("/v1/points/holds", shop.payment(member, 5))
        assert held.status_code == 201, held.text
        sent = await shop.send("/v1/batches", b"{}", "application/x-ndjson")
        assert sent.status_code == 201, sent.text
        async with transaction() as connection:
            await connection.execute(_LIMIT, shop.partner.no, shop.at)
    await close_first_month(world.fuel)
    await draining.drain_all(world.grocer.at)
