{{ masked(ref('dwh_history_ewallet_users')) }}
