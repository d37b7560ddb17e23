"""HTML as sites send it, for what depends on its content: cards of products with names, prices and words that vary."""

import json
from pathlib import Path

from benchmarks.chance import Chance
from benchmarks.scenario import Bench

FRAGMENTS = 64
NOUNS = ("Lamp", "Chair", "Kettle", "Rucksack", "Notebook", "Teapot", "Bicycle", "Blanket", "Clock", "Jacket", "Mirror", "Tent")
ADJECTIVES = ("Oak", "Copper", "Folding", "Quiet", "Woven", "Northern", "Compact", "Heavy", "Painted", "Linen", "Slim", "Sturdy")
TEXT = (
    "made from a single piece and finished by hand with room for all that you carry on a day out ready to ship from our store in "
    "three colours fits most frames washes at forty degrees comes with a spare set tested for ten years of use"
)
WORDS = TEXT.split()


def card(chance: Chance) -> str:
    """One product, about 450 characters."""
    number, price, left = chance.randrange(10_000, 99_999), chance.randrange(500, 40_000) / 100, chance.randrange(1, 60)
    name = f"{chance.choice(ADJECTIVES)} {chance.choice(NOUNS)}"
    text = " ".join(chance.choices(WORDS, k=chance.randrange(10, 18)))
    return (
        f'<article class="card" id="product-{number}"><h3 class="card-title"><a href="/products/{number}">{name}</a></h3>'
        f'<p class="card-text">{text.capitalize()}.</p><p class="price" data-amount="{price:.2f}">€ {price:,.2f}</p>'
        f'<p class="stock">{left} in stock</p><button class="btn btn-primary" name="add" value="{number}">Add</button></article>'
    )


def fragment(chance: Chance, wanted_bytes: int) -> str:
    """Cards in a list, the last of them cut off by the length wanted; about `wanted_bytes` as UTF-8."""
    text = '<section class="cards">'
    while len((text + (one := card(chance))).encode()) < wanted_bytes:
        text += one
    rest = wanted_bytes - len(text.encode()) - len('<p class="more"></p></section>')
    words = " ".join(chance.choices(WORDS, k=rest // 3 + 1))[: max(rest, 0)]
    return f'{text}<p class="more">{words}</p></section>'


def fragments(bench: Bench, wanted_bytes: int) -> Path:
    """A file of fragments, the inside of a JSON text each, the same ones in each run."""
    path = bench.folder / f"fragments-{wanted_bytes}"
    chance = Chance(wanted_bytes)
    lines = (json.dumps(fragment(chance, wanted_bytes), ensure_ascii=False)[1:-1] for _ in range(FRAGMENTS))
    path.write_text("\n".join(lines) + "\n")
    return path
