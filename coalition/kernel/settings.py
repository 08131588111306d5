"""Settings: read once from the environment and from secret files, typed, with safe refusals."""

import contextlib
import dataclasses
import os
import re
import secrets
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parseaddr
from pathlib import Path
from urllib.parse import urlsplit

PREFIX = "COALITION_"
BLIND_INDEX_KEY_BYTES = 32


class SettingsError(Exception):
    """A setting is missing or wrong; the message says which one and what would be right."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What one process runs with. Each field is the environment variable COALITION_<FIELD>."""

    database_url: str
    issuer: str
    """The `iss` of access tokens and the base of metadata addresses, e.g. https://points.example."""
    blind_index_key: bytes
    """HMAC key of the look-up indexes for card, e-mail and phone; kept outside the database."""
    master_key: bytes
    """Wraps each member's key and the private signing keys; kept outside the database."""
    data_directory: Path | None = None
    pool_size: int = 8
    statement_cache_size: int = 256
    log_level: str = "info"
    request_body_max_bytes: int = 1_000_000
    batch_body_max_bytes: int = 500_000_000
    stripe_key: str | None = None
    """The secret key of an account at Stripe; without one only the sandbox takes payments."""
    stripe_webhook_secret: str | None = None
    """What Stripe signs its webhooks with; two, with a comma between, while one is rolled."""
    stripe_sandbox: bool = False
    """Whether a stand-in for Stripe is mounted under /sandbox, which takes made-up cards alone."""
    countries: Path | None = None
    """A directory of terms of countries that lie over the shipped ones."""
    smtp_url: str | None = None
    """The mail server that sends our e-mails; without one messages lie in the inbox alone."""
    mail_from: str | None = None
    """Who our e-mails are from, e.g. Points <hello@points.example>."""

    @classmethod
    def load(
        cls,
        environ: Mapping[str, str],
        *,
        data_directory: Path | None = None,
        database_url: str | None = None,
        issuer: str | None = None,
    ) -> "Settings":
        """Read the settings of a process.

        With a `data_directory` the service keeps its own secrets there (mode 0600), made on first
        use. Without one they must be given: COALITION_X, or COALITION_X_FILE naming a file that
        holds it. Raises `SettingsError`.
        """
        given = _Given(environ)
        keys = [given.secret("BLIND_INDEX_KEY"), given.secret("MASTER_KEY")]
        if data_directory is not None:
            names = ("blind_index_key", "master_key")
            keys = [k or _kept_secret(data_directory / n) for k, n in zip(keys, names, strict=True)]
        blind_index_key, master_key = keys
        if blind_index_key is None or master_key is None:
            raise SettingsError(
                "COALITION_BLIND_INDEX_KEY and COALITION_MASTER_KEY (or ..._FILE) are needed with "
                "a database URL: 64 hexadecimal digits each, e.g. from `openssl rand -hex 32`"
            )
        url = database_url or given.text("DATABASE_URL")
        if url is None:
            raise SettingsError("COALITION_DATABASE_URL, --database-url or --data is needed")
        return cls(
            database_url=url,
            issuer=given.address("ISSUER", default=issuer or "http://127.0.0.1:8000"),
            blind_index_key=blind_index_key,
            master_key=master_key,
            data_directory=data_directory,
            pool_size=given.number("POOL_SIZE", default=8, least=2, most=500),
            statement_cache_size=given.number("STATEMENT_CACHE_SIZE", default=256, most=10_000),
            log_level=given.choice(
                "LOG_LEVEL", ("debug", "info", "warning", "error"), default="info"
            ),
            request_body_max_bytes=given.number(
                "REQUEST_BODY_MAX_BYTES", default=1_000_000, least=1_000
            ),
            batch_body_max_bytes=given.number(
                "BATCH_BODY_MAX_BYTES", default=500_000_000, least=1_000
            ),
            stripe_key=given.text("STRIPE_KEY"),
            stripe_webhook_secret=given.text("STRIPE_WEBHOOK_SECRET"),
            stripe_sandbox=_sandbox(given, has_directory=data_directory is not None),
            countries=given.directory("COUNTRIES"),
            smtp_url=(smtp_url := given.mail_server("SMTP_URL")),
            mail_from=given.mailbox("MAIL_FROM", is_needed=smtp_url is not None),
        )


KNOWN = frozenset(PREFIX + field.name.upper() for field in dataclasses.fields(Settings)) | {
    PREFIX + "POSTGRES_BIN"
}
"""The names that are read; `coalition doctor` lists any other COALITION_ variable as unknown."""


