{{ masked(ref('dwh_dim_ewallet_users')) }}
