"""What others find in the Power BI project: a reader of TMDL, a linter, Microsoft's own validator
and its JSON schemas.

`make test-powerbi` installs the programs. The schemas come from the network, or from a clone of
github.com/microsoft/json-schemas whose folder TIDEMARK_POWER_BI_SCHEMAS names. What cannot be run
is skipped, and pytest says why.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from jsonschema import Draft7Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT7

from common.settings import LOCAL
from dashboard.pbip.pbir import SCHEMAS
from tests.support import tmdl
from tests.support.tmdl import FOLDER

PROGRAMS = LOCAL / "powerbi"
MICROSOFT = PROGRAMS / "node_modules" / ".bin" / "powerbi-report-author"
OF_SCHEMAS = os.environ.get("TIDEMARK_POWER_BI_SCHEMAS")
COUNT = """
import json, sys
from pbipinspect.inspect import create_inspect
inspect = create_inspect(sys.argv[1])
inspect.parse_pbip()
kinds = ("tables", "columns", "measures", "relationships")
print(json.dumps({kind: len(getattr(inspect.pbip, kind)) for kind in kinds}))
"""


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A copy of the project, for a test to break."""
    return shutil.copytree(FOLDER, tmp_path / "powerbi")


def call(*command: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)


def test_pbipinspect_reads_what_is_there() -> None:
    done = call(PROGRAMS / "bin" / "python", "-c", COUNT, FOLDER)
    assert done.returncode == 0, done.stderr
    found, tables = json.loads(done.stdout), tmdl.tables().values()
    print("pbipinspect:", found)
    assert found == {
        "tables": len(tables),
        "columns": sum(len(table.columns) for table in tables),
        "measures": sum(len(table.measures) for table in tables),
        "relationships": len(tmdl.relationships()),
    }


def test_pbir_utils_has_nothing_to_say(copied: Path) -> None:
    validate = (PROGRAMS / "bin" / "pbir-utils", "validate", "--strict")
    done = call(*validate, FOLDER / "Tidemark.Report")
    assert done.returncode == 0, done.stdout
    assert "All 16 rules passed" in done.stdout
    print("pbir-utils: all 16 rules passed")
    page = copied / "Tidemark.Report" / "definition" / "pages" / "sales" / "page.json"
    page.write_text(page.read_text("utf-8").replace('"Sales"', '"Page 1"'), encoding="utf-8")
    assert "All 16 rules passed" not in call(*validate, copied / "Tidemark.Report").stdout


def test_validator_of_microsoft_finds_no_error_and_no_warning(copied: Path) -> None:
    if not MICROSOFT.exists():
        pytest.skip("Microsoft's validator was not run: there was no npm to install it")
    found = by_microsoft(FOLDER)
    print("powerbi-report-authoring-cli:", found)
    assert (found["result"], found["errorCount"], found["warningCount"]) == ("succeeded", 0, 0)
    (copied / "Tidemark.Report" / ".platform").unlink()
    assert by_microsoft(copied)["errorCount"] > 0


def by_microsoft(folder: Path) -> dict[str, Any]:
    done = call(MICROSOFT, "validate", "--no-schema", folder / "Tidemark.pbip")
    found: dict[str, Any] = json.loads(done.stdout)["data"]
    return found


def schema(address: str) -> Resource[Any]:
    """A schema of Microsoft's, from the clone if there is one."""
    if OF_SCHEMAS:
        file = Path(OF_SCHEMAS) / "fabric" / address.removeprefix(SCHEMAS)
        text = file.read_text(encoding="utf-8")
    else:
        try:
            with urlopen(address, timeout=20) as answer:
                text = answer.read().decode()
        except (URLError, TimeoutError) as error:
            pytest.skip(f"the JSON schemas were not read: {address}: {error}")
    return Resource.from_contents(json.loads(text), default_specification=DRAFT7)


def test_files_are_as_the_json_schemas_of_microsoft_say(copied: Path) -> None:
    found = by_schemas(FOLDER)
    print("JSON schemas:", len(found), "files")
    assert {path: problems for path, problems in found.items() if problems} == {}
    assert len(found) > 40
    for path in copied.rglob("*.json"):
        content = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps(content | {"unknown": True}), encoding="utf-8")
    broken = by_schemas(copied)
    assert all(broken[path] for path in broken if path.endswith(".json"))


def by_schemas(folder: Path) -> dict[str, list[str]]:
    """What is wrong in each file that names a schema."""
    registry: Any = Registry(retrieve=schema)
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix not in (".tmdl", ".md", ".sql"):
            content = json.loads(path.read_text(encoding="utf-8"))
            if "$schema" in content:
                validator = Draft7Validator({"$ref": content["$schema"]}, registry=registry)
                errors = [one.message for one in validator.iter_errors(content)]
                found[path.relative_to(folder).as_posix()] = errors
    return found
