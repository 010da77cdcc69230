"""What is declared for Power BI beside dbt's metrics: `declared/<domain>.yml`.

Each file is of one domain of the dbt project, and is left out where the project has no such domain.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from inspect import signature
from pathlib import Path
from typing import Any, TypeVar

import yaml

from dashboard.pbip.errors import PowerBiError

FOLDER = Path(__file__).parent / "declared"
Entry = TypeVar("Entry")
AGGREGATES = ("sum", "count", "count_distinct")


@dataclass(frozen=True)
class FromStar:
    """How a metric is computed from a fact, so that every dimension of the fact divides it.

    `where` has the values that count, `at_least` the names of the dbt variables from whose value on
    a number counts.
    """

    table: str
    aggregate: str
    column: str = ""
    where: Mapping[str, list[str]] = field(default_factory=dict)
    at_least: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class YearOverYear:
    """A metric that gets two more measures: the year before, and the change since."""

    metric: str
    day: str


@dataclass(frozen=True)
class Business:
    """A measure in DAX, of what dbt's semantic YAML cannot say."""

    name: str
    table: str
    dax: str
    description: str
    format: str = ""
    folder: str = ""


@dataclass(frozen=True)
class Computed:
    """A column that Power BI computes."""

    name: str
    type: str
    dax: str
    format: str
    description: str


@dataclass(frozen=True)
class TableDetails:
    """What a table has beside its columns: their order, computed columns, a hierarchy.

    `date_key` is the column of days of the calendar; rows without a day are left out of it.
    """

    date_key: str = ""
    sort_by: Mapping[str, str] = field(default_factory=dict)
    computed: tuple[Computed, ...] = ()
    hierarchy: tuple[str, ...] = ()


@dataclass(frozen=True)
class DeclaredChart:
    """A chart of some measures by a column, or a table of some columns and measures."""

    title: str
    measures: list[str]
    by: str = ""
    table: list[str] = field(default_factory=list)
    sort: str = ""
    lowest_first: bool = False


@dataclass(frozen=True)
class DeclaredPage:
    """A page: of an exposure, which has numbers and charts already, or of its own `title`."""

    exposure: str = ""
    title: str = ""
    description: str = ""
    numbers: tuple[str, ...] = ()
    slicers: tuple[str, ...] = ()
    charts: tuple[DeclaredChart, ...] = ()


@dataclass(frozen=True)
class Domain:
    """What is declared for a domain; `label` is the folder of its measures.

    `same_as` are metrics that exist because a mart cannot be divided by everything, each with the
    one that the star divides. `dimensions` are those that only a mart has, with the column that is
    theirs in the star.
    """

    name: str
    label: str
    metrics: Mapping[str, FromStar] = field(default_factory=dict)
    same_as: Mapping[str, str] = field(default_factory=dict)
    dimensions: Mapping[str, str] = field(default_factory=dict)
    year_over_year: tuple[YearOverYear, ...] = ()
    measures: tuple[Business, ...] = ()
    tables: Mapping[str, TableDetails] = field(default_factory=dict)
    page: DeclaredPage | None = None


def declared_domains(present: set[str]) -> dict[str, Domain]:
    """What is declared for the domains that are present. Raises PowerBiError."""
    return {
        file.stem: _domain(file, yaml.safe_load(file.read_text(encoding="utf-8")))
        for file in sorted(FOLDER.glob("*.yml"))
        if file.stem in present
    }


def _domain(file: Path, content: Mapping[str, Any]) -> Domain:
    metrics = {name: _metric(file, one) for name, one in content.get("metrics", {}).items()}
    tables = {name: _details(file, one) for name, one in content.get("tables", {}).items()}
    page = content.get("page")
    typed = {
        "metrics": metrics,
        "year_over_year": tuple(_all(YearOverYear, file, content.get("year_over_year", ()))),
        "measures": tuple(_all(Business, file, content.get("measures", ()))),
        "tables": tables,
        "page": _page(file, page) if page else None,
    }
    return _made(Domain, file, {"name": file.stem, **content, **typed})


def _metric(file: Path, entry: Mapping[str, Any]) -> FromStar:
    made = _made(FromStar, file, entry)
    if made.aggregate not in AGGREGATES or bool(made.column) is (made.aggregate == "count"):
        raise PowerBiError(
            f"{file.name}, {entry}",
            "its aggregate is not understood",
            f"It is one of {', '.join(AGGREGATES)}; count has no column, the others have one.",
        )
    return made


def _details(file: Path, entry: Any) -> TableDetails:
    computed = tuple(_all(Computed, file, entry.get("computed", ())))
    return _made(TableDetails, file, entry | {"computed": computed})


def _page(file: Path, entry: Any) -> DeclaredPage:
    charts = tuple(_all(DeclaredChart, file, entry.get("charts", ())))
    return _made(DeclaredPage, file, entry | {"charts": charts})


def _all(kind: type[Entry], file: Path, entries: Any) -> Iterator[Entry]:
    for entry in entries:
        yield _made(kind, file, entry)


def _made(kind: type[Entry], file: Path, entry: Any) -> Entry:
    """An entry of the YAML as its dataclass, which says what it may have."""
    known = signature(kind).parameters
    try:
        made = kind(**entry)
    except TypeError:
        raise PowerBiError(
            f"{file.name}, {entry}",
            "it is not understood",
            f"It has: {', '.join(sorted(known))}.",
        ) from None
    return made
