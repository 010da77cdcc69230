"""What the shop sells, and from whom: suppliers, and products with their prices in EUR."""

import math
from dataclasses import dataclass
from random import Random

from operational.ecommerce.countries import RATES
from operational.ecommerce.people import World, ascii_word
from operational.ecommerce.tables import money


@dataclass(frozen=True)
class Kind:
    """A kind of product, with the ranges of cost in EUR, weight in kg, and longest side in cm."""

    category: str
    subcategory: str
    nouns: tuple[str, ...]
    cost: tuple[float, float]
    weight: tuple[float, float]
    side: tuple[int, int]


KINDS = (
    Kind(
        "Electronics", "Audio", ("Headphones", "Speaker", "Earbuds"), (12, 140), (0.1, 4), (8, 40)
    ),
    Kind(
        "Electronics", "Computers", ("Keyboard", "Mouse", "Monitor"), (9, 260), (0.1, 7), (10, 70)
    ),
    Kind(
        "Electronics", "Phones", ("Phone", "Charger", "Power Bank"), (5, 420), (0.1, 0.6), (8, 20)
    ),
    Kind("Home", "Kitchen", ("Knife", "Pan", "Kettle", "Toaster"), (6, 60), (0.2, 4), (15, 45)),
    Kind("Home", "Furniture", ("Chair", "Shelf", "Desk"), (25, 240), (4, 38), (45, 180)),
    Kind("Home", "Lighting", ("Lamp", "Lantern", "Floor Lamp"), (7, 70), (0.3, 6), (15, 150)),
    Kind("Fashion", "Shoes", ("Sneakers", "Boots", "Sandals"), (14, 75), (0.4, 1.8), (25, 38)),
    Kind("Fashion", "Outerwear", ("Jacket", "Coat", "Raincoat"), (18, 120), (0.3, 2), (30, 60)),
    Kind("Fashion", "Accessories", ("Belt", "Scarf", "Wallet"), (3, 30), (0.1, 0.5), (10, 30)),
    Kind("Sports", "Outdoor", ("Backpack", "Tent", "Sleeping Bag"), (15, 130), (0.5, 5), (30, 75)),
    Kind("Sports", "Fitness", ("Yoga Mat", "Dumbbell", "Rope"), (4, 55), (0.3, 12), (15, 70)),
    Kind("Beauty", "Skincare", ("Cream", "Serum", "Cleanser"), (2, 28), (0.1, 0.5), (5, 16)),
    Kind("Toys", "Building Sets", ("Castle", "Rocket", "Harbour"), (6, 65), (0.2, 3), (18, 55)),
    Kind("Toys", "Board Games", ("Strategy Game", "Quiz", "Puzzle"), (5, 26), (0.3, 2), (20, 40)),
    Kind("Garden", "Tools", ("Spade", "Pruner", "Watering Can"), (4, 38), (0.2, 3), (18, 110)),
)
SERIES = ("Classic", "Compact", "Eco", "Essential", "Light", "Nordic", "Plus", "Pro", "Urban")
MARGIN = (1.4, 2.4)
"""Between which multiples of its cost the price of a product lies."""
LEAD_TIMES = (3, 45)


def catalogue_size(orders: int) -> int:
    """How many products a shop with this many orders sells."""
    return max(30, round(8 * math.sqrt(orders)))


@dataclass(frozen=True)
class Supplier:
    """A company that delivers to the shop, as a row without its id; `lead_time` in days."""

    company_name: str
    contact_name: str
    email: str
    phone: str
    country: str
    lead_time: int


@dataclass(frozen=True)
class Product:
    """A product; `price` and `cost` in cents of a EUR, weight in grams, sides in cm."""

    name: str
    category: str
    subcategory: str
    price: int
    cost: int
    weight: int
    dimensions: str

    def price_in(self, currency: str) -> int:
        """What it costs in another currency, in hundredths."""
        return foreign(self.price, currency)

    def values(self, supplier_id: int, stock: int) -> tuple[object, ...]:
        """The values of its row, after its id."""
        return (
            self.name,
            self.category,
            self.subcategory,
            money(self.price),
            money(self.cost),
            supplier_id,
            stock,
            f"{self.weight / 1000:.3f}",
            self.dimensions,
        )


def foreign(cents: int, currency: str) -> int:
    """An amount of EUR in another currency, both in hundredths."""
    return round(cents * RATES[currency])


def new_supplier(world: World, chance: Random) -> Supplier:
    people = world.somewhere(chance)
    contact = people.person(chance)
    company = people.company(chance)
    mailbox = f"{ascii_word(contact.first_name)}.{ascii_word(contact.last_name)}"
    return Supplier(
        company,
        f"{contact.first_name} {contact.last_name}",
        f"{mailbox}@{ascii_word(company)}.example.com",
        contact.phone,
        people.country.code,
        round(chance.triangular(*LEAD_TIMES, 10)),
    )


def new_product(world: World, chance: Random) -> Product:
    kind = chance.choice(KINDS)
    # cheap products are more frequent
    cost = round(100 * kind.cost[0] * (kind.cost[1] / kind.cost[0]) ** (chance.random() ** 1.3))
    share = chance.random()
    grams = round(1000 * (kind.weight[0] + share * (kind.weight[1] - kind.weight[0])))
    longest = round(kind.side[0] + share * (kind.side[1] - kind.side[0]))
    sides = (longest, *(max(1, round(longest * chance.uniform(0.2, 0.9))) for _ in range(2)))
    maker = world.somewhere(chance).person(chance).last_name
    return Product(
        f"{maker} {chance.choice(SERIES)} {chance.choice(kind.nouns)}",
        kind.category,
        kind.subcategory,
        new_price(cost, chance),
        cost,
        grams,
        "x".join(map(str, sorted(sides, reverse=True))),
    )


def new_price(cost: int, chance: Random) -> int:
    """A price in cents for a product of this cost: it ends in 9, and the margin is kept."""
    return max(round(cost * chance.uniform(*MARGIN)) // 10 * 10 + 9, cost + 1)
