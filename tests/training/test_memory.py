"""Memory that a process keeps."""

import platform
import subprocess
import sys

import pytest

from zoo.training import keep_memory

FRESH_PAGES = """
import resource, sys
from threading import Thread
from zoo.training import keep_memory

def fresh_pages():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def make_two():
    bytearray(size), bytearray(size)

def count():
    make_two()
    before = fresh_pages()
    make_two()
    print(fresh_pages() - before)

keep_memory()
where, size = sys.argv[1], int(sys.argv[2])
if where == "first":
    count()
else:
    thread = Thread(target=count)
    thread.start()
    thread.join()
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
@pytest.mark.parametrize(("variable", "kept"), [("1", True), ("0", False)])
@pytest.mark.parametrize(("thread", "size"), [("first", 2**26), ("another", 40 * 2**20)])
def test_freed_memory_is_taken_again_unless_told_otherwise(
    variable, kept, thread, size, monkeypatch
):
    monkeypatch.setenv("ZOO_KEEP_MEMORY", variable)
    command = [sys.executable, "-c", FRESH_PAGES, thread, str(size)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    # Each of the two arrays has 40 MB at least: 20 pages of 2 MB, the largest in use.
    assert (int(done.stdout) < 20) is kept


def test_no_other_c_library_is_asked(monkeypatch):
    monkeypatch.setattr("platform.libc_ver", lambda: ("musl", "1.2"))
    monkeypatch.setattr("ctypes.CDLL", lambda _: pytest.fail("the C library was called"))
    keep_memory()
