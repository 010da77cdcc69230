"""The examples for Trino by a validator with Trino's grammar, from `make engines`."""

import re
import subprocess
import sys

import pytest

from common.settings import LOCAL
from tests.test_trino import PAGE

PACKAGES = LOCAL / "engines"
ASK = """
import sys, trino_sql_validator
found = trino_sql_validator.validate(sys.stdin.read())
sys.exit(0 if found.valid else str(found))
"""


def validated(text: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", ASK],
        env={"PYTHONPATH": str(PACKAGES)},
        input=text,
        text=True,
        check=False,
    )
    return done.returncode


@pytest.mark.parametrize(
    "block", re.findall(r"```sql\n(.+?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
)
def test_example_is_valid(block: str) -> None:
    assert validated(block) == 0
    assert validated(block.replace("inner join", "inner joined", 1)) != 0
