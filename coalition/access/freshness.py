"""Keeps the verifier of a process in step with the database: trusted keys, revocations.

A revocation made by another process is known after `REFRESH_S` at the latest, one of our own at
once. While the database does not answer, the last known state holds; a token lives fifteen minutes
at most, and nothing can be posted without the database anyway.
"""

import asyncio
from datetime import datetime, timedelta
from typing import NoReturn

import structlog

from coalition.access import queries
from coalition.access.signing import public_key_of
from coalition.access.signing_keys import TRUSTED_AFTER
from coalition.kernel.clock import Clock
from coalition.kernel.database import transaction
from coalition.kernel.identity import TokenVerifier

REFRESH_S = 2
CLOCKS_DIFFER = timedelta(minutes=1)

_logger = structlog.get_logger(__name__)


async def refresh(verifier: TokenVerifier, at: datetime) -> None:
    """Read which keys are trusted at `at` and which clients and tokens are revoked."""
    async with transaction() as connection:
        keys = await queries.trusted_keys(connection, at)
        clients = await queries.clients_revoked_since(
            connection, at - TRUSTED_AFTER - CLOCKS_DIFFER
        )
        tokens = await queries.tokens_revoked(connection, at)
        passwords = await queries.passwords_set_since(
            connection, at - TRUSTED_AFTER - CLOCKS_DIFFER
        )
    verifier.trust({kid: public_key_of(raw) for kid, raw in keys.items()})
    for client_no, revoked_at in clients.items():
        verifier.revoke_client(client_no, until=revoked_at + TRUSTED_AFTER + CLOCKS_DIFFER)
    for token_id, until in tokens.items():
        verifier.revoke_token(token_id, until=until)
    for login_id, password_no, set_at in passwords:
        until = set_at + TRUSTED_AFTER + CLOCKS_DIFFER
        verifier.expect_password(login_id, password_no, until=until)
    verifier.forget_ended(at)


async def keep_fresh(verifier: TokenVerifier, clock: Clock) -> NoReturn:
    """Refresh every `REFRESH_S` seconds until cancelled; run one as a task of each process."""
    while True:
        try:
            await refresh(verifier, clock.now())
        except Exception as error:  # noqa: BLE001 - revocations must be looked for again
            _logger.warning("tokens_not_refreshed", error=type(error).__name__)
        await asyncio.sleep(REFRESH_S)
