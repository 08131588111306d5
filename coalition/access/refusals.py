"""What access refuses: at the token endpoint in the words of RFC 6749, else in our own."""

from coalition.kernel.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    Refused,
    TooMany,
    Unauthenticated,
)


class TokenRefused(Refused):
    """No token is given; `code` is an error of RFC 6749 section 5.2.

    `detail` is its error_description: ASCII without quotes and backslashes.
    """

    status = 400


class InvalidRequest(TokenRefused):
    """The request is malformed."""

    code, title = "invalid_request", "Invalid request"


class InvalidClient(TokenRefused):
    """The client is unknown, or its credential is wrong, expired or revoked."""

    code, title, status = "invalid_client", "Invalid client", 401


class InvalidGrant(TokenRefused):
    """The token was issued to another client."""

    code, title = "invalid_grant", "Invalid grant"


class UnauthorizedClient(TokenRefused):
    """The partner of this client is suspended."""

    code, title = "unauthorized_client", "Unauthorized client"


class UnsupportedGrantType(TokenRefused):
    """The only grant_type here is client_credentials."""

    code, title = "unsupported_grant_type", "Unsupported grant type"


class InvalidScope(TokenRefused):
    """The client does not hold every scope that it asks for."""

    code, title = "invalid_scope", "Invalid scope"


class ClientNotFound(NotFound):
    """There is no such client; list the clients to find it."""

    code, title = "client_not_found", "Client not found"


class ClientRevoked(Conflict):
    """The client is revoked for good; create a new one."""

    code, title = "client_revoked", "Client revoked"


class CredentialNotFound(NotFound):
    """The client has no such credential that is still live."""

    code, title = "credential_not_found", "Credential not found"


class TooManyCredentials(Conflict):
    """A client has at most `limit` live secrets and as many live keys; revoke one first."""

    code, title = "too_many_credentials", "Too many credentials"


class UnknownScope(Invalid):
    """A client holds at least one scope, and only those that there are (`known`)."""

    code, title = "unknown_scope", "Unknown scope"
    constraint = "a_client_has_a_scope"


class WrongSide(Invalid):
    """A partner's client holds scopes of partners, one of the operator those of staff (`known`)."""

    code, title = "scope_of_another_side", "Scope of another side"
    constraint = "a_client_holds_scopes_of_its_side"


class InvalidClientName(Invalid):
    """The name of a client has 1 to 200 printable characters."""

    code, title = "invalid_client_name", "Invalid client name"
    constraint = "a_client_has_a_name"


class InvalidSecretExpiry(Invalid):
    """A secret expires after it is made."""

    code, title = "invalid_secret_expiry", "Invalid secret expiry"
    constraint = "a_secret_expires_after_it_is_made"


class UnusableKey(Invalid):
    """A client's public key is Ed25519, P-256 (ES256) or RSA of 2048 to 8192 bits (RS256)."""

    code, title = "unusable_key", "Unusable key"


class DuplicateKey(Conflict):
    """The client has, or had, a key of that name; a revoked key does not come back."""

    code, title = "duplicate_key", "Duplicate key"
    constraint = "a_client_has_one_key_of_a_name"


class RotationUnderWay(Conflict):
    """The next signing key is published already and will sign from `signs_from`."""

    code, title = "rotation_under_way", "Rotation under way"


class SignInFailed(Unauthenticated):
    """The e-mail address and the password do not belong together."""

    code, title = "sign_in_failed", "Sign-in failed"


class WrongPassword(Forbidden):
    """The old password is not the one that holds; nothing was changed."""

    code, title = "wrong_password", "Wrong password"


class TooManyAttempts(TooMany):
    """Too many tries that were wrong; try again after `retry_after_s` seconds."""

    code, title = "too_many_attempts", "Too many attempts"


class UnusableCode(Unauthenticated):
    """The code is unknown, used or over; ask the operator for another one."""

    code, title = "unusable_code", "Unusable code"


class WeakPassword(Invalid):
    """A password has 12 to 200 characters and is none that others try first."""

    code, title = "weak_password", "Weak password"


class LoginTaken(Conflict):
    """Another member signs in with this address; give another one."""

    code, title = "login_taken", "Login taken"
    constraint = "an_address_has_one_login"


class MembershipEnded(Forbidden):
    """The membership has ended; who was a member signs in no more."""

    code, title = "membership_ended", "Membership ended"


class MemberFrozen(Forbidden):
    """The member is frozen: it may look at everything and change nothing until that is over."""

    code, title = "member_frozen", "Member frozen"
