# SPDX-License-Identifier: BSD-2-Clause
"""test_locks_fallback.py - where the lock tables cannot be read from memory, pg_locks and pg_blocking_pids give the same graph."""
import threading
import time

import psycopg2
import pytest
import trace
from locking import Holder, Observer, check_ages, epoch, wait_of

NO_MEMORY = {"DBTAP_TEST_NO_LOCK_MEMORY": "1"}
ASKED = "pg_locks and pg_blocking_pids"


@pytest.fixture(scope="module")
def lock_server(server_folder):
    server = server_folder.server(settings={"autovacuum": "off", "max_prepared_transactions": 5, "deadlock_timeout": "2s"})
    server.query("create table held (id int primary key, v int)")
    server.query("insert into held select i, 0 from generate_series(1, 100) i")
    server.query("create table other as select * from held")
    yield server
    server.stop()


@pytest.fixture
def tangle(lock_server, load):
    """A chain, a row that three want, a strong lock behind a reader with readers behind it, a prepared transaction."""
    observer = Observer(lock_server)
    holders = [Holder(lock_server, "update held set v = 1 where id in (1, 20)"), Holder(lock_server, "select count(*) from other"),
               Holder(lock_server, "update held set v = 1 where id = 60", "prepare transaction 'kept'")]
    statements = ["update held set v = 2 where id = 1", "update held set v = 2 where id = 20",
                  "update held set v = 3 where id = 20", "update held set v = 4 where id = 20",
                  "alter table other add column w int", "select count(*) from other", "select max(v) from other",
                  "update held set v = 2 where id = 60"]
    waiters = []
    for statement in statements:
        waiters.append(load.session(lock_server, statement, autocommit=False))
        observer.wait_until([one.pid for one in waiters])
    yield observer, [one.pid for one in waiters]
    holders[2].connection.rollback()
    lock_server.query("rollback prepared 'kept'")
    for holder in holders[:2]:
        holder.close()
    for waiter in waiters:
        waiter.close()
    observer.close()


def graph(document):
    return {wait["pid"]: (sorted(wait["blocked_by"]), wait["lock"].get("relation"), wait["lock"]["mode"], wait.get("depth"),
                          wait.get("root_pid")) for wait in document["locks"]["waits"]}


def test_the_same_graph(dbtap, lock_server, tangle):
    observer, pids = tangle
    documents = []
    for env in (None, NO_MEMORY):
        with trace.window(dbtap, lock_server, command="locks", env=env) as traced:
            time.sleep(1.5)
            waiting = observer.waiting()
        documents.append(traced.document)
        assert set(waiting) == set(pids)
        check_ages(traced.document, waiting)
    read, asked = documents
    assert graph(read) == graph(asked)
    assert read["instances"][0]["lock_source"] == "shared memory" and "locks" not in read["absent"]
    assert asked["instances"][0]["lock_source"] == ASKED and "pg_blocking_pids are asked" in asked["absent"]["locks"]
    assert {(one["pid"], one.get("gid"), tuple(sorted(one["blocks"]))) for one in read["locks"]["holders"]} == \
        {(one["pid"], one.get("gid"), tuple(sorted(one["blocks"]))) for one in asked["locks"]["holders"]}


def test_text_says_where_it_is_from(dbtap, lock_server, tangle):
    text = dbtap("locks", "--duration", 1.5, "--instance", lock_server.instance, env=NO_MEMORY).ok().stdout
    assert "pg_locks and pg_blocking_pids are asked instead" in text and "8 sessions wait for a lock" in text, text


def test_neither(dbtap, lock_server, tangle):
    """No tree, and why; what begins and ends is told by the kernel side all the same."""
    _, pids = tangle
    with trace.window(dbtap, lock_server, "--no-connect", command="locks", env=NO_MEMORY) as traced:
        holder = Holder(lock_server, "select pg_advisory_lock(5)")
        with pytest.raises(psycopg2.errors.LockNotAvailable):
            lock_server.query("begin; set local lock_timeout = '200ms'; select pg_advisory_lock(5)")
        holder.close()
    document = traced.document
    assert not document["locks"]["waits"] and "lock_source" not in document["instances"][0]
    assert "pg_blocking_pids cannot be asked" in document["absent"]["locks"], document["absent"]
    assert [wait for wait in document["locks"]["past"] if wait["pid"] not in pids and wait["waiting_ns"] > 0.19e9]
    assert wait_count(document, "failed") == 1


def wait_count(document, what):
    return sum(one[what] for one in document["locks"]["by_lock"])


def test_a_deadlock_is_seen_in_time(dbtap, lock_server):
    aborted = []
    connections = [lock_server.connect(autocommit=False) for _ in range(2)]
    pids = {one.get_backend_pid() for one in connections}

    def update(connection, row):
        try:
            connection.cursor().execute(f"update held set v = v + 1 where id = {row}")
        except psycopg2.errors.DeadlockDetected:
            aborted.append(time.time())
        connection.rollback()

    with trace.window(dbtap, lock_server, command="locks", env=NO_MEMORY) as traced:
        time.sleep(1.5)
        for number, connection in enumerate(connections):
            connection.cursor().execute(f"update held set v = v + 1 where id = {40 + number}")
        threads = [threading.Thread(target=update, args=(one, 41 - number)) for number, one in enumerate(connections)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for connection in connections:
        connection.close()
    cycles = traced.document["locks"]["cycles"]
    assert len(cycles) == 1 and {one["pid"] for one in cycles[0]["members"]} == pids, cycles
    assert epoch(cycles[0]["at"]) < aborted[0] and cycles[0]["victim_pid"] in pids
