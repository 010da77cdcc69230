"""operational → mrr: reads the source gently, lands it through dlt, applies it, and proves it.

`declarations` is what the user says of the tables, `mysql` the source, `mirror` what stands in
the warehouse, `landing` the way there, `compare` the proof. The modules beside them bring the two
sides together; none of them knows a word of MySQL's.
"""
