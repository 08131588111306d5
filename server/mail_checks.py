"""What the doctor says of e-mails: whether there is a mail server, and how sending goes."""

from datetime import datetime, timedelta
from typing import Final

from coalition.kernel.database import Connection
from coalition.kernel.settings import PREFIX, Settings
from coalition.messages import watching
from server.findings import Finding

LATE: Final = timedelta(minutes=15)


async def emails(connection: Connection, settings: Settings, at: datetime) -> Finding:
    """Return whether e-mails are sent, and what to set or to do where they are not."""
    if settings.smtp_url is None:
        found = (
            f"no mail server: messages lie in the inbox alone; set {PREFIX}SMTP_URL, such as "
            f"smtps://name:password@mail.example, and {PREFIX}MAIL_FROM to send them"
        )
        return Finding("e-mails", ok=True, found=found)
    waits = await watching.read(connection, at)
    late = waits.oldest_due is not None and at - waits.oldest_due > LATE
    found = f"{waits.waiting} wait, {waits.failed} failed within a week"
    mend = "run a worker: `coalition worker`; if one runs, read its log for job_failed"
    return Finding("e-mails", ok=not late, found=found, mend=mend if late else "")
