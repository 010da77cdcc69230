{{ masked(ref('dwh_history_ecommerce_suppliers')) }}
