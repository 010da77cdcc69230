"""Operations on what the shop sells, and on its suppliers."""

from operational.ecommerce.catalogue import LEAD_TIMES, new_price, new_product
from operational.ecommerce.shop import Shop
from operational.ecommerce.tables import money, next_id

SCARCE = 40
"""Products of which there are fewer are restocked."""
RESTOCKED = (10, 60)


def restock(shop: Shop) -> None:
    """A delivery arrives of one of the products that are scarce."""
    shop.cursor.execute(
        "select product_id from products where stock_quantity < %s"
        " order by stock_quantity, product_id limit 10",
        (SCARCE,),
    )
    scarce = shop.cursor.fetchall()
    if scarce:
        shop.write(
            "update",
            "update products set stock_quantity = stock_quantity + %s where product_id = %s",
            shop.chance.randint(*RESTOCKED),
            shop.chance.choice(scarce)[0],
        )


def change_price(shop: Shop) -> None:
    """A product gets another price, above its cost."""
    product = shop.any_of("products")
    found = shop.row("select cost from products where product_id = %s", product)
    if found:
        shop.write(
            "update",
            "update products set price = %s where product_id = %s",
            money(new_price(round(found[0] * 100), shop.chance)),
            product,
        )


def launch(shop: Shop) -> None:
    """A product of one of the suppliers is new."""
    supplier = shop.any_of("suppliers")
    if supplier is not None:
        product = new_product(shop.world, shop.chance)
        stock = shop.chance.randint(*RESTOCKED)
        shop.insert("products", next_id(shop.cursor, "products"), *product.values(supplier, stock))


def change_lead_time(shop: Shop) -> None:
    """A supplier delivers faster or slower than before."""
    supplier = shop.any_of("suppliers")
    shop.write(
        "update",
        "update suppliers set lead_time = %s where supplier_id = %s",
        round(shop.chance.triangular(*LEAD_TIMES, 10)),
        supplier,
    )
