"""A recipe as a command: options from a dataclass, and errors that a person can read."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from zoo.errors import ZooError, require

Options = TypeVar("Options")


def run_command(main: Callable[[Options], None], options: Any, about: str | None) -> None:
    """Parses the command line into `options` and calls `main` with it.

    `options` is a dataclass, or a union of them, which are subcommands then.

    What a user can mend ends with one message and status 2, without a traceback; an interrupt
    from the keyboard with status 130. Everything else is a bug and shows its traceback.
    """
    try:
        program = f"python -m recipes.{Path(sys.argv[0]).stem}"
        main(require("tyro", "recipes").cli(options, prog=program, description=about))
    except (ZooError, OSError) as error:
        sys.exit(_failure(str(error), 2))
    except KeyboardInterrupt:
        sys.exit(
            _failure("interrupted; the same command with the same --out goes on from here", 130)
        )


def _failure(message: str, status: int) -> int:
    print(f"error: {message}", file=sys.stderr)
    return status
