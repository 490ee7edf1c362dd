# SPDX-License-Identifier: BSD-2-Clause
"""
test_my_truth.py - MariaDB's own count of the same statements beside dbtap's: digests, calls, times, the time of a whole load, and
who is connected.
"""
import os
import random
import shutil
import subprocess
import threading

import pytest
import second_try
import trace

SUMMARY = "performance_schema.events_statements_summary_by_digest"


@pytest.fixture(scope="module")
def counting(my_folder):
    """A server that counts by itself."""
    server = my_folder.server({"performance_schema": "ON"})
    server.query("create database shop")
    server.query("create table shop.items (id int primary key, name varchar(200), price int) engine=innodb")
    server.query("insert into shop.items select seq, concat('item ', seq), seq % 100 from seq_1_to_5000", database="shop")
    yield server
    server.stop()


def cpu_ns(server):
    total = 0
    for tid in server.tids():
        with open(f"/proc/{server.pid}/task/{tid}/schedstat", encoding="ascii") as file:
            total += int(file.read().split()[0])
    return total


def counted(server):
    """{digest: (calls, elapsed ns)} of the database shop, as the server has it."""
    rows = server.query(f"select digest, sum(count_star), sum(sum_timer_wait) / 1000 from {SUMMARY} where schema_name = 'shop' and "
                        "digest is not null group by digest")
    return {digest: (int(calls), float(ns)) for digest, calls, ns in rows}


def mixed(cursor, seed, rounds):
    """Point reads, ranges, writes, a sort, transactions."""
    choose = random.Random(seed)
    for _ in range(rounds):
        one = choose.randint(1, 5000)
        for sql in (f"select name from items where id = {one}", f"select sum(price) from items where id between {one} and {one + 200}",
                    f"update items set price = price + 1 where id = {one}", "begin", f"select price from items where id = {one} for update",
                    f"update items set price = price - 1 where id = {one}", "commit", "select id from items order by name desc limit 5"):
            cursor.execute(sql)
            cursor.fetchall()


def test_calls_and_times_are_the_servers(dbtap, counting):
    """
    Each row by its digest. The server's clock stops before the answer is sent, ours when the client is waited for; and what a
    thread waits for a CPU when its client has sent something is its statement's here.
    """
    with trace.one_cpu(counting):
        connection = counting.connect("shop")
        cursor = connection.cursor()
        mixed(cursor, 1, 1)
        with trace.window(dbtap, counting) as traced:
            counting.query(f"truncate {SUMMARY}")
            mixed(cursor, 2, 200)
            truth = counted(counting)
        connection.close()
    document = traced.document
    rows = {row["digest"]: row for row in document["queries"] if row.get("digest") in truth and row["kind"] == "client"}
    large = {digest: figures for digest, figures in truth.items() if figures[0] >= 100}
    assert len(large) == 8, truth
    for digest, (calls, ns) in large.items():
        row = rows[digest]
        assert row["query_id_source"] == "own" and row["database"] == "shop", row
        trace.assert_near(row["calls"] + row.get("calls_unseen", 0), calls, 0.005, 1, trace.describe(document))
        assert row["elapsed_ns"] > 0.995 * ns, f"{row['query']}: {ns}: {trace.describe(document)}"
        assert row["elapsed_ns"] - row["runq_ns"] < ns + calls * 0.3e6, f"{row['query']}: {ns}: {trace.describe(document)}"


def assert_conserved(document, spent, stolen):
    """CPU is the kernel's, and next to nothing of the clients' time is unknown but what the hypervisor stole."""
    trace.assert_near(trace.total(document["queries"], "cpu_ns"), spent, 0.005, 2e6, trace.describe(document))
    found = [row for row in document["queries"] if row["kind"] == "client"]
    elapsed, unknown = trace.total(found, "elapsed_ns"), trace.total(found, "unknown_ns")
    assert abs(unknown) < 0.02 * elapsed + stolen, f"{unknown} of {elapsed}, {stolen} stolen: {trace.describe(document)}"
    assert elapsed == sum(trace.total(found, part) for part in ("cpu_ns", "runq_ns", "wait_ns", "unknown_ns"))


