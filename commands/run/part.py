"""The part of a run that is done: it reads into `mrr`, then it builds `stg`, and then `dwh`."""

from dataclasses import dataclass

from common.errors import UsageError
from warehouse.graph import Graph


@dataclass(frozen=True)
class Part:
    """From a layer on, and up to a layer; by default all of the run.

    From `stg` on, the source is not read. What `stg` lacks is built before `dwh`, so that no part
    begins there.
    """

    first: str = "mrr"
    last: str = "dwh"

    @property
    def reads(self) -> bool:
        """Whether the source is read."""
        return self.first == "mrr"

    @property
    def builds(self) -> bool:
        """Whether dbt builds anything."""
        return self.last != "mrr"

    @property
    def reaches_dwh(self) -> bool:
        return self.last == "dwh"

    @property
    def options(self) -> str:
        """The options that ask for it; empty for all of a run."""
        given = [f"--from {self.first}"] if not self.reads else []
        return " ".join([*given, *([f"--until {self.last}"] if not self.reaches_dwh else [])])

    def nodes(self, graph: Graph) -> set[str]:
        """The nodes that may be built."""
        return graph.built if self.reaches_dwh else graph.staging

    def check(self, options: dict[str, bool]) -> None:
        """Raise UsageError if the part is empty, or has no use for an option that is given.

        `options` are those for reading and for building, and whether they are given.
        """
        if not self.reads and not self.builds:
            raise UsageError(
                "--until mrr", "contradicts --from stg", "Together they leave nothing to do."
            )
        for option, is_given in options.items():
            is_for_building = option.startswith("--build")
            if is_given and not (self.builds if is_for_building else self.reads):
                told = "--until mrr" if is_for_building else "--from stg"
                what = "builds nothing" if is_for_building else "does not read the source"
                raise UsageError(option, f"contradicts {told}, which {what}", "Leave one out.")


WHOLE = Part()
