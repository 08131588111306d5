"""Where an embedded server keeps its files, and how PostgreSQL itself gets at them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from coalition.kernel.embedded_postgres import locks
from coalition.kernel.embedded_postgres.accounts import Account
from coalition.kernel.embedded_postgres.failures import failure
from coalition.kernel.embedded_postgres.postmaster import LOOPBACK

USER: Final = "coalition"
DATABASE: Final = "coalition"

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
        password = self.password.read_text(encoding="utf-8").strip()
        return f"postgresql://{USER}:{password}@{LOOPBACK}:{port}/{DATABASE}"


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
        text = (layout.cluster / "PG_VERSION").read_text(encoding="utf-8", errors="replace")
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


@dataclass(frozen=True, slots=True)
class Address:
    """The path by which PostgreSQL reaches its cluster, and the descriptors it inherits for it."""

    path: str
    descriptors: tuple[int, ...]


@contextmanager
def address_of(cluster: Path, account: Account) -> Iterator[Address]:
    """Let `account` reach a cluster for as long as it takes to start a program.

    The data directory may lie under a folder that only root enters (/root, a temporary directory).
    Instead of opening that folder to others, the cluster is addressed through a descriptor that
    PostgreSQL inherits. Where the system has no such paths, whoever starts it must decide.
    """
    cluster = cluster.resolve()
    if account.reaches(cluster):
        yield Address(path=str(cluster), descriptors=())
        return
    if not _DESCRIPTORS.is_dir():
        meaning = (
            f"PostgreSQL cannot run as root, and the system user number {account.uid} it runs as "
            "cannot enter a folder above; choose a directory that every user can reach with "
            "--data, or start as an ordinary user"
        )
        raise failure(cluster, meaning)
    descriptor = os.open(cluster, os.O_RDONLY | os.O_DIRECTORY)
    with locks.closing(descriptor):
        yield Address(path=str(_DESCRIPTORS / str(descriptor)), descriptors=(descriptor,))
