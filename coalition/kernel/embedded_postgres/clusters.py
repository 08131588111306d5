"""A database cluster on disk: where its files are, how it is made, checked and addressed."""

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from coalition.kernel.embedded_postgres.accounts import Account
from coalition.kernel.embedded_postgres.binaries import Binaries
from coalition.kernel.embedded_postgres.configuration import server_configuration
from coalition.kernel.embedded_postgres.failures import failure, failure_from_log

USER: Final = "coalition"
DATABASE: Final = "coalition"

_OUR_CONFIGURATION: Final = "coalition.conf"
_FIRST_WITH_BUILTIN_LOCALE: Final = 17
# Linux: a path through an open descriptor asks no permission of the parents.
_DESCRIPTORS: Final = Path("/proc/self/fd")


@dataclass(frozen=True, slots=True)
class Layout:
    """The files of one embedded server, all in `<data directory>/postgres`."""

    root: Path

    @property
    def cluster(self) -> Path:
        """PGDATA: the only folder that belongs to the server's system user."""
        return self.root / "data"

    @property
    def password(self) -> Path:
        """The password of the database user, readable by the service's user only."""
        return self.root / "password"

    @property
    def start_log(self) -> Path:
        """What PostgreSQL says while it starts; its log proper is in `data/log`."""
        return self.root / "start.log"

    @property
    def starting_lock(self) -> Path:
        """Held by who starts or stops the server, for as long as that takes."""
        return self.root / "starting.lock"

    @property
    def owners_lock(self) -> Path:
        """Shared by all owners; who can have it alone is the last of them."""
        return self.root / "owners.lock"

    @property
    def alive_lock(self) -> Path:
        """Held by PostgreSQL's own processes, down to the last one left by a kill -9."""
        return self.root / "alive.lock"

    def url(self, port: int) -> str:
        """Return the address of the database on that port, with the password."""
        password = self.password.read_text(encoding="ascii").strip()
        return f"postgresql://{USER}:{password}@127.0.0.1:{port}/{DATABASE}"


def layout_of(data_directory: Path) -> Layout:
    """Return the layout of a data directory; refuse one that is itself a foreign cluster."""
    if (data_directory / "PG_VERSION").exists():
        meaning = (
            "this is a database directory of another PostgreSQL; choose an empty directory with "
            "--data, or start that server and give its address with --database-url"
        )
        raise failure(data_directory, meaning)
    return Layout(root=data_directory.absolute() / "postgres")


def cluster_version(layout: Layout) -> int | None:
    """Return the major version an existing cluster was made by; None when there is none yet."""
    if not layout.cluster.exists():
        return None
    try:
        text = (layout.cluster / "PG_VERSION").read_text(encoding="ascii", errors="replace")
    except FileNotFoundError:
        text = ""
    if not text.strip().isdigit():
        meaning = (
            "this is not a database directory (PG_VERSION is missing or spoiled); restore it from "
            "a backup, or move it away to begin with an empty database"
        )
        raise failure(layout.cluster, meaning)
    if not layout.password.exists():
        meaning = (
            "the file with the database password is missing; restore it from a backup, or move "
            f"{layout.cluster} away to begin with an empty database"
        )
        raise failure(layout.password, meaning)
    return int(text)


