"""A parse that dbt has kept is trusted if it was of all files, and none has changed since."""

from collections.abc import Callable
from pathlib import Path

import pytest

from warehouse.parsing import PARSE_FILE, KeptParse

MODEL, SEED = "models/stg/stg_dim_a.sql", "seeds/stg_seed_a.csv"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project that was parsed as a whole."""
    monkeypatch.delenv("DBT_TARGET_PATH", raising=False)
    for path, text in ((MODEL, "select 1"), (SEED, "a\n1\n"), (f"target/{PARSE_FILE}", "parse")):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, "utf-8")
    KeptParse(tmp_path).remember()
    return tmp_path


def test_whole_parse_of_files_that_have_not_changed_is_known(project: Path) -> None:
    assert KeptParse(project).is_whole()
    (project / "target" / "manifest.json").write_text("{}", "utf-8")
    (project / "logs").mkdir()
    (project / "logs" / "dbt.log").write_text("parsed", "utf-8")
    assert KeptParse(project).is_whole()


CHANGES: dict[str, Callable[[Path], object]] = {
    "edited": lambda project: (project / MODEL).write_text("select 2", "utf-8"),
    "created": lambda project: (project / "models" / "_stg.yml").write_text("", "utf-8"),
    "deleted": lambda project: (project / SEED).unlink(),
    "renamed": lambda project: (project / SEED).rename(project / "seeds" / "stg_seed_b.csv"),
    "moved": lambda project: (project / "seeds").rename(project / "seeds_of_a"),
    "parsed in part": lambda project: (project / "target" / PARSE_FILE).write_text("part", "utf-8"),
    "parse lost": lambda project: (project / "target" / PARSE_FILE).unlink(),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_change_makes_every_file_be_parsed_again(
    project: Path, change: Callable[[Path], object]
) -> None:
    change(project)
    kept = KeptParse(project)
    assert not kept.is_whole()
    (project / "target" / PARSE_FILE).write_text("parsed again", "utf-8")
    kept.remember()
    assert KeptParse(project).is_whole()


def test_file_that_is_edited_while_dbt_parses_is_parsed_again(project: Path) -> None:
    kept = KeptParse(project)
    (project / MODEL).write_text("select 3", "utf-8")
    kept.remember()
    assert not KeptParse(project).is_whole()


def test_first_parse_is_of_every_file(tmp_path: Path) -> None:
    assert not KeptParse(tmp_path).is_whole()
