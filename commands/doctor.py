"""`doctor`: check what a run needs, and show the remedy for each finding."""

import argparse
import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pymysql
from psycopg2.errors import ReadOnlySqlTransaction
from psycopg2.extensions import connection as Connection

from alerts import AlertSettings, open_channels, read_alert_settings
from backup import Leftovers, find_leftovers
from commands.choice import active_tables, chosen_tables
from commands.clickhouse import choose
from commands.endpoints import Endpoints, prepare_endpoints
from commands.mongodb_findings import find_mongodb
from commands.options import add_choice, add_json, add_quiet
from commands.role_findings import find_roles
from commands.sources import read_declarations, sources_of
from commands.tables import PlainTable, show
from common.errors import ExitCode, TidemarkError
from common.rows import one_row
from common.settings import LOCAL, Address, read_settings, setting_of
from common.tls import TlsMode, is_local
from extract.declarations import MirroredTable, declared_collections
from extract.failures import as_table_error
from extract.mirror.shape import MIRROR_SCHEMA, VANISHED
from extract.mysql.source import MySQLSource
from mongodb.settings import read_mongo_settings
from publishing.client import Client
from publishing.settings import PublishSettings, read_publish_settings
from warehouse.connection import connect
from warehouse.failures import REMEDIES

FREE_BYTES = 2 * 1024**3
READ_PRIVILEGES = {"SELECT", "USAGE", "SHOW VIEW"}
MINIMUM = {"max_allowed_packet": 1024**2, "connection_memory_limit": 64 * 1024**2}
"""The limits of a source that a session cannot raise, and the least that a run needs of each."""
ACCOUNT_LIMIT = re.compile(r"\bMAX_(?:QUERIES|CONNECTIONS|UPDATES)_PER_HOUR [1-9]\d*")


EXAMPLES = """\
python run.py doctor
python run.py doctor --domain sales --quiet      for a timer: prints nothing if all is well"""


def add_options(parser: argparse.ArgumentParser) -> None:
    add_choice(parser)
    add_quiet(parser, "only what is wrong")
    add_json(parser)


def call(options: argparse.Namespace) -> int:
    settings = read_settings()
    tables = chosen_tables(read_declarations(settings), settings, options)
    findings = list(examine(prepare_endpoints(settings, sources_of(tables)), tables))
    findings.append(examine_alerts(read_alert_settings()))
    findings += examine_clickhouse(read_publish_settings())
    collections = active_tables(declared_collections(), settings)
    findings += (Finding(*found) for found in find_mongodb(read_mongo_settings(), collections))
    shown = [one for one in findings if not (options.quiet and one.is_good)]
    if options.json:
        from commands.documents import doctor as shape
        from commands.documents.document import Document, write_document

        write_document(Document("doctor", exit_code(findings), shape.document(shown)))
    elif shown:
        show(as_table(shown))
    return exit_code(findings)


@dataclass(frozen=True)
class Finding:
    """The result of one check: its subject, what was seen, and the remedy; None if all is well."""

    subject: str
    seen: str
    remedy: str | None = None

    @property
    def is_good(self) -> bool:
        return self.remedy is None


def exit_code(findings: list[Finding]) -> ExitCode:
    return ExitCode.DONE if all(finding.is_good for finding in findings) else ExitCode.FAILED


def examine(endpoints: Endpoints, tables: list[MirroredTable]) -> Iterator[Finding]:
    """Check the sources with these tables, the warehouse and the disk, one after the other."""
    for name in sources_of(tables):
        of_source = [table for table in tables if table.source == name]
        try:
            address = endpoints.source(name).address
            yield from _tls(f"operational {address}", setting_of(name, "TLS"), address)
            yield from _source(address, of_source)
        except TidemarkError as error:
            yield _of_error(error)
    warehouse = endpoints.warehouse
    yield from _tls(f"warehouse {warehouse}", "WAREHOUSE_TLS", warehouse)
    try:
        yield from _warehouse(endpoints)
    except TidemarkError as error:
        yield _of_error(error)
    yield _disk()