@contextmanager
def address_of(cluster: Path, account: Account) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Give the path by which `account` reaches a cluster, and the descriptors it needs for that.

    The data directory may lie under a folder that only root enters (/root, a temporary directory).
    Instead of opening that folder to others, the cluster is addressed through a descriptor that
    PostgreSQL inherits. Where the system has no such paths, the folder's owner must decide.
    """
    if account.reaches(cluster):
        yield str(cluster), ()
        return
    if not _DESCRIPTORS.is_dir():
        meaning = (
            f"PostgreSQL cannot run as root, and the system user number {account.uid} it runs as "
            "cannot enter a folder above; choose a directory that every user can reach with "
            "--data, or start as an ordinary user"
        )
        raise failure(cluster, meaning)
    descriptor = os.open(cluster, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield str(_DESCRIPTORS / str(descriptor)), (descriptor,)
    finally:
        os.close(descriptor)


def make_cluster(layout: Layout, binaries: Binaries, account: Account, *, durable: bool) -> None:
    """Make a cluster with an empty database; it appears in its place whole or not at all."""
    _make_password(layout)
    staging = layout.root / "data.new"
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(mode=0o700)
    account.own(staging)
    try:
        with address_of(staging, account) as (address, inherited):
            _run_initdb(layout, binaries, account, address, inherited, durable=durable)
            _create_database(layout, binaries, account, address, inherited)
        with (staging / "postgresql.conf").open("a", encoding="ascii") as file:
            file.write(f"\ninclude_if_exists = '{_OUR_CONFIGURATION}'\n")
        staging.rename(layout.cluster)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    _sync_folder(layout.root)


def _make_password(layout: Layout) -> None:
    """Write a new password, unless an interrupted first start left one."""
    if layout.password.exists():
        return
    descriptor, name = tempfile.mkstemp(prefix=".password-", dir=layout.root)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(f"{secrets.token_hex(24)}\n")
            file.flush()
            os.fsync(file.fileno())
        Path(name).rename(layout.password)
    finally:
        Path(name).unlink(missing_ok=True)


def _run_initdb(
    layout: Layout,
    binaries: Binaries,
    account: Account,
    address: str,
    inherited: tuple[int, ...],
    *,
    durable: bool,
) -> None:
    # Strings sort by code point and are UTF-8 on every system and version alike.
    locale = (
        ("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
        if binaries.version >= _FIRST_WITH_BUILTIN_LOCALE
        else ("--locale=C.UTF-8", "--lc-messages=C")
    )
    with tempfile.TemporaryFile(dir=layout.root) as secret:
        secret.write(layout.password.read_bytes())
        secret.seek(0)
        account.own(secret.fileno())
        done = account.run(
            [
                binaries.program("initdb"),
                f"--pgdata={address}",
                f"--username={USER}",
                f"--pwfile=/dev/fd/{secret.fileno()}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                *locale,
                "--data-checksums",
                *(() if durable else ("--no-sync",)),
            ],
            inherit=(*inherited, secret.fileno()),
        )
    if done.returncode != 0:
        raise failure_from_log(layout.root, done.stdout)


def _create_database(
    layout: Layout,
    binaries: Binaries,
    account: Account,
    address: str,
    inherited: tuple[int, ...],
) -> None:
    """Create our database in single-user mode: no server, no port, no password is needed yet."""
    done = account.run(
        [
            binaries.program("postgres"),
            "--single",
            "-D",
            address,
            "-c",
            "exit_on_error=true",
            "postgres",
        ],
        stdin=f"CREATE DATABASE {DATABASE}\n",
        inherit=inherited,
    )
    if done.returncode != 0:
        raise failure_from_log(layout.root, done.stdout)


def configure_cluster(
    layout: Layout, binaries: Binaries, account: Account, *, durable: bool
) -> None:
    """Write our configuration for this machine, and mend owner and mode of the cluster."""
    if account.dropped and layout.cluster.stat().st_uid == 0:
        for folder, _, names in os.walk(layout.cluster):
            for path in (Path(folder), *(Path(folder, name) for name in names)):
                os.chown(path, account.uid, account.gid, follow_symlinks=False)
    layout.cluster.chmod(0o700)
    text = server_configuration(
        layout.cluster,
        durable=durable,
        compresses_by_lz4=_compresses_by_lz4(layout, binaries, account),
    )
    descriptor, name = tempfile.mkstemp(prefix=".coalition-", dir=layout.cluster)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text)
            account.own(file.fileno())
        Path(name).rename(layout.cluster / _OUR_CONFIGURATION)
    finally:
        Path(name).unlink(missing_ok=True)


def is_durable(layout: Layout) -> bool:
    """Whether the cluster was last started with full durability."""
    text = (layout.cluster / _OUR_CONFIGURATION).read_text(encoding="ascii")
    return "\nfsync = on\n" in text


def _compresses_by_lz4(layout: Layout, binaries: Binaries, account: Account) -> bool:
    """Ask the programs whether they were built with LZ4: an unknown value would stop the start."""
    with address_of(layout.cluster, account) as (address, inherited):
        command = [binaries.program("postgres"), "-D", address, "-c", "wal_compression=lz4"]
        return account.run([*command, "-C", "wal_compression"], inherit=inherited).returncode == 0


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


