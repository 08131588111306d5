"""A server with spread tables is understood as one server is."""

import asyncpg
import pytest

from coalition.kernel.database import spread

USED = 'duplicate key value violates unique constraint "a_receipt_is_used_once_102095"'


def internal(message: str) -> asyncpg.PostgresError:
    """Return an error as the COPY behind an INSERT ... SELECT gives it."""
    return asyncpg.InternalServerError(message)


@pytest.mark.parametrize(
    ("said", "kind", "constraint"),
    [
        (USED, asyncpg.UniqueViolationError, "a_receipt_is_used_once"),
        (
            'new row for relation "lot_102034" violates check constraint "points_are_there"',
            asyncpg.CheckViolationError,
            "points_are_there",
        ),
        (
            'insert or update on table "lot" violates foreign key constraint "has_a_holder_102034"',
            asyncpg.ForeignKeyViolationError,
            "has_a_holder",
        ),
        ("canceling statement due to lock timeout", asyncpg.LockNotAvailableError, None),
    ],
    ids=["a key", "a check", "a reference", "a wait"],
)
def test_what_a_node_says_in_words_becomes_the_error_of_one_server(
    said: str, kind: type[asyncpg.PostgresError], constraint: str | None
) -> None:
    plain = spread.as_on_one_server(internal(said))
    assert type(plain) is kind
    assert plain.constraint_name == constraint


def test_an_error_that_is_complete_or_unknown_stays_itself() -> None:
    complete = asyncpg.UniqueViolationError(USED)
    complete.constraint_name = "a_receipt_is_used_once"
    unknown = internal("the disk is on fire")
    assert spread.as_on_one_server(complete) is complete
    assert spread.as_on_one_server(unknown) is unknown


def test_a_constraint_is_named_without_the_shard_where_the_server_keeps_the_rows_itself() -> None:
    complete = asyncpg.UniqueViolationError(USED)
    complete.constraint_name = "a_receipt_is_used_once_102095"
    assert spread.as_on_one_server(complete) is complete
    assert complete.constraint_name == "a_receipt_is_used_once"


def test_a_plan_is_made_with_the_values_of_its_parameters() -> None:
    pinned = {"plan_cache_mode": "force_generic_plan", "jit": "off"}
    assert spread.suited(pinned) == {"plan_cache_mode": "force_custom_plan", "jit": "off"}
    assert spread.suited({"lock_timeout": "1s"}) == {"lock_timeout": "1s"}
