"""Memory that a process keeps."""

import platform
import subprocess
import sys

import pytest

from zoo.training import keep_memory

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


def test_no_other_c_library_is_asked(monkeypatch):
    monkeypatch.setattr("platform.libc_ver", lambda: ("musl", "1.2"))
    monkeypatch.setattr("ctypes.CDLL", lambda _: pytest.fail("the C library was called"))
    keep_memory()
