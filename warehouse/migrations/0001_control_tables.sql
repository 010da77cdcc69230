-- The schemas, the control tables of `dwh`, and the state of the mirror in `mrr_state`.

create schema if not exists mrr;
create schema if not exists mrr_state;
create schema if not exists stg;
create schema if not exists dwh;

create table dwh.high_water_mark (
    table_name text primary key,
    cursor_column text,
    high_water_mark text,
    read_at timestamptz not null,
    run_id text not null,
    updated_at timestamptz not null default clock_timestamp()
);

create table dwh.run_log (
    log_id bigint generated always as identity primary key,
    run_id text not null,
    process text not null,
    step text not null,
    status text not null check (
        status in ('running', 'success', 'warning', 'error', 'skipped', 'refused')
    ),
    started_at timestamptz not null,
    finished_at timestamptz,
    execution_seconds numeric(14, 3),
    rows_affected bigint,
    error_message text
);
create index run_log_run_id on dwh.run_log (run_id);
create index run_log_started_at on dwh.run_log (started_at);

create table dwh.mirror_verification (
    run_id text not null,
    table_name text not null,
    source_rows bigint,
    mirror_rows bigint,
    inserted bigint not null default 0,
    updated bigint not null default 0,
    deleted bigint not null default 0,
    late_rows bigint not null default 0,
    repaired_rows bigint not null default 0,
    compared_rows bigint not null default 0,
    excluded_rows bigint not null default 0,
    is_equal boolean not null,
    checked_from timestamptz not null,
    checked_to timestamptz not null,
    oldest_compared_at timestamptz,
    method text not null,
    primary key (run_id, table_name)
);
create index mirror_verification_table on dwh.mirror_verification (table_name, checked_to);

create table dwh.mirror_anomaly (
    table_name text not null,
    row_key text not null,
    column_name text not null,
    source_value text,
    stored_value text,
    reason text not null,
    first_seen_at timestamptz not null default clock_timestamp(),
    primary key (table_name, row_key, column_name)
);

create table dwh.procedure_errors (
    error_id bigint generated always as identity primary key,
    procedure_name text not null,
    error_code text not null,
    error_message text not null,
    context text,
    occurred_at timestamptz not null default clock_timestamp()
);

create table dwh.stored_routines (
    routine_schema text not null,
    routine_name text not null,
    routine_type text not null,
    arguments text not null,
    definition text not null,
    recorded_at timestamptz not null default clock_timestamp(),
    primary key (routine_schema, routine_name, arguments)
);

-- The change log. dbt's increments read it; changes that every model has read are deleted.
create table mrr_state.change_log (
    change_id bigint generated always as identity primary key,
    table_name text not null,
    row_key jsonb not null,
    operation text not null check (operation in ('insert', 'update', 'delete')),
    run_id text not null,
    applied_at timestamptz not null default clock_timestamp()
);
create index change_log_table on mrr_state.change_log (table_name, change_id);

-- How far each incremental model has read the change log. `reading_to` is fixed before the model
-- reads anything, and becomes `built_to` in the transaction that builds the model.
create table mrr_state.model_position (
    model_name text primary key,
    built_to bigint not null,
    reading_to bigint not null,
    updated_at timestamptz not null default clock_timestamp()
);

-- Rows whose delete the delete guard refused in the last run that compared the table.
create table mrr_state.guard_candidate (
    table_name text not null,
    row_key jsonb not null,
    run_id text not null,
    found_at timestamptz not null default clock_timestamp(),
    primary key (table_name, row_key)
);
