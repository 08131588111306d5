"""Decide as which system user PostgreSQL runs, as it refuses to be root, and run programs so."""

import os
import pwd
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from coalition.kernel.embedded_postgres.failures import failure

# Where the system has no user for PostgreSQL, the one user every system has for nothing in
# particular. It must have a name: initdb looks it up.
_UNPRIVILEGED_USERS: Final = ("postgres", "nobody")
_KEPT_VARIABLES: Final = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")


@dataclass(frozen=True, slots=True)
class Account:
    """The user that PostgreSQL's processes run as; `dropped` when it is not the present one."""

    uid: int
    gid: int
    dropped: bool

    def own(self, target: Path | int) -> None:
        """Give a file or directory to this user; a link is given itself, not what it names."""
        if not self.dropped:
            return
        try:
            os.chown(target, self.uid, self.gid, follow_symlinks=isinstance(target, int))
        except PermissionError as error:
            meaning = (
                "PostgreSQL cannot run as root, and this file system does not let its files be "
                "given to another user; choose a directory on a local disk with --data, or start "
                "as an ordinary user"
            )
            raise failure(Path(str(target)), meaning, reported=str(error)) from error

    def reaches(self, path: Path) -> bool:
        """Whether this user may pass through every parent of `path` (by mode bits, no ACLs)."""
        return not self.dropped or all(self._passes(parent) for parent in path.resolve().parents)

    def _passes(self, directory: Path) -> bool:
        status = directory.stat()
        if status.st_uid == self.uid:
            return bool(status.st_mode & 0o100)
        if status.st_gid == self.gid:
            return bool(status.st_mode & 0o010)
        return bool(status.st_mode & 0o001)

    def run(
        self, command: Sequence[str | Path], *, stdin: str = "", inherit: Sequence[int] = ()
    ) -> subprocess.CompletedProcess[str]:
        """Run a program of PostgreSQL to its end; output and errors together in `stdout`."""
        return subprocess.run(
            [*command],
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            text=True,
            errors="replace",
            cwd="/",
            env=_environment(os.environ),
            umask=0o077,
            pass_fds=inherit,
            user=self.uid if self.dropped else None,
            group=self.gid if self.dropped else None,
            extra_groups=() if self.dropped else None,
        )

    def spawn(
        self, command: Sequence[str | Path], *, output: IO[bytes], inherit: Sequence[int]
    ) -> subprocess.Popen[bytes]:
        """Start a program in a session of its own, so that Ctrl-C on the service spares it."""
        return subprocess.Popen(
            [*command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            cwd="/",
            env=_environment(os.environ),
            umask=0o077,
            pass_fds=inherit,
            user=self.uid if self.dropped else None,
            group=self.gid if self.dropped else None,
            extra_groups=() if self.dropped else None,
        )


def account_for(cluster: Path) -> Account:
    """Choose the user for a cluster: its owner's, else the present one, else an unprivileged one.

    Raises `EmbeddedPostgresError` when the cluster belongs to somebody we cannot become.
    """
    present_uid = os.geteuid()
    owner = cluster.stat() if cluster.exists() else None
    if present_uid != 0:
        if owner is not None and owner.st_uid != present_uid:
            meaning = (
                f"its database belongs to the system user {_name(owner.st_uid)}, not to "
                f"{_name(present_uid)}; start as that user or as root, or choose another directory"
            )
            raise failure(cluster, meaning)
        return Account(uid=present_uid, gid=os.getegid(), dropped=False)
    if owner is not None and owner.st_uid != 0:
        return Account(uid=owner.st_uid, gid=owner.st_gid, dropped=True)
    for name in _UNPRIVILEGED_USERS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(uid=entry.pw_uid, gid=entry.pw_gid, dropped=True)
    meaning = (
        "PostgreSQL refuses to run as root and this system has neither a user postgres nor nobody; "
        "start as an ordinary user or make one of the two"
    )
    raise failure(cluster, meaning)


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _environment(present: Mapping[str, str]) -> dict[str, str]:
    """Only what the dynamic linker needs: PGPORT and its like must not reach our server."""
    kept = {name: present[name] for name in _KEPT_VARIABLES if name in present}
    return {"PATH": os.defpath, "LC_ALL": "C", **kept}
