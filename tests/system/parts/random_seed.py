"""A random seed that can be repeated: SENTINEL_TEST_SEED, or a new one, which is printed and so shown by pytest for a
failure."""

import os
import random


def new_seed() -> int:
    """The seed of a test."""
    seed = int(os.environ.get("SENTINEL_TEST_SEED") or random.SystemRandom().randrange(2**32))
    print(f"SENTINEL_TEST_SEED={seed} repeats this")
    return seed
