-- How far each mirrored table was read, if not everything below it was built since. A run that only
-- builds lets the marks of `dwh` advance to these.
create table mrr_state.read_mark (
    table_name text primary key,
    cursor_column text,
    high_water_mark text,
    read_at timestamptz not null,
    reads_from text,
    run_id text not null,
    updated_at timestamptz not null default clock_timestamp()
);
