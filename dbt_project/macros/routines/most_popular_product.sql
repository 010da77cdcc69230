{% macro most_popular_product() %}
create or replace function dwh.most_popular_product()
    returns text
    language sql
    stable
    parallel safe
    set search_path = pg_catalog, pg_temp
as $body$
    select coalesce(products.product_name, format('unknown product %s', best.product_id))
    from (
        select fact_sales.product_id
        from dwh.dwh_fact_sales as fact_sales
        group by fact_sales.product_id
        order by sum(fact_sales.sale_quantity) desc, fact_sales.product_id asc
        limit 1
    ) as best
    left join dwh.dwh_dim_products as products
        on
            products.product_id = best.product_id
            and (products.is_current or products.is_deleted)
$body$;

comment on function dwh.most_popular_product is
    'Name of the product of which most pieces were sold; among equals, the one with the lowest id.';
{% endmacro %}
