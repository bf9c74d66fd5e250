"""Structured logs on stderr: one line per outcome, JSON for machines, plain for a terminal."""

import logging
import sys
from typing import TextIO

import structlog


def configure(*, process: str, file: TextIO | None = None) -> None:
    """Set up logging for this process, once, at its start; on stderr unless a file is given."""
    file = file or sys.stderr
    is_terminal = file.isatty()
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer() if is_terminal else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(file=file),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(process=process)
