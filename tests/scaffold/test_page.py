"""The models of docs/add-your-own-table.md, written beside what `scaffold` writes and built."""

from collections.abc import Callable

import pytest

from tests.support.command_line import CommandLine, check_models
from tests.support.project_files import write_files_of
from tests.support.servers import OperationalDatabase

PAGE = "add-your-own-table.md"
TABLES = (
    "create table customer (customer_id smallint unsigned primary key, store_id tinyint unsigned,"
    " first_name varchar(45), last_name varchar(45), active boolean not null default true)",
    "create table rental (rental_id int primary key, rental_date datetime not null,"
    " inventory_id mediumint unsigned, customer_id smallint unsigned not null,"
    " return_date datetime, foreign key (customer_id) references customer (customer_id),"
    " last_update timestamp default current_timestamp on update current_timestamp)",
    "insert into customer values (1, 1, ' Mary', 'Smith', true), (2, 1, 'Pat', 'Lee', true)",
    "insert into rental (rental_id, rental_date, customer_id) values"
    " (7, '2005-05-24 22:53:30', 1), (8, '2005-05-25', 1), (9, '2005-05-26', 2)",
)
CHANGES = (
    "update customer set last_name = 'Jones' where customer_id = 1",
    "insert into rental (rental_id, rental_date, customer_id) values (10, '2999-01-01', 1)",
    "update rental set return_date = '2005-05-27' where rental_id = 9",
    "delete from rental where rental_id = 8",
)
RENTALS = (
    "select rental_id, customer_name, rented_at::text, returned_at::text"
    " from dwh.dwh_fact_sakila_rental left join dwh.dwh_dim_sakila_customer using (customer_key)"
    " order by 1"
)


@pytest.mark.slow
def test_models_of_the_page_keep_history_and_follow_changes(
    operational: OperationalDatabase, command_line: CommandLine, query: Callable[..., list[tuple]]
) -> None:
    for statement in TABLES:
        operational.execute(statement)
    done = command_line.run("scaffold", operational.name, "--domain", "sakila")
    assert done.returncode == 0, done.stderr
    assert len(write_files_of(PAGE, command_line.folder / "dbt_project")) == 5
    first = command_line.run("--domain", "sakila")
    assert first.returncode == 0, first.stdout + first.stderr
    assert query(RENTALS) == [
        (7, "Mary Smith", "2005-05-24 22:53:30+00", None),
        (8, "Mary Smith", "2005-05-25 00:00:00+00", None),
        (9, "Pat Lee", "2005-05-26 00:00:00+00", None),
    ]

    for statement in CHANGES:
        operational.execute(statement)
    second = command_line.run("--domain", "sakila")
    assert second.returncode == 0, second.stdout + second.stderr
    assert query(RENTALS) == [
        (7, "Mary Smith", "2005-05-24 22:53:30+00", None),
        (9, "Pat Lee", "2005-05-26 00:00:00+00", "2005-05-27 00:00:00+00"),
        (10, "Mary Jones", "2999-01-01 00:00:00+00", None),
    ]

    check_models(command_line.folder, "dwh/sakila")
