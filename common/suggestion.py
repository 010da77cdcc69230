"""What somebody may have meant who wrote a name that nothing has."""

from collections.abc import Iterable


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`Did you mean verify? ` before the rest of a hint; nothing where no name is near."""
    # a command line without a mistake does without it
    from difflib import get_close_matches

    names = {name.lower(): name for name in known}
    near = get_close_matches(word.lower(), names, n=1, cutoff=0.6)
    return f"Did you mean {names[near[0]]}? " if near else ""
