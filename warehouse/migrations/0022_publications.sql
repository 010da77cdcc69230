-- Tables that are published to ClickHouse: how far, and what was proven of each.

-- `target` is the server and the database, `storage` the table there that has the rows. A first load
-- in key ranges has reached `loaded_to`, the last key that was stored, until `is_loaded`. All changes
-- up to `read_to` were published; -1 if they are no longer kept for it, and the whole table has to be
-- compared. `rows_version` grows with each publish. `source_state` tells whether a table of `dwh` was
-- written to.
create table mrr_state.publication (
    table_name text not null,
    target text not null,
    storage text not null,
    is_loaded boolean not null default false,
    loaded_to jsonb,
    read_to bigint not null,
    rows_version bigint not null,
    published_rows bigint,
    source_state text,
    compared_at timestamptz,
    updated_at timestamptz not null default clock_timestamp(),
    primary key (table_name, target)
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
