"""Keras files from the command line.

    python -m zoo.keras inspect FILE         layers, shapes, parameters, format and version
    python -m zoo.keras convert IN OUT       .keras, .weights.h5, .h5 or .safetensors, by OUT

Keras itself is not needed.
"""

import argparse
import os
import sys
from collections.abc import Sequence

from zoo.errors import ZooError, message_of
from zoo.keras.conversion import convert
from zoo.keras.inspection import describe


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; what a user can mend is one line on stderr and status 2."""
    parser = argparse.ArgumentParser(
        prog="python -m zoo.keras",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    inspect = commands.add_parser("inspect", help="print what is in a Keras file")
    inspect.add_argument("file", metavar="FILE")
    to = commands.add_parser("convert", help="write a Keras file in another format")
    to.add_argument("source", metavar="IN")
    to.add_argument("target", metavar="OUT")
    options = parser.parse_args(arguments)
    try:
        if options.command == "inspect":
            print(describe(options.file))
        else:
            convert(options.source, options.target)
            print(f"wrote {options.target}")
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (ZooError, OSError) as error:
        text = message_of(error).replace(":\n  - ", ": ").replace("\n  - ", "; ").replace("\n", " ")
        print(f"error: {text}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
