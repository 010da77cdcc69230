"""operational → mrr: reads the source gently, lands it through dlt, applies it, and proves it."""
