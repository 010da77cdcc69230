"""Names in the warehouse, of names as they come."""

import pytest

from commands.scaffold.names import column_names, quoted_if_needed, singular, snake_case


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("customerId", "customer_id"),
        ("userID", "user_id"),
        ("HTMLBody", "html_body"),
        ("ORDER_DATE", "order_date"),
        ("address2Line", "address2_line"),
        ("  a--b__c ", "a_b_c"),
        ("größe", "grosse"),
        ("Ünïcode-1", "unicode_1"),
        ("2fa", "2fa"),
        ("???", ""),
        ("漢字", ""),
        ("{{ x }}", "x"),
    ],
)
def test_name_becomes_snake_case(name: str, expected: str) -> None:
    assert snake_case(name) == expected


@pytest.mark.parametrize(
    ("entity", "row"),
    [
        ("customers", "customer"),
        ("order_items", "order_item"),
        ("categories", "category"),
        ("movies", "movie"),
        ("addresses", "address"),
        ("boxes", "box"),
        ("address", "address"),
        ("status", "status"),
        ("analysis", "analysis"),
        ("staff", "staff"),
    ],
)
def test_row_of_a_table_is_called_by_the_singular(entity: str, row: str) -> None:
    assert singular(entity) == row


def test_id_and_what_cannot_stand_alone_gets_the_name_of_a_row() -> None:
    names = ["id", "name", "order", "user", "2fa", "xmin", "???", "qty"]
    assert list(column_names(names, "customers", 63).values()) == [
        "customer_id",
        "customer_name",
        "customer_order",
        "customer_user",
        "customer_2fa",
        "customer_xmin",
        "column_7",
        "qty",
    ]


@pytest.mark.parametrize("entity", ["2024", "1e3", ""])
def test_row_is_called_row_where_the_name_of_its_table_begins_no_other(entity: str) -> None:
    names = ["id", "order", "2fa"]
    assert list(column_names(names, entity, 63).values()) == ["row_id", "row_order", "row_2fa"]


def test_id_stays_where_its_name_is_that_of_another_column() -> None:
    assert column_names(["id", "customer_id"], "customers", 63) == {
        "id": "id",
        "customer_id": "customer_id",
    }


def test_names_that_become_one_are_numbered_and_the_name_itself_is_kept() -> None:
    names = ["userID", "USER_ID", "user_id", "user_id_2", "UserId"]
    assert column_names(names, "carts", 63) == {
        "userID": "user_id_3",
        "USER_ID": "user_id_4",
        "user_id": "user_id",
        "user_id_2": "user_id_2",
        "UserId": "user_id_5",
    }


def test_long_names_stay_apart_when_they_are_cut() -> None:
    names = [f"{'a' * 62}B{number}" for number in range(12)]
    found = list(column_names(names, "carts", 63).values())
    assert len(set(found)) == 12
    assert max(map(len, found)) == 63


@pytest.mark.parametrize(
    ("name", "quoted"),
    [
        ("order_id", "order_id"),
        ("name", "name"),
        ("größe", "größe"),
        ("_a1", "_a1"),
        ("orderId", '"orderId"'),
        ("2fa", '"2fa"'),
        ("with space", '"with space"'),
        ('a"b', '"a""b"'),
        ("order", '"order"'),
        ("user", '"user"'),
        ("½", '"½"'),
        ("m²", "m²"),
        ("a$b", "a$b"),
        ("$a", '"$a"'),
        ("straße", "straße"),
        ("ταΐζω", '"ταΐζω"'),
    ],
)
def test_column_is_quoted_where_sql_needs_it(name: str, quoted: str) -> None:
    assert quoted_if_needed(name) == quoted
