-- The identity of the source's table when it was last read: its time of creation and its columns.

create table mrr_state.table_identity (
    table_name text primary key,
    identity text not null
);
