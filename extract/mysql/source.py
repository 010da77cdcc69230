"""A MySQL or MariaDB server as a source; `extract/source.py` describes the methods."""

from extract.declarations import MirroredTable
from extract.limits import LIMITS, Limits
from extract.mysql.catalog import describe
from extract.mysql.session import Session
from extract.mysql.table import MySQLTable
from extract.progress import Report, ignore
from extract.table import TableDescription


class MySQLSource(Session):
    """A session that describes and reads tables."""

    @property
    def description(self) -> str:
        return f"{self.version} at {self.address.host}:{self.address.port}"

    def describe(self, declaration: MirroredTable, limits: Limits = LIMITS) -> TableDescription:
        return describe(self, declaration, limits)

    def table(
        self, description: TableDescription, limits: Limits = LIMITS, report: Report = ignore
    ) -> MySQLTable:
        return MySQLTable(self, description, limits, report)
