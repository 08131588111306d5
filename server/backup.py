"""Backup and restore: a dump of the database, the two keys, and a manifest that proves them whole.

The dump is one snapshot, taken while the service goes on. A backup appears whole or not at all, and
is restored only where nothing is yet.
"""

import hashlib
import os
import shutil
import subprocess
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit, urlunsplit

import msgspec

from coalition.kernel.database import transaction
from coalition.kernel.database.schema.m0001_roles import SQL as MAKE_ROLES
from coalition.kernel.embedded_postgres.binaries import Binaries, find_binaries
from coalition.kernel.embedded_postgres.layout import cluster_version, layout_of
from coalition.kernel.settings import Settings
from server import databases
from server.exits import UNAVAILABLE, WRONG_INPUT, Stopped

_FORMAT: Final = 1
_DUMP: Final = "database.dump"
_MANIFEST: Final = "manifest.json"
_KEYS: Final = ("blind_index_key", "master_key")
_COPY_BYTES: Final = 1 << 20

_TABLES: Final = """
SELECT count(*) FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE relkind IN ('r', 'p') AND nspname <> 'information_schema' AND nspname NOT LIKE 'pg\\_%'
"""


class BackedUpFile(msgspec.Struct, frozen=True):
    """One file of a backup."""

    bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup consists of; `postgres` is the major version of the program that dumped."""

    format: int
    made_at: datetime
    postgres: int
    files: dict[str, BackedUpFile]


def back_up(settings: Settings, target: Path, at: datetime) -> Manifest:
    """Write a backup of the running database of `settings` to `target`, new or empty.

    Raises `Stopped`; then `target` is as it was.
    """
    target = target.absolute()
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        message = f"{target} is not empty; a backup is written to a directory of its own"
        raise Stopped(message, exit_code=WRONG_INPUT)
    programs = _programs_of(settings)
    target.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        _run(programs, "pg_dump", settings, "--format=custom", f"--file={staging / _DUMP}")
        for name in _KEYS:
            _write(staging / name, _key_of(settings, name))
        files = {name: _described(staging / name) for name in (_DUMP, *_KEYS)}
        manifest = Manifest(format=_FORMAT, made_at=at, postgres=programs.version, files=files)
        _write(staging / _MANIFEST, msgspec.json.format(msgspec.json.encode(manifest)))
        for path in staging.iterdir():
            path.chmod(0o600)
            _reach_the_disk(path)
        staging.rename(target)
        _reach_the_disk(target.parent)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return manifest


def read_backup(source: Path) -> Manifest:
    """Return the manifest of the backup in `source`, whose files are as it says.

    Raises `Stopped`.
    """
    try:
        manifest = msgspec.json.decode((source / _MANIFEST).read_bytes(), type=Manifest)
        wanted = {name: manifest.files[name] for name in (_DUMP, *_KEYS)}
        spoiled = [name for name, file in wanted.items() if _described(source / name) != file]
    except FileNotFoundError as error:
        missing = Path(str(error.filename)).name
        message = f"{source} is no whole backup: {missing} is missing"
        raise Stopped(message, exit_code=WRONG_INPUT) from error
    except (msgspec.DecodeError, KeyError) as error:
        message = f"{source / _MANIFEST} is not the manifest of a backup"
        raise Stopped(message, exit_code=WRONG_INPUT) from error
    if manifest.format != _FORMAT:
        message = f"{source} was made by a later version of the program; restore it with that"
        raise Stopped(message, exit_code=WRONG_INPUT)
    if spoiled:
        message = f"{source} is spoiled: {', '.join(spoiled)} differs from the manifest"
        raise Stopped(message, exit_code=WRONG_INPUT)
    return manifest


def put_keys(source: Path, data: Path) -> None:
    """Put the keys of a backup into the data directory `data`, where no coalition may be yet."""
    if layout_of(data).cluster.exists() or any((data / name).exists() for name in _KEYS):
        message = f"there is a coalition in {data}; restore into another directory with --data"
        raise Stopped(message, exit_code=WRONG_INPUT)
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in _KEYS:
        _write(data / name, (source / name).read_bytes())


def take_away(data: Path) -> None:
    """Remove what a restore that failed has left in the data directory `data`."""
    shutil.rmtree(layout_of(data).root, ignore_errors=True)
    for name in _KEYS:
        (data / name).unlink(missing_ok=True)


async def restore(settings: Settings, source: Path) -> None:
    """Fill the running, empty database of `settings` from the backup in `source`, all or nothing.

    Raises `Stopped`, also when the settings have other keys than the backup.
    """
    others = [name for name in _KEYS if (source / name).read_bytes() != _key_of(settings, name)]
    if others:
        variables = ", ".join(f"COALITION_{name.upper()}" for name in others)
        message = f"{variables} is not the key in {source}; the data could not be read with it"
        raise Stopped(message, exit_code=WRONG_INPUT)
    async with databases.opened(settings), transaction() as connection:
        if await connection.fetchval(_TABLES):
            message = "the database has tables; a backup is restored into an empty one"
            raise Stopped(message, exit_code=WRONG_INPUT)
        await connection.execute(MAKE_ROLES)
    _run(
        _programs_of(settings),
        "pg_restore",
        settings,
        "--no-owner",
        "--single-transaction",
        "--exit-on-error",
        str(source / _DUMP),
    )


def _programs_of(settings: Settings) -> Binaries:
    """Return PostgreSQL's programs; for an embedded cluster those of its own version."""
    if settings.data_directory is None:
        return find_binaries()
    return find_binaries(version=cluster_version(layout_of(settings.data_directory)))


def _run(programs: Binaries, name: str, settings: Settings, *arguments: str) -> None:
    parts = urlsplit(settings.database_url)
    login, at_sign, place = parts.netloc.rpartition("@")
    user = login.partition(":")[0]
    # In the variables only the same user can read the password; a command line everybody can.
    password = {"PGPASSWORD": unquote(parts.password)} if parts.password else {}
    shown = urlunsplit(parts._replace(netloc=f"{user}{at_sign}{place}"))
    done = subprocess.run(  # noqa: S603 - PostgreSQL's own programs, with arguments of ours
        [programs.folder / name, "--no-password", f"--dbname={shown}", *arguments],
        env=os.environ | password,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        raise Stopped(f"{name} failed: {done.stderr.strip()}", exit_code=UNAVAILABLE)


def _key_of(settings: Settings, name: str) -> bytes:
    key: bytes = getattr(settings, name)
    return key.hex().encode()


def _write(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)


def _described(path: Path) -> BackedUpFile:
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while part := file.read(_COPY_BYTES):
            digest.update(part)
            size += len(part)
    return BackedUpFile(size, digest.hexdigest())


def _reach_the_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
