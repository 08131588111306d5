"""Logs are JSON lines, ours and those of libraries, and do not repeat rows of the database."""

import io
import json
import logging
from typing import Any

import asyncpg
import pytest
import structlog

from coalition.kernel.web.logs import configure_logging


@pytest.fixture
def stream() -> io.StringIO:
    """Return where the logs of one test go."""
    written = io.StringIO()
    configure_logging("info", written)
    return written


def lines_of(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_our_lines_tell_event_level_time_and_facts(stream: io.StringIO) -> None:
    structlog.get_logger().info("hello", number=1)
    structlog.get_logger().debug("unheard")
    (line,) = lines_of(stream)
    assert (line["event"], line["level"], line["number"]) == ("hello", "info", 1)
    assert line["timestamp"].endswith("Z")


def test_libraries_speak_the_same_way_from_warning_up(stream: io.StringIO) -> None:
    logging.getLogger("pgqueuer").info("every second")
    logging.getLogger("pgqueuer").warning("now %s", "this")
    (line,) = lines_of(stream)
    assert (line["event"], line["level"], line["logger"]) == ("now this", "warning", "pgqueuer")


def fail() -> None:
    try:
        int("inner")
    except ValueError as error:
        raise KeyError("wrong") from error


def test_an_exception_is_told_by_kind_message_cause_and_place(stream: io.StringIO) -> None:
    try:
        fail()
    except KeyError:
        logging.getLogger("library").exception("failed")
    (line,) = lines_of(stream)
    assert (line["error"], line["message"], line["cause"]) == ("KeyError", "'wrong'", "ValueError")
    assert "test_logs.py" in line["traceback"]


def test_what_the_database_repeats_of_a_row_is_left_out(stream: io.StringIO) -> None:
    error = asyncpg.UniqueViolationError("duplicate key value violates unique constraint")
    error.detail = "Key (email)=(anna@example.com) already exists."
    structlog.get_logger().error("failed", exc_info=error)
    assert "anna" not in stream.getvalue()
    (line,) = lines_of(stream)
    assert (line["sqlstate"], line["message"][:9]) == ("23505", "duplicate")
