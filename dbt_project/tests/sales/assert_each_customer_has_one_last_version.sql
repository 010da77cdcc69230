select
    customer_id,
    count(*) as last_version_count
from {{ get_where_subquery(ref('dwh_dim_customers')) }}
where is_current or is_deleted
group by customer_id
having count(*) > 1
