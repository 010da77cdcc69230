"""The files for schedulers that are not installed here: DAGs of Airflow, a workflow of GitHub."""

import ast
import re
from pathlib import Path

import pytest
import sqlglot
import yaml

from common.errors import ExitCode
from common.settings import PROJECT
from extract.declarations import declared_tables
from tests.support.project_files import relative

AIRFLOW = PROJECT / "orchestration" / "airflow"
DAG_FILES = sorted((AIRFLOW / "dags").glob("*.py"))
WORKFLOW = PROJECT / ".github" / "workflows" / "ci.yml"
CI = PROJECT / ".ci" / "run"


def texts(path: Path) -> list[str]:
    """The texts in the code of a file, without docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    bare = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in bare
    ]


def is_sql(text: str) -> bool:
    if not re.match(r"\s*(select|insert|update|delete|with|call|create|drop|alter)\s", text, re.I):
        return False
    try:
        return bool(sqlglot.parse(text, read="postgres"))
    except sqlglot.errors.SqlglotError:
        return False


@pytest.mark.parametrize("path", DAG_FILES, ids=relative)
def test_dags_have_no_sql_and_name_no_table(path: Path) -> None:
    assert is_sql("select 1 from dwh.run_log"), "what is looked for is found"
    assert [text for text in texts(path) if is_sql(text)] == []
    declared = {table.name for table in declared_tables()}
    assert declared.isdisjoint(" ".join(texts(path)).split())


def test_airflow_retries_what_is_worth_it() -> None:
    """Each exit code but 0 has its meaning there, but for those of signals."""
    tree = ast.parse((AIRFLOW / "dags" / "tidemark_runs.py").read_text(encoding="utf-8"))
    values = {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }

    def codes(name: str) -> set[int]:
        keys = values[name].keys
        named = {"TEST_FAILED": ExitCode.TEST_FAILED, "REFUSED": ExitCode.REFUSED}
        return {named[key.id] if isinstance(key, ast.Name) else key.value for key in keys}

    assert codes("FINAL") == {ExitCode.USAGE, ExitCode.TEST_FAILED, ExitCode.REFUSED}
    assert codes("WORTH_ANOTHER_TRY") == {ExitCode.FAILED, ExitCode.LOCKED}
    of_signals = {ExitCode.HUNG_UP, ExitCode.INTERRUPTED, ExitCode.TERMINATED, ExitCode.DONE}
    assert codes("FINAL") | codes("WORTH_ANOTHER_TRY") | of_signals == set(ExitCode)


def test_airflow_is_locked_apart_from_the_project() -> None:
    wanted = (AIRFLOW / "requirements.in").read_text(encoding="utf-8")
    locked = (AIRFLOW / "requirements.txt").read_text(encoding="utf-8")
    (version,) = re.findall(r"^apache-airflow==([\d.]+)$", wanted, re.MULTILINE)
    assert f"\napache-airflow=={version} \\\n    --hash=sha256:" in locked
    unlocked = [line for line in locked.splitlines() if re.match(r"[a-z].*==[^\\]*$", line)]
    assert unlocked == []
    assert "airflow" not in (PROJECT / "requirements.in").read_text(encoding="utf-8")


def test_workflow_does_what_ci_does_and_nothing_else() -> None:
    workflow = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))
    (job,) = workflow["jobs"].values()
    assert [step["run"] for step in job["steps"] if "run" in step] == [relative(CI)]
    assert CI.stat().st_mode & 0o111
    assert workflow["permissions"] == {"contents": "read"}


def test_actions_are_pinned_to_a_commit() -> None:
    used = re.findall(r"uses: *(.*)", WORKFLOW.read_text(encoding="utf-8"))
    assert used
    for action in used:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}  # v[\d.]+", action), action
