# SPDX-License-Identifier: BSD-2-Clause
"""test_my_locks_asked.py - MariaDB and MySQL: locks as the server's views tell them, where memory cannot be read."""
import os
import time

import my_locking
import pytest
import trace
from locking import wait_of

NO_MEMORY = {"DBTAP_TEST_NO_LOCK_MEMORY": "1"}
METADATA = {"performance_schema": "ON", "performance_schema_instrument": "wait/lock/metadata/sql/mdl=ON"}
ASKED = "its own views of locks"


@pytest.fixture(scope="module")
def asked_server(my_folder):
    server = my_folder.server(METADATA)
    yield server
    server.stop()


@pytest.fixture
def sessions(asked_server):
    made = []

    def make(server=asked_server, **more):
        made.append(my_locking.Sessions(server, **more))
        return made[-1]

    yield make
    for one in made:
        one.close()


def look(dbtap, server, arguments=None, seconds=0.3):
    """The locks of this moment."""
    arguments = arguments or my_locking.login(server)
    return dbtap("locks", "--instance", server.instance, "--format", "json", "--duration", seconds, *arguments,
                 env=NO_MEMORY).ok().json()


def test_row_locks(dbtap, asked_server, sessions):
    """A chain, several holders, gaps, inserts, a secondary index, and who is ahead: each as the server says."""
    made = sessions(rows=100)
    made.ask("delete from shop.items where id between 11 and 19")
    first = made.open("update items set v = 1 where id = 1")
    second = made.open("update items set v = 1 where id = 2")
    made.wait_row("update items set v = 2 where id = 1", second)
    third = made.wait_row("update items set v = 2 where id = 2")
    ahead = made.wait_row("update items set v = 3 where id = 2")
    made.open("select * from items where id = 5 lock in share mode")
    made.open("select * from items where id = 5 lock in share mode")
    made.wait_row("update items set v = 1 where id = 5")
    made.open("select * from items force index (primary) where id between 12 and 18 for update")
    inserter = made.wait_row("insert into items values (15, 0, 15)")
    document = look(dbtap, asked_server)
    assert document["instances"][0]["lock_source"] == ASKED and "asked instead" in document["absent"]["locks"], document["absent"]
    assert my_locking.blocked_by(document) == made.blocking() and len(document["locks"]["waits"]) == 5
    assert my_locking.blocked_by(document)[ahead.id] == sorted([second.id, third.id])
    assert wait_of(document, inserter.id)["lock"]["mode"] == "X,INSERT_INTENTION"
    wait = wait_of(document, third.id)
    assert wait["lock"]["relation"] == "shop.items" and "PRIMARY" in wait["lock"]["name"], wait
    assert wait["depth"] == 2 and wait["root_pid"] == first.id
    root = next(holder for holder in document["locks"]["holders"] if holder["pid"] == first.id)
    assert root["state"] == "idle in transaction" and root["blocks"] == [second.id], root


@pytest.mark.skipif("TAP_MY_SERVER" not in os.environ, reason="runs in the matrix")
def test_a_wait_of_known_length(dbtap, asked_server, sessions):
    """Nobody tells when it begins and ends: it is looked for, four times a second."""
    made = sessions()
    holder = made.open("update items set v = v + 1 where id = 7")
    waiter = made.open("select 1")
    with trace.window(dbtap, asked_server, *my_locking.login(asked_server), command="locks", env=NO_MEMORY) as traced:
        time.sleep(0.5)
        waiter.start("update items set v = v + 2 where id = 7")
        time.sleep(2)
        holder.rollback()
        waiter.end()
        time.sleep(0.6)
    past = wait_of(traced.document, waiter.id, "past")
    assert abs(past["waiting_ns"] / 1e9 - waiter.took) < 0.6, (past, waiter.took)
    assert past["blocked_by"] == [holder.id] and past["lock"]["relation"] == "shop.items", past
    assert "update items set v = v + ?" in past["query"], past
    assert not traced.document["locks"]["waits"]


def test_metadata_locks(dbtap, asked_server, sessions):
    made = sessions()
    reader = made.open("select count(*) from items")
    altering = made.wait_state("alter table items add column w int", "Waiting for table metadata lock")
    behind = [made.wait_state("select max(v) from items", "Waiting for table metadata lock") for _ in range(2)]
    holder = made.open("select get_lock('mine', 1)", written=False)
    waiter = made.wait_state("select get_lock('mine', 30)", "User lock", made.open(written=False))
    document = look(dbtap, asked_server)
    assert my_locking.blocked_by(document) == {altering.id: [reader.id], **{session.id: [altering.id] for session in behind},
                                               waiter.id: [holder.id]}
    wait = wait_of(document, altering.id)
    assert (wait["lock"]["type"], wait["lock"]["mode"], wait["lock"]["relation"]) == ("metadata", "EXCLUSIVE", "shop.items"), wait
    assert wait_of(document, behind[0].id)["lock"]["mode"] == "SHARED_READ"
    assert wait_of(document, waiter.id)["lock"]["name"] == "user lock mine"


@pytest.mark.skipif("TAP_MY_SERVER" not in os.environ, reason="runs in the matrix")
def test_convoy(dbtap, asked_server, sessions):
    made = sessions()
    holder = made.open("update items set v = 1 where id = 9")
    for _ in range(12):
        made.open().start("update items set v = v + 1 where id = 9")
    made.until(my_locking.WAITING, lambda rows: len(rows) == 12)
    document = look(dbtap, asked_server)
    assert my_locking.blocked_by(document) == made.blocking()
    root = next(one for one in document["locks"]["holders"] if one["pid"] == holder.id)
    assert root["victims"] == 12, root


@pytest.mark.skipif("TAP_MY_SERVER" not in os.environ, reason="runs in the matrix")
def test_without_privileges(dbtap, asked_server, sessions):
    """One line says what to grant; all else is there."""
    made = sessions()
    made.ask("create user if not exists poor@localhost")
    holder = made.open("update items set v = 1 where id = 9")
    made.wait_row("update items set v = 2 where id = 9")
    document = look(dbtap, asked_server, my_locking.login(asked_server, "poor"))
    assert not document["locks"]["waits"]
    assert "grant PROCESS" in document["absent"]["locks"], document["absent"]
    assert document["instances"][0]["connected"] and holder.id
