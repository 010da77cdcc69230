"""The files of the project, for tests that read them."""

from pathlib import Path

from common.settings import PROJECT

NOT_OURS = {"__pycache__", "target", "logs"}


def project_files() -> list[Path]:
    """Every file of the project, hidden folders and what is generated left out."""
    return sorted(path for path in PROJECT.iterdir() if path.is_file() and path.name != ".env") + [
        path
        for folder in sorted(PROJECT.iterdir())
        if folder.is_dir() and (not folder.name.startswith(".") or folder.name == ".ci")
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not NOT_OURS & set(path.relative_to(PROJECT).parts)
    ]


FILES = project_files()


def relative(path: Path) -> str:
    return str(path.relative_to(PROJECT))
