"""The errors, as exceptions that build their own messages, and their exit codes.

TidemarkError                    1  something failed
├── UsageError                   2  the command line contradicts itself
│   └── SwitchedOff              2  a relation of a domain that is switched off is not purged
├── SettingError                 2  a setting is missing or wrong
│   ├── WrongPublication         2  a declaration of what is published is wrong
│   └── WrongDeclarations        2  a declaration of a table is wrong
├── ServerError                  1  a server cannot be reached, or refuses the connection
│   ├── ClickHouseNotReached     1  ClickHouse cannot be reached
│   │   └── NotClickHouse        1  what answers there is no ClickHouse
│   └── PoolerSharesSessions     1  a pooler gives a client's transactions to several sessions
├── SourceChanged                1  the server is not the one that is mirrored
├── SourceBusy                   1  another command works on the tables of that source
├── TableError                   1  one mirrored table stops; the others continue
│   ├── NameRefused              2  a column has a name that the mirror cannot have
│   ├── NotMirrored              1  no run has mirrored it yet
│   ├── TableChanged             1  it was altered or rebuilt while it was read
│   │   └── PersonReturned       1  it has rows of an erased person again
│   ├── ValueRefused             1  a value does not fit the type that it is published with
│   ├── TypeRefused              2  a column cannot be published as it is declared
│   ├── PublicationDiffers       1  what is published differs from the warehouse
│   ├── NotErased                1  ClickHouse still has rows of an erased person
│   ├── NotBuilt                 1  a table to publish has not been built yet
│   ├── NotRead                  1  PostgreSQL cannot read a table to publish
│   ├── NameTaken                1  ClickHouse has a table of somebody else with its name
│   ├── RowsLost                 1  another number of rows was copied than read
│   ├── RowsDiffer               1  after an import, the mirror has not what the export has
│   ├── NoCollection             1  the server has no collection of that name
│   └── DeletesRefused           4  the delete guard refused
├── JsonFileError                1  a file of JSON texts cannot be read
│   ├── NoArray                  1  it is no JSON array
│   ├── NoPlainText              1  it is compressed, or not in UTF-8
│   ├── ArrayNotClosed           1  its JSON array does not end
│   └── ExportCutOff             1  it ends within a document
├── DbtError                     1  dbt could not read or start the project
│   └── DbtEnded                 1  its process ended before the build was done
├── DashboardError               1  the dashboard cannot be made
├── MetricError                  1  a metric cannot be computed here, or not in this way
├── PageError                    1  a page of the dashboard is declared wrongly
├── PowerBiError                 1  the Power BI project cannot be generated
├── AlertError                   1  an alert cannot be sent
├── ClickHouseError              1  ClickHouse refused a statement
├── StreamError                  1  a stream cannot be read or written
├── MongoError                   1  a MongoDB cannot be read
│   └── ReadingLost              1  it was lost while a collection was read
├── AnotherConsumer             75  another consumer writes to the same database
├── ProgramFailed                1  a program of PostgreSQL ended with an error
├── RepositoryInUse              1  another process uses the directory of backups
├── WrongClock                   1  a backup has a later name than one that begins now
├── DamagedBackup                1  a file of a backup was changed or is missing
├── WrongKey                     1  no private key opens an encrypted backup
├── NotEnoughSpace               1  a backup or a restore needs more space than is free
├── CopyFailed                   1  the command that copies a backup to a second place failed
├── NotRestorable                1  these layers cannot be restored here
├── RestoredDiffers              1  a restored table differs from the manifest
├── PersonNotFound               1  no row has the key of the person to erase
├── RelationsInUse               1  another session keeps a person from being erased
├── FilesNotMasked               1  a file has values of a person, and cannot be changed
├── ExportError                  1  tables cannot be exported
├── DamagedExport                1  a file of an export was changed or is missing
├── PersonNotWritten                 1  the data of a person could not be written to a file
└── AnotherRun                  75  another run holds the lock
"""

from collections.abc import Iterable
from enum import IntEnum


class ExitCode(IntEnum):
    """The exit code of a command. The first of several: FAILED, REFUSED, USAGE, TEST_FAILED."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    TEST_FAILED = 3
    REFUSED = 4
    LOCKED = 75
    HUNG_UP = 129
    INTERRUPTED = 130
    TERMINATED = 143


class TidemarkError(Exception):
    """An error with a message for users: `subject: problem`, and a hint with the remedy."""

    exit_code = ExitCode.FAILED

    def __init__(self, subject: str, problem: str, hint: str) -> None:
        self.subject = subject
        self.problem = problem
        self.hint = hint
        super().__init__(f"{subject}: {problem}\nHINT: {hint}")


def problem_and_hint(message: str) -> tuple[str, str]:
    """The two parts of a message for users; the hint is empty if there is none."""
    problem, _, hint = message.partition("\nHINT: ")
    return problem, hint


class UsageError(TidemarkError):
    """The command line contradicts itself."""

    exit_code = ExitCode.USAGE


class SettingError(TidemarkError):
    """A setting is missing or wrong."""

    exit_code = ExitCode.USAGE


class ServerError(TidemarkError):
    """A server cannot be started or reached, or refuses the connection."""


class TableError(TidemarkError):
    """One mirrored table cannot be brought up to date; the others continue."""


class NameRefused(TableError):
    """A column of the source has a name that its mirror cannot have; the table is unchanged."""

    exit_code = ExitCode.USAGE


class DeletesRefused(TableError):
    """More rows would be deleted from a mirrored table than the delete guard permits.

    `row_keys` are the first keys whose delete was refused, as texts of JSON objects.
    """

    exit_code = ExitCode.REFUSED

    def __init__(
        self, table: str, deletes: int, allowed: int, mirror_rows: int, row_keys: list[str]
    ) -> None:
        self.deletes = deletes
        self.allowed = allowed
        self.row_keys = row_keys
        super().__init__(
            table,
            f"{deletes} of {mirror_rows} mirrored rows are gone at the source, at most {allowed}"
            " may be deleted in 24 hours; nothing was changed",
            f"If they were really deleted, accept this once: --accept-deletes {table}={deletes}",
        )


class AnotherRun(TidemarkError):
    """Another run holds the lock on the warehouse."""

    exit_code = ExitCode.LOCKED

    def __init__(self, warehouse: str) -> None:
        super().__init__(
            warehouse,
            "another run holds the lock",
            "Wait for it to end; `python run.py status` shows it.",
        )


def code_of_refusals(errors: Iterable[TidemarkError]) -> ExitCode:
    """The exit code of a command whose tables have these errors; DONE if there is none.

    It is that of a refusal only if every error is one: otherwise something has failed.
    """
    codes = {
        error.exit_code if isinstance(error, (DeletesRefused, NameRefused)) else ExitCode.FAILED
        for error in errors
    }
    order = (ExitCode.FAILED, ExitCode.REFUSED, ExitCode.USAGE)
    return next((code for code in order if code in codes), ExitCode.DONE)
