{{ masked(ref('dwh_dim_ecommerce_customers')) }}
