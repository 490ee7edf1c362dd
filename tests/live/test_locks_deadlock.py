# SPDX-License-Identifier: BSD-2-Clause
"""test_locks_deadlock.py - cycles are told as they close, before the server has noticed; orders that will close some day.

DBTAP_DEADLOCKS=300 in the environment makes it as many deadlocks, DBTAP_PREDICTIONS=10 as many runs of the prediction.
"""
import json
import os
import random
import signal
import threading
import time

import psycopg2
import pytest
import trace
from locking import epoch

DEADLOCKS = int(os.environ.get("DBTAP_DEADLOCKS", 20))
AT_ONCE = 5
ROWS = 60
PREDICTIONS = int(os.environ.get("DBTAP_PREDICTIONS", 2))
CONTENDED = 50  # waits after which an inversion is to be known
RARE_ROWS = 150  # so many that waits come long before the first deadlock


@pytest.fixture(scope="module")
def order_server(server_folder):
    server = server_folder.server(settings={"autovacuum": "off", "deadlock_timeout": "1s"})
    for table in ("a", "b"):
        server.query(f"create table {table} (id int primary key, v int)")
        server.query(f"insert into {table} select i, 0 from generate_series(1, {ROWS}) i")
    yield server
    server.stop()


class Ring:
    """Sessions that each hold a row and then ask for the next one's: the last one closes the cycle."""

    def __init__(self, server, number, members):
        self.connections = [server.connect(autocommit=False) for _ in range(members)]
        self.pids = [connection.get_backend_pid() for connection in self.connections]
        self.rows = [number * 3 + i + 1 for i in range(members)]
        self.closed = self.aborted = None
        self.victim = None

    def member(self, index):
        connection = self.connections[index]
        try:
            connection.cursor().execute(f"update a set v = v + 1 where id = {self.rows[(index + 1) % len(self.rows)]}")
        except psycopg2.errors.DeadlockDetected:
            self.aborted, self.victim = time.time(), self.pids[index]
        connection.rollback()

    def run(self):
        for connection, row in zip(self.connections, self.rows):
            connection.cursor().execute(f"update a set v = v + 1 where id = {row}")
        threads = [threading.Thread(target=self.member, args=(index,)) for index in range(len(self.pids))]
        for thread in threads:
            self.closed = time.time()
            thread.start()
            time.sleep(0.02)
        for thread in threads:
            thread.join()
        for connection in self.connections:
            connection.close()


