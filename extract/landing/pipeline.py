"""A dlt pipeline that loads CSV files of the source into the warehouse without changing a value.

dlt's own Postgres destination reads every empty string of a CSV as NULL and does not know the
exact types of the mirror. So a small subclass gives each column its exact type, and runs our COPY.
"""

import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
os.environ["RUNTIME__LOG_LEVEL"] = "CRITICAL"
# dlt would delay a Ctrl-C until it has finished
os.environ["RUNTIME__INTERCEPT_SIGNALS"] = "false"
os.environ["LOAD__DELETE_COMPLETED_JOBS"] = "true"
# what COPY refuses once, it refuses again
os.environ["LOAD__RAISE_ON_MAX_RETRIES"] = "1"
# nothing of an earlier run is in the warehouse
os.environ["RESTORE_FROM_DESTINATION"] = "false"

import dlt
from dlt.common.destination import PreparedTableSchema
from dlt.common.destination.client import RunnableLoadJob
from dlt.common.schema.typing import TColumnSchema
from dlt.destinations.impl.postgres.configuration import PostgresCredentials
from dlt.destinations.impl.postgres.factory import PostgresTypeMapper, postgres
from dlt.destinations.impl.postgres.postgres import PostgresClient
from dlt.destinations.impl.postgres.sql_client import Psycopg2SqlClient
from dlt.extract import DltResource
from dlt.pipeline.exceptions import PipelineStepFailed
from psycopg2.extensions import connection as Connection

from common.errors import TableError, TidemarkError
from common.log import get_logger
from common.quoting import quoted
from common.settings import Address
from extract.landing.files import LandingTable
from extract.mirror.copying import copy_file
from warehouse.connection import connect

log = get_logger(__name__)

POSTGRES_TYPE = "x-postgres-type"
"""Our own dlt hint: the type of a column."""
NO_PASSWORD = "-"
"""dlt wants one; it opens no connection by itself."""


class ExactTypes(PostgresTypeMapper):
    """Gives a column the PostgreSQL type that its hint names."""

    def to_destination_type(self, column: TColumnSchema, table: PreparedTableSchema) -> str:
        exact = column.get(POSTGRES_TYPE)
        return str(exact) if exact else super().to_destination_type(column, table)


class ExactCopyJob(RunnableLoadJob):
    """Copies one CSV file into its landing table, every column unchanged."""

    def __init__(self, file_path: str) -> None:
        super().__init__(file_path)
        self._job_client: ExactClient

    def run(self) -> None:
        client = self._job_client.sql_client
        columns = self._job_client.schema.get_table_columns(self.load_table_name)
        names = ", ".join(quoted(name) for name in columns)
        target = client.make_qualified_table_name(self.load_table_name)
        with (
            Path(self._file_path).open("rb") as file,
            client.begin_transaction(),
            client.native_connection.cursor() as cursor,
        ):
            copy_file(cursor, f"{target} ({names})", file)


class ExactSqlClient(Psycopg2SqlClient):
    """dlt's connection to the warehouse, with the settings of all our sessions."""

    warehouse: Address
    """How it is reached. dlt does not know: it would take the blanks off a password."""

    def open_connection(self) -> Connection:
        connection = connect(self.warehouse, "tidemark landing")
        self._conn = connection
        return connection

    def _reset_connection(self) -> None:
        # dlt's own method would reset the session to the defaults of role and database
        self._conn.rollback()
        self._conn.autocommit = True


class ExactClient(PostgresClient):
    """Loads CSV files with our COPY, into unlogged tables."""

    def __init__(self, schema: Any, config: Any, capabilities: Any) -> None:
        super().__init__(schema, config, capabilities)
        theirs = self.sql_client
        self.sql_client = ExactSqlClient(
            theirs.dataset_name, theirs.staging_dataset_name, config.credentials, capabilities
        )

    def create_load_job(
        self, table: PreparedTableSchema, file_path: str, load_id: str, restore: bool = False
    ) -> Any:
        if file_path.endswith(".csv"):
            return ExactCopyJob(file_path)
        return super().create_load_job(table, file_path, load_id, restore)

    def _get_table_update_sql(
        self, table_name: str, new_columns: Sequence[TColumnSchema], generate_alter: bool
    ) -> list[str]:
        statements = super()._get_table_update_sql(table_name, new_columns, generate_alter)
        if generate_alter:
            return statements
        created, *others = statements
        return [created.replace("CREATE TABLE", "CREATE UNLOGGED TABLE", 1), *others]


