"""`coalition client secret` and `coalition client key`: what a client proves itself by."""

from typing import TextIO
from uuid import UUID

import msgspec
import rich_click as click

from coalition.access import service
from coalition.kernel.settings import Settings
from server.commands.options import (
    ACTOR,
    answer,
    as_json_option,
    example,
    place_of,
    place_options,
    say,
    table_of,
)
from server.databases import do
from server.house_clock import HouseClock

_SECRETS = ("id", "created_at", "expires_at")
_KEYS = ("kid", "algorithm", "created_at")


@click.group()
def secret() -> None:
    """List and revoke the secrets of a client; `client rotate` adds one."""


@secret.command("list")
@click.argument("client_id")
@place_options
@as_json_option
@click.pass_context
@example("coalition client secret list client_0123456789abcdef")
def list_secrets(context: click.Context, *, client_id: str, as_json: bool) -> None:
    """List the live secrets of CLIENT_ID, the oldest first; never what they are."""

    async def work(_: Settings) -> list[dict[str, object]]:
        found = await service.live_secrets(client_id, at=HouseClock().now())
        return [msgspec.structs.asdict(one) for one in found]

    rows = do(place_of(context), work)
    answer({"items": rows}, as_json=as_json, table=lambda: table_of(rows, _SECRETS))


@secret.command("revoke")
@click.argument("client_id")
@click.argument("secret_id", type=click.UUID)
@place_options
@click.pass_context
@example(
    "coalition client secret revoke client_0123456789abcdef 5f0c9a52-7f7e-4a94-9d39-6a2b8f1f6a10"
)
def revoke_secret(context: click.Context, *, client_id: str, secret_id: UUID) -> None:
    """Let a secret of CLIENT_ID open nothing any more; `secret list` shows its SECRET_ID."""

    async def work(_: Settings) -> None:
        await service.revoke_secret(client_id, secret_id, actor=ACTOR, at=HouseClock().now())

    do(place_of(context), work)
    say("The secret is revoked.")


@click.group()
def key() -> None:
    """Add, list and revoke the public keys that a client signs with (private_key_jwt)."""


@key.command("add")
@click.argument("client_id")
@click.option(
    "--public-key",
    type=click.File(encoding="utf-8"),
    required=True,
    metavar="FILE",
    help="The file with the public key, as PEM or JWK; - reads standard input.",
)
@place_options
@as_json_option
@click.pass_context
@example("coalition client key add client_0123456789abcdef --public-key till.pub.pem")
def add_key(context: click.Context, *, client_id: str, public_key: TextIO, as_json: bool) -> None:
    """Take assertions of CLIENT_ID that are signed with the private half of a key.

    The key is Ed25519, P-256 or RSA of 2048 to 8192 bits.
    """
    try:
        text = public_key.read()
    except UnicodeDecodeError as error:
        raise click.BadParameter("the file is neither PEM nor JWK: it is no text") from error

    async def work(_: Settings) -> dict[str, object]:
        kid = await service.add_key(client_id, text, actor=ACTOR, at=HouseClock().now())
        return {"client_id": client_id, "kid": kid}

    row = do(place_of(context), work)
    answer(row, as_json=as_json, table=lambda: table_of([row], tuple(row)))


@key.command("list")
@click.argument("client_id")
@place_options
@as_json_option
@click.pass_context
@example("coalition client key list client_0123456789abcdef --json")
def list_keys(context: click.Context, *, client_id: str, as_json: bool) -> None:
    """List the live public keys of CLIENT_ID, the oldest first."""

    async def work(_: Settings) -> list[dict[str, object]]:
        return [msgspec.structs.asdict(one) for one in await service.live_keys(client_id)]

    rows = do(place_of(context), work)
    answer({"items": rows}, as_json=as_json, table=lambda: table_of(rows, _KEYS))


@key.command("revoke")
@click.argument("client_id")
# As an option: a thumbprint may begin with a hyphen.
@click.option("--kid", required=True, help="The name of the key; `key list` shows it.")
@place_options
@click.pass_context
@example("coalition client key revoke client_0123456789abcdef --kid till-17")
def revoke_key(context: click.Context, *, client_id: str, kid: str) -> None:
    """Take no more assertions signed with a key of CLIENT_ID."""

    async def work(_: Settings) -> None:
        await service.revoke_key(client_id, kid, actor=ACTOR, at=HouseClock().now())

    do(place_of(context), work)
    say("The key is revoked.")
