"""Puts the results of a run into benchmarks/RESULTS.md, and its pictures into docs/.

    python -m benchmarks.page runs/a

What stands between the two markers of the page is written by this command, the rest by hand.
"""

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import report
from benchmarks.results import Results
from zoo.errors import ZooError, message_of
from zoo.reports import RunFolder

PAGE, PICTURES = Path("benchmarks/RESULTS.md"), Path("docs")
BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"


def write_page(run: Path) -> None:
    """Rewrites the page between its markers.

    Raises:
        ZooError: no results in the folder, or a page without its markers.
    """
    if not (run / "results.json").is_file():
        raise ZooError(
            f"{run} must be a folder of python -m benchmarks, got no results.json in it."
        )
    results = Results.of(RunFolder.existing(run).load_json("results.json"))
    text = report.markdown(results)
    before, begin, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ZooError(f"{PAGE} must have the markers {BEGIN} and {END}.")
    PICTURES.mkdir(exist_ok=True)
    for picture in sorted(run.glob("*.png")):
        name = f"benchmarks-{picture.name}"
        shutil.copy(picture, PICTURES / name)
        text = text.replace(f"]({picture.name})", f"](../{PICTURES}/{name})")
    PAGE.write_text(f"{before}{begin}\n\n{text}\n{end}{after}", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command: what a user can mend is one line on stderr and status 2."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.page", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("run", type=Path, help="a folder that python -m benchmarks wrote")
    try:
        write_page(parser.parse_args(arguments).run)
    except (ZooError, OSError) as error:
        print(f"error: {message_of(error)}", file=sys.stderr)
        return 2
    print(f"{PAGE} has the results.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
