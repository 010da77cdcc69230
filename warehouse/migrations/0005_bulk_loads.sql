-- Bulk loads in progress. The transaction of a range's COPY also records that it has landed, so
-- that it is not read again after a kill.

create table mrr_state.bulk_load (
    bulk_load_id bigint generated always as identity primary key,
    table_name text not null unique,
    source_identity text not null,
    read_at timestamptz not null
);

create table mrr_state.bulk_range (
    bulk_load_id bigint not null references mrr_state.bulk_load on delete cascade,
    range_number integer not null,
    up_to text[],
    row_count bigint not null,
    suspects text[] not null,
    landed_at timestamptz,
    primary key (bulk_load_id, range_number)
);

-- How far a model had read before its last build; negative if it was built completely.
alter table mrr_state.model_position add column built_from bigint not null default -1;

-- A table that was loaded as a whole is one entry without a key: models read the whole table.
alter table mrr_state.change_log alter column row_key drop not null;
alter table mrr_state.change_log drop constraint change_log_operation_check;
alter table mrr_state.change_log add constraint change_log_operation_check check (
    (operation = 'load') = (row_key is null)
    and operation in ('load', 'insert', 'update', 'delete')
);
