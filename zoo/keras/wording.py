"""Values of a file in messages, however large or deep or many they are."""

import reprlib
from collections.abc import Sequence
from typing import Any

_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = _REPR.maxlong = 80
_REPR.maxlevel = 3


def short(value: Any) -> str:
    """What Python calls a value, cut where it becomes long.

    >>> short([1, 2]), short(list(range(100)))
    ('[1, 2]', '[0, 1, 2, 3, 4, 5, ...]')
    """
    return _REPR.repr(value)


def listed(problems: Sequence[str]) -> str:
    """Problems one a line; of very many the first ones."""
    lines = [*problems[:100]]
    if len(problems) > 100:
        lines.append(f"and {len(problems) - 100} more")
    return "".join(f"\n  - {line}" for line in lines)
