# SPDX-License-Identifier: BSD-2-Clause
"""my_locking.py - for the live tests of MariaDB's locks: sessions that hold and wait, and what the server says of them itself."""
import threading
import time

WAIT_SECONDS = 30
# Waiters and who is in their way, by connection.
BLOCKING = """select w.trx_mysql_thread_id, b.trx_mysql_thread_id from information_schema.innodb_lock_waits l
                join information_schema.innodb_trx w on w.trx_id = l.requesting_trx_id
                join information_schema.innodb_trx b on b.trx_id = l.blocking_trx_id"""
# The same of MySQL.
MYSQL_BLOCKING = """select w.trx_mysql_thread_id, b.trx_mysql_thread_id from performance_schema.data_lock_waits l
                join information_schema.innodb_trx w on w.trx_id = l.requesting_engine_transaction_id
                join information_schema.innodb_trx b on b.trx_id = l.blocking_engine_transaction_id"""
STATES = "select id, state from information_schema.processlist where command = 'Query'"
WAITING = "select trx_mysql_thread_id from information_schema.innodb_trx where trx_state = 'LOCK WAIT'"


# Versions whose locks are read from memory, and whose waits the kernel side tells of as they begin and end.
FOLLOWED = ("host", "mariadb-11.8")


def is_followed(server):
    return server.build.name in FOLLOWED


def login(server, user="root"):
    """MySQL's users want a plugin of the client library, which dbtap loads for a user that was named only."""
    return ("--dsn", f"{server.instance}=user={user}") if user != "root" or server.build.product == "mysql" else ()


class Session:
    """A connection in a transaction; statements of it may wait in the background."""

    def __init__(self, server, database="shop"):
        self.connection = server.connect(database, autocommit=False)
        self.id = self.connection.thread_id()
        self.cursor = self.connection.cursor()
        self.thread = None
        self.error = None
        self.took = None

    def do(self, sql):
        self.cursor.execute(sql)
        return self.cursor.fetchall()

    def start(self, sql):
        """Runs it in the background; end() says how it went."""
        def run():
            began = time.monotonic()
            try:
                self.do(sql)
            except Exception as error:  # pylint: disable=broad-except
                self.error = error
            self.took = time.monotonic() - began

        self.error = self.took = None
        self.thread = threading.Thread(target=run)
        self.thread.start()
        return self

    def end(self):
        self.thread.join(60)
        assert not self.thread.is_alive()
        return self

    def rollback(self):
        self.connection.rollback()

    def close(self):
        self.connection.close()


class Sessions:
    """Those of one test. close() ends what still waits."""

    def __init__(self, server, table="shop.items", rows=40):
        self.server = server
        self.made = []
        self.observer = server.connect()
        self.ask("create database if not exists shop")
        self.ask("use shop")
        self.ask("create table if not exists own (id int auto_increment primary key) engine=innodb")
        self.ask(f"drop table if exists {table}")
        self.ask(f"create table {table} (id int primary key, v int, k int, key by_k (k)) engine=innodb")
        for first in range(1, rows + 1, 1000):
            values = ",".join(f"({number}, 0, {number})" for number in range(first, min(first + 1000, rows + 1)))
            self.ask(f"insert into {table} values {values}")

    def ask(self, sql):
        with self.observer.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())

    def open(self, *statements, written=True):
        self.made.append(Session(self.server))
        # Who has written nothing has no number in InnoDB's views.
        if written:
            self.made[-1].do("insert into own values ()")
        for statement in statements:
            self.made[-1].do(statement)
        return self.made[-1]

    def until(self, what, reached):
        """Asks until `reached` says yes of the answer, which is returned. InnoDB's views are made anew only if not asked for a while."""
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            answer = self.ask(what)
            if reached(answer):
                return answer
            assert time.monotonic() < deadline, answer
            time.sleep(0.15)

    def wait_row(self, sql, session=None):
        """A session that waits for a row by now."""
        session = session or self.open()
        session.start(sql)
        self.until(WAITING, lambda rows: (session.id,) in rows)
        return session

    def wait_state(self, sql, state, session=None):
        """A session that shows a stage which begins so."""
        session = session or self.open()
        session.start(sql)
        self.until(STATES, lambda rows: any(number == session.id and (shown or "").startswith(state) for number, shown in rows))
        return session

    def blocking(self):
        """{waiter: sorted blockers} of row locks, as the server says."""
        result = {}
        time.sleep(0.15)
        for waiter, blocker in self.ask(BLOCKING if self.server.build.product == "mariadb" else MYSQL_BLOCKING):
            result.setdefault(waiter, set()).add(blocker)
        return {waiter: sorted(blockers) for waiter, blockers in result.items()}

    def close(self):
        for session in self.made:
            try:
                self.ask(f"kill {session.id}")
            except Exception:  # pylint: disable=broad-except
                pass
        for session in self.made:
            if session.thread:
                session.thread.join(30)
            try:
                session.close()
            except Exception:  # pylint: disable=broad-except
                pass
        self.made = []
        if self.observer.open:
            self.observer.close()


def blocked_by(document):
    """{waiter: sorted blockers} of a document."""
    return {wait["pid"]: sorted(wait["blocked_by"]) for wait in document["locks"]["waits"]}
