"""The sources of a command: its tables are grouped by source, and each source is opened alone."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from commands.endpoints import Endpoints
from commands.failures import translated_errors
from commands.working import Work
from common.errors import SettingError, TidemarkError
from common.log import get_logger
from common.settings import Address, Settings
from common.suggestion import did_you_mean
from extract.compare.identity import check_accepted, check_identity
from extract.declarations import MirroredTable, declared_tables, demo_domains
from extract.extraction import Extraction, open_extraction

log = get_logger(__name__)

Result = TypeVar("Result")


class SourceBusy(TidemarkError):
    """Another command works on the tables of a source; the other sources are not affected."""

    def __init__(self, source: Address) -> None:
        super().__init__(
            f"operational {source}",
            "another run works on its tables; they were left as they are",
            "Wait for it to end; `python run.py status` shows it.",
        )


def read_declarations(settings: Settings) -> list[MirroredTable]:
    """Every declared table. Raises WrongDeclarations, and SettingError.

    Settings of a source that no declaration names are an error here. A declared source without
    settings is an error only when its tables are worked on.
    """
    declared = declared_tables()
    names = sorted({table.source for table in declared if table.source})
    for name, source in settings.sources.items():
        if name not in names:
            known = (
                f"Declared: {', '.join(names)}." if names else "No declaration names any source."
            )
            raise SettingError(
                source.place,
                f'no declaration names the source "{name}"',
                f"{did_you_mean(name, names)}{known}",
            )
    check_demo_domains(settings)
    return declared


def check_demo_domains(settings: Settings) -> None:
    """Raise SettingError if DEMO_DOMAINS names a domain that the demo does not have."""
    demo = sorted(demo_domains())
    for name in sorted(settings.demo_domains or ()):
        if name not in demo:
            raise SettingError(
                "DEMO_DOMAINS",
                f'no domain of the demo has the name "{name}"',
                f"{did_you_mean(name, demo)}Set off, or some of {', '.join(demo)}.",
            )


def sources_of(tables: list[MirroredTable]) -> list[str]:
    """The names of the tables' sources, in the order of the tables."""
    return list(dict.fromkeys(table.source for table in tables))


def source_by_source(
    tables: list[MirroredTable],
    work_on: Callable[[list[MirroredTable]], list[Result]],
    stopped: Callable[[MirroredTable, TidemarkError], Result],
    check: Callable[[], None] = lambda: None,
) -> list[Result]:
    """The results of `work_on`, called with the tables of each source; in the order of `tables`.

    If a source fails, only its own tables are stopped, and `stopped` makes their results; if there
    is no other source, the error is raised. `check` is called after a failure, and may raise an
    error that stops them all.
    """
    names = sources_of(tables)
    found: dict[str, Result] = {}
    for name in names:
        of_source = [table for table in tables if table.source == name]
        try:
            results = work_on(of_source)
        except TidemarkError as error:
            if len(names) == 1:
                raise
            check()
            log.warning("the tables of a source were not worked on: %s", error)
            results = [stopped(table, error) for table in of_source]
        found |= zip((table.name for table in of_source), results, strict=True)
    return [found[table.name] for table in tables]


@contextmanager
def open_source_of(
    tables: list[MirroredTable],
    endpoints: Endpoints,
    work: Work,
    accepted: str | None = None,
    **options: Any,
) -> Iterator[Extraction]:
    """An extraction of tables that belong to one source.

    `accepted` is the identity of a server that replaces the one mirrored so far. Raises
    SettingError, SourceBusy, ServerError, and SourceChanged if it is another server.
    """
    settings = endpoints.source(tables[0].source)
    if tables[0].source in work.busy:
        raise SourceBusy(settings.address)
    with (
        translated_errors(endpoints.loader, settings.address),
        open_extraction(
            settings.address,
            endpoints.loader,
            work.run_log,
            settings.duty,
            snapshot_seconds=settings.snapshot_seconds,
            limits=endpoints.limits,
            check_lock=work.lock.check,
            **options,
        ) as extraction,
    ):
        if not endpoints.is_embedded(settings.address):
            check_identity(work.connection, extraction.source, tables, accepted)
        check_accepted(extraction.source, accepted)
        yield extraction
