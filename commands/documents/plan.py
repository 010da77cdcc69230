"""The document of `plan`."""

from dataclasses import dataclass
from typing import Annotated

from commands.documents.document import Failure
from commands.plan import PlannedTable
from extract.reading import Way


@dataclass(frozen=True)
class PlanTable:
    """How a run would read and compare a table."""

    table: Annotated[str, "name in `mrr`"]
    source_table: Annotated[str, "name at the source, with its database"]
    estimated_rows: Annotated[int, "the source's estimate of its rows"]
    way: Annotated[Way, "what is read before the comparison, in a word"]
    reads: Annotated[str, "the same in words"]
    reads_from: Annotated[str | None, "of a window: the value of the cursor where it begins"]
    compares_every_row: Annotated[bool, "false if it compares every key, and some of the rows"]
    error: Annotated[Failure | None, "why a run would refuse the table"]


@dataclass(frozen=True)
class PlanDocument:
    """What a run would do now."""

    tables: Annotated[list[PlanTable], "in the order of the declarations"]


def document(planned: list[PlannedTable]) -> PlanDocument:
    """The plan of these tables."""
    return PlanDocument(
        [
            PlanTable(
                one.name,
                one.source,
                one.estimated_rows,
                one.reading.way,
                one.reading.reads,
                one.reading.window.bound if one.reading.window else None,
                not one.reading.compares_a_share,
                Failure.of(one.error) if one.error else None,
            )
            for one in planned
        ]
    )
