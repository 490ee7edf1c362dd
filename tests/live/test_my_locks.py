# SPDX-License-Identifier: BSD-2-Clause
"""test_my_locks.py - MariaDB: waits for row locks and metadata locks, who is in whose way, and deadlocks, against what the server says."""
import os
import time

import my_locking
import pytest
import trace
from locking import wait_of


@pytest.fixture(autouse=True)
def read_from_memory(my_server):
    if not my_locking.is_followed(my_server):
        pytest.skip("this version's locks are asked for: test_my_locks_asked")


@pytest.fixture
def sessions(my_server):
    made = []

    def make(server=my_server, **more):
        made.append(my_locking.Sessions(server, **more))
        return made[-1]

    yield make
    for one in made:
        one.close()


def look(dbtap, server, *arguments):
    """The locks of this moment."""
    return dbtap("locks", "--instance", server.instance, "--format", "json", "--duration", 0.3, *arguments).ok().json()


def lengths():
    """A short one and a long one in the matrix."""
    return (0.05, 0.8, 2.0) if "TAP_MY_SERVER" in os.environ else (0.8,)


@pytest.mark.parametrize("seconds", lengths())
def test_a_row_lock_wait_of_known_length(dbtap, my_server, sessions, seconds):
    made = sessions()
    holder = made.open("update items set v = v + 1 where id = 7")
    waiter = made.open("select 1")
    with trace.window(dbtap, my_server, "--no-connect", command="locks") as traced:
        began = time.monotonic()
        waiter.start("update items set v = v + 2 where id = 7")
        # To ask whether it waits by now would take longer than the short one lasts.
        if seconds > 0.5:
            made.until(my_locking.WAITING, lambda rows: (waiter.id,) in rows)
        time.sleep(max(0, began + seconds - time.monotonic()))
        released = time.monotonic() - began
        holder.rollback()
        waiter.end()
        waiter.do("select 2")
    past = wait_of(traced.document, waiter.id, "past")
    # From when the statement was sent at the earliest to when it came back at the latest.
    assert released * 1e9 - min(100e6, seconds * 0.9e9) < past["waiting_ns"] < waiter.took * 1e9, past
    assert past["blocked_by"] == [holder.id]
    assert past["lock"]["relation"] == "shop.items" and past["lock"]["type"] == "record", past
    assert past["lock"]["mode"] == "X,REC_NOT_GAP" and "PRIMARY" in past["lock"]["name"], past
    assert "update items set v = v + ?" in past["query"], past
    assert not traced.document["locks"]["waits"]


def test_row_lock_waits_are_told_as_such(dbtap, my_server, sessions):
    made = sessions()
    holder = made.open("update items set v = v + 1 where id = 7")
    waiter = made.open("select 1")
    with trace.window(dbtap, my_server, "--no-connect") as traced:
        waiter.start("update items set v = v + 2 where id = 7")
        made.until(my_locking.WAITING, lambda rows: (waiter.id,) in rows)
        time.sleep(0.5)
        holder.rollback()
        waiter.end()
        waiter.do("select 2")
    row = trace.one(traced.document, "update items")
    assert 0.5e9 < trace.waited(row, "Lock:RowLock") < waiter.took * 1e9, trace.describe(traced.document)


def test_chain_and_who_is_ahead(dbtap, my_server, sessions):
    made = sessions()
    first = made.open("update items set v = 1 where id = 1")
    second = made.open("update items set v = 1 where id = 2")
    third = made.open("update items set v = 1 where id = 3")
    made.wait_row("update items set v = 2 where id = 1", second)
    made.wait_row("update items set v = 2 where id = 2", third)
    fourth = made.wait_row("update items set v = 3 where id = 3")
    fifth = made.wait_row("select * from items where id = 3 lock in share mode")
    document = look(dbtap, my_server, "--no-connect")
    assert my_locking.blocked_by(document) == {second.id: [first.id], third.id: [second.id], fourth.id: [third.id],
                                               fifth.id: sorted([third.id, fourth.id])}
    assert my_locking.blocked_by(document) == made.blocking()
    assert [wait_of(document, session.id)["depth"] for session in (second, third, fourth)] == [1, 2, 3]
    root = next(holder for holder in document["locks"]["holders"] if holder["pid"] == first.id)
    assert root["state"] == "idle in transaction" and root["blocks"] == [second.id], root
    assert wait_of(document, fifth.id)["lock"]["mode"] == "S,REC_NOT_GAP"


def test_kinds_of_row_locks(dbtap, my_server, sessions):
    """Several holders, gaps, inserts, a secondary index, a whole table: each as the server says."""
    made = sessions(rows=5000)
    made.ask("delete from shop.items where id between 11 and 19")
    made.open("select * from items where id = 5 lock in share mode")
    made.open("select * from items where id = 5 lock in share mode")
    made.wait_row("update items set v = 1 where id = 5")
    made.open("select * from items force index (primary) where id between 12 and 18 for update")
    made.wait_row("insert into items values (15, 0, 15)")
    made.open("select * from items force index (by_k) where k = 30 for update")
    inserter = made.wait_row("update items set k = 30 where id = 50")
    made.open("select * from items force index (primary) where id > 4990 for update")
    made.wait_row("insert into items values (6000, 0, 6000)")
    document = look(dbtap, my_server, "--no-connect")
    assert my_locking.blocked_by(document) == made.blocking() and len(document["locks"]["waits"]) == 4
    lock = wait_of(document, inserter.id)["lock"]
    assert "by_k" in lock["name"] and lock["mode"] == "X,INSERT_INTENTION", lock


