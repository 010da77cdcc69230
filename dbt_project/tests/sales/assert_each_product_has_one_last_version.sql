select
    product_id,
    count(*) as last_version_count
from {{ get_where_subquery(ref('dwh_dim_products')) }}
where is_current or is_deleted
group by product_id
having count(*) > 1
