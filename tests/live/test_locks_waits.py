# SPDX-License-Identifier: BSD-2-Clause
"""test_locks_waits.py - who waits for whom, for what and since when, against what the server says of the same moment."""
import threading
import time

import psycopg2
import pytest
import trace
from locking import Holder, Observer, between, check_ages, epoch, near, wait_of

CONVOY = 100


@pytest.fixture(scope="module")
def lock_server(server_folder):
    server = server_folder.server(settings={"autovacuum": "off", "max_connections": CONVOY + 30,
                                            "max_prepared_transactions": 5})
    server.query("create table held (id int primary key, v int)")
    server.query("insert into held select i, 0 from generate_series(1, 100) i")
    server.query("create table other (id int primary key, v int)")
    yield server
    server.stop()


@pytest.fixture
def holders(lock_server):
    """holders(statements...) -> Holder; all are closed after the test."""
    made = []

    def make(*statements):
        made.append(Holder(lock_server, *statements))
        return made[-1]

    yield make
    for holder in made:
        holder.close()


@pytest.fixture
def observer(lock_server):
    one = Observer(lock_server)
    yield one
    one.close()


# The time is taken right before the lock is given.
UNLOCK = "select extract(epoch from clock_timestamp()), pg_advisory_unlock({})"


def unlock(holder, key, waiter, since):
    """Lets the waiter have it: how long it waited since then, at least and at most, in ns."""
    before = float(holder.one(UNLOCK.format(key))[0])
    waiter.finish()
    return (before - since) * 1e9, (time.time() - since) * 1e9


def traced(dbtap, server, *arguments):
    return trace.window(dbtap, server, *arguments, command="locks")


@pytest.mark.parametrize("seconds", [0.05, 2.0])
def test_wait_of_known_length(dbtap, lock_server, holders, observer, load, seconds):
    holder = holders("select pg_advisory_lock(7)")
    late = trace.late_ns()
    with traced(dbtap, lock_server) as found:
        waiter = load.session(lock_server, "select pg_advisory_lock(7)")
        since = observer.wait_until([waiter.pid])[waiter.pid][1]
        time.sleep(max(0, since + seconds - time.time()))
        least, most = unlock(holder, 7, waiter, since)
        late = trace.late_ns(waiter.pid) - late
    past = wait_of(found.document, waiter.pid, "past")
    # Between the server's reading of its clock and its sleep, and between being woken and the lock, there may be a stall.
    between(past["waiting_ns"], least - late, most)
    assert -0.002 < epoch(past["started"]) - since < 0.002 + late / 1e9
    assert past["blocked_by"] == [holder.pid]
    assert past["lock"]["type"] == "advisory" and past["lock"]["mode"] == "ExclusiveLock"
    assert "pg_advisory_lock" in past["query"]
    losses = [loss for loss in found.document["locks"]["losses"] if "pg_advisory_lock" in loss["query"]]
    assert len(losses) == 1 and losses[0]["waits"] == 1, losses
    between(losses[0]["ns"], least - late, most)
    assert not [wait for wait in found.document["locks"]["waits"] if wait["pid"] == waiter.pid]
    waiter.close()


def test_chain_of_five(dbtap, lock_server, holders, observer, load):
    first = holders("update held set v = 1 where id = 1")
    with traced(dbtap, lock_server) as found:
        chain = []
        for i in range(1, 6):
            chain.append(load.session(lock_server, [f"update held set v = 1 where id = {i + 1}",
                                                    f"update held set v = 2 where id = {i}"], autocommit=False))
            observer.wait_until([link.pid for link in chain])
        time.sleep(1.2)  # past deadlock_timeout, at which each of them wakes up and looks around
        waiting = observer.waiting()
    document = found.document
    check_ages(document, waiting)
    before = first.pid
    for depth, link in enumerate(chain, 1):
        wait = wait_of(document, link.pid)
        assert (wait["blocked_by"], wait["depth"], wait["root_pid"]) == ([before], depth, first.pid), wait
        assert wait["lock"]["type"] == "transactionid" and wait["lock"]["relation"] == "public.held", wait
        before = link.pid
    root = [holder for holder in document["locks"]["holders"] if holder["root"]]
    assert [holder["pid"] for holder in root] == [first.pid]
    assert root[0]["victims"] == 5 and root[0]["state"] == "idle in transaction"
    assert not document["locks"]["cycles"]
    first.release()


