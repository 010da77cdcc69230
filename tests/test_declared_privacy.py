"""What the YAML says of personal data, and each way to write it wrongly."""

from pathlib import Path

import pytest

from common.errors import ExitCode
from extract.declarations import WrongDeclarations
from extract.declarations.person_places import places_of_persons
from privacy.declared import Change, Retention, declared_relations, read_purposes
from tests.support.declarations import GOOD, project

PROJECT_FILE = """\
name: tidemark
profile: tidemark
vars:
  personal_data:
    name: {category: identity, mask: null}
    email: {category: contact, mask: hash}
"""
HISTORY = """\
snapshots:
  - name: dwh_history_shop_orders
    config:
      meta:
        changes: [{table: mrr_fact_shop_orders, key: [order_number]}]
        retention: {days: 30, by: dbt_valid_to}
    columns:
      - name: order_number
      - name: buyer_email
        config: {tags: [personal], meta: {personal: email}}
"""
MODEL = """\
models:
  - name: dwh_fact_shop_orders
    config: {meta: {retention: {days: 30, by: ordered_at}}}
"""
EVENTS = """\
  - name: landed
    schema: landed
    tables:
      - name: messages
        config: {meta: {retention: {days: 30, by: landed_at}}}
        columns: [{name: landed_at}]
"""
OF = "dwh_history_shop_orders in _shop__snapshots.yml line"
CHANGES = "changes: [{table: mrr_fact_shop_orders, key: [order_number]}]"
RETENTION = "retention: {days: 30, by: dbt_valid_to}"
EMAIL = "config: {tags: [personal], meta: {personal: email}}"
COLUMN = "dwh_history_shop_orders.buyer_email in _shop__snapshots.yml line"
DAYS = "HINT: Give a whole number from 1 to 36500."
BY = "HINT: Give dbt_valid_to, when a version ended;"
PAIRS = "HINT: Give `name: value` pairs below it."
WRONG = {
    "no days": (RETENTION, "retention: {by: dbt_valid_to}", f"{OF} 6: retention.days is missing"),
    "days of zero": ("days: 30", "days: 0", f"{OF} 6: retention.days is 0\n{DAYS}"),
    "negative days": ("days: 30", "days: -1", f"{OF} 6: retention.days is -1\n{DAYS}"),
    "days in quotes": ("days: 30", 'days: "30"', f'{OF} 6: retention.days is "30"\n{DAYS}'),
    "days that are true": ("days: 30", "days: true", f"{OF} 6: retention.days is true\n{DAYS}"),
    "more days than a time has": ("days: 30", "days: 9999999999", "retention.days is 9999999999"),
    "half a day": ("days: 30", "days: 0.5", f"{OF} 6: retention.days is 0.5\n{DAYS}"),
    "no column": (RETENTION, "retention: {days: 30}", f"{OF} 6: retention.by is missing\n{BY}"),
    "when a version began": (
        "by: dbt_valid_to",
        "by: dbt_valid_from",
        f'{OF} 6: retention.by is "dbt_valid_from"\n{BY}',
    ),
    "a column that is a list": ("by: dbt_valid_to", "by: [a]", f'{OF} 6: retention.by is ["a"]'),
    "a number for a retention": (RETENTION, "retention: 30", f"{OF} 6: retention is 30\n{PAIRS}"),
    "an empty retention": (RETENTION, "retention:", f"{OF} 6: retention is empty\n{PAIRS}"),
    "a list for a retention": (RETENTION, "retention: [30]", f"{OF} 6: retention is [30]\n{PAIRS}"),
    "an unknown name in a retention": (
        "days: 30,",
        "days: 30, unit: days,",
        f'{OF} 6: "unit" is not known in config.meta.retention\nHINT: The known keys are:',
    ),
    "a history without changes": (
        f"{CHANGES}\n        ",
        "",
        f"{OF} 5: a history has a retention and no `changes`\nHINT: Declare `changes` beside it,",
    ),
    "changes that are a text": (
        CHANGES,
        "changes: mrr_fact_shop_orders",
        f'{OF} 5: changes is "mrr_fact_shop_orders"\nHINT: Give `changes` as a list;',
    ),
    "changes of a text": (
        CHANGES,
        "changes: [mrr_fact_shop_orders]",
        f"{OF} 5: an item of `changes` is not a table with its key\nHINT: Write each as {{table:",
    ),
    "changes of a table that is not mirrored": (
        "table: mrr_fact_shop_orders",
        "table: mrr_fact_shop_order",
        f'{OF} 5: changes.table is "mrr_fact_shop_order"\nHINT: Did you mean mrr_fact_shop_orders?',
    ),
    "changes without a key": (
        ", key: [order_number]",
        "",
        f"{OF} 5: changes.key is missing\nHINT: Give `key` as a list of columns",
    ),
    "a key that is a text": (
        "key: [order_number]",
        "key: order_number",
        f'{OF} 5: changes.key is "order_number"\nHINT: Give `key` as a list of columns',
    ),
    "a key of two columns for one of one": (
        "[order_number]",
        "[order_number, line]",
        f"{OF} 5: changes.key has 2 columns\nHINT: The key of mrr_fact_shop_orders has 1;",
    ),
    "an empty key": ("[order_number]", "[]", f"{OF} 5: changes.key has 0 columns"),
    "a kind that is not known": (
        "personal: email",
        "personal: emial",
        f'{COLUMN} 10: personal is "emial"\nHINT: Did you mean email? Give a kind',
    ),
    "a kind that is true": (
        "personal: email",
        "personal: true",
        f"{COLUMN} 10: personal is true\nHINT: Give a kind of `personal_data` in dbt_project.yml",
    ),
    "a tag without a kind": (
        ", meta: {personal: email}",
        "",
        f"{COLUMN} 9: it has the tag `personal`, and no kind\nHINT: Give its kind: config:",
    ),
    "a kind without a tag": (
        "tags: [personal], ",
        "",
        f"{COLUMN} 10: the tag and the kind contradict each other\nHINT: Give it both, or neither",
    ),
    "a tag on a column that is not personal": (
        "personal: email",
        "personal: false",
        f"{COLUMN} 10: the tag and the kind contradict each other",
    ),
    "meta that is a list": (
        "config: {tags: [personal], meta: {personal: email}}",
        "config: {tags: [personal], meta: [personal]}",
        f'{COLUMN} 10: meta is ["personal"]\n{PAIRS}',
    ),
    "columns that are a text": (
        "columns:\n      - name: order_number",
        "columns: all\n    other:\n      - name: order_number",
        f'{OF} 7: columns is "all"\nHINT: Give `columns` as a list;',
    ),
}
WRONG_FILES = {
    "a mask that is not known": (
        "mask: hash",
        "mask: hahs",
        'vars in dbt_project.yml line 6: email.mask is "hahs"\nHINT: Did you mean hash? Give hash,',
    ),
    "a kind without a category": (
        "category: contact, ",
        "",
        "vars in dbt_project.yml line 6: email.category is missing\nHINT: Give a word",
    ),
    "a kind that is a text": (
        "{category: contact, mask: hash}",
        "hash",
        f'vars in dbt_project.yml line 6: email is "hash"\n{PAIRS}',
    ),
}


