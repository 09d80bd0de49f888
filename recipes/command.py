"""A recipe as a command: options from a dataclass, and errors that a person can read."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from zoo.errors import ZooError, message_of, require
from zoo.training import keep_memory, split_cpu, widen_vectors

Options = TypeVar("Options")


def run_command(
    main: Callable[[Options], None],
    options: Any,
    about: str | None,
    commands: Mapping[str, tuple[Callable[[Any], None], type[Any]]] = {},
) -> None:
    """Parses the command line into `options` and calls `main` with it.

    `options` is a dataclass, or a union of them, which are subcommands then. A first word that is
    among `commands` has a function and options of its own instead.

    Each core of a CPU is a device of JAX then, freed memory is kept, and vectors are as wide as the
    CPU has them: see `split_cpu`, `keep_memory` and `widen_vectors` of `zoo.training`.

    What a user can mend ends with one message and status 2, without a traceback; an interrupt
    from the keyboard with status 130. Everything else is a bug and shows its traceback.
    """
    program, words = f"python -m recipes.{Path(sys.argv[0]).stem}", sys.argv[1:]
    call: Callable[[Any], None] = main
    asked: Any = options
    if words and words[0] in commands:
        call, asked = commands[words[0]]
        program, words, about = f"{program} {words[0]}", words[1:], call.__doc__
    try:
        split_cpu()
        keep_memory()
        widen_vectors()
        call(require("tyro", "recipes").cli(asked, args=words, prog=program, description=about))
    except (ZooError, OSError) as error:
        sys.exit(_failure(message_of(error), 2))
    except KeyboardInterrupt:
        sys.exit(
            _failure(
                "interrupted; the same command with --out and its folder goes on from here", 130
            )
        )


def _failure(message: str, status: int) -> int:
    print(f"error: {message}", file=sys.stderr)
    return status
