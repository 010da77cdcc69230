"""Mutants of what decides: the run's lock, transactions, marks, positions and what is built."""

from tests.mutants.mutants import Mutant

CONNECTION = "warehouse/connection.py"
MARKS = "warehouse/marks.py"
POSITIONS = "warehouse/positions.py"
BUILD = "warehouse/build.py"
RUN = "commands/run.py"

MUTANTS = [
    Mutant(
        "lock-none",
        CONNECTION,
        "select pg_try_advisory_lock(%s)",
        "select %s is not null",
        "two runs at once",
    ),
    Mutant(
        "lock-freed-late",
        CONNECTION,
        "            _unlock(connection)\n",
        "            pass\n",
        "a command right after a run is told that another run holds the lock",
    ),
    Mutant(
        "lock-unasked",
        CONNECTION,
        'cursor.execute("select 1")',
        "pass",
        "nobody learns that the lock is gone",
    ),
    Mutant(
        "transaction-half",
        CONNECTION,
        "            connection.rollback()\n",
        "            connection.commit()\n",
        "what a refused table had applied stays",
    ),
    Mutant(
        "connection-zone",
        CONNECTION,
        '    "timezone": "UTC",\n',
        "",
        "times are written in the warehouse's own zone",
    ),
    Mutant(
        "connection-styles",
        CONNECTION,
        '    "datestyle": "ISO, YMD",\n    "intervalstyle": "postgres",\n',
        "",
        "a key of time is written as the warehouse's settings have it",
    ),
    Mutant(
        "marks-forward-only",
        MARKS,
        "read_at = excluded.read_at,",
        "read_at = greatest(high_water_mark.read_at, excluded.read_at),",
        "a clock set back at the source loses rows until it has caught up",
    ),
    Mutant(
        "positions-too-far",
        POSITIONS,
        "select min(built_to)",
        "select max(built_to)",
        "changes are dropped that a slower model has not read",
    ),
    Mutant(
        "positions-of-the-dead",
        POSITIONS,
        '"delete from mrr_state.model_position where not model_name = any(%s)"',
        '"select %s"',
        "a model that is gone keeps every change for ever",
    ),
    Mutant(
        "positions-of-the-demo",
        POSITIONS,
        "(model_name = any(%s)",
        "(model_name = any(%s) and false",
        "the models of a demo that is switched off keep every change for ever",
    ),
    Mutant(
        "positions-given-up-at-once",
        POSITIONS,
        "or updated_at < clock_timestamp() - %s",
        "or updated_at < clock_timestamp() + %s",
        "every model reads everything in every run",
    ),
    Mutant(
        "positions-never-far-behind",
        POSITIONS,
        "or built_to < (select max(change_id) from mrr_state.change_log) - %s",
        "or built_to < -%s",
        "a model that is never built keeps every change of a month",
    ),
    Mutant(
        "positions-wait-for-a-build",
        POSITIONS,
        " for update skip locked",
        "",
        "a run waits for a build by hand",
    ),
    Mutant(
        "positions-all",
        POSITIONS,
        "where change_id <= coalesce(",
        "where true or change_id <= coalesce(",
        "every change is dropped",
    ),
    Mutant(
        "advance-below-a-bad-table",
        RUN,
        "unbuilt = build.unbuilt() | build.descendants(source(outcome) for outcome in bad)",
        "unbuilt = build.unbuilt()",
        "a mark moves although a model below it was left out",
    ),
    Mutant(
        "advance-always",
        RUN,
        "if outcome.mark and not unbuilt & build.descendants([source(outcome)])",
        "if outcome.mark",
        "a mark moves although a model below it failed",
    ),
    Mutant(
        "advance-below-the-skipped",
        BUILD,
        'NOT_BUILT = FAILED_NODE | {"skipped"}',
        "NOT_BUILT = FAILED_NODE",
        "a mark moves although a model below it was skipped",
    ),
    Mutant(
        "advance-children-alone",
        BUILD,
        "                    waiting.append(child)\n",
        "",
        "only the models right above a table hold its mark",
    ),
    Mutant(
        "build-on-a-refused-table",
        RUN,
        'exclude = [f"source:{domain_of[o.name]}.{o.name}+" for o in bad]',
        "exclude: list[str] = []",
        "history is built on a table that was refused or failed",
    ),
]
