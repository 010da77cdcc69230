"""What customers say of a product: a rating, and sometimes a text that fits it."""

from random import Random

RATINGS = {5: 48, 4: 26, 3: 12, 2: 6, 1: 8}
RATINGS_OF_RETURNS = {5: 2, 4: 8, 3: 20, 2: 30, 1: 40}
WITHOUT_TEXT = 0.35

OPENINGS = {
    5: ("Excellent.", "Exactly what I was looking for.", "I would buy it again.", "Love it!"),
    4: ("Good value.", "I am happy with it.", "Does its job well.", "Nearly perfect."),
    3: ("It is all right.", "Average.", "Not bad, not great.", "As expected for the price."),
    2: ("I had hoped for more.", "Rather disappointing.", "Not as described."),
    1: ("Do not buy it.", "It broke after a week.", "A waste of money.", "Very poor."),
}
DETAILS = {
    5: ("The quality is better than the pictures suggest.", "It arrived a day early.", "5 stars."),
    4: ("The colour differs a little from the picture.", "Delivery took some days longer.", ""),
    3: ("The material feels thin.", "The instructions could be clearer.", ""),
    2: ("The size is wrong.", "One part was scratched.", "Support took a week to answer."),
    1: ("I sent it back.", "A part was missing.", "Nobody answers my messages."),
}


def new_rating(chance: Random, is_returned: bool) -> int:
    """A rating from 1 to 5, lower for what was sent back."""
    ratings = RATINGS_OF_RETURNS if is_returned else RATINGS
    return chance.choices(list(ratings), list(ratings.values()))[0]


def new_text(chance: Random, rating: int) -> str | None:
    """A text for a rating; None for a rating without words."""
    if chance.random() < WITHOUT_TEXT:
        return None
    return f"{chance.choice(OPENINGS[rating])} {chance.choice(DETAILS[rating])}".strip()
