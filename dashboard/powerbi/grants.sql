-- What Power BI reads, column by column; `make powerbi` writes this file anew.
grant usage on schema dwh to power_bi;
grant select (customer_key, customer_id, country, is_current, is_deleted)
    on dwh.dwh_dim_customers to power_bi;
grant select (date_key, calendar_date, calendar_year, calendar_quarter, calendar_month, month_name, iso_year, iso_week, iso_weekday, weekday_name, is_weekend)
    on dwh.dwh_dim_dates to power_bi;
grant select (customer_key, customer_id, age_band, country_code, is_current, is_deleted)
    on dwh.dwh_dim_ecommerce_customers to power_bi;
grant select (product_key, product_id, supplier_id, product_name, category, subcategory, supplier_name, supplier_country_code, lead_time_days, price_eur, cost_eur, weight_kg, length_cm, width_cm, height_cm, stock_quantity, is_current, is_deleted)
    on dwh.dwh_dim_ecommerce_products to power_bi;
grant select (merchant_key, merchant_id, merchant_name, merchant_category, is_current, is_deleted)
    on dwh.dwh_dim_ewallet_merchants to power_bi;
grant select (user_key, user_id, is_current, is_deleted)
    on dwh.dwh_dim_ewallet_users to power_bi;
grant select (product_key, product_id, product_name, product_group, is_current, is_deleted)
    on dwh.dwh_dim_products to power_bi;
grant select (order_id, product_id, customer_id, supplier_id, customer_key, product_key, order_outcome, currency, item_quantity, unit_price, discount_amount, item_amount, discount_amount_eur, item_amount_eur, item_cost_eur, item_margin_eur, ordered_date, ordered_date_key)
    on dwh.dwh_fact_ecommerce_order_items to power_bi;
grant select (order_id, customer_id, customer_key, order_status, order_outcome, payment_method, currency, units_per_eur, order_amount, order_amount_eur, ordered_date, ordered_date_key)
    on dwh.dwh_fact_ecommerce_orders to power_bi;
grant select (review_id, product_id, customer_id, supplier_id, product_key, customer_key, rating, reviewed_date, reviewed_date_key)
    on dwh.dwh_fact_ecommerce_product_reviews to power_bi;
grant select (transaction_id, user_id, merchant_id, user_key, merchant_key, amount_category, transaction_amount, transaction_date, transaction_date_key)
    on dwh.dwh_fact_ewallet_transactions to power_bi;
grant select (sale_id, customer_id, product_id, customer_key, product_key, sale_quantity, sold_date, sold_date_key)
    on dwh.dwh_fact_sales to power_bi;
grant select (first_order_month, customer_count, repeat_customer_count, repeat_customer_share, one_order_customer_count, two_orders_customer_count, three_orders_customer_count, order_count, is_complete)
    on dwh.dwh_mart_ecommerce_repeat_purchases to power_bi;
grant select (supplier_id, supplier_name, supplier_country_code, lead_time_days, product_count, out_of_stock_product_count, short_product_count, stock_quantity, sold_quantity, missing_quantity, stock_date)
    on dwh.dwh_mart_ecommerce_supplier_lead_times to power_bi;
grant select (transaction_date, merchant_id, merchant_name, merchant_category, amount_category, transaction_count, successful_count, failed_count, pending_count, successful_amount)
    on dwh.dwh_mart_ewallet_daily_merchant_transactions to power_bi;
grant select (run_id, failure_number, process, step, status, failed_at, error_message)
    on dwh.dwh_operations_failures to power_bi;
grant select (table_name, high_water_mark, read_at, lag_seconds, verified_at, source_rows, mirror_rows, repaired_rows, is_equal, is_stale)
    on dwh.dwh_operations_mirror_state to power_bi;
grant select (table_name, read_at, advanced_at, last_run_at, usual_interval_seconds, usual_run_seconds, expected_at, seconds_left)
    on dwh.dwh_operations_next_marks to power_bi;
grant select (run_id, started_at, finished_at, status, step_count, warning_count, error_count, skipped_count, extracted_rows, kind, execution_seconds, refused_count, different_count, error_message, scope)
    on dwh.dwh_operations_runs to power_bi;
grant select (slowness_rank, step, build_count, average_seconds, longest_seconds, last_started_at)
    on dwh.dwh_operations_slowest_nodes to power_bi;
grant select (table_name, extraction_count, comparison_count, extraction_seconds, longest_seconds, fetched_rows, compared_rows, share_of_seconds)
    on dwh.dwh_operations_source_costs to power_bi;
grant select (process, step, execution_count, last_run_id, last_started_at, last_seconds, usual_seconds, last_rows, usual_rows, average_seconds, longest_seconds, extra_seconds, is_slower, scope)
    on dwh.dwh_operations_step_times to power_bi;
