# SPDX-License-Identifier: BSD-2-Clause
"""test_cpu.py - CPU time, run queue, bytes and faults against the kernel's own counters, read from outside."""
import glob
import os
import shutil
import threading

import pytest
import trace

PARALLEL = {"max_parallel_workers_per_gather": 2, "parallel_setup_cost": 0, "parallel_tuple_cost": 0,
            "min_parallel_table_scan_size": 0, "max_parallel_workers": 4, "max_worker_processes": 8, "autovacuum": "off"}
LOOP = "do $$ declare x bigint := 0; begin for i in 1..{} loop x := x + i; end loop; end $$"


def into(cgroup, server):
    """A quiet server's processes; those of connections that just ended are waited for."""
    for pid in trace.settled_pids(server):
        cgroup.add(pid)


def compare_cpu(dbtap, cgroup, server, work, at_least_ns):
    """Runs `work` inside a window; its CPU time in the rows against the cgroup's."""
    with trace.window(dbtap, server, "--no-connect") as traced:
        before = cgroup.usage_ns()
        work()
        spent = cgroup.usage_ns() - before
    assert spent > at_least_ns, "the load is too small to measure by"
    trace.assert_near(trace.total(traced.document["queries"], "cpu_ns"), spent, 0.005,
                      what="cpu_ns" + trace.describe(traced.document))
    return traced.document


def test_long_statements(dbtap, make_server, load, cgroup):
    server = make_server()
    into(cgroup, server)
    sessions = [load.session(server, "select 1") for _ in range(3)]
    for session in sessions:
        session.finish()

    def work():
        for _ in range(3):
            running = [load.session(server, LOOP.format(6_000_000)) for _ in range(3)]
            for session in running:
                session.finish()

    document = compare_cpu(dbtap, cgroup, server, work, 1e9)
    assert trace.one(document, "do ", kind="client")["cpu_ns"] > 0.8e9


def test_many_short_statements(dbtap, make_server, load, cgroup):
    server = make_server()
    load.pgbench_init(server)
    into(cgroup, server)
    compare_cpu(dbtap, cgroup, server, lambda: load.pgbench(server, "-S", "-c", 4, "-j", 1, "-t", 8000).wait(), 0.7e9)


def test_processes_that_ended(dbtap, make_server, load, cgroup):
    server = make_server()
    load.pgbench_init(server)
    into(cgroup, server)
    document = compare_cpu(dbtap, cgroup, server,
                           lambda: load.pgbench(server, "-S", "-C", "-c", 4, "-j", 1, "-t", 120).wait(), 0.5e9)
    # What a connection costs is not lost between its backend's birth and its first statement.
    assert trace.total(trace.rows(document, kind="starting"), "cpu_ns") > 0
    assert trace.total(trace.rows(document, kind="exiting"), "cpu_ns") > 0
    assert trace.total(trace.rows(document, kind="postmaster"), "cpu_ns") > 0


def test_parallel_workers(dbtap, make_server, load, cgroup):
    server = make_server(settings=PARALLEL)
    server.query("create table t as select i, i % 100 as k from generate_series(1, 400000) i")
    server.query("vacuum analyze t")
    into(cgroup, server)

    def work():
        for _ in range(12):
            server.query("select count(*), sum(sqrt(i)) from t where k > 1")

    document = compare_cpu(dbtap, cgroup, server, work, 0.3e9)
    leader = trace.one(document, "sqrt", kind="client")
    workers = trace.one(document, "sqrt", kind="parallel")
    assert workers["query_id"] == leader["query_id"]
    assert workers["cpu_ns"] > 0.1 * leader["cpu_ns"]
    assert workers["database"] == leader["database"] and workers["user"] == leader["user"]


def schedstat(pids):
    """(CPU time, run-queue delay) of all threads of processes."""
    spent = delayed = 0
    for pid in pids:
        for path in glob.glob(f"/proc/{pid}/task/*/schedstat"):
            with open(path, encoding="ascii") as file:
                cpu, delay, _ = map(int, file.read().split())
            spent, delayed = spent + cpu, delayed + delay
    return spent, delayed


