"""Exports by the command, and what their manifests say."""

import json
from typing import Any

from tests.support.command_line import CommandLine


def exported(
    shop: CommandLine, export_format: str, folder: str, *arguments: str
) -> list[dict[str, Any]]:
    """Export into a folder, check it, and return what its manifest says of each table."""
    path = shop.folder / folder
    done = shop.run("export", "--format", export_format, "--output", str(path), *arguments)
    assert done.returncode == 0, done.stderr
    checked = shop.run("export", "--check", str(path))
    assert checked.returncode == 0, checked.stderr
    found = json.loads((path / "manifest.json").read_text(encoding="utf-8"))["tables"]
    assert isinstance(found, list)
    return found
