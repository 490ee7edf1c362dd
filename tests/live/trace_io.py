# SPDX-License-Identifier: BSD-2-Clause
"""trace_io.py - for the live tests of block I/O: a window on a private disk, and what must hold for each such window.

    with trace_io.window(dbtap, server, volume) as traced:
        ... everything here is inside the window ...
    traced.counted            what the disk itself counted meanwhile
    trace_io.queries(traced, "count(*) from big")

The disk is at rest when the window opens and again when it closes, so its own counters and the document are about the same
requests, to the byte.
"""
import contextlib
import os

import loop_device
import page_cache
import psycopg2
import trace

PATTERNS = ("seq", "near", "rand")
RESIDUAL = 0.01
MIB = 1 << 20
# Nothing but what the test does: no autovacuum, no background writer, no checkpoint by time. `big` scans are larger than
# the server's own cache.
SETTINGS = {"autovacuum": "off", "shared_buffers": "16MB", "checkpoint_timeout": "1h", "max_wal_size": "8GB",
            "bgwriter_lru_maxpages": 0, "max_parallel_workers_per_gather": 0, "jit": "off", "wal_writer_delay": "10s",
            "full_page_writes": "off", "track_io_timing": "on"}


class Traced:
    def __init__(self, run):
        self.run = run
        self.document = None
        self.counted = None
        self.late = None  # what came between the look at the counters and the end of the window

    @property
    def io(self):
        return self.document["io"]


@contextlib.contextmanager
def window(dbtap, server, volume, *arguments, command="io", status=0, check=True, **more):
    traced, before = open_at_rest(dbtap, server, volume, *arguments, command=command, **more)
    yield traced
    after = volume.settle()
    traced.counted = loop_device.difference(after, before)
    traced.document = trace.finish(traced.run, status)
    traced.late = loop_device.difference(volume.counters(), after)
    if check and command == "io":
        check_device(traced, volume)


def open_at_rest(dbtap, server, volume, *arguments, **more):
    """A window that opened while nothing moved the disk's counters, not even a journal's timer; and the counters then."""
    for _ in range(5):
        before = volume.settle()
        traced = Traced(trace.start(dbtap, server, *arguments, **more))
        moved = loop_device.difference(volume.counters(), before)
        if not any(moved):
            return traced, before
        traced.run.signal()
        traced.run.wait()
    raise AssertionError(f"{volume.name} never rests: {moved}")


def check_device(traced, volume):
    """
    Bytes attributed plus residual are the disk's own bytes, and the residual is small. What rows of the one instance asked for do
    not have is the file system's own: its journal and its maps.
    """
    device = one(traced.io["devices"], device=volume.name)
    for direction in ("read", "write"):
        own = getattr(traced.counted, f"{direction}_bytes")
        counted, residual = device[f"counted_{direction}_bytes"], device[f"residual_{direction}_bytes"]
        rows = attributed(traced.io["queries"], direction)
        text = f"{direction}: disk {own}, dbtap's look at it {counted}, rows {rows}, residual {residual}" + describe(traced)
        assert own <= counted <= own + getattr(traced.late, f"{direction}_bytes"), text
        assert device[f"{direction}_bytes"] + residual == counted, text
        assert abs(residual) <= RESIDUAL * max(own, 4 * MIB), text
        assert rows <= device[f"{direction}_bytes"], text
        assert attributed(traced.io["relations"], direction) == rows, text
    assert rows_miss(traced, device, "read") <= RESIDUAL * max(traced.counted.read_bytes, 4 * MIB), describe(traced)
    check_rows(traced)


def rows_miss(traced, device, direction):
    return device[f"{direction}_bytes"] - attributed(traced.io["queries"], direction)


def check_rows(traced):
    """Holds for each row of every list: the labels' bytes are all bytes."""
    for name in ("queries", "relations", "devices", "streams"):
        for row in traced.io[name]:
            for direction in ("read", "write"):
                # Of a device there is no difference between who dirtied and who submitted.
                field = "write_bytes" if name == "devices" and direction == "write" else bytes_field(direction)
                assert row[field] == sum(row[f"{direction}_{pattern}_bytes"] for pattern in PATTERNS), (name, direction, row)


def bytes_field(direction):
    """By who submitted: what a disk's counter has. `write_bytes` is charged to who dirtied."""
    return "read_bytes" if direction == "read" else "submitted_write_bytes"


def attributed(rows, direction):
    return sum(row[bytes_field(direction)] for row in rows)


def select(rows, text=None, **fields):
    return [row for row in rows if all(row.get(name) == value for name, value in fields.items())
            and (text is None or text in row.get("query", ""))]


def one(rows, text=None, **fields):
    found = select(rows, text, **fields)
    assert len(found) == 1, f"{len(found)} rows of {text} {fields}, not one, in\n" + "\n".join(map(str, rows))
    return found[0]


def total(rows, field):
    return sum(row.get(field, 0) for row in rows)


def share(rows, pattern, direction="read"):
    """Part of the bytes of these rows with this label."""
    parts = {name: total(rows, f"{direction}_{name}_bytes") for name in PATTERNS}
    assert sum(parts.values()) > 0, f"no {direction} bytes in {rows}"
    return parts[pattern] / sum(parts.values())


def describe(traced):
    """A failed test's short look at the rows."""
    lines = []
    for name in ("queries", "relations", "devices"):
        for row in traced.io[name]:
            figures = " ".join(f"{field}={value}" for field, value in row.items() if field.endswith(("bytes", "requests")) and value)
            who = " ".join(str(row[field])[:60] for field in ("kind", "relation", "relation_kind", "device", "query")
                           if row.get(field))
            lines.append(f"{name}: {who}: {figures}")
    return "\n" + "\n".join(lines) + f"\nloss: {traced.document.get('loss')}"


# --- a server's relations, and cold ones ---------------------------------------------------------------------------

def paths_of(server, *relations, database="postgres"):
    """The files of relations: all segments of the main fork."""
    found = []
    for relation in relations:
        first = os.path.join(server.data, server.query("select pg_relation_filepath(%s)", (relation,), database)[0][0])
        found.append(first)
        number = 1
        while os.path.exists(f"{first}.{number}"):
            found.append(f"{first}.{number}")
            number += 1
    return found


def size_of(server, *relations):
    return sum(os.path.getsize(path) for path in paths_of(server, *relations))


def make_cold(server, *relations):
    """Neither the server nor the kernel holds a page of these."""
    files = paths_of(server, *relations)
    server.restart()
    page_cache.drop(files)


def run_all(server, *statements, parameters=None):
    """Statements on one connection. The backend's pid."""
    connection = server.connect(application_name="dbtap-load")
    try:
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement, parameters)
            return connection.get_backend_pid()
    except psycopg2.Error:
        print(server.log_text())
        raise
    finally:
        connection.close()


def task_io(pid):
    """/proc/PID/io"""
    with open(f"/proc/{pid}/io", encoding="ascii") as file:
        return {line.split(":")[0]: int(line.split()[1]) for line in file}
