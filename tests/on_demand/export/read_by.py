"""Reads a file or a table by an engine, in a process of its own: they share no libraries.

Standard input says what; standard output is, by column, a digest of the text of its values.
"""

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parents[3]
ENGINES = PROJECT / ".local" / "engines"


def by_pyarrow(asked: dict, name: str) -> Any:
    from pyarrow import parquet

    return parquet.read_table(asked["file"], columns=[name])


def by_pyiceberg(asked: dict, name: str) -> Any:
    from pyiceberg.table import StaticTable

    table = StaticTable.from_metadata(asked["metadata"])
    return table.scan(selected_fields=(name,)).to_arrow()


def by_duckdb(asked: dict, name: str) -> Any:
    import duckdb

    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'")
    for extension in ("avro", "iceberg"):
        (path,) = ENGINES.glob(f"duckdb_extension_{extension}/**/*.duckdb_extension")
        connection.execute(f"load '{path}'")
    source = f"iceberg_scan('{asked['metadata']}')" if asked["metadata"] else f"'{asked['file']}'"
    return connection.execute(f"select {name} from {source} order by id").to_arrow_table()


def by_clickhouse(asked: dict, name: str) -> Any:
    import chdb

    source = "icebergLocal('.')" if asked["metadata"] else f"file('{asked['file']}', Parquet)"
    return chdb.query(f"select {name} from {source} order by id", "ArrowTable")


def main() -> None:
    asked = json.load(sys.stdin)
    sys.path += [str(PROJECT), str(ENGINES), str(PROJECT / ".local" / "export")]
    import pyarrow as pa

    from export.columns import ExportColumn
    from export.rows import arrow_type, canonical_text

    read = {
        "pyarrow": by_pyarrow,
        "pyiceberg": by_pyiceberg,
        "duckdb": by_duckdb,
        "clickhouse": by_clickhouse,
    }[asked["reader"]]
    found = {}
    for name, postgresql, parquet in asked["columns"]:
        try:
            table = read(asked, name)
            values = table.cast(pa.schema([(name, arrow_type(parquet))]))
            column = ExportColumn(name, postgresql, parquet, "")
            found[name] = hashlib.sha256(canonical_text(values, [column])).hexdigest()
        except Exception as error:
            found[name] = f"{type(error).__name__}: {error}"
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
