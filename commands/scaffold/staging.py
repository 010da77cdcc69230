"""The models of a domain in `stg`: one for each table, which renames, casts and trims."""

import re
from collections.abc import Iterator
from typing import Any

from commands.scaffold.declaring import column_description, table_description
from commands.scaffold.names import is_misread, quoted_if_needed, snake_case
from commands.scaffold.personal import proposed_config
from commands.scaffold.proposals import Domain, Proposal, StagedColumn
from commands.scaffold.yaml_text import WIDTH, Flow, comment, item, lines_of
from extract.declarations.entries import shown

HEAD = """\
Written by `python run.py scaffold` from the schema of the database {database}; from now on it is
yours. The models rename and cast columns, trim texts, and make an empty text null. They keep every
row: which rows are valid is yours to say. To set rows aside, turn stg_dim_x into stg_checked_x with
a column rejection_reason, from which stg_dim_x and stg_rejected_x read, as in models/stg/sales."""
INTEGERS = {"smallint", "integer", "bigint"}
SHORTER = {"timestamp with time zone": "timestamptz", "timestamp without time zone": "timestamp"}
LABELS = ("enum", "set", "inet")
"""Types whose texts are those of the schema, or of the server."""
FLAGS = ("tinyint(1)", "bit(1)")
SECTIONS = ("keys", "attributes", "measures", "flags", "timestamps")


def models_yaml(domain: Domain, proposals: list[Proposal]) -> str:
    """The file `_stg_<domain>__models.yml`."""
    lines = comment(HEAD.format(database=shown(domain.database)), 0)
    lines.append("models:")
    for proposal in proposals:
        lines += [*_model(domain, proposal), ""]
    return "\n".join(lines)


def model_sql(proposal: Proposal) -> str:
    """A model: one select, which reads one mirrored table."""
    table, lines = proposal.declaration, ["select"]
    staged = [one for section in SECTIONS for one in _of_section(proposal, section)]
    for one in staged:
        if one in _of_section(proposal, _section(one))[:1]:
            lines += [*([""] if len(lines) > 1 else []), f"    -- {_section(one)}"]
        lines += _selected(one, "" if one is staged[-1] else ",")
    lines.append(f"from {{{{ source('{table.domain}', '{table.name}') }}}}")
    if len(staged) == 1:
        lines[:3] = [f"select {lines[2].strip()}"]
    return "\n".join([*lines, ""])


def contract_type(column_type: str) -> str:
    """The type of a column as the contract names it: without the digits of a second."""
    plain = re.sub(r"^(timestamp|interval)\(\d\)", r"\1", column_type)
    return "bigint" if plain in INTEGERS else SHORTER.get(plain, plain)


def _of_section(proposal: Proposal, section: str) -> list[StagedColumn]:
    return [staged for staged in proposal.columns if _section(staged) == section]


def _section(staged: StagedColumn) -> str:
    column = staged.column
    if staged.is_key or staged.refers_to:
        return "keys"
    if column.source_type.startswith(FLAGS):
        return "flags"
    if column.mirror_type.startswith(("date", "timestamp")):
        return "timestamps"
    is_number = column.is_integer or column.mirror_type.startswith(("numeric", "real", "double"))
    return "measures" if is_number or column.mirror_type.startswith("interval") else "attributes"


def _selected(staged: StagedColumn, end: str) -> list[str]:
    """The lines of a column. A key stays as it is, so that the index of the mirror serves it."""
    column, name = staged.column, quoted_if_needed(staged.column.name)
    renamed = f" as {staged.name}{end}"
    leave = ["RF06"] if is_misread(column.name) else []
    is_key = _section(staged) == "keys"
    is_free = column.mirror_type == "text" and not column.source_type.startswith(LABELS)
    if is_free and not is_key:
        return _trimmed(name, renamed, leave)
    if column.mirror_type in INTEGERS - {"bigint"} and not is_key:
        return [_checked(f"    {name}::bigint{renamed}", leave)]
    if name == staged.name:
        return [_checked(f"    {name}{end}", leave)]
    # for sqlfluff, straße is strasse in other letters
    leave += ["AL09"] if name.upper() == staged.name.upper() else []
    return [_checked(f"    {name}{renamed}", leave)]


def _trimmed(name: str, renamed: str, leave: list[str]) -> list[str]:
    pattern = r"'^\s+|\s+$', '', 'g'"
    line = f"    nullif(regexp_replace({name}, {pattern}), ''){renamed}"
    if len(line) <= WIDTH:
        return [_checked(line, leave)]
    call = f"        regexp_replace({name}, {pattern}), ''"
    return ["    nullif(", _checked(call, leave), f"    ){renamed}"]


def _checked(line: str, leave: list[str]) -> str:
    """The line, with leave from these rules of sqlfluff; from its width too, if a name is long."""
    left = f"{line}  -- noqa: {', '.join(leave)}" if leave else line
    return _checked(line, [*leave, "LT05"]) if len(left) > WIDTH and "LT05" not in leave else left


def _model(domain: Domain, proposal: Proposal) -> Iterator[str]:
    table, key = proposal.declaration, proposal.staged_key
    yield from item({"name": proposal.model, "description": table_description(proposal)}, 2)
    config: dict[str, Any] = {"enabled": False} if proposal.refusal else {}
    config["group"] = domain.name
    if key:
        config["meta"] = Flow(changes=[Flow(table=table.name, key=key)])
    yield from lines_of({"config": config}, 4)
    if len(key) > 1:
        arguments = {"arguments": Flow(columns=key)}
        yield from lines_of({"data_tests": [{"unique_combination_of_columns": arguments}]}, 4)
    yield "    columns:"
    for section in SECTIONS:
        for staged in _of_section(proposal, section):
            yield from item(_column(staged, key), 6)


def _column(staged: StagedColumn, key: list[str]) -> dict[str, Any]:
    former = staged.column.name if staged.name != staged.column.name else ""
    values: dict[str, Any] = {
        "name": staged.name,
        "description": column_description(staged, former),
        "data_type": contract_type(staged.column.mirror_type),
    }
    names = (snake_case(staged.column.name), staged.name)
    if config := proposed_config(names[0]) or proposed_config(names[1]):
        values["config"] = config
    if staged.name in key:
        return {**values, "data_tests": ["not_null"] if len(key) > 1 else ["not_null", "unique"]}
    return values