def run_together(sessions, statement):
    """One statement on every connection at once."""
    def execute(session):
        with session.connection.cursor() as cursor:
            cursor.execute(statement)

    threads = [threading.Thread(target=execute, args=(session,)) for session in sessions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_run_queue(dbtap, make_server, load):
    server = make_server(settings={"autovacuum": "off"})
    sessions = [load.session(server, "select 1") for _ in range(6)]
    for session in sessions:
        session.finish()
    pids = trace.settled_pids(server)
    with trace.window(dbtap, server, "--no-connect") as traced:
        cpu, delay = schedstat(pids)
        run_together(sessions, LOOP.format(10_000_000))
        cpu_after, delay_after = schedstat(pids)
    assert server.pids() == pids
    assert delay_after - delay > 0.5e9, "nobody waited for a CPU"
    everything = traced.document["queries"]
    trace.assert_near(trace.total(everything, "runq_ns"), delay_after - delay, 0.01, what="runq_ns")
    trace.assert_near(trace.total(everything, "cpu_ns"), cpu_after - cpu, 0.005, what="cpu_ns")
    mine = trace.one(traced.document, "do ", kind="client")
    trace.assert_near(mine["runq_ns"], delay_after - delay, 0.02, what="the statement's runq_ns")


def counters(pid):
    """The kernel's counters of a process, by the names of dbtap's figures."""
    with open(f"/proc/{pid}/io", encoding="ascii") as file:
        io = {name: int(value) for name, value in (line.split(": ") for line in file)}
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        words = file.read().rsplit(")", 1)[1].split()
    return {"rchar_bytes": io["rchar"], "wchar_bytes": io["wchar"], "read_bytes": io["read_bytes"],
            "dirtied_bytes": io["write_bytes"], "minor_faults": int(words[7]), "major_faults": int(words[9])}


def forget_pages(path):
    """What the page cache holds of a clean file is dropped."""
    file = os.open(path, os.O_RDONLY)
    os.fsync(file)
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(file)


@pytest.fixture
def library(server_folder):
    """A library of the server's that nobody has mapped: loading it cold gives major faults."""
    libraries = os.path.join(os.path.dirname(server_folder.binaries), "lib")
    copy = os.path.join(server_folder.path, "cold.so")
    shutil.copy(os.path.join(libraries, "pageinspect.so"), copy)
    os.chmod(copy, 0o755)
    forget_pages(copy)
    yield copy
    os.unlink(copy)


def test_bytes_and_faults(dbtap, make_server, library):
    """A user of its own tells one backend's rows from all others; what its process counted must be there to the byte."""
    # What io workers read for it is in no counter of its own: test_aio.py.
    server = make_server(settings={"shared_buffers": "1MB", "autovacuum": "off", "max_parallel_workers_per_gather": 0, "io_method": "sync"})
    server.query("create role solo superuser login")
    server.query("create table t as select i, repeat('x', 200) as filler from generate_series(1, 60000) i")
    connection = server.connect(user="solo")
    server.query("checkpoint")
    path = os.path.join(server.data, server.query("select pg_relation_filepath('t')")[0][0])
    with connection.cursor() as cursor:
        cursor.execute("select 1")
        pid = connection.get_backend_pid()
        forget_pages(path)
        with trace.window(dbtap, server, "--no-connect") as traced:
            before = counters(pid)
            cursor.execute("select sum(length(filler)) from t")
            cursor.execute("set work_mem = '64kB'")
            cursor.execute("select count(*) from (select filler || i as k from t order by k offset 1) q")
            cursor.execute("create table made as select * from t limit 20000")
            cursor.execute(f"load '{library}'")
            after = counters(pid)
    connection.close()
    mine = trace.rows(traced.document, user="solo")
    grown = {name: after[name] - before[name] for name in after}
    assert all(grown.values()), f"the load leaves a counter untouched: {grown}"
    assert {name: trace.total(mine, name) for name in grown} == grown, trace.describe(traced.document)
    assert trace.one(traced.document, "sum(length", user="solo")["read_bytes"] > 5e6
    assert trace.one(traced.document, "create table made", user="solo")["dirtied_bytes"] > 4e6
    assert trace.one(traced.document, "load", user="solo")["major_faults"] > 0
