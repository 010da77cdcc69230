"""Suggestions for misspelled names."""

from collections.abc import Iterable


def did_you_mean(word: str, known: Iterable[str], similarity: float = 0.6) -> str:
    """`Did you mean verify? ` to begin a hint with; empty if no name is as similar, from 0 to 1."""
    # a command line without a mistake does not need it
    from difflib import get_close_matches

    names = {name.lower(): name for name in known}
    near = get_close_matches(word.lower(), names, n=1, cutoff=similarity)
    return f"Did you mean {names[near[0]]}? " if near else ""