def test_both_sources_say_the_same_of_a_convoy(dbtap, my_server, sessions):
    made = sessions()
    made.open("update items set v = 1 where id = 9")
    for _ in range(5):
        made.open().start("update items set v = v + 1 where id = 9")
    for _ in range(3):
        made.open().start("select * from items where id = 9 lock in share mode")
    made.until(my_locking.WAITING, lambda rows: len(rows) == 8)
    assert my_locking.blocked_by(look(dbtap, my_server, "--no-connect")) == made.blocking()


def test_metadata_locks(dbtap, my_server, sessions):
    made = sessions()
    reader = made.open("select count(*) from items")
    with trace.window(dbtap, my_server, "--no-connect", command="locks") as traced:
        altering = made.wait_state("alter table items add column w int", "Waiting for table metadata lock")
        behind = [made.wait_state("select max(v) from items", "Waiting for table metadata lock") for _ in range(2)]
        time.sleep(0.3)
    document = traced.document
    assert my_locking.blocked_by(document) == {altering.id: [reader.id], **{session.id: [altering.id] for session in behind}}
    wait = wait_of(document, altering.id)
    assert (wait["lock"]["type"], wait["lock"]["mode"], wait["lock"]["relation"]) == ("metadata", "EXCLUSIVE", "shop.items"), wait
    assert wait_of(document, behind[0].id)["lock"]["mode"] == "SHARED_READ"
    assert wait["waiting_ns"] > 0.3e9 and wait_of(document, behind[0].id)["waiting_ns"] > 0.3e9
    assert any(holder["pid"] == reader.id and holder["state"] == "idle in transaction" for holder in document["locks"]["holders"])


def test_user_locks_and_the_backup_lock(dbtap, my_server, sessions):
    made = sessions()
    # Who has written something holds the backup lock until it commits.
    holder = made.open("select get_lock('mine', 1)", written=False)
    waiter = made.wait_state("select get_lock('mine', 30)", "User lock", made.open(written=False))
    writer = made.open(written=False)
    flusher = made.open("flush tables with read lock", written=False)
    made.wait_state("update items set v = 1 where id = 1", "Waiting for backup lock", writer)
    document = look(dbtap, my_server, "--no-connect")
    assert my_locking.blocked_by(document) == {waiter.id: [holder.id], writer.id: [flusher.id]}
    assert wait_of(document, waiter.id)["lock"]["name"] == "user lock mine"
    assert wait_of(document, writer.id)["lock"]["type"] == "backup"


def test_deadlock_that_nobody_looks_for(dbtap, my_folder, sessions):
    """With the detector off it lasts until a wait times out: it is told long before, and then with its victim."""
    server = my_folder.server({"innodb_deadlock_detect": "OFF", "innodb_lock_wait_timeout": "4"})
    made = sessions(server)
    a = made.open("update items set v = 1 where id = 1")
    b = made.open("update items set v = 1 where id = 2")
    with trace.window(dbtap, server, "--no-connect", command="locks") as traced:
        made.wait_row("update items set v = 2 where id = 2", a)
        closed = time.time()
        made.wait_row("update items set v = 2 where id = 1", b)
        a.end()
        b.end()
        b.do("select 1")
        a.do("select 1")
        time.sleep(0.1)
    cycles = traced.document["locks"]["cycles"]
    assert len(cycles) == 1 and cycles[0]["kind"] == "deadlock", cycles
    assert {member["pid"]: member["waits_for"] for member in cycles[0]["members"]} == {a.id: b.id, b.id: a.id}
    assert all("update items set v = ? where id = ?" in member["query"] for member in cycles[0]["members"])
    assert trace.seconds_of(cycles[0]["at"]) - closed < 2, cycles
    failed = [session.id for session in (a, b) if session.error]
    assert failed and cycles[0]["victim_pid"] == failed[0], (failed, cycles)
    server.stop()


def test_convoy_when_no_connection_is_left(dbtap, my_folder, sessions):
    server = my_folder.server({"max_connections": "22", "extra_max_connections": "1"})
    made = sessions(server)
    holder = made.open("update items set v = 1 where id = 3")
    waiters = [made.open() for _ in range(20)]
    for waiter in waiters:
        waiter.start("update items set v = v + 1 where id = 3")
    made.until(my_locking.WAITING, lambda rows: len(rows) == len(waiters))
    # root has one connection more than there are.
    with pytest.raises(Exception, match="1040"):
        spare = server.connect()
        server.connect()
    document = look(dbtap, server)
    spare.close()
    assert my_locking.blocked_by(document) == made.blocking()
    root = next(one for one in document["locks"]["holders"] if one["pid"] == holder.id)
    assert root["victims"] == 20 and sorted(root["blocks"]) == sorted(waiter.id for waiter in waiters), root
    made.close()
    server.stop()
