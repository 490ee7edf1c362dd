# SPDX-License-Identifier: BSD-2-Clause
"""page_cache.py - takes single files out of the page cache, and says how much of them is in it.

Not /proc/sys/vm/drop_caches: that takes everybody's files.
"""
import ctypes
import mmap
import os
import time

PAGE = mmap.PAGESIZE
LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.mmap.restype = ctypes.c_void_p
LIBC.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long)
LIBC.munmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t)
LIBC.mincore.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p)
MAP_FAILED = ctypes.c_void_p(-1).value
DROP_SECONDS = 5


def files_of(paths):
    """Files, and all files below folders."""
    for path in [paths] if isinstance(paths, str) else paths:
        if not os.path.isdir(path):
            yield path
            continue
        for folder, _, names in os.walk(path):
            for name in names:
                full = os.path.join(folder, name)
                if os.path.isfile(full) and not os.path.islink(full):
                    yield full


def cached_bytes(paths):
    return sum(cached_bytes_of(path) for path in files_of(paths))


def cached_bytes_of(path):
    descriptor = os.open(path, os.O_RDONLY)
    try:
        size = os.fstat(descriptor).st_size
        if size == 0:
            return 0
        address = LIBC.mmap(None, size, mmap.PROT_READ, mmap.MAP_SHARED, descriptor, 0)
        if address == MAP_FAILED:
            raise OSError(ctypes.get_errno(), "mmap", path)
        pages = ctypes.create_string_buffer((size + PAGE - 1) // PAGE)
        try:
            if LIBC.mincore(address, size, pages):
                raise OSError(ctypes.get_errno(), "mincore", path)
        finally:
            LIBC.munmap(address, size)
        return sum(page & 1 for page in pages.raw) * PAGE
    finally:
        os.close(descriptor)


def drop(paths, slack=0):
    """Takes clean files out of the cache; dirty ones are written first. Fails when more than `slack` bytes stay."""
    paths = list(files_of(paths))
    deadline = time.monotonic() + DROP_SECONDS
    while True:
        for path in paths:
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(descriptor)
        left = cached_bytes(paths)
        if left <= slack:
            return
        assert time.monotonic() < deadline, f"{left} bytes of {paths} stay in the cache"
        time.sleep(0.05)


def wait_for(condition, seconds=DROP_SECONDS):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.02)
