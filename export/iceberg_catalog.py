"""The catalog of Iceberg in the warehouse: `mrr_state.iceberg_tables`, which Trino reads too."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy
from psycopg2.extensions import connection as Connection
from pyiceberg.catalog import MetastoreCatalog
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import CommitFailedException, NoSuchTableError, ValidationException
from pyiceberg.schema import Schema
from pyiceberg.types import (
    BinaryType,
    BooleanType,
    DateType,
    DecimalType,
    DoubleType,
    FloatType,
    IntegerType,
    LongType,
    NestedField,
    StringType,
    TimestampType,
    TimestamptzType,
    TimeType,
)

from common.settings import Address
from export.columns import STRING, ExportColumn
from export.errors import ExportError
from export.folders import sync
from export.relations import ExportRelation
from warehouse.connection import connect

NAME = "tidemark"
"""The name of the catalog in its tables, which may have others."""
SCHEMA = "mrr_state"
URI = "file://"
TYPES = {
    "int32": IntegerType(),
    "int64": LongType(),
    "bool": BooleanType(),
    "float": FloatType(),
    "double": DoubleType(),
    "date": DateType(),
    "timestamp": TimestampType(),
    "timestamp UTC": TimestamptzType(),
    "time": TimeType(),
    "binary": BinaryType(),
    STRING: StringType(),
}
"""For a type of Parquet, that of Iceberg. Decimals have their own precision and scale."""


# its package has no types for the checker
class WarehouseCatalog(SqlCatalog):  # type: ignore[misc]
    """The catalog of pyiceberg by the connection of an export, with its TLS and its settings."""

    def __init__(self, address: Address) -> None:
        # that of SqlCatalog would connect by a URI with the password, and create tables
        MetastoreCatalog.__init__(self, NAME)
        self.engine = sqlalchemy.create_engine(
            "postgresql+psycopg2://",
            creator=lambda: _connect(address),
            pool_pre_ping=True,
            use_native_hstore=False,
        )
        self._schema_version = "v1"

    def new_table(
        self, relation: ExportRelation, location: Path, columns: Mapping[str, Any]
    ) -> Any:
        """The transaction that makes a table. Nothing of it is in the catalog before its end."""
        fields = [
            NestedField(number, name, kind)
            for number, (name, kind) in enumerate(columns.items(), 1)
        ]
        self.create_namespace_if_not_exists((relation.schema,))
        return self.create_table_transaction(
            (relation.schema, relation.name),
            Schema(*fields),
            uri_of(location),
            properties={"format-version": "2"},
        )

    @staticmethod
    def _write_metadata(metadata: Any, io: Any, metadata_path: str) -> None:
        """Write them, and let all that they name be on the disk before the catalog names them."""
        SqlCatalog._write_metadata(metadata, io, metadata_path)
        written = [metadata_path]
        if snapshot := metadata.current_snapshot():
            manifests = snapshot.manifests(io)
            written += [snapshot.manifest_list] + [
                one.manifest_path
                for one in manifests
                if one.added_snapshot_id == snapshot.snapshot_id
            ]
        folders = {path_of(name).parent for name in written}
        for path in [*map(path_of, written), *folders, path_of(metadata.location)]:
            sync(path)


def found_in(catalog: WarehouseCatalog, relation: ExportRelation) -> Any:
    """The table of a relation, or None. Raises ExportError if its metadata cannot be read."""
    try:
        return catalog.load_table((relation.schema, relation.name))
    except NoSuchTableError:
        return None
    except (OSError, ValueError) as error:
        raise _unreadable(relation, error) from None


@contextmanager
def told(relation: ExportRelation) -> Iterator[None]:
    """Raises ExportError if somebody else wrote to the table, or if a file of it is lost.

    Errors of the driver are raised as such.
    """
    try:
        yield
    except FileNotFoundError as error:
        raise _unreadable(relation, error) from None
    except (CommitFailedException, NoSuchTableError, ValidationException) as error:
        raise ExportError(
            f"table {relation} of Iceberg",
            f"another writer has changed it meanwhile ({str(error).splitlines()[0]})",
            "Export again: nothing of this export was added to the table.",
        ) from None
    except sqlalchemy.exc.DBAPIError as error:
        raise (error.orig or error) from None


def _unreadable(relation: ExportRelation, error: Exception) -> ExportError:
    return ExportError(
        f"table {relation} of Iceberg",
        f"its metadata cannot be read ({str(error).splitlines()[0]})",
        "Put its folder back. If it is lost, delete the table's row from"
        f" {SCHEMA}.iceberg_tables: the next export makes it again.",
    )


def iceberg_type(column: ExportColumn) -> Any:
    """The type of a column, which has been fitted to Iceberg."""
    return DecimalType(*column.decimal) if column.kind == "decimal" else TYPES[column.parquet]


def uri_of(path: Path) -> str:
    return f"{URI}{path}"


def path_of(uri: str) -> Path:
    """The path of a file or folder that is named by a URI."""
    return Path(uri.removeprefix(URI))


def _connect(address: Address) -> Connection:
    connection = connect(address, "tidemark export catalog")
    with connection.cursor() as cursor:
        cursor.execute(f"set search_path = {SCHEMA}, pg_catalog")
    connection.autocommit = False
    return connection
