"""Luck that can be had again."""

from random import Random


class Chance(Random):
    """By a seed, with which a run is repeated. For nothing that must be a secret."""
