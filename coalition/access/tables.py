"""How Piccolo sees the tables of access; the migrations make them."""

from piccolo.columns import UUID, Array, Bytea, Integer, Text, Timestamptz
from piccolo.table import Table


class Client(Table):
    """A program that may get tokens: a till system, a web shop, a tool of the operator's staff.

    `partner_no` is 0 for those of the operator.
    """

    no = Integer(primary_key=True, default=None)
    client_id = Text()
    partner_no = Integer()
    name = Text()
    scopes = Array(base_column=Text())
    store_no = Integer(null=True, default=None)
    state = Text()
    created_at = Timestamptz(default=None)
    revoked_at = Timestamptz(null=True, default=None)


class ClientSecret(Table):
    """The hash of a secret; a client has several while it changes from one to the next."""

    id = UUID(primary_key=True, default=None)
    client_no = Integer()
    partner_no = Integer()
    hash = Bytea()
    created_at = Timestamptz(default=None)
    expires_at = Timestamptz(null=True, default=None)
    revoked_at = Timestamptz(null=True, default=None)


class ClientKey(Table):
    """A public key (DER) by which a client signs its assertions."""

    id = UUID(primary_key=True, default=None)
    client_no = Integer()
    partner_no = Integer()
    kid = Text()
    algorithm = Text()
    public_key = Bytea()
    created_at = Timestamptz(default=None)
    revoked_at = Timestamptz(null=True, default=None)


class SigningKey(Table):
    """A key of ours that signs access tokens; its private half is sealed, and gone at its end."""

    kid = Text(primary_key=True, default=None)
    public_key = Bytea()
    private_key = Bytea(null=True, default=None)
    created_at = Timestamptz(default=None)
    signs_from = Timestamptz(default=None)
    trusted_until = Timestamptz(null=True, default=None)


class Login(Table):
    """By which address (a digest) and which password (argon2id) a member signs in."""

    id = UUID(primary_key=True, default=None)
    email_digest = Bytea()
    member_id = UUID()
    password_hash = Text(null=True, default=None)
    password_set_at = Timestamptz(null=True, default=None)
    code_digest = Bytea(null=True, default=None)
    code_ends_at = Timestamptz(null=True, default=None)
    password_no = Integer()
    created_at = Timestamptz(default=None)


class PageSession(Table):
    """A session of the pages, found by the hash of the word in its cookie."""

    digest = Bytea(primary_key=True, default=None)
    login_id = UUID()
    password_no = Integer()
    member_id = UUID()
    created_at = Timestamptz(default=None)
    seen_at = Timestamptz(default=None)
    ends_at = Timestamptz(default=None)
