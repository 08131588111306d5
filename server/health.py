"""What the doctor looks at: each check says what it found and, where needed, how to mend it."""

import contextlib
import dataclasses
import shutil
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from coalition.access.queries import signing_key_at
from coalition.access.signing import SealBrokenError, open_signing_key
from coalition.federation import catalogue
from coalition.federation.refusals import NoContract
from coalition.kernel import outbox
from coalition.kernel.database import Connection, pending_migrations, transaction
from coalition.kernel.ids import time_of
from coalition.kernel.jobs import backlog
from coalition.kernel.settings import KNOWN, PREFIX, Settings
from coalition.ledger import totals
from coalition.members.privacy import unfinished
from partners.batches.queries import not_done
from partners.settlement import figures
from server import house_clock, mail_checks, payment_checks
from server.apps import APPS
from server.findings import Finding

CLOCKS_DIFFER_S: Final = 30
FREE_BYTES: Final = 1_000_000_000
LATE_S: Final = 300
BATCH_TAKES_MOST: Final = timedelta(hours=1)
ERASURE_TAKES_MOST: Final = timedelta(days=1)

_SECRETS: Final = frozenset(
    {
        "database_url",
        "blind_index_key",
        "master_key",
        "stripe_key",
        "stripe_webhook_secret",
        "smtp_url",
    }
)

# The time at which the server took this very statement: its clock, asked without a clock function.
_SERVER_TIME: Final = "SELECT query_start FROM pg_stat_activity WHERE pid = pg_backend_pid()"


async def examine(settings: Settings, environ: Mapping[str, str], at: datetime) -> list[Finding]:
    """Return the findings about the open database and the settings of this process.

    `at` is the time of the house.
    """
    findings = [_variables(environ)]
    async with transaction() as connection:
        version = await connection.fetchval("SHOW server_version")
        findings.append(Finding("database", ok=True, found=f"PostgreSQL {version} answers"))
        findings.append(await _clock(connection, at))
    missing = await pending_migrations(APPS)
    if missing:
        mend = "run `coalition migrate`"
        findings.append(Finding("migrations", ok=False, found=f"{len(missing)} missing", mend=mend))
        return findings
    findings.append(Finding("migrations", ok=True, found="all have run"))
    async with transaction() as connection:
        findings.append(await _coalition(connection))
        findings.append(await _master_key(connection, settings, at))
        findings.append(await _events(connection, at))
        findings.append(await _jobs(connection))
        findings.append(await _batches(connection, at))
        findings.append(await _erasures(connection, at))
        findings.append(await _settlement(connection, at))
        findings.append(await _money_rates(connection, at))
        findings.append(await payment_checks.plans(connection, settings))
        findings.append(await mail_checks.emails(connection, settings, at))
    findings += await payment_checks.all_of(settings)
    if settings.data_directory is not None:
        findings.append(_disk(settings.data_directory))
    return findings


def shown(settings: Settings) -> dict[str, str]:
    """Return every setting as its variable with the value in use; secrets are left out."""
    values = dataclasses.asdict(settings)
    return {
        PREFIX + name.upper(): "(secret)" if name in _SECRETS and value else str(value)
        for name, value in values.items()
    }


def _variables(environ: Mapping[str, str]) -> Finding:
    given = {name for name in environ if name.startswith(PREFIX)}
    unknown = sorted(name for name in given if name.removesuffix("_FILE") not in KNOWN)
    if unknown:
        mend = f"known are {', '.join(sorted(KNOWN))}"
        found = f"nobody reads {', '.join(unknown)}"
        return Finding("settings", ok=False, found=found, mend=mend)
    return Finding("settings", ok=True, found=f"{len(given)} {PREFIX}* variables, all known")


async def _clock(connection: Connection, at: datetime) -> Finding:
    theirs: datetime = await connection.fetchval(_SERVER_TIME)
    apart_s = abs((theirs + house_clock.ahead() - at).total_seconds())
    found = f"{apart_s:.1f} s apart from the database's"
    if told := house_clock.told():
        found += f". {told}"
    mend = "" if apart_s <= CLOCKS_DIFFER_S else "set both machines by NTP"
    return Finding("clock", ok=not mend, found=found, mend=mend)


