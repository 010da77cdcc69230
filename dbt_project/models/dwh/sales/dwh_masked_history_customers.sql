{{ masked(ref('dwh_history_customers')) }}
