"""Logging: one rotating file below `.local/logs`, with the run's id and without secrets."""

import logging
import sys
from logging.handlers import RotatingFileHandler

from common.settings import LOCAL

LOG_FILE = LOCAL / "logs" / "tidemark.log"
FILE_BYTES = 5_000_000
FILES_KEPT = 4
"""In addition to the current one."""
_context = {"run_id": "-"}


class LogFile(RotatingFileHandler):
    """The log file. If a line cannot be written, the command continues; the first is reported."""

    has_failed = False

    def handleError(self, record: logging.LogRecord) -> None:
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
        elif not self.has_failed:
            self.has_failed = True
            sys.stderr.write(
                f"log {LOG_FILE}: {error.strerror}\nHINT: Free space there; this command continues"
                " without its log.\n"
            )


class LogOnScreen(logging.Handler):
    """The log on the current standard error, which a progress display may have replaced."""

    def emit(self, record: logging.LogRecord) -> None:
        sys.stderr.write(f"{self.format(record)}\n")


def show_log() -> None:
    """Write the log of this process to standard error too."""
    handler = LogOnScreen()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    _add_handler(handler)


def start_logging(run_id: str = "-") -> None:
    """Write the log of this process to the file; a second call only changes the run's id."""
    _context["run_id"] = run_id
    if any(isinstance(handler, LogFile) for handler in logging.getLogger("tidemark").handlers):
        return
    LOG_FILE.parent.mkdir(parents=True, exist_ok=True)
    handler = LogFile(LOG_FILE, maxBytes=FILE_BYTES, backupCount=FILES_KEPT, encoding="utf-8")
    handler.setFormatter(
        logging.Formatter("%(asctime)s %(levelname)s %(run_id)s %(name)s %(message)s")
    )
    handler.addFilter(_add_run_id)
    _add_handler(handler)


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
