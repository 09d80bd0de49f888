"""Memory that a process keeps for its next arrays instead of handing it back."""

import ctypes
import os
import platform

# Their numbers in glibc's malloc.h; see `man mallopt`.
_FAST_BINS, _TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = 1, -1, -2, -4
# The most that one heap of a thread has: HEAP_MAX_SIZE of glibc's arena.c on 64 bits.
_HEAP = 64 * 2**20


def keep_memory() -> None:
    """Lets this process keep memory that it has freed, on Linux with glibc; elsewhere nothing.

    As it comes, glibc takes large arrays from the system and hands them back when they are freed,
    so that each new one is brought in page by page, which takes longer than many a layer's
    arithmetic. A process that keeps memory predicts faster, and its time grows no faster than its
    arrays. It holds the most memory that it ever needed, which other processes cannot have.

    Threads have heaps of their own, 45 to 60 MB more for three models on two cores. With one heap
    for all (`MALLOC_ARENA_MAX=1`), a training step on two devices took 9.3 instead of 8.1 ms
    (text_lstm), 5.2 instead of 4.4 (fashion_mnist_lstm) and 93 instead of 85 (ecrnn). But a
    thread's heap ends at 64 MB: larger arrays are brought in page by page after all, unless there
    is one heap for all. A gradient over 4,096 steps of an LSTM (lstm_T4096 of the benchmarks)
    took 276 ms, with one 173.

    To be called by a program for itself, as every recipe does: it is about the whole process and
    cannot be undone in it. Does nothing where the variable `ZOO_KEEP_MEMORY` is 0.
    """
    if os.environ.get("ZOO_KEEP_MEMORY") == "0" or platform.libc_ver()[0] != "glibc":
        return
    mallopt = ctypes.CDLL(None).mallopt
    mallopt(_MMAP_MAX, 0)  # no array is a mapping of its own
    mallopt(_TRIM_THRESHOLD, -1)  # and none is cut off the end of a heap: -1 is never
    mallopt(_TOP_PAD, _HEAP)  # a thread's heap goes only where so much is left before it: never
    # Before a large piece is freed, all of these would be gone through.
    mallopt(_FAST_BINS, 0)
