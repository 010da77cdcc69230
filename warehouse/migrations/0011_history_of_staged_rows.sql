-- The histories contain the rows of stg: with its names, trimmed, and without invalid rows.
-- Before, they contained those of the mirror. Their keys (dbt_scd_id) and times remain.

do $body$
begin
    if exists (
        select from pg_attribute
        where attrelid = to_regclass('dwh.dwh_history_customers') and attname = 'name'
    ) then
        alter table dwh.dwh_history_customers rename column id to customer_id;
        alter table dwh.dwh_history_customers rename column name to customer_name;
        update dwh.dwh_history_customers
        set
            customer_name = nullif(regexp_replace(customer_name, '^\s+|\s+$', '', 'g'), ''),
            country = nullif(regexp_replace(country, '^\s+|\s+$', '', 'g'), '');
        delete from dwh.dwh_history_customers
        where customer_name is null;
    end if;

    if exists (
        select from pg_attribute
        where attrelid = to_regclass('dwh.dwh_history_products') and attname = 'name'
    ) then
        alter table dwh.dwh_history_products rename column id to product_id;
        alter table dwh.dwh_history_products rename column name to product_name;
        alter table dwh.dwh_history_products rename column groupname to product_group;
        update dwh.dwh_history_products
        set
            product_name = nullif(regexp_replace(product_name, '^\s+|\s+$', '', 'g'), ''),
            product_group = nullif(regexp_replace(product_group, '^\s+|\s+$', '', 'g'), '');
        delete from dwh.dwh_history_products
        where product_name is null;
    end if;
end
$body$;
