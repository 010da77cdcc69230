-- Persons who were erased, and who stay erased. This step is applied again where `mrr_forgotten` is
-- missing: no backup has that schema.

-- The keys of HMAC-SHA256, as pads. A warehouse makes one; a restore can bring another one. With
-- it, keys can be tried on the digests, so that the transformer and analysts cannot read it.
create table if not exists mrr_state.person_secret (
    secret_id uuid primary key default gen_random_uuid(),
    inner_pad bytea not null,
    outer_pad bytea not null,
    created_at timestamptz not null default clock_timestamp()
);

insert into mrr_state.person_secret (inner_pad, outer_pad)
with made as (
    select sha512(convert_to(gen_random_uuid()::text || gen_random_uuid()::text, 'UTF8')) as secret
),

octets as (
    select
        numbers.place,
        get_byte(made.secret, numbers.place) as octet
    from made
    cross join generate_series(0, 63) as numbers (place)
)

-- a + b - 2 (a and b) is a xor b
select
    string_agg(set_byte('\x00', 0, octet + 54 - 2 * (octet & 54)), '' order by place) as inner_pad,
    string_agg(set_byte('\x00', 0, octet + 92 - 2 * (octet & 92)), '' order by place) as outer_pad
from octets
having not exists (select from mrr_state.person_secret);

-- Who was erased: the digest of the kind of person and of the person's key.
create table if not exists mrr_state.forgotten_person (
    subject text not null,
    secret_id uuid not null references mrr_state.person_secret,
    person_digest text not null,
    forgotten_at timestamptz not null default clock_timestamp(),
    primary key (subject, secret_id, person_digest)
);

-- The keys that a run leaves out when it reads a table of the source, as long as that has rows of
-- the person. Only the loader reads them; a restore leaves them as they are.
create schema if not exists mrr_forgotten;

create table if not exists mrr_forgotten.forgotten_key (
    table_name text not null,
    person_key text not null,
    primary key (table_name, person_key)
);
