{{ masked(ref('dwh_mart_ewallet_daily_user_amounts')) }}
