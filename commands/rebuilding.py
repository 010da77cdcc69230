"""A build of what reads some mirrored tables, after rows were taken out of the warehouse."""

from collections.abc import Collection

from commands.endpoints import Endpoints
from commands.telling import tell
from common.errors import ExitCode, TidemarkError
from common.settings import Settings
from extract.declarations import MirroredTable


def build_readers(
    settings: Settings,
    endpoints: Endpoints,
    tables: list[MirroredTable],
    changed: Collection[str],
) -> int:
    """Build what reads these tables, and draw the dashboard; returns the exit code."""
    # loaded here, since a dry run needs none of it
    from commands.choice import active_tables
    from commands.run import output
    from commands.run.calling import draw
    from commands.run.part import Part
    from commands.run.work import Report, RunOptions, run

    active = active_tables(tables, settings)
    options = RunOptions(
        [one for one in active if one.name in changed],
        others=[one for one in active if one.name not in changed],
        declared=[one.name for one in tables],
        scope="--from stg",
        part=Part(first="stg"),
    )
    result = run(endpoints, options, Report())
    failures: list[TidemarkError | str] = [*output.failures(result), *draw(endpoints)]
    for failure in failures:
        tell(failure)
    print(output.last_line(result))
    return result.exit_code or (ExitCode.FAILED if failures else ExitCode.DONE)
