"""Which mail server the settings name, and what stands in an e-mail."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import msgspec
import pytest

from coalition.kernel.settings import Settings, SettingsError
from coalition.messages import mails
from coalition.messages.inbox import Message
from coalition.messages.mails import Letterhead, UnwritableAddressError
from coalition.messages.office import Office
from coalition.messages.saying import Purpose
from tests.support.http import SETTINGS

FROM = "Points <hello@points.example>"
MESSAGE = Message(
    message_id=UUID(int=7),
    kind="test",
    purpose=Purpose.MARKETING,
    language="sv",
    subject="Hej",
    body="Ett erbjudande.",
    path=None,
    said_at=datetime(2026, 11, 22, 12, tzinfo=UTC),
    read_at=None,
)
HEAD = Letterhead(sender=FROM, domain="points.example", home="https://points.example")


def loaded(folder: Path, **given: str) -> Settings:
    """Return the settings with these variables."""
    environ = {f"COALITION_{name}": value for name, value in given.items()}
    return Settings.load(environ, data_directory=folder, database_url="postgresql://none")


@pytest.mark.parametrize(
    ("url", "port", "wrapped", "needs_tls"),
    [
        ("smtps://me:p%40ss@mail.example", 465, True, False),
        ("smtp://me:p%40ss@mail.example", 587, False, True),
        ("smtp://me:p%40ss@127.0.0.1:2525", 2525, False, False),
    ],
)
def test_a_mail_server_elsewhere_has_to_speak_tls(
    tmp_path: Path, url: str, port: int, *, wrapped: bool, needs_tls: bool
) -> None:
    office = Office.of(loaded(tmp_path, SMTP_URL=url, MAIL_FROM=FROM))
    assert office is not None
    assert (office.port, office.is_wrapped, office.needs_tls) == (port, wrapped, needs_tls)
    assert (office.username, office.password, office.domain) == ("me", "p@ss", "points.example")
    assert "p@ss" not in repr(office)


@pytest.mark.parametrize(
    "given",
    [
        {"SMTP_URL": "mail.example", "MAIL_FROM": FROM},
        {"SMTP_URL": "http://mail.example", "MAIL_FROM": FROM},
        {"SMTP_URL": "smtp://mail.example:x", "MAIL_FROM": FROM},
        {"SMTP_URL": "smtp://mail.example/inbox", "MAIL_FROM": FROM},
        {"SMTP_URL": "smtp://secret@mail.example"},
        {"MAIL_FROM": "Points"},
        {"MAIL_FROM": "åsa@points.example"},
        {"MAIL_FROM": "a@points.example\nBcc: b@points.example"},
    ],
    ids=str,
)
def test_what_cannot_be_is_refused_without_the_secret(
    tmp_path: Path, given: dict[str, str]
) -> None:
    with pytest.raises(SettingsError, match="COALITION_") as refused:
        loaded(tmp_path, **given)
    assert "secret" not in str(refused.value)


def test_without_a_mail_server_there_is_none() -> None:
    assert Office.of(SETTINGS) is None
    assert Office.of(replace(SETTINGS, mail_from=FROM)) is None


@pytest.mark.parametrize(
    "address",
    [
        "nobody",
        "@points.example",
        "a@",
        "a b@points.example",
        "a@points.example>\r\nBcc: <b@points.example",
        "a,b@points.example",
        "a@-.example\u200b\u00ad..",
        "=?utf-8?q?=0d=0abcc=3a_b=40points.example?=@points.example",
    ],
    ids=ascii,
)
def test_an_address_that_is_none_is_not_written_to(address: str) -> None:
    with pytest.raises(UnwritableAddressError):
        mails.recipient_of(address)


def test_marketing_carries_how_to_say_no_and_nothing_slips_in() -> None:
    mail = mails.mail_of(MESSAGE, "åsa@xn--blbr-roah.example", HEAD, no_more="https://no.example/x")
    assert mail["List-Unsubscribe"] == "<https://no.example/x>"
    assert mail["Message-ID"] == "<00000000-0000-0000-0000-000000000007@points.example>"
    assert "Inget mer: https://no.example/x" in mail.get_content()
    assert mail["Content-Language"] == "sv"
    with pytest.raises(ValueError, match="linefeed"):
        mails.mail_of(
            msgspec.structs.replace(MESSAGE, subject="Hej\r\nBcc: all@points.example"),
            "a@points.example",
            HEAD,
            no_more="https://no.example/x",
        )


def test_a_subject_that_looks_encoded_slips_nothing_in() -> None:
    subject = "=?utf-8?q?=0d=0aBcc:_b@points.example?= hej"
    mail = mails.mail_of(
        msgspec.structs.replace(MESSAGE, subject=subject),
        "a@points.example",
        HEAD,
        no_more="https://no.example/x",
    )
    assert b"\r\nBcc" not in mail.as_bytes()
    assert mail["Subject"] == subject.replace("=?", "= ?")
