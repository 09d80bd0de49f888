"""Memory that a process keeps."""

import platform
import subprocess
import sys

import pytest

FRESH_PAGES = """
import resource
from zoo.training import keep_memory

def fresh_pages():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

keep_memory()
bytearray(2**26)
before = fresh_pages()
for _ in range(4):
    bytearray(2**26)
print(fresh_pages() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
@pytest.mark.parametrize(("variable", "kept"), [("1", True), ("0", False)])
def test_freed_memory_is_taken_again_unless_told_otherwise(variable, kept, monkeypatch):
    monkeypatch.setenv("ZOO_KEEP_MEMORY", variable)
    done = subprocess.run(
        [sys.executable, "-c", FRESH_PAGES], capture_output=True, text=True, check=True
    )
    # Each of the four arrays has 64 MB: 32 pages of 2 MB, the largest in use.
    assert (int(done.stdout) < 32) is kept


@pytest.mark.skipif(platform.libc_ver()[0] == "glibc", reason="the C library is glibc")
def test_nothing_happens_elsewhere():
    keep = "from zoo.training import keep_memory; keep_memory()"
    subprocess.run([sys.executable, "-c", keep], check=True)