class exact_postgres(postgres):
    """dlt's Postgres destination with exact types and our COPY, on connections of ours."""

    warehouse: Address

    def client(self, schema: Any, initial_config: Any = None) -> Any:
        client: Any = super().client(schema, initial_config)
        client.sql_client.warehouse = self.warehouse
        return client

    def _raw_capabilities(self) -> Any:
        capabilities = super()._raw_capabilities()
        capabilities.type_mapper = ExactTypes
        return capabilities

    def configuration(self, initial_config: Any, accept_partial: bool = False) -> Any:
        # dlt asks for a partial one thirty times, to learn what the destination is capable of,
        # which does not depend on it; each time it would look for each option in many places
        if accept_partial:
            return initial_config
        return super().configuration(initial_config)

    @property
    def client_class(self) -> type[ExactClient]:
        return ExactClient


def land(warehouse: Address, tables: list[LandingTable], folder: Path) -> dict[str, TableError]:
    """Land the tables in one dlt run, or each alone if that fails.

    Returns the errors of the tables that could not be landed, by name.
    """
    if not tables:
        return {}
    try:
        _run_pipeline(warehouse, tables, folder / "pipeline")
        return {}
    except PipelineStepFailed as error:
        if len(tables) == 1:
            return {tables[0].name: _landing_error(tables[0].name, error)}
        log.warning("landing together failed, landing each table alone: %s", _cause(error))
    errors: dict[str, TableError] = {}
    for table in tables:
        errors |= land(warehouse, [table], folder / table.landed_name)
    return errors


def _run_pipeline(warehouse: Address, tables: list[LandingTable], folder: Path) -> None:
    """Land the tables in one run of dlt, whose state is removed with the folder."""
    started = time.monotonic()
    resources = [_resource(table) for table in tables]
    _pipeline(warehouse, folder, tables[0].schema).run(resources, loader_file_format="csv")
    rows = sum(table.rows for table in tables)
    log.info("landed %s rows in %.2f s", rows, time.monotonic() - started)


def _pipeline(warehouse: Address, folder: Path, schema: str) -> dlt.Pipeline:
    credentials = PostgresCredentials()
    credentials.host = warehouse.host
    credentials.port = warehouse.port
    credentials.username = warehouse.user
    credentials.password = NO_PASSWORD
    credentials.database = warehouse.database
    destination = exact_postgres(credentials=credentials)
    destination.warehouse = warehouse
    return dlt.pipeline(
        pipeline_name="landing",
        destination=destination,
        dataset_name=schema,
        pipelines_dir=str(folder),
    )


def _resource(table: LandingTable) -> DltResource:
    def files() -> Iterator[Any]:
        for file in table.files:
            yield dlt.mark.with_file_import(str(file.path), "csv", file.rows)

    columns: list[Any] = [
        {"name": name, "data_type": "text", "nullable": True, POSTGRES_TYPE: kind}
        for name, kind in zip(table.columns, table.types, strict=True)
    ]
    return dlt.resource(files, name=table.landed_name, write_disposition="replace", columns=columns)


def _cause(error: BaseException) -> str:
    """The warehouse's message or our own, otherwise the type of the error."""
    words = type(error).__name__
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, TidemarkError):
            return cause.problem
        words = getattr(getattr(cause, "diag", None), "message_primary", None) or words
        cause = cause.__cause__ or cause.__context__
    return words


def _landing_error(name: str, error: BaseException) -> TableError:
    return TableError(
        name, f"could not be landed ({_cause(error)})", "The log file has the details."
    )
