"""dlt by itself: its sql_database source and postgres destination, in an environment of its own.

BENCH_SOURCE=… BENCH_TARGET=… python -m bench.dlt_load TABLE connectorx|pyarrow FOLDER
"""

import os
import sys
from typing import Any

import dlt
from dlt.sources.sql_database import sql_table

backend: Any
table, backend, folder = sys.argv[1:]
# by default connectorx returns the whole table at once
options = {"return_type": "arrow_stream"} if backend == "connectorx" else {}
resource = sql_table(
    os.environ["BENCH_SOURCE"],
    table=table,
    backend=backend,
    backend_kwargs=options,
    chunk_size=100_000,
    reflection_level="full_with_precision",
)
pipeline = dlt.pipeline(
    pipeline_name="bench",
    destination=dlt.destinations.postgres(os.environ["BENCH_TARGET"]),
    dataset_name="landed",
    pipelines_dir=folder,
)
pipeline.drop()
pipeline.run(resource, write_disposition="replace", loader_file_format="parquet")
