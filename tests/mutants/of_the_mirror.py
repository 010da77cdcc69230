"""Mutants of what stores: the landing, the mirror and its anomalies."""

from tests.mutants.mutants import Mutant

FILES = "extract/files.py"
LANDING = "extract/landing.py"
MIRROR = "extract/mirror.py"
ANOMALIES = "extract/anomalies.py"

MUTANTS = [
    Mutant(
        "landing-old-kept",
        FILES,
        "        _drop_landed(connection)\n        yield folder",
        "        yield folder",
        "what a killed run landed is under what this one lands",
    ),
    Mutant(
        "landing-left-behind",
        FILES,
        "        if not connection.closed:\n            _drop_landed(connection)",
        "        pass",
        "rows stay in a second place after the run",
    ),
    Mutant(
        "landing-of-another",
        FILES,
        "if not _is_locked(left):",
        "if True:",
        "the files of a run into another warehouse are removed under it",
    ),
    Mutant(
        "landing-zone",
        LANDING,
        "session_options()}",
        'session_options().replace("UTC", "Asia/Tokyo")}',
        "a TIMESTAMP lands nine hours off",
    ),
    Mutant(
        "landing-together",
        LANDING,
        "    for table in tables:\n        errors |= land(",
        "    for table in tables[:1]:\n        errors |= land(",
        "where one table cannot land, the others are applied without their rows",
    ),
    Mutant(
        "mirror-landed-unchecked",
        MIRROR,
        "if landed_rows != rows or landed_keys != rows:",
        "if False:",
        "rows lost on the way are not missed",
    ),
    Mutant(
        "mirror-landed-rows",
        MIRROR,
        "if landed_rows != rows or landed_keys != rows:",
        "if landed_keys > rows:",
        "fewer rows than were read pass",
    ),
    Mutant(
        "mirror-landed-keys",
        MIRROR,
        "if landed_rows != rows or landed_keys != rows:",
        "if landed_rows != rows:",
        "two versions of a row pass",
    ),
    Mutant(
        "mirror-always-updates",
        MIRROR,
        "is distinct from row({new}){kept}",
        "is distinct from row({new}){kept} or true",
        "every row read is an update, in the change log too",
    ),
    Mutant(
        "mirror-null-change",
        MIRROR,
        "where row({now}) is distinct from row({new})",
        "where row({now}) <> row({new})",
        "a value that was NULL, or becomes NULL, is not stored",
    ),
    Mutant(
        "mirror-insert-only",
        MIRROR,
        'do update set {", ".join(assignments)}\n'
        "                where row({now}) is distinct from row({new}){kept}",
        "do nothing",
        "a changed row stays as it was",
    ),
    Mutant(
        "mirror-log-update",
        MIRROR,
        "case when is_new then 'insert' else 'update' end",
        "'insert'",
        "the change log calls an update an insert",
    ),
    Mutant(
        "mirror-log-unwritten-update",
        MIRROR,
        "                from applied\n                returning operation",
        "                from applied where is_new\n                returning operation",
        "an update is not in the change log",
    ),
    Mutant(
        "mirror-log-delete",
        MIRROR,
        "                from deleted\n                returning 1\n            )\n"
        "            select count(*) from logged",
        "                from deleted where false\n                returning 1\n            )\n"
        "            select count(*) from deleted",
        "a delete is not in the change log: dwh keeps the row",
    ),
    Mutant(
        "mirror-delete-anomaly",
        MIRROR,
        "and mirror_anomaly.row_key = deleted.row_key::text",
        "and false",
        "what was noted of a deleted row stays",
    ),
    Mutant(
        "mirror-delete-by-part",
        MIRROR,
        'match = " and ".join(f"mirror.{key} = gone.{key}" for key in self.keys)',
        'match = f"mirror.{self.keys[0]} = gone.{self.keys[0]}"',
        "a delete by a composite key takes its neighbours with it",
    ),
    Mutant(
        "mirror-vanished-kept",
        MIRROR,
        "for name in self._existing_types(cursor) if name not in known]",
        "for name in ()]",
        "a column that the source dropped keeps its old values",
    ),
    Mutant(
        "mirror-column-unadded",
        MIRROR,
        "if column.name not in existing]",
        "if False]",
        "a new column stops the table",
    ),
    Mutant(
        "mirror-another-uncompared",
        MIRROR,
        "if self._is_another(cursor):",
        "if False:",
        "what a swap or an ALTER did to a large table stays unseen until its turn",
    ),
    Mutant(
        "mirror-always-another",
        MIRROR,
        '" where known.identity <> excluded.identity"',
        '""',
        "every run reads every row of a large table",
    ),
    Mutant(
        "mirror-alter-marks-others",
        MIRROR,
        '"update mrr_state.key_range set compared_at = null where table_name = %s"',
        '"update mrr_state.key_range set compared_at = null where table_name <> %s"',
        "an ALTER of one table has every row of the others compared, and none of its own",
    ),
    Mutant(
        "mirror-retype-unlogged",
        MIRROR,
        '{text_literal(self.run_id)} from {self.qualified} as mirror"',
        '{text_literal(self.run_id)} from {self.qualified} as mirror where false"',
        "the models downstream of a retyped column keep its old values",
        also=(
            (
                "return Applied(updated=cursor.rowcount)",
                "return Applied(updated=self.count(cursor))",
            ),
        ),
    ),
    Mutant(
        "mirror-retype-uncounted",
        MIRROR,
        "return Applied(updated=cursor.rowcount)",
        "return Applied()",
        "the run does not tell that a retype changed every row",
    ),
    Mutant(
        "mirror-retype-logged-without-a-key",
        MIRROR,
        "self._log_update_of_all(cursor) if self.keys else Applied()",
        "self._log_update_of_all(cursor)",
        "rows without a key are in the change log, under a key that no row has",
    ),
    Mutant(
        "mirror-key-ranges-kept",
        MIRROR,
        '"delete from mrr_state.key_range where table_name = %s", (self.name,)',
        '"select %s", (self.name,)',
        "the ranges of the old key are taken for those of the new",
    ),
    Mutant(
        "mirror-key-kind-ranges-kept",
        MIRROR,
        "if any(column in self.table.key_columns for column in retyped):",
        "if False:",
        "the ends of ranges are values of the type that the key had before",
    ),
    Mutant(
        "mirror-drops-any-view",
        MIRROR,
        "if schema != STAGING_SCHEMA:",
        "if False:",
        "a view of somebody else is dropped",
    ),
    Mutant(
        "mirror-columns-unchecked",
        MIRROR,
        "if existing.get(column.name) != postgres_type(column):",
        "if False:",
        "verify after an ALTER ends in an error of PostgreSQL",
    ),
    Mutant(
        "anomalies-kept",
        ANOMALIES,
        "    _forget_others(cursor, mirror, landed, columns)\n    cursor",
        "    cursor",
        "what was noted of a row stays when it is mended",
    ),
    Mutant(
        "anomalies-kept-by-column",
        ANOMALIES,
        "                    and found.{COLUMN} = anomaly.column_name\n",
        "",
        "of two bad values in a row, the mended one stays noted",
    ),
    Mutant(
        "anomalies-first-value",
        ANOMALIES,
        "do update\n        set\n"
        "            source_value = excluded.source_value, stored_value = excluded.stored_value,\n"
        "            reason = excluded.reason",
        "do nothing",
        "an anomaly tells a value that the source no longer holds",
    ),
    Mutant(
        "anomalies-in-a-key",
        ANOMALIES,
        "    if altered.in_key:\n        return\n",
        "    if True:\n        return\n",
        "two keys that the mirror cannot tell apart become one row",
    ),
    Mutant(
        "anomalies-in-any-key",
        ANOMALIES,
        "    if altered.in_key:\n        return\n",
        "",
        "an invalid ENUM value in a key stops the table, though '' can be told from the others",
    ),
    Mutant(
        "anomalies-of-others",
        ANOMALIES,
        "where anomaly.table_name = {text_literal(mirror.name)}",
        "where true",
        "reading one table drops what was noted of another",
    ),
]
