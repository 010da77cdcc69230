"""A run is as good without its dashboard, and says why there is none."""

from typing import Any

import pytest

from commands import dashboard as command
from commands.endpoints import Endpoints
from commands.run.calling import _draw
from commands.run.result import RunResult
from common.settings import Address
from dashboard.writing import DashboardError
from warehouse.build import BuildResult, Node

ENDPOINTS = Endpoints(None, Address("127.0.0.1", 1, "nobody", "nothing", "none"), None)


def result(*nodes: Node) -> RunResult:
    return RunResult("r", 0.0, [], BuildResult(nodes), None, [])


def test_dashboard_that_cannot_be_written_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise DashboardError("out/dashboard.html", "cannot be written (No space)", "Choose another")

    monkeypatch.setattr(command, "dashboard", fail)
    drawn = result(Node("model.tidemark.a", "success", "", 0.1))
    assert list(map(str, _draw(ENDPOINTS, drawn))) == [
        "out/dashboard.html: cannot be written (No space)\nHINT: Choose another"
    ]
    assert drawn.exit_code == 0
    assert _draw(ENDPOINTS, result()) == []


def test_warehouse_that_is_gone_is_told_too() -> None:
    (told,) = _draw(ENDPOINTS, result(Node("model.tidemark.a", "success", "", 0.1)))
    assert "no connection" in str(told) and "\nHINT: " in str(told)
