"""Files that grow have a bound: logs, and what dbt compiles."""

import logging
import os
import time
from logging.handlers import RotatingFileHandler
from pathlib import Path

import pytest

import embedded
from common import log
from embedded import server
from tests.support.servers import TEST_SERVERS
from warehouse.retention import forget_compiled


def test_compiled_models_that_are_no_longer_built_are_removed(tmp_path: Path) -> None:
    old, new, manifest = (
        tmp_path / "target" / name
        for name in ("compiled/tidemark/models/old.sql", "run/tidemark/new.sql", "manifest.json")
    )
    for path in (old, new, manifest):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    for path in (old, manifest):
        os.utime(path, (0, time.time() - 91 * 86400))
    assert forget_compiled(tmp_path) == 1
    assert not old.exists() and not old.parent.exists()
    assert new.exists() and manifest.exists()


def test_own_log_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "LOG_FILE", tmp_path / "logs" / "tidemark.log")
    monkeypatch.setattr(log, "FILE_BYTES", 2_000)
    root = logging.getLogger("tidemark")
    monkeypatch.setattr(root, "handlers", [])
    log.start_logging("run")
    for number in range(1000):
        log.get_logger("test").info("line %s", number)
    (handler,) = root.handlers
    assert isinstance(handler, RotatingFileHandler)
    handler.close()
    files = list((tmp_path / "logs").iterdir())
    assert len(files) == 1 + log.FILES_KEPT
    assert all(file.stat().st_size <= 2_000 for file in files)


def test_log_of_an_embedded_server_is_bounded_while_it_runs(
    servers: embedded.Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "LOG_BYTES", 100)
    written = TEST_SERVERS / "postgresql.log"
    with written.open("ab") as file:
        file.write(b"x" * 200)
    embedded.start(TEST_SERVERS)
    assert written.stat().st_size < 200
    assert b"x" * 200 in written.with_suffix(".log.1").read_bytes()
    assert written.with_suffix(".log.1").stat().st_mode & 0o077 == 0
