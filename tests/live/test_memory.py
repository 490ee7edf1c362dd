# SPDX-License-Identifier: BSD-2-Clause
"""test_memory.py - private memory by query, against RssAnon as the kernel tells it."""
import contextlib
import os
import threading
import time

import psycopg2
import pytest
import trace

MIB = 1 << 20
# Of a process on two CPUs: each keeps up to 32 pages of the kernel's counter to itself.
SLACK = 1 * MIB


def rss_anon(pid):
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
        for line in file:
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) << 10
    return 0


class Sampler:
    """The most private memory of some processes, looked at every few milliseconds."""

    def __init__(self, pids):
        self.most = {pid: 0 for pid in pids}
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.stopping.wait(0.005):
            for pid in self.most:
                self.most[pid] = max(self.most[pid], rss_anon(pid))

    def stop(self):
        self.stopping.set()
        self.thread.join()
        return self.most


def sort_of(megabytes):
    """Sorts about so much in memory, and hands out one row."""
    return (f"select count(*) from (select repeat(md5(i::text), 16) as t from generate_series(1, {megabytes * 1700}) i"
            " order by t offset 0) s")


def test_a_sort_in_memory(dbtap, server):
    server.query("select 1")
    connection = server.connect()
    with connection.cursor() as cursor:
        cursor.execute("set work_mem = '2GB'")
        cursor.execute("set max_parallel_workers_per_gather = 0")
        pid = connection.get_backend_pid()
        with trace.window(dbtap, server, "--no-connect") as traced:
            before = rss_anon(pid)
            sampler = Sampler([pid])
            cursor.execute(sort_of(120))
            most = sampler.stop()[pid]
            time.sleep(0.1)
            after = rss_anon(pid)
    connection.close()
    row = next(row for row in traced.document["queries"] if "order by t" in row.get("query", ""))
    text = f"before {before} most {most} after {after} {row}"
    print(text)
    assert most > 80 * MIB, text
    trace.assert_near(row["anon_peak_bytes"], most, 0.03, slack=SLACK, what=text)
    assert abs(row["anon_growth_bytes"] - (after - before)) < SLACK, text


class MemoryGroup:
    """A control group of the memory controller, of either version, with a limit."""

    def __init__(self, name, limit):
        self.path, unified = self.find()
        if not self.path:
            pytest.skip("no memory controller is mounted that can be written to")
        self.top = self.path
        self.path = os.path.join(self.path, name)
        os.mkdir(self.path)
        for file in ("memory.max", "memory.swap.max") if unified else ("memory.limit_in_bytes",):
            if os.path.exists(os.path.join(self.path, file)):
                self.write(self.path, file, 0 if "swap" in file else limit)

    @staticmethod
    def find():
        with open("/proc/mounts", encoding="utf-8") as file:
            for line in file:
                _, where, kind, options = line.split()[:4]
                if kind == "cgroup" and "memory" in options.split(","):
                    return where, False
                if kind == "cgroup2":
                    with open(os.path.join(where, "cgroup.subtree_control"), encoding="ascii") as controllers:
                        if "memory" in controllers.read().split():
                            return where, True
        return None, False

    @staticmethod
    def write(folder, file, text):
        with open(os.path.join(folder, file), "w", encoding="ascii") as out:
            out.write(str(text))

    def add(self, pids):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):  # some go meanwhile
                self.write(self.path, "cgroup.procs", pid)

    def close(self):
        def is_gone():
            with open(os.path.join(self.path, "cgroup.procs"), encoding="ascii") as file:
                for line in file:
                    with contextlib.suppress(ProcessLookupError):
                        self.write(self.top, "cgroup.procs", line.strip())
            try:
                os.rmdir(self.path)
            except OSError:
                return False
            return True

        trace.wait_until(is_gone, f"{self.path} is not empty")


@pytest.fixture
def memory_group():
    made = []

    def make(limit):
        made.append(MemoryGroup(f"dbtap-test-{os.getpid()}", limit))
        return made[-1]

    yield make
    for group in made:
        group.close()


def test_reclaim_then_killed(dbtap, server, memory_group):
    """A query in a control group: first it has to make room by giving up cached pages, then there is none to give up."""
    limit = 160 * MIB
    server.query("create table cached as select i, repeat('x', 1000) as t from generate_series(1, 200000) i")
    connection = server.connect()
    with connection.cursor() as cursor:
        cursor.execute("set work_mem = '2GB'")
        cursor.execute("set max_parallel_workers_per_gather = 0")
        pid = connection.get_backend_pid()
        group = memory_group(limit)
        group.add(server.pids())
        with trace.window(dbtap, server, "--no-connect", command="memory") as traced:
            with open(os.path.join(server.data, server.query("select pg_relation_filepath('cached')")[0][0]), "rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            cursor.execute("select count(*) from cached")  # its pages of the cache are the group's
            with pytest.raises(psycopg2.OperationalError):
                cursor.execute(sort_of(400))
            trace.wait_until(lambda: not os.path.exists(f"/proc/{pid}"), "the victim to be gone")
    row = next(row for row in traced.document["queries"] if "order by t" in row.get("query", ""))
    assert row["reclaims"] > 0 and 0 < row["reclaim_ns"] <= row["elapsed_ns"], row
    memory = traced.document["memory"]
    (kill,) = [kill for kill in memory["kills"] if kill["pid"] == pid]
    assert kill["query_id"] == row["query_id"] and "order by t" in kill["query"], kill
    # What it had before it came into the group is the old one's; page tables and the other processes are in the limit.
    assert 0.7 * limit < kill["anon_bytes"] <= limit + 8 * MIB, kill
    (own,) = memory["groups"]
    assert own["path"].endswith(os.path.basename(group.path)) and own["limit_bytes"] == limit and own["oom_kills"] == 1, own