def examine_alerts(settings: AlertSettings) -> Finding:
    """Whether the addresses of alerts have a form that is known; nothing is sent."""
    wrong: list[TidemarkError] = list(settings.errors)
    if not settings.urls and not wrong:
        return Finding("alerts", "ALERT_URLS is not set: nobody is told what goes wrong")
    try:
        channels, errors = open_channels(settings.urls)
        wrong += errors
    except TidemarkError as error:
        wrong.append(error)
    if wrong:
        return _of_error(wrong[0])
    return Finding("alerts", f"told by {', '.join(channel.label for channel in channels)}")


def examine_clickhouse(settings: PublishSettings) -> Iterator[Finding]:
    """Whether the ClickHouse that is set answers; an embedded one need not run."""
    address = choose(settings).address
    if address is None:
        return
    subject = f"clickhouse {address}"
    yield from _tls(subject, "CLICKHOUSE_TLS", address)
    try:
        with Client(address) as client:
            yield Finding(subject, f"ClickHouse {client.value('select version()')}")
    except TidemarkError as error:
        yield _of_error(error)


def as_table(findings: Iterable[Finding]) -> PlainTable:
    """The findings, each that is wrong with its remedy."""
    shown = PlainTable("", "subject", "seen", "remedy")
    for finding in findings:
        mark = "ok" if finding.is_good else "!!"
        shown.add_texts(mark, finding.subject, finding.seen, finding.remedy or "")
    return shown


def _tls(subject: str, setting: str, address: Address) -> Iterator[Finding]:
    """How the connection is encrypted; nothing is said of a local one that is not."""
    tls = address.tls
    if tls.is_checked:
        yield Finding(subject, f"TLS {tls.mode}, authorities in {tls.authorities}")
    elif tls.mode is TlsMode.REQUIRE:
        yield Finding(
            subject,
            "TLS require: encrypted, but any server could answer in its place",
            f"Set {setting} to verify-full.",
        )
    elif not is_local(address.host):
        yield Finding(
            subject,
            "TLS off: who is on the way reads and changes everything",
            f"Set {setting} to verify-full.",
        )


def _source(address: Address, tables: list[MirroredTable]) -> Iterator[Finding]:
    source = MySQLSource(address)
    try:
        yield Finding(f"operational {address}", source.version)
        yield _clock(source)
        yield _privileges(source)
        yield from _limits(source)
        for table in tables:
            yield _table(source, table)
    finally:
        source.close()


def _clock(source: MySQLSource) -> Finding:
    ((zone, of_system),) = source.rows("select @@global.time_zone, @@system_time_zone")
    seen = f"zone {of_system if zone == 'SYSTEM' else zone}"
    offset = source.local_offset_seconds
    subject = " ".join(filter(None, ("operational", source.address.source, "clock")))
    return Finding(subject, f"{seen}, {offset / 3600:+.1f} h from UTC")


def _privileges(source: MySQLSource) -> Finding:
    subject = f"privileges of {source.address.user}"
    granted = set()
    for (grant,) in source.rows("show grants"):
        match = re.match(r"GRANT (.+?) ON ", grant)
        if match and "PROXY" not in match.group(1):
            names = re.sub(r"\([^)]*\)", "", match[1])
            granted |= {name.strip() for name in names.split(",")}
    more = sorted(granted - READ_PRIVILEGES)
    if more:
        return Finding(
            subject,
            f"may do more than read: {', '.join(more)}",
            "Use an account that has SELECT and nothing else.",
        )
    if "SELECT" not in granted:
        return Finding(subject, "may not SELECT", "Grant SELECT on the tables to mirror.")
    return Finding(subject, ", ".join(sorted(granted)))


def _limits(source: MySQLSource) -> Iterator[Finding]:
    """Limits that a session cannot set for itself, and that would stop a run."""
    names = ", ".join(f"'{name}'" for name in MINIMUM)
    for name, value in source.rows(f"show session variables where variable_name in ({names})"):
        if int(value) < MINIMUM[name]:
            yield Finding(
                " ".join(filter(None, ("operational", source.address.source, "settings"))),
                f"{name} is {value}",
                f"Set it to {MINIMUM[name]} or more, since wide rows are read as one value.",
            )
    text = " ".join(row[0] for row in source.rows("show grants") + _account(source))
    for limit in sorted(set(ACCOUNT_LIMIT.findall(text))):
        yield Finding(
            f"account {source.address.user}",
            f"has {limit}",
            "Remove that limit, since a run that exceeds it fails.",
        )