def test_deadlocks_are_seen_before_the_server_ends_them(dbtap, order_server):
    rings = []
    with trace.window(dbtap, order_server, command="locks") as traced:
        for _ in range(DEADLOCKS // AT_ONCE):
            batch = [Ring(order_server, number, 2 + number % 2) for number in range(AT_ONCE)]
            threads = [threading.Thread(target=ring.run) for ring in batch]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            rings += batch
    cycles = {frozenset(member["pid"] for member in cycle["members"]): cycle
              for cycle in traced.document["locks"]["cycles"]}
    assert len(rings) == DEADLOCKS and all(ring.victim for ring in rings)
    assert len(traced.document["locks"]["cycles"]) == DEADLOCKS, traced.document["locks"]["cycles"]
    for ring in rings:
        cycle = cycles[frozenset(ring.pids)]
        assert epoch(cycle["at"]) < ring.aborted, (cycle, ring.aborted)
        for member in cycle["members"]:
            index = ring.pids.index(member["pid"])
            assert member["waits_for"] == ring.pids[(index + 1) % len(ring.pids)], cycle
            assert "update a set v" in member["query"] and member["lock"]["type"] == "transactionid", cycle
            assert member["lock"]["relation"] == "public.a", cycle


def test_no_cycle_without_a_deadlock(dbtap, order_server):
    """Contention on the same rows in one order."""
    with trace.window(dbtap, order_server, command="locks") as traced:
        work(order_server, [("a", "b")] * 6, 3)
    assert traced.document["locks"]["past"]
    assert not traced.document["locks"]["cycles"]


def soft_cycle(server, connections, strong):
    """
    The first reads a table and will want what the third holds; the second wants the table alone, the third, behind it,
    wants it for `strong`. When the cycle closed, and {pid: error}.
    """
    reader, ddl, passer = connections
    errors = {}

    def run(connection, statement):
        try:
            connection.cursor().execute(statement)
        except psycopg2.Error as error:
            errors[connection.get_backend_pid()] = error
            connection.rollback()

    def waits(connection):
        pid = connection.get_backend_pid()
        while not server.query("select 1 from pg_locks where pid = %s and not granted and waitstart is not null", (pid,)):
            time.sleep(0.01)

    passer.cursor().execute("select pg_advisory_xact_lock(77)")
    reader.cursor().execute("select count(*) from a")
    threads = [threading.Thread(target=run, args=(ddl, "lock table a in access exclusive mode")),
               threading.Thread(target=run, args=(passer, f"lock table a in {strong} mode"))]
    for thread, connection in zip(threads, (ddl, passer)):
        thread.start()
        waits(connection)
    closed = time.time()
    threads.append(threading.Thread(target=run, args=(reader, "select pg_advisory_xact_lock(77)")))
    threads[-1].start()
    # Each ends its transaction as soon as it has what it waits for: the passer first.
    threads[1].join()
    passer.rollback()
    threads[2].join()
    reader.rollback()
    threads[0].join()
    ddl.rollback()
    return closed, errors


@pytest.mark.parametrize("strong", ["access share", "access exclusive"])
def test_soft_cycle(dbtap, make_server, strong):
    """
    A cycle that queue order is part of. The server lets a reader pass, and nobody fails; who wants the table alone cannot
    have it before the reader ends, so that no order helps and somebody fails.
    """
    server = make_server(settings={"autovacuum": "off", "deadlock_timeout": "3s"})
    server.query("create table a (id int)")
    connections = [server.connect(autocommit=False) for _ in range(3)]
    pids = [connection.get_backend_pid() for connection in connections]
    with trace.window(dbtap, server, command="locks") as traced:
        closed, errors = soft_cycle(server, connections, strong)
    for connection in connections:
        connection.close()
    cycles = traced.document["locks"]["cycles"]
    assert len(cycles) == 1, cycles
    cycle = cycles[0]
    members = {member["pid"]: member for member in cycle["members"]}
    assert closed < epoch(cycle["at"]) < closed + 2.5, (closed, cycle)
    if strong == "access share":
        assert set(members) == set(pids) and not errors, (cycle, errors)
        assert cycle["kind"] == "soft cycle" and "reordered a queue" in cycle["outlook"] and "victim_pid" not in cycle
        assert members[pids[2]]["soft"] and members[pids[2]]["waits_for"] == pids[1]
        assert not members[pids[0]]["soft"] and not members[pids[1]]["soft"]
        assert epoch(cycle["verdict"]) > closed + 2.5
    else:
        assert cycle["kind"] == "deadlock" and cycle["victim_pid"] in errors, (cycle, errors)


def work(server, orders, seconds, rows=ROWS):
    """Transactions that update two tables, each session in its order. How many there were and when the first deadlock."""
    until = time.monotonic() + seconds
    done, deadlocks = [], []

    def session(seed, tables):
        chance = random.Random(seed)
        connection = server.connect(autocommit=False)
        cursor = connection.cursor()
        while time.monotonic() < until:
            try:
                for table in tables:
                    cursor.execute(f"update {table} set v = v + 1 where id = {chance.randint(1, rows)}")
                    time.sleep(0.01)
                connection.commit()
                done.append(1)
            except psycopg2.errors.DeadlockDetected:
                deadlocks.append(time.time())
                connection.rollback()
        connection.close()

    threads = [threading.Thread(target=session, args=(seed, tables)) for seed, tables in enumerate(orders)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(done), min(deadlocks, default=None)


def inversions(document):
    return [risk for risk in document["locks"]["risks"] if risk["risk"] == "order_inversion"]


@pytest.mark.parametrize("connect", [[], ["--no-connect"]], ids=["connected", "no-connect"])
def test_opposite_orders_are_told(dbtap, order_server, connect):
    with trace.window(dbtap, order_server, *connect, command="locks") as traced:
        work(order_server, [("a", "b"), ("b", "a")] * 4, 4)
    found = inversions(traced.document)
    assert len(found) == 1, found
    sides = sorted((side["query"], side["order"]) for side in (found[0]["first"], found[0]["second"]))
    assert "update a" in sides[0][0] and "update b" in sides[1][0], sides
    if not connect:
        assert sides[0][1] == "public.b before public.a" and sides[1][1] == "public.a before public.b", sides


def test_one_order_gives_no_alarm(dbtap, order_server):
    with trace.window(dbtap, order_server, command="locks") as traced:
        done, deadlock = work(order_server, [("a", "b")] * 8, 4, rows=20)
    assert len(traced.document["locks"]["past"]) >= 50, (done, len(traced.document["locks"]["past"]))
    assert deadlock is None and not inversions(traced.document)


def test_one_statement_over_both_tables_gives_no_alarm(dbtap, order_server):
    """It locks both tables at once: that tells no order, whichever row it waits for."""
    statement = ("with first as (update a set v = v + 1 where id = {0} returning v) "
                 "update b set v = v + 1 where id = {0} and (select count(*) from first) = 1")
    with trace.window(dbtap, order_server, command="locks") as traced:
        until = time.monotonic() + 3

        def session(seed):
            chance = random.Random(seed)
            connection = order_server.connect(autocommit=False)
            cursor = connection.cursor()
            while time.monotonic() < until:
                cursor.execute(statement.format(chance.randint(1, 3)))
                time.sleep(0.01)
                connection.commit()
            connection.close()

        threads = [threading.Thread(target=session, args=(seed,)) for seed in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert traced.document["locks"]["past"] and not inversions(traced.document)


class Stream:
    """`dbtap locks --watch` as JSON: how many waits it has told of, and when and after how many it told of an inversion."""

    def __init__(self, dbtap, server):
        self.run = trace.wait_until_open(dbtap.start("locks", "--watch", "--format", "json", "--interval", 0.5, "--instance",
                                                     server.instance))
        self.waits, self.told_at, self.told_after, self.deadlock_at = set(), None, None, None
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        for line in self.run.process.stdout:
            document = json.loads(line)
            locks = document["locks"]
            self.waits |= {(wait["pid"], wait["started"]) for wait in locks["waits"] + locks["past"]}
            if inversions(document) and self.told_at is None:
                self.told_at, self.told_after = time.time(), len(self.waits)
            for cycle in locks["cycles"]:
                self.deadlock_at = self.deadlock_at or epoch(cycle["at"])

    def close(self):
        self.run.signal(signal.SIGINT)
        self.thread.join(20)
        self.run.process.wait(20)
        self.run.process.stderr.close()


def predict(dbtap, server, orders):
    """Until enough waits were told, the inversion and a deadlock, or a minute is over."""
    stream = Stream(dbtap, server)
    until = time.monotonic() + 60
    first = []
    while time.monotonic() < until:
        _, deadlock = work(server, orders, 3, RARE_ROWS)
        first += [deadlock] if deadlock else []
        if len(stream.waits) >= CONTENDED + 10:
            break
    time.sleep(1)
    stream.close()
    return stream, min(first, default=None)


def test_inversions_are_predicted(dbtap, order_server):
    """After 50 contended waits at the latest, and before the first deadlock: in nine of ten runs."""
    good = 0
    for number in range(PREDICTIONS):
        stream, deadlock = predict(dbtap, order_server, [("a", "b"), ("b", "a")] * 4)
        first = min([at for at in (deadlock, stream.deadlock_at) if at], default=None)
        known = stream.told_at and stream.told_after <= CONTENDED and (not first or stream.told_at < first)
        good += bool(known)
        print(f"run {number + 1}: told after {stream.told_after} of {len(stream.waits)} waits, "
              f"{first - stream.told_at if first and stream.told_at else None} s before the first deadlock")
    assert good >= PREDICTIONS * 0.9, f"{good} of {PREDICTIONS}"


def test_one_order_predicts_nothing(dbtap, order_server):
    for number in range(PREDICTIONS):
        stream, deadlock = predict(dbtap, order_server, [("a", "b")] * 8)
        print(f"run {number + 1}: {len(stream.waits)} waits")
        assert stream.told_at is None and deadlock is None and len(stream.waits) >= CONTENDED