def test_ddl_behind_a_reader_and_readers_behind_it(dbtap, lock_server, holders, observer, load):
    reader = holders("select count(*) from held")
    with traced(dbtap, lock_server) as found:
        ddl = load.session(lock_server, "alter table held add column w int", autocommit=False)
        observer.wait_until([ddl.pid])
        queued = [load.session(lock_server, "select count(*) from held") for _ in range(3)]
        waiting = observer.wait_until([ddl.pid, *(one.pid for one in queued)])
    check_ages(found.document, waiting)
    assert wait_of(found.document, ddl.pid)["blocked_by"] == [reader.pid]
    assert wait_of(found.document, ddl.pid)["lock"]["mode"] == "AccessExclusiveLock"
    for one in queued:
        wait = wait_of(found.document, one.pid)
        assert (wait["blocked_by"], wait["root_pid"], wait["lock"]["type"]) == ([ddl.pid], reader.pid, "relation")
        # The server has no id for a statement that waits while it is being analysed: its text tells.
        assert "select count(*) from held" in wait["query"]
    reader.release()


def test_tuple_and_transaction(dbtap, lock_server, holders, observer, load):
    holder = holders("update held set v = 1 where id = 50")
    with traced(dbtap, lock_server) as found:
        first = load.session(lock_server, "update held set v = 2 where id = 50")
        observer.wait_until([first.pid])
        second = load.session(lock_server, "update held set v = 3 where id = 50")
        waiting = observer.wait_until([first.pid, second.pid])
    check_ages(found.document, waiting)
    assert wait_of(found.document, first.pid)["lock"]["type"] == "transactionid"
    assert wait_of(found.document, second.pid)["lock"]["type"] == "tuple"
    assert wait_of(found.document, second.pid)["lock"]["relation"] == "public.held"
    holder.release()


def test_two_phase_holder(dbtap, lock_server, holders, observer, load):
    holders("update held set v = 1 where id = 60", "prepare transaction 'dbtap'")
    try:
        with traced(dbtap, lock_server) as found:
            waiter = load.session(lock_server, "update held set v = 2 where id = 60")
            waiting = observer.wait_until([waiter.pid])
        check_ages(found.document, waiting)
        assert wait_of(found.document, waiter.pid)["blocked_by"] == [0]
    finally:
        lock_server.query("rollback prepared 'dbtap'")


def test_skip_locked_and_nowait_wait_for_nothing(dbtap, lock_server, holders):
    holders("update held set v = 1 where id = 70")
    with traced(dbtap, lock_server) as found:
        lock_server.query("select * from held where id = 70 for update skip locked")
        with pytest.raises(psycopg2.errors.LockNotAvailable):
            lock_server.query("select * from held where id = 70 for update nowait")
    locks = found.document["locks"]
    assert not locks["waits"] and not locks["past"] and not locks["losses"], locks


def test_a_wait_that_gives_up(dbtap, lock_server, holders):
    holder = holders("update held set v = 1 where id = 71")
    waiter = holders("set local lock_timeout = '300ms'")
    with traced(dbtap, lock_server) as found:
        late, began = trace.late_ns(waiter.pid), time.time()
        with pytest.raises(psycopg2.errors.LockNotAvailable):
            waiter.one("update held set v = 2 where id = 71")
        spent, late = (time.time() - began) * 1e9, trace.late_ns(waiter.pid) - late
    past = found.document["locks"]["past"]
    assert len(past) == 1 and past[0]["blocked_by"] == [holder.pid], past
    between(past[0]["waiting_ns"], 0.3e9 - late, spent, slack_ns=5e6)


