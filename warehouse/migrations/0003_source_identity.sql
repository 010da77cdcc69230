-- The server that is mirrored, and the deletes that were accepted.

create table mrr_state.pinned_source (
    is_only boolean primary key default true check (is_only),
    source_identity text not null,
    description text not null,
    pinned_at timestamptz not null default clock_timestamp()
);

create table mrr_state.accepted_deletes (
    table_name text not null,
    run_id text not null,
    deletes bigint not null,
    accepted_at timestamptz not null default clock_timestamp(),
    primary key (table_name, run_id)
);
