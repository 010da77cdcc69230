"""`compose.yaml` against the JSON schema of the Compose specification, which check-jsonschema has.

`make test-compose` installs it.
"""

import subprocess
from pathlib import Path

import pytest

from common.settings import LOCAL, PROJECT

PROGRAM = LOCAL / "compose" / "bin" / "check-jsonschema"


def check(path: Path) -> subprocess.CompletedProcess[str]:
    command = [PROGRAM, "--builtin-schema", "vendor.compose-spec", path]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_compose_file_is_one_by_the_schema() -> None:
    done = check(PROJECT / "compose.yaml")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("profiles: [kafka]", "profile: [kafka]"),
        ("condition: service_healthy", "condition: healthy"),
        ("dockerfile_inline:", "dockerfile_text:"),
        ("retries: 24", "retries: [24]"),
    ],
)
def test_mistake_is_found_by_the_schema(tmp_path: Path, right: str, wrong: str) -> None:
    broken = tmp_path / "compose.yaml"
    text = (PROJECT / "compose.yaml").read_text("utf-8")
    broken.write_text(text.replace(right, wrong, 1), "utf-8")
    assert check(broken).returncode == 1
