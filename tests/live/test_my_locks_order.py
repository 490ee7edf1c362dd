# SPDX-License-Identifier: BSD-2-Clause
"""test_my_locks_order.py - MariaDB and MySQL: statements that take locks in opposite orders are told before they meet; one order
gives no alarm; and what InnoDB's own detector does then."""
import os
import random
import threading
import time

import my_locking
import pymysql
import pytest
import trace

ROWS = 60
WORKERS = 6
METADATA = {"performance_schema": "ON", "performance_schema_instrument": "wait/lock/metadata/sql/mdl=ON"}


@pytest.fixture(scope="module")
def order_server(my_folder):
    server = my_folder.server({**METADATA, "innodb_lock_wait_timeout": "3", "innodb_flush_log_at_trx_commit": "0"})
    server.query("create database shop")
    for table in ("a", "b"):
        server.query(f"create table shop.{table} (id int primary key, v int) engine=innodb")
        server.query(f"insert into shop.{table} values " + ",".join(f"({number}, 0)" for number in range(ROWS)))
    yield server
    server.stop()


def inversions(document):
    return [risk for risk in document["locks"]["risks"] if risk["risk"] == "order_inversion"]


def work(server, orders, rows, enough):
    """Transactions over two tables, until `enough` says so; the number of deadlocks."""
    deadlocks = []
    done = threading.Event()

    def worker(number):
        chance = random.Random(number)
        connection = server.connect("shop", autocommit=False)
        with connection.cursor() as cursor:
            while not done.is_set():
                try:
                    for table in orders[number % len(orders)]:
                        cursor.execute(f"update {table} set v = v + 1 where id = {chance.randrange(rows)}")
                        # Where waits are looked for four times a second they have to last.
                        time.sleep(0.02 if my_locking.is_followed(server) else 0.15)
                    connection.commit()
                except pymysql.err.OperationalError as error:
                    if error.args[0] == 1213:
                        deadlocks.append(time.time())
                    connection.rollback()
        connection.close()

    threads = [threading.Thread(target=worker, args=(number,)) for number in range(WORKERS)]
    for thread in threads:
        thread.start()
    enough()
    done.set()
    for thread in threads:
        thread.join()
    return deadlocks


def waited(traced):
    return [wait for wait in traced.document["locks"]["past"] if wait["lock"]["type"] == "record"]


@pytest.mark.skipif("TAP_MY_SERVER" not in os.environ, reason="runs in the matrix")
def test_opposite_orders_are_told(dbtap, order_server):
    with trace.window(dbtap, order_server, *my_locking.login(order_server), command="locks") as traced:
        work(order_server, [("a", "b"), ("b", "a")], 12, lambda: time.sleep(4))
    found = inversions(traced.document)
    assert len(found) == 1, ([(one["evidence"], one["first"], one["second"]) for one in found], len(waited(traced)))
    sides = sorted((side["query"], side["order"]) for side in (found[0]["first"], found[0]["second"]))
    assert "update a" in sides[0][0] and sides[0][1] == "shop.b before shop.a", sides
    assert "update b" in sides[1][0] and sides[1][1] == "shop.a before shop.b", sides


def test_one_order_gives_no_alarm(dbtap, order_server):
    with trace.window(dbtap, order_server, *my_locking.login(order_server), command="locks") as traced:
        deadlocks = work(order_server, [("a", "b")], 12, lambda: time.sleep(4))
    assert len(waited(traced)) >= 10, len(waited(traced))
    assert not deadlocks and not inversions(traced.document), inversions(traced.document)


class Scene:
    """Sessions that wait one after the other, never in a circle, until told to."""

    def __init__(self, server):
        self.server = server
        self.made = []

    def open(self, *statements):
        self.made.append(my_locking.Session(self.server))
        for statement in statements:
            self.made[-1].do(statement)
        return self.made[-1]

    def wait(self, session, statement):
        """It waits by now, and for long enough to be read whole."""
        session.start(statement)
        until = time.monotonic() + 20
        while (session.id,) not in self.server.query(my_locking.WAITING):
            assert time.monotonic() < until
            time.sleep(0.12)
        time.sleep(0.7 if my_locking.is_followed(self.server) else 1.6)

    def close(self):
        for session in self.made:
            if session.thread:
                session.end()
            session.close()


def test_an_inversion_is_told_before_it_closes(dbtap, order_server):
    scene = Scene(order_server)
    with trace.window(dbtap, order_server, *my_locking.login(order_server), command="locks") as traced:
        holder = scene.open("update a set v = v + 1 where id = 1")
        scene.wait(scene.open("update b set v = v + 1 where id = 5"), "update a set v = v + 1 where id = 1")
        holder.rollback()
        scene.made[-1].end().rollback()
        holder = scene.open("update b set v = v + 1 where id = 9")
        scene.wait(scene.open("update a set v = v + 1 where id = 7"), "update b set v = v + 1 where id = 9")
        holder.rollback()
        scene.made[-1].end().rollback()
    found = inversions(traced.document)
    assert len(found) == 1, (traced.document["locks"]["risks"], traced.document["locks"]["past"])
    orders = {side["query"]: side["order"] for side in (found[0]["first"], found[0]["second"])}
    assert orders == {"update a set v = v + ? where id = ?": "shop.b before shop.a",
                      "update b set v = v + ? where id = ?": "shop.a before shop.b"}, orders
    assert not traced.document["locks"]["cycles"] and not [one for one in scene.made if one.error]
    # What was told comes about: the detector ends the lighter of the two, which sleeps.
    with trace.window(dbtap, order_server, *my_locking.login(order_server), command="locks") as traced:
        light = scene.open("update a set v = v + 1 where id = 20")
        heavy = scene.open("update b set v = v + 1 where id >= 20")
        scene.wait(light, "update b set v = v + 1 where id = 20")
        heavy.do("update a set v = v + 1 where id = 20")
        light.end()
        heavy.rollback()
        assert light.error.args[0] == 1213, light.error
        light.rollback()
        light.do("select 1")
    scene.close()
    # Whether its wait counts as failed depends on who is faster: the thread looks back only when it sleeps again.
    if my_locking.is_followed(order_server):
        waits = {one["query"]: one["waits"] for one in traced.document["locks"]["by_query"]}
        assert waits["update b set v = v + ? where id = ?"] == 1, waits
