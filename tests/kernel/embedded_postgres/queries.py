"""One statement at a time against a server under test."""

import asyncpg


async def execute(url: str, *statements: str) -> None:
    """Run statements, each in its own transaction."""
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def fetch_value(url: str, query: str) -> object:
    """Return the first column of the first row."""
    connection = await asyncpg.connect(url)
    try:
        value: object = await connection.fetchval(query)
        return value
    finally:
        await connection.close()
