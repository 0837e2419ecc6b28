"""One JSON line an event on standard error, with request or job id, never with identities or pixels."""

import logging
from typing import Any

import structlog
from django.http import HttpRequest


class NoHeaderValues(logging.Filter):
    """Drops what pydicom says of a file: its warnings may quote values of a header, which may be identities.

    A filter and not a level, for pydicom sets its logger's level itself, and Celery makes log lines of warnings.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        return not record.name.startswith("pydicom") and "pydicom" not in (
            record.getMessage() if record.name == "py.warnings" else ""
        )


def without_query(logger: Any, method: str, event: Any) -> Any:
    """A request as method and path: its query may hold the name of a person or of a file."""
    if isinstance(event.get("request"), HttpRequest):
        event["request"] = f"{event['request'].method} {event['request'].path}"
    return event


def logging_config(level: str) -> dict[str, Any]:
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    formatter = {
        "()": structlog.stdlib.ProcessorFormatter,
        "foreign_pre_chain": [
            *shared,
            structlog.stdlib.ExtraAdder(),
            without_query,
            structlog.processors.format_exc_info,
        ],
        "processors": [
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.JSONRenderer(default=str),
        ],
    }
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": formatter},
        "filters": {"no header values": {"()": NoHeaderValues}},
        "handlers": {
            "stderr": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["no header values"]}
        },
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            "django.server": {"level": "WARNING"},
            "django.request": {"level": "ERROR"},
            "uvicorn.access": {"level": "WARNING"},
            "celery": {"level": "WARNING"},
        },
    }
