"""Random keys in many collations: after each run, both sides have the same keys."""

import random

from extract.compare.reconcile import EVERY_KEY, EVERY_ROW
from tests.support.mirror import Mirror, Query
from tests.support.servers import OperationalDatabase

ALPHABETS = {
    "hexadecimal": "0123456789abcdef",
    "both cases": "0123456789abcdefABCDEF",
    "words": "aAbBzZ09_- .",
    "accents": "aAáÁäßsSéøÿ",
    "anything": "aAáß \t\x01\u2028_~\ufffd\uffff漢字😀😁'\\%",
}
COLLATIONS = {
    "utf8mb4_general_ci": sorted(ALPHABETS),
    "utf8mb4_bin": sorted(ALPHABETS),
    "utf8mb4_unicode_ci": sorted(ALPHABETS),
    "utf8mb4_0900_ai_ci": sorted(ALPHABETS),
    "utf8mb4_0900_bin": sorted(ALPHABETS),
    "utf8mb4_nopad_bin": sorted(ALPHABETS),
    "latin1_swedish_ci": ["hexadecimal", "both cases", "words", "accents"],
    "latin1_bin": ["hexadecimal", "both cases", "words", "accents"],
    "ascii_general_ci": ["hexadecimal", "both cases", "words"],
    "binary": ["octets"],
}


def random_key(chance: random.Random, alphabet: str) -> str | bytes:
    length = chance.choice([0, 1, 2, 3, 5, 8])
    if alphabet == "octets":
        return chance.randbytes(length) + b"\0" * chance.randint(0, 2)
    return "".join(chance.choice(ALPHABETS[alphabet]) for _ in range(length))


def test_whatever_the_keys_and_their_collation_both_sides_have_the_same_after_a_run(
    operational: OperationalDatabase, mirror: Mirror, query: Query
) -> None:
    """Keys come and go on both sides, and no stamp tells of it."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    mirror.limit(range_rows=100, ranges_compared_whole=1, deletes=10_000)
    operational.execute("set session sql_mode = ''")
    known = {
        collation
        for (collation,) in operational.execute(
            "select collation_name from information_schema.collations"
        )
    }
    methods = set()
    for collation in sorted(COLLATIONS.keys() & known):
        for alphabet in COLLATIONS[collation]:
            make_random_keys(operational, query, chance, collation, alphabet)
            table = mirror.table("items", key=("a",), cursor=None)
            mirror.extract_one(table)
            for _ in range(2):
                change_random_keys(operational, query, chance, alphabet)
                verification = mirror.extract_one(table).verification
                methods.add(verification.method.partition(",")[0])
                source = {key for (key,) in operational.execute("select a from items")}
                stored = query("select a from mrr.items")
                mirrored = {bytes(key) if alphabet == "octets" else key for (key,) in stored}
                assert mirrored == source, (collation, alphabet)
                rows = (verification.source_rows, verification.mirror_rows)
                assert (verification.is_equal, rows) == (True, (len(source), len(source)))
                assert mirror.extract_one(table).applied.rows == 0, (collation, alphabet)
    assert methods == {EVERY_KEY, EVERY_ROW}


def make_random_keys(
    source: OperationalDatabase,
    query: Query,
    chance: random.Random,
    collation: str,
    alphabet: str,
) -> None:
    kind = f"varchar(20) collate {collation}" if collation != "binary" else "varbinary(20)"
    source.execute("drop table if exists items")
    query("drop table if exists mrr.items cascade")
    source.execute(f"create table items (a {kind} primary key)")
    insert_random_keys(source, chance, alphabet, 900)


def change_random_keys(
    source: OperationalDatabase, query: Query, chance: random.Random, alphabet: str
) -> None:
    source.execute("delete from items where rand() < 0.02")
    query("delete from mrr.items where random() < 0.02")
    insert_random_keys(source, chance, alphabet, chance.choice([1, 30]))
    for _ in range(chance.choice([0, 5])):
        query(
            "insert into mrr.items values (%s) on conflict do nothing",
            (random_key(chance, alphabet),),
        )


def insert_random_keys(
    source: OperationalDatabase, chance: random.Random, alphabet: str, rows: int
) -> None:
    keys = [random_key(chance, alphabet) for _ in range(rows)]
    source.execute(f"insert ignore into items values {', '.join(['(%s)'] * rows)}", tuple(keys))
