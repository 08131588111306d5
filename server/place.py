"""Where a command works: an embedded PostgreSQL in a data directory, or a server by its address."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from coalition.kernel import embedded_postgres
from coalition.kernel.embedded_postgres.layout import layout_of
from coalition.kernel.settings import Settings, SettingsError
from server import house_clock
from server.exits import WRONG_INPUT, Stopped

DEFAULT_DATA = Path("data/coalition")
"""The data directory when nothing else is said, below the present directory."""


@dataclass(frozen=True)
class Place:
    """What a command was told about where to work; nothing is started yet."""

    environ: Mapping[str, str]
    data: Path | None = None
    database_url: str | None = None

    @property
    def directory(self) -> Path | None:
        """The data directory to use, or None where the database is a server by its address."""
        if self.database_url is not None:
            return None
        if self.data is not None:
            return self.data
        if any(self.environ.get(f"COALITION_DATABASE_URL{end}") for end in ("", "_FILE")):
            return None
        return Path(self.environ.get("COALITION_DATA_DIRECTORY") or DEFAULT_DATA)

    @property
    def is_nowhere(self) -> bool:
        """Tell whether nobody named a place and there is no coalition in the usual one."""
        directory = None if self.data is not None else self.directory
        return directory is not None and not layout_of(directory).cluster.exists()

    @contextmanager
    def opened(self, *, makes: bool = False, issuer: str | None = None) -> Iterator[Settings]:
        """Yield the settings of a database that runs for as long as the block.

        An embedded server is started or shared, started again when it is killed meanwhile, and
        stopped by the last of its users. Only a
        command that `makes` may begin a new data directory; others are stopped. A `HouseClock`
        tells the time of the house meanwhile. Raises
        `SettingsError` and `EmbeddedPostgresError`.
        """
        if self.data is not None and self.database_url is not None:
            raise SettingsError("give either --data or --database-url, not both")
        directory = self.directory
        if directory is None:
            yield Settings.load(self.environ, database_url=self.database_url, issuer=issuer)
            return
        if not makes and not layout_of(directory).cluster.exists():
            message = (
                f"there is no coalition in {directory}; `coalition serve --data {directory}` makes "
                "one, or name another directory with --data"
            )
            raise Stopped(message, exit_code=WRONG_INPUT)
        with (
            embedded_postgres.start(directory, log=lambda _: None) as server,
            embedded_postgres.kept_up(server),
        ):
            settings = Settings.load(
                self.environ, data_directory=directory, database_url=server.url, issuer=issuer
            )
            with house_clock.entered(settings):
                yield settings
