{{ masked(ref('dwh_dim_customers')) }}
