"""What the README shows, runs."""

import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"


def test_the_examples_run(tmp_path):
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.DOTALL)
    assert len(blocks) == 7
    script = tmp_path / "examples.py"
    script.write_text("\n".join(blocks))
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Linear on input (28, 28, 1)" in done.stdout
    assert done.stdout.rstrip().endswith("True")  # what came back from a Keras file
    scores = re.search(r"\[(.*)\]", done.stdout)
    assert min(map(float, scores[1].split(","))) > 0.9


def test_pictures_and_files_that_it_points_to_are_there():
    for path in re.findall(r"\]\(([^)#:]+)\)", README.read_text()):
        assert (README.parent / path).is_file(), path
