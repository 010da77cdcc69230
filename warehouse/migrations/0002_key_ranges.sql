-- The key ranges in which a large table is read and compared, and when each was compared last.
-- The bounds are the key's values as text; null is an open end.

create table mrr_state.key_range (
    range_id bigint generated always as identity primary key,
    table_name text not null,
    above text[],
    up_to text[],
    compared_at timestamptz
);
create index key_range_table on mrr_state.key_range (table_name, range_id);