class _Given:
    """The environment, with the errors that a wrong value deserves."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def text(self, name: str) -> str | None:
        variable = PREFIX + name
        if path := self._environ.get(variable + "_FILE"):
            try:
                return Path(path).read_text(encoding="utf-8").strip()
            except OSError as error:
                message = f"{variable}_FILE names a file that cannot be read: {error.strerror}"
                raise SettingsError(message) from error
        return self._environ.get(variable) or None

    def secret(self, name: str) -> bytes | None:
        text = self.text(name)
        if text is None:
            return None
        try:
            key = bytes.fromhex(text)
        except ValueError:
            key = b""
        if len(key) != BLIND_INDEX_KEY_BYTES:
            raise SettingsError(f"{PREFIX}{name} must be 64 hexadecimal digits (32 bytes)")
        return key

    def address(self, name: str, *, default: str) -> str:
        text = self.text(name) or default
        if not re.fullmatch(r"https?://[^\s/?#]+(/[^\s?#]*[^\s?#/])?", text):
            raise SettingsError(
                f"{PREFIX}{name} must be an address such as https://points.example, without a "
                "slash at its end"
            )
        return text

    def number(self, name: str, *, default: int, least: int = 0, most: int = 10**12) -> int:
        text = self.text(name)
        if text is None:
            return default
        if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
            raise SettingsError(f"{PREFIX}{name} must be a whole number from {least} to {most}")
        return int(text)

    def directory(self, name: str) -> Path | None:
        text = self.text(name)
        if text is None:
            return None
        if not Path(text).is_dir():
            raise SettingsError(f"{PREFIX}{name} must name a directory; {text} is none")
        return Path(text)

    def mail_server(self, name: str) -> str | None:
        text = self.text(name)
        if text is None:
            return None
        if not _is_mail_server(text):
            raise SettingsError(
                f"{PREFIX}{name} must be an address such as smtps://name:password@mail.example "
                "or smtp://name:password@mail.example:587; signs in the name or password that "
                "are no letters or digits are written as in %40"
            )
        return text

    def mailbox(self, name: str, *, is_needed: bool) -> str | None:
        text = self.text(name)
        if text is None:
            if is_needed:
                raise SettingsError(
                    f"{PREFIX}{name} is needed beside {PREFIX}SMTP_URL, e.g. "
                    "Points <hello@points.example>"
                )
            return None
        address = parseaddr(text)[1]
        if not re.fullmatch(r"[!-?A-~]+@[A-Za-z0-9.-]+", address) or not text.isprintable():
            raise SettingsError(
                f"{PREFIX}{name} must be an address of plain letters, with a name if wanted: "
                "Points <hello@points.example>"
            )
        return text

    def choice(self, name: str, allowed: tuple[str, ...], *, default: str) -> str:
        text = self.text(name) or default
        if text not in allowed:
            raise SettingsError(f"{PREFIX}{name} must be one of {', '.join(allowed)}")
        return text


def _is_mail_server(text: str) -> bool:
    try:
        url = urlsplit(text)
        has_place = bool(url.hostname) and url.port != 0
    except ValueError:
        return False
    is_alone = url.path in {"", "/"} and not url.query and not url.fragment
    return url.scheme in {"smtp", "smtps"} and has_place and is_alone


def _sandbox(given: _Given, *, has_directory: bool) -> bool:
    """Return whether the stand-in for Stripe is wanted: by default where there is no key.

    It keeps its state in the data directory, and a live key beside it is a mistake of somebody.
    """
    key = given.text("STRIPE_KEY")
    default = "1" if has_directory and key is None else "0"
    wanted = given.choice("STRIPE_SANDBOX", ("0", "1"), default=default) == "1"
    if wanted and not has_directory:
        raise SettingsError(
            f"{PREFIX}STRIPE_SANDBOX=1 needs a data directory, in which the sandbox keeps its "
            f"state; work with --data, or set {PREFIX}STRIPE_KEY instead"
        )
    if wanted and key is not None and "_live_" in key:
        raise SettingsError(
            f"{PREFIX}STRIPE_KEY is a live key and {PREFIX}STRIPE_SANDBOX is 1; set it to 0 "
            "to take real payments, or take the key away"
        )
    return wanted


def _kept_secret(path: Path) -> bytes:
    """Return the secret kept in `path`, made with mode 0600 the first time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        # Written aside and linked into place: another process sees the whole secret or none.
        with tempfile.NamedTemporaryFile("w", dir=path.parent) as file:
            file.write(secrets.token_bytes(BLIND_INDEX_KEY_BYTES).hex())
            file.flush()
            with contextlib.suppress(FileExistsError):
                os.link(file.name, path)
    try:
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except ValueError:
        key = b""
    if len(key) != BLIND_INDEX_KEY_BYTES:
        raise SettingsError(f"{path} must hold 64 hexadecimal digits; restore it from your backup")
    return key
