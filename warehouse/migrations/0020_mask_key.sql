-- The keys of the hashes in masked views. They differ in each warehouse, and are restored with it.
-- The views read them with the rights of their owner; an analyst cannot. Each is as long as a block
-- of SHA-256, and has 244 random bits from the server.
create table mrr_state.mask_key (
    inner_key bytea not null,
    outer_key bytea not null
);
create unique index mask_key_one_row on mrr_state.mask_key ((true));
insert into mrr_state.mask_key (inner_key, outer_key)
select
    sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()))
    || decode(repeat('36', 32), 'hex') as inner_key,
    sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()))
    || decode(repeat('5c', 32), 'hex') as outer_key;