def shop(
    folder: Path, history: str = HISTORY, sources: str = GOOD, file: str = PROJECT_FILE
) -> Path:
    """A project with a mirrored table and its history."""
    made = project(folder, sources)
    (made / "dbt_project.yml").write_text(file, encoding="utf-8")
    snapshots = made / "snapshots" / "shop"
    snapshots.mkdir(parents=True)
    (snapshots / "_shop__snapshots.yml").write_text(history, encoding="utf-8")
    return made


def faults(made: Path) -> str:
    with pytest.raises(WrongDeclarations) as caught:
        declared_relations(made)
    assert caught.value.exit_code == ExitCode.USAGE
    assert str(caught.value).count("\nHINT: ") == len(caught.value.faults)
    return str(caught.value)


def test_relations_are_read_as_they_are_declared(tmp_path: Path) -> None:
    mirrored, events, history = declared_relations(shop(tmp_path, sources=GOOD + EVENTS))
    assert (mirrored.schema, mirrored.domain, mirrored.retention) == ("mrr", "shop", None)
    assert (events.schema, events.retention) == ("landed", Retention(30, "landed_at"))
    assert (history.schema, history.retention) == ("dwh", Retention(30, "dbt_valid_to"))
    assert history.columns == {"buyer_email": "email"}
    assert history.changes == (Change("mrr_fact_shop_orders", ("order_number",)),)


