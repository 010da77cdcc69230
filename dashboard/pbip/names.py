"""What tables and columns are called in Power BI, and the identifiers that they keep there."""

from uuid import UUID, uuid5

NAMESPACE = UUID("6b1c1f4e-8f0d-4c57-9d0a-6a6f0a3f7c11")
WORDS = {"id": "ID", "eur": "EUR", "iso": "ISO", "ewallet": "E-wallet", "ecommerce": "Shop"}
"""Words of names that are not written as in `dwh`."""
KINDS = ("fact", "dim", "mart", "operations")
"""The kinds of tables, as their names in `dwh` say them."""


def table_name(relation: str) -> str:
    """`Shop order items` for `dwh_fact_ecommerce_order_items`."""
    layer, kind, *words = relation.split("_")
    return in_words([layer, kind, *words] if kind not in KINDS else words)


def column_name(column: str) -> str:
    """`Customer ID` for `customer_id`."""
    return in_words(column.split("_"))


def in_words(words: list[str]) -> str:
    text = " ".join(WORDS.get(word, word) for word in words if word)
    return text[:1].upper() + text[1:]


def identifier(*parts: str) -> str:
    """A UUID that is the same in every generation, as Power BI keeps what it knows of it."""
    return str(uuid5(NAMESPACE, "/".join(parts)))
