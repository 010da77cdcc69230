{% macro customer_as_of() %}
create or replace function dwh.customer_as_of(p_customer_id bigint, p_as_of timestamptz)
    returns table (
        customer_key bigint,
        customer_id bigint,
        customer_name text,
        country text,
        valid_from timestamptz,
        valid_to timestamptz,
        was_valid boolean
    )
    language sql
    stable
    parallel safe
    rows 1
    set search_path = pg_catalog, pg_temp
as $body$
    select
        versions.customer_key,
        versions.customer_id,
        versions.customer_name,
        versions.country,
        versions.valid_from,
        versions.valid_to,
        versions.valid_from <= p_as_of and p_as_of < coalesce(versions.valid_to, 'infinity')
    from dwh.dwh_dim_customers as versions
    where versions.customer_id = p_customer_id and p_as_of is not null
    order by
        versions.valid_from <= p_as_of desc,
        case when versions.valid_from <= p_as_of then versions.valid_from end desc,
        versions.valid_from asc
    limit 1
$body$;

comment on function dwh.customer_as_of is
    'The version of a customer at a time, as the facts have it: the last one that was seen before, or'
    ' the first one. was_valid is false before the first version and after the customer was deleted.'
    ' A time without a zone, or a date, is one of the session''s time zone.';
{% endmacro %}
