"""Members sign in: by e-mail address and password they get an access token of their own side.

The token is a partner's in every respect but whose it is: fifteen minutes, EdDSA, revocable. There
is no longer-lived one; an app asks for the password again, and so `auth_time` is never old.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from coalition.access import logins, passwords, signing_keys, standing
from coalition.access.logins import Code, Login
from coalition.access.passwords import Passwords
from coalition.access.refusals import MembershipEnded, SignInFailed, WrongPassword
from coalition.access.signing import base64url
from coalition.access.tokens import TOKEN_LIFETIME_S
from coalition.kernel.database import Connection, retrying, transaction
from coalition.kernel.identity import (
    LEEWAY_S,
    MEMBER_SCOPE,
    MEMBERS,
    MEMBERS_CLIENT,
    AccessClaims,
    Caller,
    TokenVerifier,
    audience_of,
)
from coalition.kernel.ids import random_id
from coalition.kernel.settings import Settings
from coalition.ledger import holders
from coalition.ledger.accounts import HolderState

AddressDigest = Callable[[str], bytes]
"""Returns the digest of an e-mail address; it refuses what is none."""


class SignedIn(msgspec.Struct, frozen=True):
    """A member that has signed in, and its access token."""

    member_id: UUID
    access_token: str
    expires_in_s: int


class SignIns:
    """Lets members in; one for each service."""

    def __init__(self, *, settings: Settings, digest: AddressDigest) -> None:
        """Prepare; `digest` comes from whoever keeps the members' addresses."""
        self._settings = settings
        self._digest = digest
        self._passwords = Passwords()

    async def sign_in(self, email: str, password: str, at: datetime) -> SignedIn:
        """Return a token for the member whose address and password these are.

        Who was merged gets in as the survivor. Raises `SignInFailed` alike for a wrong address and
        a wrong password, `TooManyAttempts`, and `MembershipEnded`.
        """
        login = await self.prove(email, password, at)
        return await retrying(lambda: self._token(login, at))

    async def prove(self, email: str, password: str, at: datetime) -> Login:
        """Return the login whose address and password these are; raises as `sign_in` does."""
        digest = self._digest(email)
        await retrying(lambda: logins.count_attempt(digest, at))
        login = await retrying(lambda: _read(digest))
        kept = None if login is None else login.password_hash
        if not await self._passwords.matches(kept, password) or login is None:
            raise SignInFailed
        await retrying(lambda: logins.forget_attempts(digest))
        return login

    async def set_password(self, code: str, password: str, at: datetime) -> UUID:
        """Set a member's password by its one-time code. Raises `WeakPassword`, `UnusableCode`."""
        await retrying(lambda: logins.check_code(code, at))
        hashed = await self._passwords.hash(passwords.checked(password))
        return await retrying(lambda: logins.use_code(code, hashed, at))

    async def change_password(
        self, caller: Caller, old: str, new: str, at: datetime, *, verifier: TokenVerifier
    ) -> SignedIn:
        """Set another password by the old one; every token given before ends, and a new one is due.

        Here they end at once, in other processes within two seconds. Raises `WrongPassword`,
        `WeakPassword`, `TooManyAttempts`, and what `standing.check` does of who may change nothing.
        """
        text, member = passwords.checked(new), caller.member_id
        assert member is not None, "the door lets members in alone"
        login = await retrying(lambda: _read_own(caller.login_id, member))
        if login is None:
            raise WrongPassword
        await retrying(lambda: logins.count_attempt(login.email_digest, at))
        if not await self._passwords.matches(login.password_hash, old):
            raise WrongPassword
        hashed = await self._passwords.hash(text)
        changed = await retrying(lambda: logins.change(login, hashed, at))
        if changed is None:
            raise WrongPassword
        until = at + timedelta(seconds=TOKEN_LIFETIME_S + LEEWAY_S)
        verifier.expect_password(changed.id, changed.password_no, until=until)
        return await retrying(lambda: self._token(changed, at))

    async def give_code(self, member_id: UUID, email: str, *, actor: str, at: datetime) -> Code:
        """Give a code, as staff, to a member that is to sign in by `email`. Raises `LoginTaken`."""
        digest = self._digest(email)
        return await logins.give_code(member_id, digest, actor=actor, at=at)

    async def _token(self, login: Login, at: datetime) -> SignedIn:
        async with transaction() as connection:
            member = await standing_member(connection, login.member_id)
            key = await signing_keys.active_signing_key(
                connection, master_key=self._settings.master_key, at=at
            )
        claims = claims_of(member, issuer=self._settings.issuer, at=at, login=login)
        token = key.sign(claims)
        return SignedIn(member, token, TOKEN_LIFETIME_S)


async def sign_out(token: str | bytes, *, verifier: TokenVerifier, at: datetime) -> None:
    """Take a member's token back, at once here and in other processes when they next look.

    Raises `InvalidToken` for one that is none, or over already.
    """
    caller, token_id = verifier.verify(token, at), verifier.token_id(token, at)
    until = caller.expires_at + timedelta(seconds=LEEWAY_S)

    async def work() -> None:
        async with transaction() as connection:
            await connection.execute("DELETE FROM revocation WHERE expires_at <= $1", at)
            await connection.execute(
                "INSERT INTO revocation (token_id, created_at, expires_at) VALUES ($1, $2, $3)"
                " ON CONFLICT DO NOTHING",
                token_id,
                at,
                until,
            )

    await retrying(work)
    verifier.revoke_token(token_id, until=until)


def claims_of(
    member: UUID, *, issuer: str, at: datetime, login: Login | None = None
) -> AccessClaims:
    """Return what the token of a member says who gave the password of `login` at `at`."""
    issued_s = int(at.timestamp())
    return AccessClaims(
        iss=issuer,
        sub=str(member),
        client_id=MEMBERS_CLIENT,
        aud=audience_of(issuer),
        iat=issued_s,
        exp=issued_s + TOKEN_LIFETIME_S,
        jti=base64url(random_id().bytes),
        scope=MEMBER_SCOPE,
        client_no=0,
        partner_no=MEMBERS,
        member_id=member,
        auth_time=issued_s,
        login_id=None if login is None else login.id,
        password_no=0 if login is None else login.password_no,
    )


async def _read(digest: bytes) -> logins.Login | None:
    async with transaction() as connection:
        return await logins.read(connection, digest)


async def _read_own(login_id: UUID | None, member: UUID) -> logins.Login | None:
    """Return the login by which a member signed in, if it may change anything now."""
    async with transaction() as connection:
        await standing.check(connection, member, writes=True)
        return await logins.read_one(connection, login_id, member)


async def standing_member(connection: Connection, member_id: UUID) -> UUID:
    """Return the member, or who it was merged into; refuse one whose membership has ended."""
    standing = (await holders.read_states(connection, [member_id])).get(member_id)
    if standing is not None and standing.merged_into is not None:
        return await standing_member(connection, standing.merged_into)
    if standing is None or standing.state == HolderState.CLOSED:
        raise MembershipEnded
    return member_id
