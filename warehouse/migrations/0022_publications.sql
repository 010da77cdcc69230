-- Tables that are published to ClickHouse: how far, and what was proven of each.

-- `target_name` is the server and the database, `storage_name` the table there that has the rows.
-- Until `is_loaded`, a first load in ranges of the key has reached `loaded_to`, the last key that
-- was stored. All changes up to `read_to` were published; it is -1 if they are no longer kept for
-- the table, which has to be compared then. `rows_version` grows with each publish. `source_state`
-- tells whether a table of `dwh` was written to.
create table mrr_state.publication (
    table_name text not null,
    target_name text not null,
    storage_name text not null,
    is_loaded boolean not null default false,
    loaded_to jsonb,
    read_to bigint not null,
    rows_version bigint not null,
    published_rows bigint,
    source_state text,
    compared_at timestamptz,
    updated_at timestamptz not null default clock_timestamp(),
    primary key (table_name, target_name)
);

create table dwh.publication_verification (
    run_id text not null,
    table_name text not null,
    partition_name text not null,
    source_rows bigint not null,
    published_rows bigint not null,
    compared_rows bigint not null,
    repaired_rows bigint not null default 0,
    is_equal boolean not null,
    checked_from timestamptz not null,
    checked_to timestamptz not null,
    method text not null,
    primary key (run_id, table_name, partition_name)
);
create index publication_verification_table
on dwh.publication_verification (table_name, checked_to);