def test_waits_that_began_before(dbtap, lock_server, holders, observer, load):
    holder = holders("update held set v = 1 where id = 80")
    still = load.session(lock_server, "update held set v = 2 where id = 80")
    ends = load.session(lock_server, "update held set v = 2 where id = 81")
    ends_holder = holders("select pg_advisory_lock(81)")
    ends.finish()
    ends = load.session(lock_server, "select pg_advisory_lock(81)")
    since = observer.wait_until([still.pid, ends.pid])[ends.pid][1]
    time.sleep(1.5)
    with traced(dbtap, lock_server) as found:
        time.sleep(0.3)
        least, most = unlock(ends_holder, 81, ends, since)
        waiting = observer.waiting()
    check_ages(found.document, waiting)
    assert wait_of(found.document, still.pid)["waiting_ns"] > 1.8e9
    past = wait_of(found.document, ends.pid, "past")
    between(past["waiting_ns"], least, most)
    assert past["blocked_by"] == [ends_holder.pid]
    # Within the window it lost less than it waited in all.
    loss = [one for one in found.document["locks"]["losses"] if "pg_advisory_lock" in one["query"]]
    before = (epoch(found.document["window"]["start"]) - since) * 1e9
    between(loss[0]["ns"], least - before, most - before, slack_ns=20e6)
    holder.release()
    ends.close()


def test_convoy_when_no_connection_is_left(dbtap, make_server, load):
    """One hundred wait behind one, no connection is to be had, and the tree is complete."""
    server = make_server(settings={"autovacuum": "off", "max_connections": CONVOY + 5, "superuser_reserved_connections": 0})
    server.query("create table held (id int primary key, v int)")
    server.query("insert into held values (1, 0)")
    observer = Observer(server)
    holder = Holder(server, "update held set v = 1")
    spare = []
    with traced(dbtap, server, "--no-connect") as found:
        convoy = [load.session(server, "update held set v = v + 1 where id = 1") for _ in range(CONVOY)]
        with pytest.raises(psycopg2.OperationalError):
            while True:
                spare.append(server.connect())
        observer.wait_until([one.pid for one in convoy])
        waiting = observer.waiting()
    document = found.document
    assert len(document["locks"]["waits"]) == CONVOY
    check_ages(document, waiting)
    assert {wait["root_pid"] for wait in document["locks"]["waits"]} == {holder.pid}
    root = [one for one in document["locks"]["holders"] if one["root"]]
    assert len(root) == 1 and root[0]["victims"] == CONVOY
    near(root[0]["cost_ns"], sum(wait["waiting_ns"] for wait in document["locks"]["waits"]))
    holder.close()
    for connection in [*spare, observer]:
        connection.close()


def test_contention_is_reported_as_it_begins(dbtap, lock_server, holders, observer, load):
    """--watch prints a wait within 200 ms of its beginning; the median of ten."""
    run = trace.wait_until_open(dbtap.start("locks", "--watch", "--format", "json", "--interval", 30, "--instance",
                                            lock_server.instance))
    lines = []

    def read():
        for line in run.process.stdout:
            lines.append((time.time(), line))

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    holder = holders()
    late = []
    for key in range(10):
        holder.one(f"select pg_advisory_lock({1000 + key})")
        waiter = load.session(lock_server, f"select pg_advisory_lock({1000 + key})")
        since = observer.wait_until([waiter.pid])[waiter.pid][1]
        pattern = f'"pid":{waiter.pid},'.encode()
        shown = trace.wait_until(lambda: [at for at, line in list(lines) if pattern in line.replace(b" ", b"")],
                                 f"the wait of {waiter.pid} was not printed", 10)
        holder.one(f"select pg_advisory_unlock({1000 + key})")
        waiter.finish()
        late.append(min(shown) - since)
        waiter.close()
    run.kill()
    reader.join()
    assert sorted(late)[len(late) // 2] < 0.2, late
