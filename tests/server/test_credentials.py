"""Secrets and keys on the command line: from the old credential to the new one, without a gap."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from coalition.kernel.clock import SystemClock
from tests.server.processes import Ended, within
from tests.server.test_serving import assert_stopped


def client_of(data: Path) -> Any:  # Any: JSON
    made = within("client", "create", "1", "--name", "till", "--data", data, "--json")
    assert made.status == 0, made.err
    return made.document


def test_a_rotation_is_finished_by_revoking_the_old_secret(data: Path) -> None:
    till = client_of(data)
    client_id = till["client_id"]
    (old,) = within("client", "secret", "list", client_id, "--data", data, "--json").document[
        "items"
    ]
    new = within("client", "rotate", client_id, "--data", data, "--json").document

    done = within("client", "secret", "revoke", client_id, old["id"], "--data", data)

    assert (done.status, done.err) == (0, "The secret is revoked.\n")
    listed = within("client", "secret", "list", client_id, "--data", data, "--json").document
    assert [one["id"] for one in listed["items"]] == [new["secret_id"]]
    assert till["client_secret"] not in str(listed)
    again = within("client", "secret", "revoke", client_id, old["id"], "--data", data)
    assert_stopped(again, 2, "[credential_not_found]")


def test_a_public_key_is_added_listed_and_revoked(data: Path, tmp_path: Path) -> None:
    client_id = client_of(data)["client_id"]
    public = Ed25519PrivateKey.generate().public_key()
    file = tmp_path / "till.pub.pem"
    file.write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))

    def run(*words: str) -> Ended:
        return within("client", "key", *words, "--data", data)

    added = run("add", client_id, "--public-key", str(file), "--json")
    assert added.status == 0, added.err
    (listed,) = run("list", client_id, "--json").document["items"]
    assert (listed["kid"], listed["algorithm"]) == (added.document["kid"], "EdDSA")
    assert run("revoke", client_id, "--kid", listed["kid"]).err == "The key is revoked.\n"
    assert run("list", client_id, "--json").document == {"items": []}
    assert_stopped(run("revoke", client_id, "--kid", "-_A"), 2, "[credential_not_found]")
    file.write_bytes(b"\xff\xfe")
    assert_stopped(run("add", client_id, "--public-key", str(file)), 2, "neither PEM nor JWK")
    file.write_text("-----BEGIN PRIVATE KEY-----")
    assert_stopped(run("add", client_id, "--public-key", str(file)), 2, "[unusable_key]")


def test_signing_keys_are_rotated_ahead_or_when_compromised_at_once(data: Path) -> None:
    def rotate(*words: str) -> datetime:
        ended = within("keys", "rotate", *words, "--data", data, "--json")
        assert ended.status == 0, ended.err
        return datetime.fromisoformat(ended.document["signs_from"])

    began = SystemClock().now()
    assert rotate() > began + timedelta(minutes=14)
    assert_stopped(within("keys", "rotate", "--data", data), 1, "[rotation_under_way]")
    assert began < rotate("--compromised") < began + timedelta(minutes=14)
    rotate()


def test_the_operators_clients_hold_scopes_of_staff_and_partners_their_own(data: Path) -> None:
    def create(*words: str) -> Ended:
        return within("client", "create", *words, "--name", "x", "--data", data, "--json")

    made = create("--operator", "--scopes", "settlement:read,settlement:approve")
    assert made.status == 0, made.err
    again = create("--operator", "--scope", "settlement:prepare", "--scope", "audit:read")
    assert again.status == 0, again.err
    listed = within("client", "list", "--operator", "--data", data, "--json").document["items"]
    assert [one["client_id"] for one in listed] == [
        made.document["client_id"],
        again.document["client_id"],
    ]
    assert [(one["partner"], one["scopes"]) for one in listed] == [
        (None, ["settlement:read", "settlement:approve"]),
        (None, ["settlement:prepare", "audit:read"]),
    ]
    shown = within("client", "list", "--data", data)
    assert "the operator" in shown.out
    for words, why in (
        (("--operator",), "Name its --scopes"),
        (("1", "--operator", "--scopes", "settlement:read"), "Name a partner or give --operator"),
        (("--scopes", "points:issue"), "Name a partner or give --operator"),
        (("--operator", "--scopes", "settlement:read", "--store", "1"), "has no stores"),
        (("--operator", "--scopes", "settlement:all"), "'settlement:all' is none of"),
        (("--operator", "--scopes", "points:issue"), "[scope_of_another_side]"),
        (("--operator", "--scopes", "settlement:read,points:issue"), "[scope_of_another_side]"),
        (("1", "--scopes", "settlement:read"), "[scope_of_another_side]"),
        (("0", "--scopes", "settlement:read"), "[partner_not_found]"),
    ):
        assert_stopped(create(*words), 2, why)
