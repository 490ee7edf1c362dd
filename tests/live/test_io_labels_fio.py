# SPDX-License-Identifier: BSD-2-Clause
"""test_io_labels_fio.py - sequential, near or random: against patterns fio was told to make, on the disk of a traced server.

fio belongs to no instance, so all it does is in the rows of kind `other`; they are there because its file is in the server's data
folder. The server itself is idle.
"""
import os

import fio
import pytest
import trace_io

MIB = 1 << 20
RIGHT = 0.95  # of the bytes
FILE_MIB = 128
NEAR = 256 * 1024


@pytest.fixture(scope="module")
def disk(module_disk):
    if fio.missing():
        pytest.skip(fio.missing())
    volume, server = module_disk("ext4", settings=trace_io.SETTINGS)
    path = fio.make_file(os.path.join(server.data, "fio"), FILE_MIB * MIB)
    return volume, server, path


def traced_fio(dbtap, disk, cold=True, **options):
    volume, server, path = disk
    if cold:
        trace_io.page_cache.drop(path)
    with trace_io.window(dbtap, server, volume, "--no-connect") as traced:
        result = fio.run(path, **options)
    rows = trace_io.select(traced.io["queries"], kind="other")
    assert rows, trace_io.describe(traced)
    return traced, rows, result


SEQUENTIAL = {"rw": "read", "bs": "64k", "size": f"{FILE_MIB}m"}
EIGHT = {"rw": "read", "bs": "64k", "numjobs": 8, "offset_increment": "16m", "size": "16m"}
CASES = {
    # name: (label, fio's options)
    "sequential-buffered": ("seq", SEQUENTIAL),
    "sequential-buffered-4k": ("seq", {**SEQUENTIAL, "bs": "4k"}),
    "sequential-direct": ("seq", {**SEQUENTIAL, "direct": 1}),
    "sequential-deep-queue": ("seq", {**SEQUENTIAL, "direct": 1, "ioengine": "libaio", "iodepth": 16}),
    "random-buffered": ("rand", {"rw": "randread", "bs": "8k", "io_size": "16m"}),
    "random-direct": ("rand", {"rw": "randread", "bs": "4k", "io_size": "16m", "direct": 1}),
    "strided-direct": ("near", {"rw": "read", "bs": "8k", "direct": 1, "zonemode": "strided", "zonesize": "8k", "zonerange": "96k",
                                "io_size": "8m"}),
    # Told not to read ahead, as databases do for such scans.
    "strided-buffered": ("near", {"rw": "read", "bs": "8k", "fadvise_hint": "random", "zonemode": "strided", "zonesize": "8k",
                                  "zonerange": "96k", "io_size": "8m"}),
    "far-strided": ("rand", {"rw": "read", "bs": "8k", "direct": 1, "zonemode": "strided", "zonesize": "8k", "zonerange": "1m",
                             "io_size": "1m"}),
    "eight-streams-one-process": ("seq", {**EIGHT, "direct": 1, "thread": 1}),
    "eight-streams-eight-processes": ("seq", {**EIGHT, "direct": 1}),
    "eight-streams-buffered-one-process": ("seq", {**EIGHT, "bs": "16k", "thread": 1}),
    "eight-streams-buffered-eight-processes": ("seq", {**EIGHT, "bs": "16k"}),
    "backward": ("seq", {"rw": "read:-128k", "bs": "64k", "direct": 1, "offset": "64m", "size": "64m", "io_size": "32m"}),
}


@pytest.mark.parametrize("name", CASES)
def test_read(dbtap, disk, name):
    label, options = CASES[name]
    traced, rows, result = traced_fio(dbtap, disk, **options)
    read = trace_io.total(rows, "read_bytes")
    # Read-ahead may fetch what nobody asked for in the end.
    assert 0.99 * result.read_bytes <= read <= 1.05 * result.read_bytes + MIB, trace_io.describe(traced)
    assert trace_io.share(rows, label) >= RIGHT, trace_io.describe(traced)


@pytest.mark.parametrize("name,label,options", (
    ("sequential", "seq", {"rw": "write", "bs": "64k", "size": "64m"}),
    ("sequential-fsync", "seq", {"rw": "write", "bs": "8k", "size": "4m", "fsync": 1}),
    ("sequential-direct", "seq", {"rw": "write", "bs": "64k", "size": "64m", "direct": 1}),
    ("random-direct", "rand", {"rw": "randwrite", "bs": "8k", "io_size": "16m", "direct": 1})), ids=lambda value: str(value)[:24])
def test_write(dbtap, disk, name, label, options):
    traced, rows, result = traced_fio(dbtap, disk, **options, end_fsync=1)
    charged = trace_io.total(rows, "write_bytes")
    trace_io.trace.assert_near(charged, result.write_bytes, 0.01, what=name + trace_io.describe(traced))
    # Whoever wrote them: fio, or the kernel for it.
    file_rows = [row for row in traced.io["relations"] if row[trace_io.bytes_field("write")] >= 0.9 * result.write_bytes]
    assert len(file_rows) == 1, trace_io.describe(traced)
    assert trace_io.share(file_rows, label, "write") >= RIGHT, trace_io.describe(traced)


def told(issued, operation):
    """Bytes by label as fio's log has them: where each request lies to the one before it."""
    found, end = {"seq": 0, "near": 0, "rand": 0}, None
    for what, offset, size in issued:
        if what != operation:
            continue
        if end is not None and offset == end:
            found["seq"] += size
        elif end is not None and abs(offset - end) <= NEAR:
            found["near"] += size
        else:
            found["rand"] += size
        end = offset + size
    return found


@pytest.mark.parametrize("name,options", (
    ("half-random", {"rw": "randread", "percentage_random": 50, "bs": "16k", "io_size": "32m"}),
    ("reads-and-writes", {"rw": "randrw", "bs": "8k", "io_size": "24m", "rwmixread": 60}),
    ("sequential-reads-random-writes", {"rw": "randrw", "percentage_random": "0,100", "bs": "16k", "io_size": "24m"}),
    ("sizes", {"rw": "randread", "percentage_random": 30, "bsrange": "4k-64k", "bs_unaligned": 0, "io_size": "32m"})),
    ids=lambda value: value if isinstance(value, str) else "")
def test_mixed(dbtap, disk, name, options, tmp_path):
    """Right by the amount of each label: what is missing in one is too much in another."""
    traced, rows, result = traced_fio(dbtap, disk, log=str(tmp_path / name), direct=1, **options)
    assert sum(size for _, _, size in result.issued) == result.read_bytes + result.write_bytes
    for operation, expected in (("read", told(result.issued, "read")), ("write", told(result.issued, "write"))):
        if not sum(expected.values()):
            continue
        got = {pattern: trace_io.total(rows, f"{operation}_{pattern}_bytes") for pattern in trace_io.PATTERNS}
        wrong = sum(max(0, got[pattern] - expected[pattern]) for pattern in got)
        assert wrong <= (1 - RIGHT) * sum(expected.values()), f"{operation}: {got}, told {expected}" + trace_io.describe(traced)
