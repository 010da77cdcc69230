"""A MySQL or MariaDB server as a source; `extract/source.py` describes the methods."""

from collections.abc import Sequence

from extract.declarations import MirroredTable
from extract.limits import LIMITS, Limits
from extract.mysql.catalog import describe
from extract.mysql.schema import databases, tables_of_database
from extract.mysql.session import Session
from extract.mysql.table import MySQLTable
from extract.progress import Report, ignore
from extract.schema import SchemaTable
from extract.table import TableDescription


class MySQLSource(Session):
    """A session that describes and reads tables."""

    @property
    def description(self) -> str:
        return f"{self.version} at {self.address.host}:{self.address.port}"

    def databases(self) -> list[str]:
        return databases(self)

    def tables_of(self, database: str) -> list[SchemaTable]:
        return tables_of_database(self, database)

    def describe(self, declaration: MirroredTable, limits: Limits = LIMITS) -> TableDescription:
        return describe(self, declaration, limits)

    def table(
        self,
        description: TableDescription,
        limits: Limits = LIMITS,
        report: Report = ignore,
        left_out: Sequence[str] = (),
    ) -> MySQLTable:
        return MySQLTable(self, description, limits, report, left_out)
