"""The server's configuration for a ledger: full durability, sized by the machine it runs on."""

import os
import shutil
from pathlib import Path
from typing import Final

_MEBIBYTE: Final = 1024 * 1024
_CGROUP_LIMIT: Final = Path("/sys/fs/cgroup/memory.max")

_FIXED: Final = """\
# Written by the coalition service at each start of its embedded PostgreSQL.
# Your own settings: ALTER SYSTEM SET ... (they are read after this file and survive).
cluster_name = 'coalition'
max_connections = 100
password_encryption = 'scram-sha-256'
timezone = 'UTC'
checkpoint_timeout = '30min'
checkpoint_completion_target = 0.9
random_page_cost = 1.1
jit = off
# A posting table of millions of rows must not wait for a fifth of them to change.
autovacuum_vacuum_scale_factor = 0.02
autovacuum_vacuum_insert_scale_factor = 0.05
autovacuum_analyze_scale_factor = 0.02
autovacuum_vacuum_cost_limit = 2000
autovacuum_naptime = '20s'
# One file a weekday, emptied when the weekday returns. Neither statements nor details: they would
# carry personal data into the log.
logging_collector = on
log_directory = 'log'
log_filename = 'postgresql-%a.log'
log_rotation_age = '1d'
log_rotation_size = 0
log_truncate_on_rotation = on
log_timezone = 'UTC'
log_line_prefix = '%m [%p] '
log_error_verbosity = terse
log_min_error_statement = panic
"""

_DURABLE: Final = "fsync = on\nsynchronous_commit = on\nfull_page_writes = on\n"
_THROW_AWAY: Final = "fsync = off\nsynchronous_commit = off\nfull_page_writes = off\n"


def server_configuration(cluster: Path, *, durable: bool, compresses_by_lz4: bool) -> str:
    """Return the text of the configuration file for a cluster on this machine."""
    shared_mebibytes = _shared_buffers_mebibytes(_memory_bytes())
    wal_mebibytes = _largest_wal_mebibytes(shutil.disk_usage(cluster).free)
    # The fallback, pglz, costs a fifth of the batch rate after a checkpoint; disks are cheaper.
    compression = "lz4" if compresses_by_lz4 else "off"
    return (
        f"{_FIXED}"
        f"shared_buffers = '{shared_mebibytes}MB'\n"
        f"max_wal_size = '{wal_mebibytes}MB'\n"
        f"min_wal_size = '{_kept_wal_mebibytes(wal_mebibytes)}MB'\n"
        f"wal_compression = {compression}\n"
        f"{_DURABLE if durable else _THROW_AWAY}"
    )


def _shared_buffers_mebibytes(memory_bytes: int) -> int:
    """One eighth of the memory, 32 MB to 1 GB."""
    return max(32, min(1024, memory_bytes // 8 // _MEBIBYTE))


def _largest_wal_mebibytes(free_bytes: int) -> int:
    """8 GB, but at most a quarter of what the disk has free; never under two segments."""
    return max(32, min(8192, free_bytes // 4 // _MEBIBYTE))


def _kept_wal_mebibytes(largest_mebibytes: int) -> int:
    """Return how much of the log stays to be written again: an eighth, never under two segments.

    Whoever needs a segment that is not there makes it, and all commits wait for that (40 ms and
    more). After quiet hours PostgreSQL would keep 80 MB; a night that books a million lots as
    expired writes 600.
    """
    return max(32, largest_mebibytes // 8)


def _memory_bytes() -> int:
    """Return the machine's memory, or the container's share of it (cgroup v2)."""
    physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        limit = _CGROUP_LIMIT.read_text(encoding="utf-8").strip()
    except OSError:
        return physical
    return min(physical, int(limit)) if limit.isdigit() else physical
