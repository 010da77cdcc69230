"""The result of a run, and how it is logged."""

from dataclasses import dataclass, field

from commands.importing import CollectionOutcome
from common.errors import ExitCode, TidemarkError, code_of_refusals
from extract.extraction import TableOutcome
from publishing.publisher import Outcome
from warehouse.build import BuildResult
from warehouse.selection import LeftAlone


@dataclass(frozen=True)
class RunResult:
    """The result of a run. `build` is None if nothing could be built.

    `advanced` are the tables whose marks advanced, which an earlier run may have read.
    `left_alone` are the nodes that were not worked on. `warnings` are about failures that do not
    affect the result.
    """

    run_id: str
    seconds: float
    tables: list[TableOutcome]
    build: BuildResult | None
    build_error: TidemarkError | None
    advanced: list[str]
    left_alone: LeftAlone | None = None
    scope: str | None = None
    warnings: list[str] = field(default_factory=list)
    published: list[Outcome] = field(default_factory=list)
    publish_error: TidemarkError | None = None
    collections: list[CollectionOutcome] = field(default_factory=list)

    @property
    def failed(self) -> dict[str, TidemarkError]:
        """The errors of tables and collections, by their names."""
        failed = {one.name: one.error for one in self.tables if one.error}
        return failed | {one.name: one.error for one in self.collections if one.error}

    @property
    def exit_code(self) -> ExitCode:
        code = code_of_refusals(self.failed.values())
        if self.publish_error or any(one.error for one in self.published):
            return ExitCode.FAILED
        if self.build_error or code is ExitCode.FAILED or (self.build and self.build.failed):
            return ExitCode.FAILED
        if code:
            return code
        if self.build and self.build.failed_tests:
            return ExitCode.TEST_FAILED
        return ExitCode.DONE

    @property
    def has_changed(self) -> bool:
        """Whether rows were applied, nodes built, or tables not read."""
        is_built = self.build is not None and bool(self.build.nodes)
        return is_built or bool(self.failed) or self.rows_applied > 0

    @property
    def rows_applied(self) -> int:
        applied = [one.applied for one in self.tables]
        applied += [one.imported.applied for one in self.collections if one.imported]
        return sum(one.rows for one in applied)


def status_of(result: RunResult) -> str:
    """The status of the run in the run log."""
    names = {ExitCode.DONE: "success", ExitCode.TEST_FAILED: "warning"}
    names |= {ExitCode.REFUSED: "refused"}
    return names.get(result.exit_code, "error")


def failures_in(result: RunResult) -> str | None:
    """One line that names what failed; None if nothing did."""
    names = list(result.failed)
    if result.build:
        names += [node.name for node in result.build.failed + result.build.failed_tests]
    names += [one.name for one in result.published if one.error]
    for error in (result.build_error, result.publish_error):
        names += [error.problem] if error else []
    return ", ".join(names) or None
