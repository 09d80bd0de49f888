"""Errors that a user can mend, as opposed to bugs in `zoo`.

Commands catch `ZooError` (and the operating system's own errors), print its message
without a traceback, and exit with status 2. A message says the argument, what was
expected, what came, and what to do.
"""

import difflib
import importlib
from collections.abc import Iterable
from types import ModuleType


class ZooError(ValueError):
    """Something that was asked for cannot be done as asked."""


class MissingExtraError(ZooError, ImportError):
    """An optional dependency is not installed."""


def unknown_name(kind: str, name: object, known: Iterable[str]) -> ZooError:
    """The error for `name` not being among `known`, with near names offered first.

    >>> print(unknown_name("data set", "minst", ["mnist", "cifar10"]))
    unknown data set 'minst': did you mean 'mnist'? Known: cifar10, mnist.
    """
    known = sorted(known)
    near = difflib.get_close_matches(str(name), known, n=3, cutoff=0.5)
    offer = f": did you mean {' or '.join(map(repr, near))}?" if near else "."
    return ZooError(f"unknown {kind} {name!r}{offer} Known: {', '.join(known) or 'none'}.")


def cannot_be_written(path: object, error: OSError) -> ZooError:
    """The error for a file that the system did not let be written."""
    return ZooError(
        f"{path} cannot be written ({error.strerror}): choose a path in a folder that is there and "
        "that you may write to."
    )


def message_of(error: ZooError | OSError) -> str:
    """What a command prints of an error that a user can mend.

    A `ZooError` says what to do; the system's own word for a wrong path does not.

    >>> message_of(FileNotFoundError(2, "No such file or directory", "cat.png"))
    'cat.png cannot be used (No such file or directory): check the path, and that you may use it.'
    """
    wrong_path = (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError)
    if isinstance(error, wrong_path) and error.filename is not None:
        return (
            f"{error.filename} cannot be used ({error.strerror}): check the path, and that you may "
            "use it."
        )
    return str(error)


def require(module: str, extra: str) -> ModuleType:
    """Imports `module`, or raises an error that names the extra of `zoo` it comes with."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != module.split(".")[0]:
            raise
        raise MissingExtraError(
            f"{module!r} is needed here and is not installed: run pip install 'zoo[{extra}]' "
            f"(from a checkout: pip install -e '.[{extra}]')."
        ) from error


def check_positive(**named: int) -> None:
    """Raises unless every named value is a positive integer.

    >>> check_positive(units=0)
    Traceback (most recent call last):
    zoo.errors.ZooError: units must be a positive integer, got 0.
    """
    for name, value in named.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise ZooError(f"{name} must be a positive integer, got {value!r}.")
