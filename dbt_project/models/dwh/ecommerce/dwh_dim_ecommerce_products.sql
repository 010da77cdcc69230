-- Cursor: the change log of the products and of their suppliers, by key, as far as their histories
-- have been built. Overlap: none, a position in that log is exact. A late or changed row brings all
-- versions of its product anew, or of all products of its supplier; a deleted product closes its
-- last version, and stays.
{{
    config(
        materialized = 'incremental',
        unique_key = 'product_key',
        indexes = [{'columns': ['product_id']}, {'columns': ['supplier_id']}],
        meta = {
            'changes': [
                {'table': 'mrr_dim_ecommerce_products', 'key': ['product_id']},
                {'table': 'mrr_dim_ecommerce_suppliers', 'key': ['supplier_id']},
            ],
        },
    )
}}

with history as (

    select * from {{ ref('dwh_history_ecommerce_products') }}
    where {{ is_unread() }}

),

stock as (

    select * from {{ ref('stg_dim_ecommerce_product_stock') }}

),

suppliers as (

    select
        dbt_scd_id as supplier_version,
        supplier_id,
        supplier_name,
        country_code,
        lead_time_days,
        dbt_valid_from as valid_from
    from {{ ref('dwh_history_ecommerce_suppliers') }}

),

supplier_periods as (

    {{ version_periods('suppliers', 'supplier_version', 'supplier_id', facts='history') }}

),

-- a version of a product ends where its supplier changes, too
versions as (

    select
        history.*,
        supplier_periods.supplier_version,
        greatest(history.dbt_valid_from, supplier_periods.period_start) as valid_from,
        nullif(least(history.dbt_valid_to, supplier_periods.period_end), 'infinity') as valid_to
    from history
    left join supplier_periods
        on
            history.supplier_id = supplier_periods.supplier_id
            and supplier_periods.period_start < coalesce(history.dbt_valid_to, 'infinity')
            and history.dbt_valid_from < supplier_periods.period_end

),

described_versions as (

    select
        {{ surrogate_key("md5(concat(versions.dbt_scd_id, versions.supplier_version))") }}
            as product_key,
        versions.product_id,
        versions.supplier_id,
        versions.product_name,
        coalesce(versions.category, 'unknown category') as category,
        coalesce(versions.subcategory, 'unknown subcategory') as subcategory,
        coalesce(suppliers.supplier_name, 'unknown supplier') as supplier_name,
        coalesce(suppliers.country_code, 'unknown country') as supplier_country_code,
        suppliers.lead_time_days,
        versions.price_eur,
        versions.cost_eur,
        versions.weight_kg,
        versions.length_cm,
        versions.width_cm,
        versions.height_cm,
        stock.stock_quantity,
        versions.valid_to is null as is_current,
        versions.valid_to is not null
        and row_number() over (
            partition by versions.product_id order by versions.valid_from desc
        ) = 1 as is_deleted,
        versions.valid_from,
        versions.valid_to
    from versions
    left join suppliers
        on versions.supplier_version = suppliers.supplier_version
    left join stock
        on versions.product_id = stock.product_id

),

unknown_member as (

    select
        -1 as product_key,
        null::bigint as product_id,
        null::bigint as supplier_id,
        'unknown product' as product_name,
        'unknown category' as category,
        'unknown subcategory' as subcategory,
        'unknown supplier' as supplier_name,
        'unknown country' as supplier_country_code,
        null::integer as lead_time_days,
        null::numeric(18, 2) as price_eur,
        null::numeric(18, 2) as cost_eur,
        null::numeric(18, 3) as weight_kg,
        null::integer as length_cm,
        null::integer as width_cm,
        null::integer as height_cm,
        null::bigint as stock_quantity,
        true as is_current,
        false as is_deleted,
        null::timestamptz as valid_from,
        null::timestamptz as valid_to

),

members as (

    select * from unknown_member
    union all
    select * from described_versions

)

select * from members
