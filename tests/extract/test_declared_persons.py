"""A declaration says whose rows a table has, and is refused where nobody could be erased."""

from pathlib import Path

import pytest

from extract.declarations import Person, WrongDeclarations, declared_tables
from extract.declarations.person_places import places_of_persons
from tests.support.declarations import ORDERS, below, faults_of, project, put
from warehouse.persons import PersonPlace

META = "            key: [orderNo]"
WRONG = {
    "a person that is a list": (
        below(META, "person: [{subject: shop_buyer}]"),
        f"{ORDERS} 15: person is [a mapping]\nHINT: Declare one person for a table;",
    ),
    "a person with an unknown name": (
        below(META, "person: {subject: shop_buyer, column: buyer, erases_rows: false, of: x}"),
        f'{ORDERS} 15: "of" is not known in config.meta.person\n'
        "HINT: The known keys are: column, erases_rows, subject.",
    ),
    "a person without a column": (
        below(META, "person: {subject: shop_buyer, erases_rows: false}"),
        f"{ORDERS} 15: person.column is missing\nHINT: Give the name that it has at the source",
    ),
    "a person of another domain": (
        below(META, "person: {subject: buyer, column: buyer, erases_rows: false}"),
        f'{ORDERS} 15: person.subject is "buyer"\n'
        "HINT: Give the kind of person, in lower case, that begins with `shop_`.",
    ),
    "a person whose rows are neither kept nor erased": (
        below(META, "person: {subject: shop_buyer, column: buyer, erases_rows: perhaps}"),
        f'{ORDERS} 15: person.erases_rows is "perhaps"\nHINT: Give true or false, without quotes.',
    ),
    "a person in the key of rows that are kept": (
        below(META, "person: {subject: shop_buyer, column: orderNo, erases_rows: false}"),
        f'{ORDERS} 15: person.erases_rows is false, and "orderNo" is a part of the key\n'
        "HINT: Give true: a person that is erased would leave rows with the same key.",
    ),
    "a person of a table without a key": (
        put(
            "[orderNo]",
            "[]\n            person: {subject: shop_buyer, column: buyer, erases_rows: true}",
        ),
        f"{ORDERS} 15: person is declared for a table without a key\n"
        "HINT: Without a key, it is not known which row is whose;",
    ),
}
MODEL = """
models:
  - name: dwh_fact_shop_orders
    config:
      meta:
        person: {{subject: {subject}, column: buyer_id, erases_rows: false, member_key: buyer_key}}
    columns:
      - name: note
        config: {{tags: [personal, other]}}
"""


@pytest.mark.parametrize("name", WRONG)
def test_wrong_person_is_told_with_its_file_and_line(tmp_path: Path, name: str) -> None:
    text, told = WRONG[name]
    assert told in faults_of(project(tmp_path, text))


def shop(folder: Path, subject: str) -> Path:
    """A project with a person in a mirrored table and in a model."""
    declared = "person: {subject: shop_buyer, column: buyer, erases_rows: false}"
    made = project(folder, below(META, declared))
    models = made / "models" / "dwh" / "shop"
    models.mkdir(parents=True)
    (models / "_dwh_shop__models.yml").write_text(MODEL.format(subject=subject), "utf-8")
    return made


def test_places_are_those_of_the_mirror_and_of_dwh(tmp_path: Path) -> None:
    made = shop(tmp_path, "shop_buyer")
    (table,) = declared_tables(made)
    assert table.person == Person("shop_buyer", "buyer", erases_rows=False)
    assert places_of_persons(project=made) == [
        PersonPlace("mrr", "mrr_fact_shop_orders", "shop_buyer", "buyer", erases_rows=False),
        PersonPlace(
            *("dwh", "dwh_fact_shop_orders", "shop_buyer", "buyer_id"),
            erases_rows=False,
            personal=("note",),
            member_key="buyer_key",
        ),
    ]


def test_person_that_no_mirrored_table_has_is_told(tmp_path: Path) -> None:
    with pytest.raises(WrongDeclarations) as caught:
        places_of_persons(project=shop(tmp_path, "shop_bayer"))
    assert str(caught.value) == (
        'dwh_fact_shop_orders in _dwh_shop__models.yml line 6: person.subject is "shop_bayer"\n'
        "HINT: Give a kind of person that a mirrored table declares: shop_buyer."
    )
