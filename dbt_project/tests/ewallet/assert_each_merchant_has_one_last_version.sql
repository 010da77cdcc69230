select
    merchant_id,
    count(*) as last_version_count
from {{ get_where_subquery(ref('dwh_dim_ewallet_merchants')) }}
where is_current or is_deleted
group by merchant_id
having count(*) > 1
