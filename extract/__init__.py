"""operational → mrr: reads the source, lands its rows through dlt, applies and compares them.

`declarations` reads what the user declares about the tables, `mysql` is the source, `mirror` the
tables in the warehouse, `landing` the way there, and `compare` compares both. The modules beside
them bring the two sides together, and none of them contains MySQL's SQL.
"""
