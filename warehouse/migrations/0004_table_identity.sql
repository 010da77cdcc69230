-- What the source's table was when it was last read: created when, of which columns.

create table mrr_state.table_identity (
    table_name text primary key,
    identity text not null
);
