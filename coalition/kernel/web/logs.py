"""Structured logs: one JSON object a line on standard error, without bodies or personal data."""

import logging
import sys
import traceback
from typing import TextIO

import asyncpg
import msgspec
import structlog
from structlog.types import EventDict, Processor, WrappedLogger


def configure_logging(level: str = "info", stream: TextIO | None = None) -> None:
    """Send our own lines and those of libraries to `stream` (standard error), as JSON.

    `level` is the least that is written: debug, info, warning or error.
    """
    target = stream if stream is not None else sys.stderr
    number = logging.getLevelNamesMapping()[level.upper()]
    common: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        describe_exception,
    ]
    structlog.configure(
        processors=[*common, structlog.processors.JSONRenderer(serializer=_serialize)],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(target),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *common],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(serializer=_serialize),
            ],
        )
    )
    # Libraries tell at info what they do every second; only their warnings are wanted.
    logging.basicConfig(handlers=[handler], level=max(number, logging.WARNING), force=True)


def describe_exception(_: WrappedLogger, __: str, line: EventDict) -> EventDict:
    """Replace the exception of a log line by its kind, message, place and the database's state.

    PostgreSQL's DETAIL and HINT repeat the values of a row, which may be personal: left out.
    """
    given = line.pop("exc_info", None)
    if not given:
        return line
    error = given if isinstance(given, BaseException) else None
    if error is None:
        error = given[1] if isinstance(given, tuple) else sys.exc_info()[1]
    if error is None:
        return line
    line["error"] = type(error).__qualname__
    line["traceback"] = "".join(traceback.format_tb(error.__traceback__))
    if isinstance(error, asyncpg.PostgresError):
        line["message"] = str(error.args[0]) if error.args else ""
        line["sqlstate"] = error.sqlstate
        line["constraint"] = getattr(error, "constraint_name", None)
    else:
        line["message"] = str(error)
    if error.__cause__ is not None:
        line["cause"] = type(error.__cause__).__qualname__
    return line


def _serialize(value: object, **_: object) -> str:
    return msgspec.json.encode(value, enc_hook=repr).decode()
