"""What dbt's hooks leave in the control tables, and what the routines do."""


def entry(warehouse, step: str) -> tuple:
    return warehouse.query(
        "select status, rows_affected, error_message from dwh.run_log"
        " where process = 'dbt' and step = %s order by log_id desc limit 1",
        step,
    )[0]


def test_every_node_is_logged_under_the_run(warehouse, monkeypatch) -> None:
    monkeypatch.setenv("TIDEMARK_RUN_ID", "run-7")
    warehouse.update("mrr_fact_sales", 1, qty=50)
    warehouse.dbt("build", "--selector", "sales")
    kinds = warehouse.query(
        "select status, count(*) > 50, bool_and(execution_seconds >= 0),"
        " bool_and(finished_at >= started_at), max(started_at) > now() - interval '1 minute'"
        " from dwh.run_log where run_id = 'run-7' group by status"
    )
    assert kinds == [("success", True, True, True, True)]
    assert entry(warehouse, "dwh_fact_sales") == ("success", 1, None)
    assert entry(warehouse, "stg_fact_sales") == ("success", None, None)


def test_an_error_is_logged_whatever_its_text_and_without_the_row(warehouse) -> None:
    warehouse.query(
        'alter table dwh.dwh_dim_customers add constraint "it\'s 100% $$ ""odd"" \\n {{ ü }}"'
        " check (customer_name <> 'Secret Name')"
    )
    warehouse.update("mrr_dim_customers", 1, name="Secret Name")
    warehouse.build(succeeds=False)
    status, rows, message = entry(warehouse, "dwh_dim_customers")
    assert (status, rows) == ("error", None)
    assert 'it\'s 100% $$ "odd" \\n {{ ü }}' in message
    assert "Secret" not in message and "DETAIL" not in message
    assert entry(warehouse, "dwh_fact_sales")[0] == "skipped"


def test_the_value_that_a_type_refuses_is_not_logged(warehouse) -> None:
    warehouse.query(
        "create function dwh.refuse() returns trigger language plpgsql as"
        " $$ begin perform new.country::integer; return new; end $$"
    )
    warehouse.query(
        "create trigger refuse before insert on dwh.dwh_dim_customers"
        " for each row execute function dwh.refuse()"
    )
    warehouse.update("mrr_dim_customers", 1, country='Secret "Land"')
    warehouse.build(succeeds=False)
    message = entry(warehouse, "dwh_dim_customers")[2]
    assert 'invalid input syntax for type integer: "…"' in message
    assert "Secret" not in message and "Land" not in message


def test_the_error_of_a_routine_of_ours_is_logged_without_its_statements(warehouse) -> None:
    warehouse.query("drop view dwh.dwh_dim_dates; create table dwh.dwh_dim_dates (a int)")
    warehouse.query("create view dwh.reader_of_dates as select a from dwh.dwh_dim_dates")
    warehouse.dbt("run", "--select", "dwh_dim_dates", succeeds=False)
    message = entry(warehouse, "dwh_dim_dates")[2]
    assert "dwh.dwh_dim_dates is left as it was: replacing it would drop: view " in message
    assert "CONTEXT" not in message and "SQL statement" not in message


def test_a_failed_test_is_logged_as_a_number_of_rows(warehouse) -> None:
    warehouse.query("update dwh.dwh_fact_sales set sale_quantity = 1000")
    warehouse.dbt("test", "--select", "assert_every_sale_reaches_the_warehouse", succeeds=False)
    assert entry(warehouse, "assert_every_sale_reaches_the_warehouse") == (
        "error",
        None,
        "60 rows fail",
    )


def test_a_log_that_cannot_be_written_fails_no_run(warehouse) -> None:
    warehouse.query("alter table dwh.run_log rename to elsewhere")
    output, _ = warehouse.start_dbt("run", "--select", "dwh_dim_dates").communicate(timeout=600)
    assert "Completed successfully" in output


def test_dbt_leaves_nothing_in_the_folder_it_is_started_from(
    warehouse, tmp_path, monkeypatch
) -> None:
    monkeypatch.delenv("DBT_TARGET_PATH")
    monkeypatch.delenv("DBT_LOG_PATH")
    dbt = warehouse.start_dbt("run", "--select", "dwh_dim_dates", folder=tmp_path)
    output, _ = dbt.communicate(timeout=600)
    assert dbt.returncode == 0, output
    assert list(tmp_path.iterdir()) == []


def test_routines_are_recorded_and_the_error_of_one_does_not_stop_the_others(warehouse) -> None:
    warehouse.query(
        "create aggregate dwh.a_longest(text) (sfunc = textcat, stype = text, initcond = '')"
    )
    warehouse.query("call dwh.insert_procedure_info()")
    warehouse.query("call dwh.insert_procedure_info()")
    recorded = warehouse.query(
        "select routine_schema, routine_name, routine_type from dwh.stored_routines"
        " where routine_schema = 'dwh' order by 2"
    )
    assert recorded == [
        ("dwh", "customer_as_of", "function"),
        ("dwh", "insert_procedure_error", "procedure"),
        ("dwh", "insert_procedure_info", "procedure"),
        ("dwh", "most_popular_product", "function"),
        ("dwh", "purge_logs", "procedure"),
        ("dwh", "refresh_daily_step_total", "procedure"),
    ]
    assert warehouse.query(
        "select routine_name from dwh.stored_routines where routine_schema = 'mrr_state' order by 1"
    ) == warehouse.query(
        "select proname::text from pg_proc where pronamespace = 'mrr_state'::regnamespace"
        " order by 1"
    )
    errors = warehouse.query(
        "select procedure_name, error_code, context like '%%a_longest%%' from dwh.procedure_errors"
    )
    assert errors == [("dwh.insert_procedure_info", "42809", True)] * 2


def test_the_most_popular_product_is_the_lowest_of_equals_by_its_last_name(warehouse) -> None:
    warehouse.query("delete from dwh.dwh_fact_sales where sale_id > 2")
    warehouse.query("update dwh.dwh_fact_sales set sale_quantity = 5, product_id = sale_id")
    assert warehouse.value("select dwh.most_popular_product()") == "Product A"
    warehouse.update("mrr_dim_products", 1, name="Product A2")
    warehouse.dbt("snapshot")
    warehouse.dbt("run", "--select", "dwh_dim_products")
    warehouse.delete("mrr_dim_products", 1)
    warehouse.dbt("snapshot")
    warehouse.dbt("run", "--select", "dwh_dim_products")
    assert warehouse.value("select dwh.most_popular_product()") == "Product A2"
    warehouse.query("delete from dwh.dwh_fact_sales")
    assert warehouse.value("select dwh.most_popular_product()") is None
