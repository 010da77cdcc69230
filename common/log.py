"""Logging: one rotating file below `.local/logs`, the run's id in each line, no secret in any."""

import logging
from logging.handlers import RotatingFileHandler

from common.settings import LOCAL

LOG_FILE = LOCAL / "logs" / "tidemark.log"
_context = {"run_id": "-"}


def start_logging(run_id: str = "-") -> None:
    """Write the log of this process to the file; called again, only the run's id changes."""
    _context["run_id"] = run_id
    root = logging.getLogger("tidemark")
    if root.handlers:
        return
    LOG_FILE.parent.mkdir(parents=True, exist_ok=True)
    handler = RotatingFileHandler(LOG_FILE, maxBytes=5_000_000, backupCount=4, encoding="utf-8")
    handler.setFormatter(
        logging.Formatter("%(asctime)s %(levelname)s %(run_id)s %(name)s %(message)s")
    )
    handler.addFilter(_add_run_id)
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    root.propagate = False


def get_logger(name: str) -> logging.Logger:
    """The logger of a module, below `tidemark`."""
    return logging.getLogger(f"tidemark.{name}")


def _add_run_id(record: logging.LogRecord) -> bool:
    record.run_id = _context["run_id"]
    return True
