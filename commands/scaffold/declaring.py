"""The dbt sources of a domain: what is mirrored, by what key and cursor, and what is not."""

from collections.abc import Iterator
from typing import Any

from commands.scaffold.names import quoted_if_needed, snake_case
from commands.scaffold.personal import proposed_config
from commands.scaffold.proposals import Domain, Proposal, Refused, StagedColumn
from commands.scaffold.yaml_text import Flow, comment, item, lines_of, literal
from extract.declarations.entries import shown
from extract.limits import LIMITS

HEAD = """\
Written by `python run.py scaffold` from the schema of the database {database}; from now on it is
yours. Whether a table is a fact or a dimension is a guess: taken for a fact is a table that refers
to others, and that no other refers to or that has a date of its own, as orders have. Where that is
wrong, change the name here and in models/stg. By their names, columns are taken for personal and
have a tag and a kind: correct these, here and in models/stg. Of a column that is not personal and
looks so, say `config: {{meta: {{personal: false, reason: …}}}}`."""
FRESHNESS = """\
      freshness:
        warn_after: {count: 1, period: day}
        error_after: {count: 3, period: day}
      loaded_at_query: >
        select read_at from {{ source('control', 'high_water_mark') }}
        where table_name = '{{ this.identifier }}'"""

NO_KEY = (
    "No unique key has only NOT NULL columns. Without a key, every run reads all rows, of which"
    f" there may be about {LIMITS.keyless_rows}, and no model can be incremental over them."
)
UNDESCRIBED = "Not described at the source"
NO_CURSOR = "No cursor: the server writes the time of a change into no column."


def sources_yaml(domain: Domain, found: list[Proposal | Refused]) -> str:
    """The file `_mrr_<domain>__sources.yml`."""
    lines = comment(HEAD.format(database=shown(domain.database)), 0)
    group = {
        "name": domain.name,
        "description": f"The tables of the database {literal(domain.database)}.",
        "owner": Flow(name=f"{domain.name} team"),
    }
    lines += ["groups:", *item(group, 2), "", "sources:", *_source(domain), "    tables:"]
    for one in found:
        lines += _table(one) if isinstance(one, Proposal) else _refused(one)
        lines.append("")
    return "\n".join(lines)


def _source(domain: Domain) -> Iterator[str]:
    database = literal(domain.database)
    meta = {"operational_database": domain.database}
    if domain.source:
        meta["source"] = domain.source
    values = {
        "name": domain.name,
        "description": f"The database {database}, mirrored: each table has exactly the columns,"
        " names and values of its source.",
        "schema": "mrr",
    }
    yield from item(values, 2)
    yield "    config:"
    yield from lines_of({"meta": meta}, 6)
    yield FRESHNESS


def _table(proposal: Proposal) -> Iterator[str]:
    declaration = proposal.declaration
    yield from comment(_guess(proposal), 6)
    for name in proposal.unnamed:
        text = f"Column {shown(name)} is mirrored, but dbt cannot name it: it is left out below."
        yield from comment(text, 6)
    yield f"      - name: {declaration.name}"
    yield from lines_of({"description": table_description(proposal)}, 8)
    yield "        config:"
    if proposal.refusal:
        text = f"A run would refuse it: {proposal.refusal.problem}. {proposal.refusal.hint}"
        after = f"Then remove this line, and the one of {proposal.model} in models/stg."
        yield from comment(f"{text} {after}", 10)
        yield "          enabled: false"
    yield "          meta:"
    yield from lines_of({"operational_table": declaration.table}, 12)
    if not declaration.key:
        yield from comment(NO_KEY, 12)
    yield from lines_of({"key": list(declaration.key)}, 12)
    if declaration.cursor:
        yield from lines_of({"cursor": declaration.cursor}, 12)
    elif declaration.key:
        yield from comment(_no_cursor(proposal.cursor_candidates), 12)
    if proposal.table.engine_to_allow:
        yield f"            # allow_engine: {proposal.table.engine_to_allow}"
    yield "        columns:"
    for staged in proposal.columns:
        yield from _column(staged)


def _no_cursor(candidates: tuple[str, ...]) -> str:
    if not candidates:
        return f"{NO_CURSOR} The comparison finds what changed."
    names = " or ".join(map(shown, candidates))
    return f"{NO_CURSOR} If the application writes {names} with every change, name it as `cursor`."


def _guess(proposal: Proposal) -> str:
    refers_to, referred_by = sorted(proposal.table.refers_to), list(proposal.referred_by)
    reasons = [f"it refers to {_some(refers_to)}"] if refers_to else []
    reasons += [f"it is referred to by {_some(referred_by)}"] if referred_by else []
    if proposal.is_fact and referred_by:
        reasons.append(f"and it has a date of its own, {_some(proposal.own_times)}")
    kind = "fact" if proposal.is_fact else "dimension"
    reason = ", ".join(reasons) or "no foreign key leads to it or from it"
    return f"Taken for a {kind}: {reason}."


def _some(names: list[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{', '.join(map(shown, names[:most]))}{more}"


def _refused(refused: Refused) -> list[str]:
    return comment(f"{shown(refused.name)} is not mirrored: {refused.problem}. {refused.hint}", 6)


def table_description(proposal: Proposal) -> str:
    """What one row is, and what the source says about the table."""
    text = literal(proposal.table.comment)
    grain = f"One row per row of {literal(proposal.declaration.table)} at the source."
    return f"{grain} {text}" if text else grain


def _column(staged: StagedColumn) -> Iterator[str]:
    column = staged.column
    values: dict[str, Any] = {"name": column.name}
    if quoted_if_needed(column.name) != column.name:
        values["quote"] = True
    values["description"] = column_description(staged)
    values["data_type"] = column.mirror_type
    if config := proposed_config(snake_case(column.name)):
        values["config"] = config
    yield from item(values, 10)


def column_description(staged: StagedColumn, name: str = "") -> str:
    """What the source says about the column, and what it is there; `name` if it has another one."""
    refers = f"refers to {literal(staged.refers_to)}" if staged.refers_to else ""
    parts = [literal(name), literal(staged.column.source_type), refers]
    at_source = ", ".join(filter(None, parts))
    said = literal(staged.comment).rstrip(".")
    return f"{said} (at the source {at_source})." if said else f"{UNDESCRIBED} ({at_source})."