def _account(source: MySQLSource) -> list[tuple[str]]:
    """The definition of the account; empty if the server does not show it to the account."""
    try:
        return source.rows("show create user current_user()")
    except pymysql.err.MySQLError:
        return []


def _table(source: MySQLSource, table: MirroredTable) -> Finding:
    try:
        description = source.describe(table)
    except (TidemarkError, pymysql.err.Error) as error:
        return _of_error(as_table_error(table.name, error))
    return Finding(table.name, f"{table.source_table}, about {description.estimated_rows} rows")


def _warehouse(endpoints: Endpoints) -> Iterator[Finding]:
    connection = connect(endpoints.warehouse)
    try:
        yield from _postgresql(connection, endpoints.warehouse, endpoints.has_owner)
        yield from (Finding(*found) for found in find_roles(connection, endpoints))
        with connection.cursor() as cursor:
            yield from examine_leftovers(find_leftovers(cursor))
    finally:
        connection.close()


def _postgresql(connection: Connection, address: Address, is_owner: bool) -> Iterator[Finding]:
    subject = f"warehouse {address}"
    version = connection.server_version
    yield Finding(subject, f"PostgreSQL {version // 10000}.{version % 10000}")
    with connection.cursor() as cursor:
        cursor.execute(
            "select current_setting('transaction_read_only')::boolean,"
            " has_database_privilege(current_database(), 'create')"
        )
        is_read_only, may_create = one_row(cursor)
        cursor.execute(
            "select nspname, pg_get_userbyid(nspowner) from pg_namespace"
            " where nspname ~ '^(mrr|stg|dwh|mrr_state|mrr_forgotten|mrr_landing.*)$'"
            " and not pg_has_role(nspowner, 'usage') order by nspname"
        )
        others = cursor.fetchall()
        cursor.execute(
            "select relname, string_agg(quote_ident(attname), ', ' order by attnum)"
            " from pg_attribute inner join pg_class on attrelid = pg_class.oid"
            " where relnamespace = to_regnamespace(%s)"
            " and col_description(attrelid, attnum) = %s group by relname order by relname",
            (MIRROR_SCHEMA, VANISHED),
        )
        vanished = cursor.fetchall()
    if is_read_only:
        yield Finding(subject, "read-only", REMEDIES[ReadOnlySqlTransaction])
    if not may_create:
        yield Finding(
            subject,
            f"{address.user} may not create schemas",
            f'grant create on database "{address.database}" to "{address.user}"',
        )
    for schema, owner in others if is_owner else ():
        yield Finding(
            f"schema {schema}",
            f"belongs to {owner}",
            f'alter schema "{schema}" owner to "{address.user}", and what is in it',
        )
    for table, columns in vanished:
        yield Finding(table, f"NULL, since no longer at the source: {columns}")


def examine_leftovers(found: Leftovers) -> Iterator[Finding]:
    """What a killed restore or verification has left: copies of the warehouse, not encrypted."""
    remedy = "If none is at work, `python run.py backup` or `restore` drops it."
    if found.schemas:
        seen = f"of a restore at work, or of one that was killed: {', '.join(found.schemas)}"
        yield Finding("schemas", seen, remedy)
    if found.database:
        seen = "a copy of the warehouse, of a verification at work, or of one that was killed"
        yield Finding(f"database {found.database}", seen, remedy)


def _disk() -> Finding:
    LOCAL.mkdir(exist_ok=True)
    free = shutil.disk_usage(LOCAL).free
    remedy = (
        None if free >= FREE_BYTES else "Free space: landed files and backups are written here."
    )
    return Finding("disk", f"{free / 1024**3:.1f} GiB free below {LOCAL.name}/", remedy)


def _of_error(error: TidemarkError) -> Finding:
    return Finding(error.subject, error.problem, error.hint)
