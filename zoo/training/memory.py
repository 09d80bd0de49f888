"""Memory that a process keeps for its next arrays instead of handing it back."""

import ctypes
import os
import platform

# Their numbers in glibc's malloc.h; see `man mallopt`.
_TRIM_THRESHOLD, _MMAP_MAX, _ARENA_MAX = -1, -4, -8


def keep_memory() -> None:
    """Lets this process keep memory that it has freed, on Linux with glibc; elsewhere nothing.

    As it comes, glibc takes large arrays from the system and hands them back when they are freed,
    so that each new one is brought in page by page, which takes longer than many a layer's
    arithmetic. A process that keeps memory predicts faster, and its time grows no faster than its
    arrays. It holds the most memory that it ever needed, which other processes cannot have.

    To be called by a program for itself, as every recipe does: it is about the whole process and
    cannot be undone in it. Does nothing where the variable `ZOO_KEEP_MEMORY` is 0.
    """
    if os.environ.get("ZOO_KEEP_MEMORY") == "0" or platform.libc_ver()[0] != "glibc":
        return
    mallopt = ctypes.CDLL(None).mallopt
    mallopt(_MMAP_MAX, 0)  # no array is a mapping of its own
    mallopt(_TRIM_THRESHOLD, -1)  # and none is cut off the end of the heap: -1 is never
    mallopt(_ARENA_MAX, 1)  # heaps of threads are handed back as a whole: there are none
