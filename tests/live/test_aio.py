# SPDX-License-Identifier: BSD-2-Clause
"""test_aio.py - reads that others do for a query: PostgreSQL 18 and newer, io_method worker, io_uring and sync.

Truth: the disk's own counters, /proc/PID/io of who read, and the size of what was read. Skipped where the server has none.
"""
import psycopg2
import pytest
import trace
import trace_io

ROWS = 200000  # of 220 bytes: some 50 MB


@pytest.fixture(params=("worker", "sync", "io_uring"))
def aio_server(request, volume, server_on, server_folder):
    if server_folder.major < 18:
        pytest.skip("the server has no io_method")
    settings = {**trace_io.SETTINGS, "io_method": request.param, "effective_io_concurrency": 16}
    try:
        server = server_on(volume, settings=settings, preload=["pg_stat_statements"])
    except RuntimeError as error:
        if request.param == "io_uring" and "io_method" in str(error):
            pytest.skip("the server was built without io_uring")
        raise
    server.method = request.param
    return server


def workers(server):
    rows = server.query("select pid from pg_stat_activity where backend_type = 'io worker' order by pid")
    return [row[0] for row in rows]


def make_table(server, name):
    server.query(f"create table {name} as select i, repeat('x', 200) as filler from generate_series(1, {ROWS}) i")
    server.query(f"vacuum (freeze) {name}")
    server.query("checkpoint")


def read_of(pids):
    return sum(trace_io.task_io(pid)["read_bytes"] for pid in pids)


def kind_bytes(traced, kind):
    return trace_io.total(trace_io.select(traced.io["queries"], kind=kind), "read_bytes")


def test_cold_scan_is_the_querys(dbtap, volume, aio_server):
    """Whoever read it: the scan's bytes are the scan's. What is not known is the io worker's, never another query's."""
    make_table(aio_server, "big")
    size = trace_io.size_of(aio_server, "big")
    trace_io.make_cold(aio_server, "big")
    pids = workers(aio_server)
    assert bool(pids) == (aio_server.method == "worker")
    connection = aio_server.connect()
    with connection.cursor() as cursor:
        cursor.execute("select 1")
        with trace_io.window(dbtap, aio_server, volume) as traced:
            before = read_of(pids)
            own = trace_io.task_io(connection.get_backend_pid())["read_bytes"]
            cursor.execute("select count(*) from big")
            by_workers = read_of(pids) - before
            own = trace_io.task_io(connection.get_backend_pid())["read_bytes"] - own
    connection.close()
    row = trace_io.one(traced.io["queries"], "count(*) from big")
    left = kind_bytes(traced, "io_worker")
    text = f"workers {by_workers}, backend {own}, size {size}" + trace_io.describe(traced)
    trace.assert_near(by_workers + own, size, 0.02, slack=1 << 20, what=text)
    trace.assert_near(row["read_bytes"] + left, by_workers + own, 0.01, slack=1 << 18, what=text)
    assert row["read_bytes"] >= 0.99 * size, text
    if aio_server.method == "worker":
        assert by_workers > size / 4, text
    assert trace_io.share(trace_io.select(traced.io["queries"], "count(*) from big"), "seq") >= 0.9, text
    names = trace_io.select(traced.io["relations"], relation="public.big")
    trace.assert_near(trace_io.total(names, "read_bytes"), size, 0.02, what=text)


def test_two_scans_at_once_are_not_mixed(dbtap, volume, aio_server, load):
    sizes = {}
    for name in ("one", "two"):
        make_table(aio_server, name)
        sizes[name] = trace_io.size_of(aio_server, name)
    trace_io.make_cold(aio_server, "one", "two")
    with trace_io.window(dbtap, aio_server, volume) as traced:
        sessions = [load.session(aio_server, f"select count(*) from {name}") for name in sizes]
        for session in sessions:
            session.finish()
    for name, size in sizes.items():
        row = trace_io.one(traced.io["queries"], f"count(*) from {name}")
        assert 0.98 * size <= row["read_bytes"] <= 1.01 * size + (1 << 18), (name, size, trace_io.describe(traced))


def test_a_parallel_scan_is_its_leaders(dbtap, volume, aio_server):
    make_table(aio_server, "wide")
    size = trace_io.size_of(aio_server, "wide")
    trace_io.make_cold(aio_server, "wide")
    with trace_io.window(dbtap, aio_server, volume) as traced:
        trace_io.run_all(aio_server, "set max_parallel_workers_per_gather = 2", "set parallel_setup_cost = 0",
                         "set min_parallel_table_scan_size = 0", "select count(*) from wide")
    rows = trace_io.select(traced.io["queries"], "count(*) from wide")
    assert {row["kind"] for row in rows} <= {"client", "parallel"}, trace_io.describe(traced)
    assert len({row["query_id"] for row in rows}) == 1, trace_io.describe(traced)
    trace.assert_near(trace_io.total(rows, "read_bytes"), size, 0.02, what=trace_io.describe(traced))


def test_without_ids_of_the_engine(dbtap, volume, aio_server):
    """compute_query_id off: the text's own fingerprint, the same row as the query's time."""
    make_table(aio_server, "plain")
    size = trace_io.size_of(aio_server, "plain")
    aio_server.configure({"compute_query_id": "off", "shared_preload_libraries": "", **trace_io.SETTINGS,
                          "io_method": aio_server.method})
    trace_io.make_cold(aio_server, "plain")
    with trace_io.window(dbtap, aio_server, volume) as traced:
        trace_io.run_all(aio_server, "select count(*) from plain")
    row = trace_io.one(traced.io["queries"], "count(*) from plain")
    assert row["query_id_source"] == "own", row
    trace.assert_near(row["read_bytes"], size, 0.02, what=trace_io.describe(traced))


def test_reads_that_outlive_their_statement(dbtap, volume, aio_server):
    """A statement that stops early leaves reads under way: they are its own or the io worker's, not the next one's."""
    make_table(aio_server, "cut")
    trace_io.make_cold(aio_server, "cut")
    connection = aio_server.connect()
    with connection.cursor() as cursor:
        cursor.execute("select 1")
        with trace_io.window(dbtap, aio_server, volume) as traced:
            for offset in range(20):
                try:
                    cursor.execute("select i from cut limit 1000 offset %s", (offset * 5000,))
                except psycopg2.Error as error:
                    raise AssertionError(error) from error
                cursor.execute("select 1 as nothing_of_the_disk")
    connection.close()
    wrong = trace_io.total(trace_io.select(traced.io["queries"], "nothing_of_the_disk"), "read_bytes")
    assert wrong == 0, trace_io.describe(traced)
