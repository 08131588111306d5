"""What the doctor says of e-mails: whether there is a mail server, and how sending goes."""

import asyncio
from datetime import datetime, timedelta
from typing import Final

from coalition.kernel.database import Connection
from coalition.kernel.settings import PREFIX, Settings
from coalition.messages import watching
from coalition.messages.office import MailServerAwayError, Office
from server.findings import Finding

LATE: Final = timedelta(minutes=15)
PATIENCE_S: Final = 5.0


async def emails(connection: Connection, settings: Settings, at: datetime) -> Finding:
    """Return whether e-mails are sent, and what to set or to do where they are not."""
    if settings.smtp_url is None:
        found = (
            f"no mail server: messages lie in the inbox alone; set {PREFIX}SMTP_URL, such as "
            f"smtps://name:password@mail.example, and {PREFIX}MAIL_FROM to send them"
        )
        return Finding("e-mails", ok=True, found=found)
    away = await _away(settings)
    if away is not None:
        mend = f"is {PREFIX}SMTP_URL right, with its name and password? Is the mail server up?"
        return Finding("e-mails", ok=False, found=f"the mail server says {away}", mend=mend)
    waits = await watching.read(connection, at)
    late = waits.oldest_due is not None and at - waits.oldest_due > LATE
    found = f"{waits.waiting} wait, {waits.failed} failed within a week"
    mend = "run a worker: `coalition worker`; if one runs, read its log for mail_server_away"
    return Finding("e-mails", ok=not late, found=found, mend=mend if late else "")


async def _away(settings: Settings) -> str | None:
    """Return why the mail server cannot be used now; None where it can."""
    office = Office.of(settings)
    assert office is not None, "a mail server has somebody who writes"
    try:
        async with asyncio.timeout(PATIENCE_S), office.open():
            return None
    except (MailServerAwayError, TimeoutError) as error:
        return str(error) or "nothing"