@pytest.mark.parametrize("name", WRONG)
def test_wrong_declaration_is_told_with_its_file_and_line(tmp_path: Path, name: str) -> None:
    found, instead, told = WRONG[name]
    assert HISTORY.count(found) == 1
    assert told in faults(shop(tmp_path, HISTORY.replace(found, instead)))


@pytest.mark.parametrize("name", WRONG_FILES)
def test_wrong_kind_is_told_with_its_line(tmp_path: Path, name: str) -> None:
    found, instead, told = WRONG_FILES[name]
    assert PROJECT_FILE.count(found) == 1
    assert told in faults(shop(tmp_path, file=PROJECT_FILE.replace(found, instead)))


def test_all_faults_are_told_together(tmp_path: Path) -> None:
    wrong = HISTORY.replace("days: 30", "days: x").replace("personal: email", "personal: x")
    assert faults(shop(tmp_path, wrong)).count("\nHINT: ") == 2


def test_retention_of_what_is_built_is_refused(tmp_path: Path) -> None:
    made = shop(tmp_path)
    folder = made / "models" / "dwh" / "shop"
    folder.mkdir(parents=True)
    (folder / "_dwh_shop__models.yaml").write_text(MODEL, encoding="utf-8")
    assert faults(made) == (
        "dwh_fact_shop_orders in _dwh_shop__models.yaml line 3: a retention of a model\n"
        "HINT: Declare it for a history, or a table of events that something else loads."
    )


def test_retention_of_events_is_by_a_column_that_is_declared(tmp_path: Path) -> None:
    wrong = EVENTS.replace("by: landed_at", "by: landed")
    assert faults(shop(tmp_path, sources=GOOD + wrong)) == (
        'messages in _mrr_shop__sources.yml line 20: retention.by is "landed"\n'
        "HINT: Did you mean landed_at? Give a column with a time that is declared below `columns`."
    )


def test_reason_for_nobody_is_read_and_needed(tmp_path: Path) -> None:
    nobody = "            person: false\n            reason: a company\n"
    (table, _) = declared_relations(shop(tmp_path / "good", sources=GOOD + nobody))
    assert table.why_of_nobody == "a company"
    for text, told in (
        ("            person: false\n", "reason is missing\nHINT: Say why no person"),
        ("            reason: a company\n", 'reason is "a company"\nHINT: Remove it'),
    ):
        made = shop(tmp_path / told[10:14], sources=GOOD + text)
        assert told in faults(made)


def test_purpose_is_a_text(tmp_path: Path) -> None:
    wrong = GOOD.replace("operational_database: shop", "operational_database: shop\n        {}", 1)
    made = shop(tmp_path, sources=wrong.format("processing: {purpose: to deliver, basis: x}"))
    with pytest.raises(WrongDeclarations) as caught:
        read_purposes(made)
    assert '"basis" is not known in config.meta.processing' in str(caught.value)
    assert "processing.legal_basis is missing\nHINT: Give it as a text." in str(caught.value)


def test_every_mirrored_table_of_the_demo_with_personal_columns_says_whose_they_are() -> None:
    persons = {place.name for place in places_of_persons()}
    mirrored = [one for one in declared_relations() if one.schema == "mrr" and one.columns]
    assert len(mirrored) > 5
    assert [one.name for one in mirrored if one.name not in persons and not one.why_of_nobody] == []