def test_a_mixed_load_is_conserved(dbtap, counting):
    connections = [counting.connect("shop") for _ in range(3)]
    stolen = second_try.stolen_ns()
    with trace.window(dbtap, counting, "--no-connect") as traced:
        before = cpu_ns(counting)
        threads = [threading.Thread(target=mixed, args=(connection.cursor(), i, 60)) for i, connection in enumerate(connections)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        trace.settled_pids(counting)
        spent = cpu_ns(counting) - before
    for connection in connections:
        connection.close()
    assert_conserved(traced.document, spent, second_try.stolen_ns() - stolen)


def sysbench(server, command, *options):
    return subprocess.run(["sysbench", "oltp_read_write", f"--mysql-socket={server.socket}", "--mysql-user=root", "--mysql-db=bench",
                           "--tables=1", "--table-size=2000", "--threads=2", *options, command],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120, check=True).stdout


@pytest.mark.skipif(not shutil.which("sysbench"), reason="sysbench is not installed")
def test_sysbench_is_conserved(dbtap, counting):
    counting.query("create database bench")
    sysbench(counting, "prepare")
    for _ in range(5):
        stolen = second_try.stolen_ns()
        with trace.window(dbtap, counting, "--no-connect") as traced:
            before = cpu_ns(counting)
            threads = set(counting.tids())
            output = sysbench(counting, "run", "--time=3")
            trace.settled_pids(counting)
            spent = cpu_ns(counting) - before
        # What a thread has used is lost to /proc when it ends: InnoDB ends some of its own after a while.
        if set(counting.tids()) >= threads:
            break
    document = traced.document
    assert set(counting.tids()) >= threads and "transactions:" in output
    assert_conserved(document, spent, second_try.stolen_ns() - stolen)
    assert {row.get("query") for row in trace.rows(document, kind="client")} >= {"COMMIT", "SELECT c FROM sbtest1 WHERE id=?"}, \
        trace.describe(document)


def test_who_is_connected(dbtap, counting):
    """Number, user, address, database and state, from memory, as the server lists them."""
    counting.query("create user if not exists clerk@localhost")
    counting.query("grant all on shop.* to clerk@localhost")
    connections = [counting.connect("shop"), counting.connect(), counting.connect("shop", user="clerk")]
    connections[1].cursor().execute("begin")
    listed = {row[0]: row[1:] for row in counting.query("select id, user, host, db, command from information_schema.processlist")}
    document = dbtap("sessions", "--instance", counting.instance, "--no-connect", "--duration", "0.2", "--format", "json").ok().json()
    found = {row["connection_id"]: row for row in document["sessions"] if "connection_id" in row}
    for connection, state in zip(connections, ("idle", "idle in transaction", "idle")):
        row, (user, host, database, command) = found[connection.thread_id()], listed[connection.thread_id()]
        assert (row["user"], row.get("database"), row["state"]) == (user, database, state), row
        assert host == "localhost" and row["client"] == "[local]" and command == "Sleep", row
        assert row["tid"] in counting.tids()
        connection.close()


def test_the_layout_is_confirmed(dbtap, counting):
    """By our own session, where one can be had; and that is the only reason to say so."""
    document = dbtap("instances", "--instance", counting.instance, "--duration", "0.2", "--format", "json").ok().json()
    assert document["instances"][0]["layout"].endswith("confirmed by our own session"), document["instances"]
    document = dbtap("instances", "--instance", counting.instance, "--no-connect", "--duration", "0.2", "--format", "json").ok().json()
    assert "confirmed" not in document["instances"][0]["layout"]
    assert os.path.basename(document["instances"][0]["data_dir"]) == os.path.basename(counting.data)
