-- What exports have read of the change log, and what is kept of it for the next one: a run deletes
-- from the log itself what every model has read.

-- How far an export of a format has read the changes of a table; negative if the next one has to
-- write every row, -2 if none has ended yet. While one is under way, changes above `reading_from`
-- are kept for it; that becomes negative if the table is loaded as a whole meanwhile.
create table if not exists mrr_state.export_position (
    export_format text not null,
    table_name text not null,
    change_id bigint not null,
    reading_from bigint,
    run_id text not null,
    exported_at timestamptz not null default clock_timestamp(),
    kept_until timestamptz not null,
    primary key (export_format, table_name)
);

-- Changes that models have read, and an export has not.
create table if not exists mrr_state.export_change (
    change_id bigint primary key,
    table_name text not null,
    row_key jsonb not null,
    operation text not null check (operation in ('insert', 'update', 'delete'))
);
create index if not exists export_change_table on mrr_state.export_change (table_name, change_id);

-- Which tables were handed over in which folder: `forget` names those that have the person.
create table if not exists mrr_state.exported_table (
    run_id text not null,
    relation_name text not null,
    export_format text not null,
    folder text not null,
    contents text not null check (contents in ('rows', 'changes')),
    row_count bigint not null,
    exported_at timestamptz not null default clock_timestamp(),
    primary key (run_id, relation_name)
);
