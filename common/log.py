"""Logging: one rotating file below `.local/logs`, with the run's id and without secrets."""

import json
import logging
import sys
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler

from common.settings import LOCAL, log_format
from common.streams import valid_text

LOG_FILE = LOCAL / "logs" / "tidemark.log"
FILE_BYTES = 5_000_000
FILES_KEPT = 4
"""In addition to the current one."""
_context = {"run_id": "-"}


class JsonLines(logging.Formatter):
    """Each record as an object on a line of its own, for collectors of logs.

    What the record has as `facts` are members of the object too.
    """

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {
            "timestamp": at.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            "logger": record.name,
            "run_id": None if _context["run_id"] == "-" else _context["run_id"],
            **getattr(record, "facts", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        valid = {
            name: valid_text(one) if isinstance(one, str) else one for name, one in line.items()
        }
        return json.dumps(valid, default=lambda value: valid_text(str(value)))


class LogFile(RotatingFileHandler):
    """The log file. If a line cannot be written, the command continues; the first is reported."""

    has_failed = False

    def handleError(self, record: logging.LogRecord) -> None:
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
        elif not self.has_failed:
            self.has_failed = True
            words = f"log {LOG_FILE}: {error.strerror}"
            hint = "Free space there; this command continues without its log."
            if is_json():
                get_logger(__name__).warning("%s", words, extra={"facts": {"hint": hint}})
            else:
                sys.stderr.write(f"{words}\nHINT: {hint}\n")


class LogOnScreen(logging.Handler):
    """The log on the current standard error, which a progress display may have replaced."""

    def emit(self, record: logging.LogRecord) -> None:
        sys.stderr.write(f"{self.format(record)}\n")


def is_json() -> bool:
    """True if the log is written for a collector, by LOG_FORMAT: then nothing else is on stderr."""
    return log_format() == "json"


def show_log(level: int = logging.INFO) -> None:
    """Write the log of this process to standard error too, from this level on."""
    if any(isinstance(handler, LogOnScreen) for handler in logging.getLogger("tidemark").handlers):
        return
    handler = LogOnScreen(level)
    handler.setFormatter(_formatter("%(asctime)s %(levelname)s %(message)s"))
    _add_handler(handler)


def start_logging(run_id: str = "-") -> None:
    """Write the log of this process to the file; a second call only changes the run's id."""
    _context["run_id"] = run_id
    if any(isinstance(handler, LogFile) for handler in logging.getLogger("tidemark").handlers):
        return
    LOG_FILE.parent.mkdir(parents=True, exist_ok=True)
    handler = LogFile(LOG_FILE, maxBytes=FILE_BYTES, backupCount=FILES_KEPT, encoding="utf-8")
    handler.setFormatter(_formatter("%(asctime)s %(levelname)s %(run_id)s %(name)s %(message)s"))
    handler.addFilter(_add_run_id)
    _add_handler(handler)


def _formatter(text: str) -> logging.Formatter:
    return JsonLines() if is_json() else logging.Formatter(text)


def _add_handler(handler: logging.Handler) -> None:
    root = logging.getLogger("tidemark")
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    root.propagate = False


def get_logger(name: str) -> logging.Logger:
    """The logger of a module, below `tidemark`."""
    return logging.getLogger(f"tidemark.{name}")


def _add_run_id(record: logging.LogRecord) -> bool:
    record.run_id = _context["run_id"]
    return True