async def _coalition(connection: Connection) -> Finding:
    known = await catalogue.load(connection)
    if not known.is_set_up:
        found = "none yet; `coalition partner create` makes one with its first partner"
        return Finding("coalition", ok=True, found=found)
    found = (
        f"{known.coalition.name}, {len(known.partners)} partners, days by {known.zone}, "
        f"speaks {known.language}"
    )
    return Finding("coalition", ok=True, found=found)


async def _master_key(connection: Connection, settings: Settings, at: datetime) -> Finding:
    key = await signing_key_at(connection, at)
    if key is None:
        return Finding("master key", ok=True, found="not used yet; the first service will")
    try:
        open_signing_key(key.kid, key.private_key, master_key=settings.master_key)
    except SealBrokenError as error:
        mend = "start with the master key that this database was set up with"
        return Finding("master key", ok=False, found=str(error), mend=mend)
    return Finding("master key", ok=True, found="opens the signing key of access tokens")


async def _events(connection: Connection, at: datetime) -> Finding:
    number, age_s = await outbox.waiting(connection, at)
    late = age_s > LATE_S
    return Finding(
        "events",
        ok=not late,
        found=f"{number} wait, the oldest for {age_s:.0f} s",
        mend="run a worker: `coalition worker`" if late else "",
    )


async def _jobs(connection: Connection) -> Finding:
    waiting = await backlog(connection)
    found = f"{waiting.open} wait or run, {waiting.failed} have failed"
    if waiting.failed:
        mend = "read the worker's log for job_failed, mend the cause, ask for them again"
        return Finding("jobs", ok=False, found=found, mend=mend)
    late = waiting.oldest_due_s > LATE_S
    mend = "run a worker: `coalition worker`" if late else ""
    return Finding("jobs", ok=not late, found=found, mend=mend)


async def _batches(connection: Connection, at: datetime) -> Finding:
    number, oldest = await not_done(connection)
    age = at - oldest if oldest else timedelta(0)
    late = age > BATCH_TAKES_MOST
    mend = "run a worker: `coalition worker`; if one runs, read its log for job_failed"
    return Finding(
        "batches",
        ok=not late,
        found=f"{number} not done, the oldest for {age.total_seconds():.0f} s",
        mend=mend if late else "",
    )


async def _erasures(connection: Connection, at: datetime) -> Finding:
    number, oldest = await unfinished(connection)
    late = oldest is not None and at - oldest > ERASURE_TAKES_MOST
    mend = "ask again: `coalition member erase` says what it waits for; or run a worker"
    return Finding("erasures", ok=not late, found=f"{number} not done", mend=mend if late else "")


async def _settlement(connection: Connection, at: datetime) -> Finding:
    oldest = await totals.oldest_unsettled(connection)
    age_s = max((at - time_of(oldest)).total_seconds(), 0.0) if oldest else 0.0
    waits = await figures.progress(connection, at)
    late = age_s > LATE_S
    found = (
        f"{waits.queued_postings} postings wait for a drain, the oldest for {age_s:.0f} s; "
        f"{waits.unsealed_periods} periods wait for a seal, "
        f"{waits.provisional_statements} statements for a close"
    )
    mend = "run a worker: `coalition worker`; if one runs, read its log for drain_failed"
    return Finding("settlement", ok=not late, found=found, mend=mend if late else "")


async def _money_rates(connection: Connection, at: datetime) -> Finding:
    """Look for currencies of partners that nobody has agreed on a rate between.

    Until somebody does, points are taken for what they were issued at.
    """
    known = await catalogue.load(connection)
    issued: set[str] = set()
    taken: set[str] = set()
    for partner in known.partners:
        with contextlib.suppress(NoContract):
            contract = known.contract_at(partner.no, at)
            issued |= {contract.currency} if contract.issues else set()
            taken |= {contract.currency} if contract.accepts else set()
    missing = sorted(
        f"{there} to {here}"
        for here in issued
        for there in taken - {here}
        if known.money_rate_at(there, here, at) is None
    )
    if not missing:
        return Finding("money rates", ok=True, found="none is missing")
    mend = "agree on a rate, two persons: `coalition currency money-rate propose`"
    return Finding("money rates", ok=False, found=f"none for {', '.join(missing)}", mend=mend)


def _disk(directory: Path) -> Finding:
    free = shutil.disk_usage(directory).free
    mend = "" if free >= FREE_BYTES else "free some space, or move the data directory"
    return Finding("disk", ok=not mend, found=f"{free / 1e9:.1f} GB free", mend=mend)
