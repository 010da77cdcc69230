"""What the catalog says about the tables of a database before they are declared."""

from extract.mysql.source import MySQLSource
from extract.schema import SchemaColumn
from tests.support.servers import OperationalDatabase


def test_tables_are_read_with_keys_references_and_comments(
    session: MySQLSource, operational: OperationalDatabase
) -> None:
    operational.execute("create table people (id int primary key) comment 'Who buys.'")
    operational.execute(
        "create table orders (no int not null, id int primary key, person int comment 'Buyer.',"
        " at timestamp not null default current_timestamp on update current_timestamp,"
        " seen timestamp null, note varchar(9), unique (no, person), unique (no), unique (note(3)),"
        " foreign key (person) references people (id))"
    )
    operational.execute("create view those as select id from orders")
    orders, people, those = session.tables_of(operational.name)
    assert (people.comment, people.refers_to, people.unique_keys) == (
        "Who buys.",
        set(),
        (("id",),),
    )
    assert orders.engine == "InnoDB"
    assert orders.unique_keys == (("id",), ("no",), ("no", "person"))
    assert orders.refers_to == {"people"}
    assert orders.columns == (
        SchemaColumn("no", "", False, False, None),
        SchemaColumn("id", "", False, False, None),
        SchemaColumn("person", "Buyer.", False, False, "people"),
        SchemaColumn("at", "", True, True, None),
        SchemaColumn("seen", "", True, False, None),
        SchemaColumn("note", "", False, False, None),
    )
    assert (those.name, those.engine) == ("those", None)


def test_only_databases_of_others_are_named(
    session: MySQLSource, operational: OperationalDatabase
) -> None:
    found = session.databases()
    assert operational.name in found
    assert not {"mysql", "information_schema", "performance_schema", "sys"} & set(found)
    assert session.tables_of(operational.name.upper()) == []
