"""What cannot work is refused, with what is wrong and what is right, and leaves nothing behind."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from coalition.kernel.embedded_postgres import EmbeddedPostgresError, running, start
from tests.kernel.embedded_postgres.service import ORDINARY_UID, PRESENT_UID, Service

_CAP_SYS_ADMIN = 1 << 21


def _may_mount() -> bool:
    status = Path("/proc/self/status")
    if PRESENT_UID != 0 or not status.exists() or shutil.which("mount") is None:
        return False
    (effective,) = (line for line in status.read_text().splitlines() if line.startswith("CapEff"))
    return bool(int(effective.split()[1], 16) & _CAP_SYS_ADMIN)


@contextmanager
def _small_disk(place: Path, *, mebibytes: int) -> Iterator[Path]:
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs", place], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", place], check=True)


# A disk of a test's own can only be had where it may be mounted; a size limit does everywhere.
SHORTAGES = {"size_limit": False, **({"small_disk": True} if _may_mount() else {})}


@pytest.mark.parametrize("on_small_disk", SHORTAGES.values(), ids=SHORTAGES.keys())
def test_a_first_start_without_room_says_so_and_leaves_nothing_half_made(
    on_small_disk: bool,  # noqa: FBT001 - a parameter of the table above
    tmp_path: Path,
) -> None:
    if on_small_disk:
        with _small_disk(tmp_path / "disk", mebibytes=20) as disk:
            with pytest.raises(EmbeddedPostgresError, match="the disk is full; free some space"):
                start(disk / "data")
            assert not [*(disk / "data" / "postgres").glob("data*")]
        return
    with Service(tmp_path / "data", file_size_limit=1_000_000) as service:
        assert "the file size limit of this process was reached" in service.answer["error"]
    assert not [*(tmp_path / "data" / "postgres").glob("data*")]


@pytest.mark.parametrize("on_small_disk", SHORTAGES.values(), ids=SHORTAGES.keys())
def test_a_restart_without_room_says_so_and_works_again_with_it(
    on_small_disk: bool,  # noqa: FBT001 - a parameter of the table above
    tmp_path: Path,
) -> None:
    if on_small_disk:
        with _small_disk(tmp_path / "disk", mebibytes=100) as disk:
            start(disk / "data", durable=False).stop()
            filler = disk / "filler"
            filler.write_bytes(bytes(shutil.disk_usage(disk).free))
            with pytest.raises(EmbeddedPostgresError, match="the disk is full; free some space"):
                start(disk / "data")
            filler.unlink()
            start(disk / "data", durable=False).stop()
        return
    directory = tmp_path / "data"
    start(directory, durable=False).stop()
    with Service(directory, file_size_limit=100) as service:
        assert "the file size limit of this process was reached" in service.answer["error"]
    start(directory, durable=False).stop()


def test_an_unwritable_directory_is_named(
    ordinary_directory: Path, ordinary_environ: dict[str, str]
) -> None:
    shut = ordinary_directory / "shut"
    shut.mkdir(mode=0o500)
    with Service(shut / "data", uid=ORDINARY_UID, environ=ordinary_environ) as service:
        assert f"{shut / 'data'}: this user may not write there" in service.answer["error"]


def test_a_file_in_the_place_of_the_directory_is_named(tmp_path: Path) -> None:
    in_the_way = tmp_path / "data"
    in_the_way.touch()
    for directory in (in_the_way, in_the_way / "below"):
        with pytest.raises(EmbeddedPostgresError, match="is a file; choose a directory"):
            start(directory)


def test_a_path_that_the_system_cannot_have_is_named(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedPostgresError, match="the system refuses this path"):
        start(tmp_path / ("x" * 300))


def test_the_directory_of_another_database_server_is_refused(directory: Path) -> None:
    with start(directory, durable=False):
        pass
    for join_or_start in (start, running):
        with pytest.raises(EmbeddedPostgresError, match="directory of another PostgreSQL"):
            join_or_start(directory / "postgres" / "data")


def test_a_cluster_of_a_version_that_is_not_installed_names_that_version(directory: Path) -> None:
    start(directory, durable=False).stop()
    (directory / "postgres" / "data" / "PG_VERSION").write_text("14\n")
    with pytest.raises(EmbeddedPostgresError, match="no programs of PostgreSQL 14, which made"):
        start(directory)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("data/PG_VERSION", None, "this is not a database directory"),
        ("data/PG_VERSION", "eighteen", "this is not a database directory"),
        ("data/global/pg_control", None, "its database files are damaged"),
        ("data/global/pg_control", "\0" * 8192, "its database files are damaged"),
        ("data/pg_wal/000000010000000000000001", None, "its database files are damaged"),
        ("password", None, "the file with the database password is missing"),
    ],
    ids=["no_version", "odd_version", "no_control", "odd_control", "no_wal", "no_password"],
)
def test_a_damaged_directory_is_told_from_a_working_one(
    file: str, content: str | None, message: str, directory: Path
) -> None:
    start(directory, durable=False).stop()
    damaged = directory / "postgres" / file
    if content is None:
        damaged.unlink()
    else:
        damaged.write_text(content)
    with pytest.raises(EmbeddedPostgresError, match=message):
        start(directory)
    assert running(directory) is None


def test_missing_programs_are_said_with_where_they_were_looked_for(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COALITION_POSTGRES_BIN", str(tmp_path / "nowhere"))
    with pytest.raises(EmbeddedPostgresError) as refusal:
        start(directory)
    assert "no programs of a PostgreSQL from 15 on" in str(refusal.value)
    assert "COALITION_POSTGRES_BIN" in str(refusal.value)
    assert f"{tmp_path / 'nowhere'} (no usable PostgreSQL)" in str(refusal.value)


def test_a_database_of_somebody_else_is_left_to_that_user(
    ordinary_directory: Path, ordinary_environ: dict[str, str]
) -> None:
    directory = ordinary_directory / "data"
    start(directory, durable=False).stop()
    if PRESENT_UID == 0:
        # The folder is the ordinary user's, the database in it is the one that root dropped to.
        for path in (directory, directory / "postgres"):
            shutil.chown(path, ORDINARY_UID)
            for lock in (directory / "postgres").glob("*.lock"):
                shutil.chown(lock, ORDINARY_UID)
        with Service(directory, uid=ORDINARY_UID, environ=ordinary_environ) as service:
            assert "its database belongs to the system user" in service.answer["error"]
    with start(directory, durable=False):
        assert (directory / "postgres" / "data").stat().st_uid != 0
