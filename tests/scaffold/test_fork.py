"""A fork with a domain of its own takes up a later version without a conflict."""

import subprocess
from pathlib import Path

import yaml

from commands.scaffold.proposals import Domain
from commands.scaffold.work import scaffold
from extract.declarations import declared_tables
from extract.mysql.source import MySQLSource
from tests.scaffold.test_page import PAGE, TABLES
from tests.support.project_files import write_files_of
from tests.support.servers import OperationalDatabase

MACRO = """\
{% macro sakila_title(text) -%}
    initcap({{ text }})
{%- endmacro %}
"""
DESCRIBED = """\
macros:
  - name: sakila_title
    description: The title of a film as people write it.
    arguments:
      - {name: text, type: string, description: The title as it is stored.}
"""
LATER = {
    "dbt_project/dbt_project.yml": ("vars:\n", "vars:\n  later: 1\n"),
    "dbt_project/selectors.yml": (
        "selectors:\n",
        "selectors:\n  - {name: later, definition: x}\n\n",
    ),
    "compose.yaml": ("services:\n", "services:\n  later: {image: later}\n\n"),
    ".sqlfluff": ("[sqlfluff]\n", "[sqlfluff]\nlarge_file_skip_byte_limit = 0\n"),
}
"""What a later version adds to some files, after which line."""


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=somebody", "-c", "user.email=somebody@example.com")
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def commit(folder: Path, message: str) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", message)


def release(folder: Path) -> list[str]:
    """Change every shipped file of YAML, and some of settings; gives their names."""
    listed = git(folder, "ls-files", "*.yml", "*.yaml", *LATER).splitlines()
    for name in listed:
        file = folder / name
        text = file.read_text(encoding="utf-8")
        if name in LATER:
            line, more = LATER[name]
            assert line in text
            text = text.replace(line, more, 1)
        file.write_text(f"# of a later version\n{text}# its end\n", encoding="utf-8")
    return listed


def test_later_version_is_merged_into_a_fork_without_a_conflict(
    project: Path, source: MySQLSource, operational: OperationalDatabase
) -> None:
    folder = project.parent
    (folder / ".venv").unlink()
    git(folder, "init", "--quiet", "--initial-branch", "main")
    commit(folder, "A version")
    shipped = declared_tables(project)

    git(folder, "switch", "--quiet", "--create", "mine")
    for statement in TABLES:
        operational.execute(statement)
    scaffold(source, Domain("sakila", operational.name, ""), (), project)
    write_files_of(PAGE, project)
    (project / "macros" / "sakila").mkdir()
    for name, text in (("sakila_title.sql", MACRO), ("_sakila__macros.yml", DESCRIBED)):
        (project / "macros" / "sakila" / name).write_text(text, encoding="utf-8")
    commit(folder, "My domain")
    own = [table for table in declared_tables(project) if table.domain == "sakila"]
    assert {table.table for table in own} == {"customer", "rental"}
    changed = git(folder, "diff", "--name-only", "--diff-filter=a", "main", "mine")
    assert not changed, "a domain of one's own needs no change of what is shipped"

    git(folder, "switch", "--quiet", "main")
    released = release(folder)
    assert set(LATER) < set(released)
    commit(folder, "A later version")

    git(folder, "switch", "--quiet", "mine")
    git(folder, "merge", "--quiet", "--no-edit", "main")
    merged = declared_tables(project)
    assert sorted(merged, key=str) == sorted([*shipped, *own], key=str)
    assert {table.table for table in merged if table.demo} == {table.table for table in shipped}
    for name in released:
        text = (folder / name).read_text(encoding="utf-8")
        assert text.startswith("# of a later version\n") and text.endswith("# its end\n")
        if name != ".sqlfluff":
            yaml.safe_load(text)
