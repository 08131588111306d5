"""Make a database cluster on disk and configure it for each start."""

import os
import secrets
import shutil
import tempfile
from pathlib import Path
from typing import IO, Final

from coalition.kernel.embedded_postgres import locks
from coalition.kernel.embedded_postgres.binaries import Programs
from coalition.kernel.embedded_postgres.configuration import server_configuration
from coalition.kernel.embedded_postgres.failures import failure_from_log
from coalition.kernel.embedded_postgres.layout import DATABASE, USER, Address, Layout, address_of

_OUR_CONFIGURATION: Final = "coalition.conf"
_STAGING: Final = "data.new-"
_FIRST_WITH_BUILTIN_LOCALE: Final = 17


def make_cluster(layout: Layout, programs: Programs, *, durable: bool) -> None:
    """Make a cluster with an empty database; it appears in its place whole or not at all."""
    _make_password(layout)
    for left_behind in layout.root.glob(f"{_STAGING}*"):
        shutil.rmtree(left_behind, ignore_errors=True)
    # A name of its own, as the initdb of a killed service may still be writing to the last one.
    staging = Path(tempfile.mkdtemp(prefix=_STAGING, dir=layout.root))
    try:
        programs.account.own(staging)
        with address_of(staging, programs.account) as address:
            _run_initdb(layout, programs, address, durable=durable)
            _create_database(layout, programs, address)
        with (staging / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.write(f"\ninclude_if_exists = '{_OUR_CONFIGURATION}'\n")
            _sync(file)
        staging.rename(layout.cluster)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    _sync_folder(layout.root)


def configure_cluster(layout: Layout, programs: Programs, *, durable: bool) -> None:
    """Write our configuration for this machine, and mend owner and mode of the cluster."""
    account = programs.account
    if account.dropped and layout.cluster.stat().st_uid != account.uid:
        # Somebody restored it as root. The folder itself comes last, so that this can be repeated.
        for path in layout.cluster.rglob("*"):
            account.own(path)
        account.own(layout.cluster)
    layout.cluster.chmod(0o700)
    text = server_configuration(
        layout.cluster, durable=durable, compresses_by_lz4=_compresses_by_lz4(layout, programs)
    )
    descriptor, name = tempfile.mkstemp(prefix=".coalition-", dir=layout.cluster)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            account.own(file.fileno())
        Path(name).rename(layout.cluster / _OUR_CONFIGURATION)
    finally:
        Path(name).unlink(missing_ok=True)


def is_durable(layout: Layout) -> bool:
    """Whether the cluster was last started with full durability."""
    text = (layout.cluster / _OUR_CONFIGURATION).read_text(encoding="utf-8")
    return "\nfsync = on\n" in text


def _make_password(layout: Layout) -> None:
    """Write a new password, unless an interrupted first start left one."""
    if layout.password.exists():
        return
    descriptor, name = tempfile.mkstemp(prefix=".password-", dir=layout.root)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(f"{secrets.token_hex(24)}\n")
            _sync(file)
        Path(name).rename(layout.password)
    finally:
        Path(name).unlink(missing_ok=True)


def _run_initdb(layout: Layout, programs: Programs, address: Address, *, durable: bool) -> None:
    # Strings sort by code point and are UTF-8 on every system and version alike.
    locale = (
        ("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
        if programs.binaries.version >= _FIRST_WITH_BUILTIN_LOCALE
        else ("--locale=C.UTF-8", "--lc-messages=C")
    )
    # The password travels in a file without a name, which is given to the server's system user.
    with tempfile.TemporaryFile(dir=layout.root) as secret:
        secret.write(layout.password.read_bytes())
        secret.seek(0)
        programs.account.own(secret.fileno())
        done = programs.run(
            "initdb",
            f"--pgdata={address.path}",
            f"--username={USER}",
            f"--pwfile=/dev/fd/{secret.fileno()}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            *locale,
            "--data-checksums",
            *(() if durable else ("--no-sync",)),
            inherit=(*address.descriptors, secret.fileno()),
        )
    if done.returncode != 0:
        raise failure_from_log(layout.root, done.stdout)


def _create_database(layout: Layout, programs: Programs, address: Address) -> None:
    """Create our database in single-user mode: no server, no port, no password is needed yet."""
    done = programs.run(
        "postgres",
        "--single",
        *("-D", address.path),
        *("-c", "exit_on_error=true"),
        "postgres",
        stdin=f"CREATE DATABASE {DATABASE}\n",
        inherit=address.descriptors,
    )
    if done.returncode != 0:
        raise failure_from_log(layout.root, done.stdout)


def _compresses_by_lz4(layout: Layout, programs: Programs) -> bool:
    """Ask the programs whether they were built with LZ4: an unknown value would stop the start."""
    with address_of(layout.cluster, programs.account) as address:
        answer = programs.run(
            "postgres",
            *("-D", address.path),
            *("-c", "wal_compression=lz4"),
            *("-C", "wal_compression"),
            inherit=address.descriptors,
        )
    return answer.returncode == 0


def _sync(file: IO[str]) -> None:
    file.flush()
    os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    with locks.closing(descriptor):
        os.fsync(descriptor)
