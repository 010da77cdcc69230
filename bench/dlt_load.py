"""dlt by itself: its sql_database source and postgres destination, in an environment of its own.

MEDIA_SOURCE=… MEDIA_TARGET=… python -m bench.dlt_load connectorx|pyarrow FOLDER
"""

import os
import sys
from typing import Any

import dlt
from dlt.sources.sql_database import sql_table

backend: Any
backend, folder = sys.argv[1:]
# by default connectorx returns the whole table at once
options = {"return_type": "arrow_stream"} if backend == "connectorx" else {}
media = sql_table(
    os.environ["MEDIA_SOURCE"],
    table="media",
    backend=backend,
    backend_kwargs=options,
    chunk_size=100_000,
    reflection_level="full_with_precision",
)
pipeline = dlt.pipeline(
    pipeline_name="media",
    destination=dlt.destinations.postgres(os.environ["MEDIA_TARGET"]),
    dataset_name="landed",
    pipelines_dir=folder,
)
pipeline.drop()
pipeline.run(media, write_disposition="replace", loader_file_format="parquet")
