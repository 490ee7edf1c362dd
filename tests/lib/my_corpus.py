# SPDX-License-Identifier: BSD-2-Clause
"""my_corpus.py - statements of many shapes for MariaDB, to compare digests with: the same ones for the same seed.

Shapes are put together at random from small parts. Each comes several times, with other literals, lists of other lengths, other
spacing, comments and letters. None of the tables they speak of is there: what is not to be run has a digest nevertheless, and
a server that resolves odd names at random was seen to crash.
"""
import random
import re

AGAIN = 4  # times that a shape comes
QUOTED = re.compile(r"""('(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*"|`[^`]*`)""")


class Corpus:
    """`shape` decides what is said, `values` all that a digest leaves out."""

    def __init__(self, shape, values):
        self.random = random.Random(shape)
        self.values = random.Random(values)

    def one(self, *of):
        return self.random.choice(of)

    def some(self, make, low, high, between=", "):
        return self.values.choice((between, between.strip(), between + " ")).join(make() for _ in range(self.random.randint(low, high)))

    def list(self, make, high):
        return self.values.choice((", ", ",", " ,")).join(make() for _ in range(self.values.randint(1, high)))

    # ---- literals ----

    def number(self):
        r = self.values
        return r.choice((str(r.randint(0, 9)), str(r.randint(10, 10**9)), str(r.randint(10**18, 10**19)), f"{r.random():.3f}",
                         f".{r.randint(1, 99)}", f"{r.randint(1, 9)}e{r.randint(1, 9)}", f"{r.randint(1, 9)}.5E-{r.randint(1, 3)}",
                         f"{r.randint(1, 99)}."))

    def signed(self):
        return self.values.choice(("", "", "", "-", "+", "- ")) + self.number()

    def string(self):
        text = self.values.choice(("", "a", "it''s", "back\\\\slash", "quote\\'s", "50%", "-- not a comment", "/* nor this */", "semi;colon",
                                   "# hash", "new\nline", "tab\t", "\u00e4\u00f6\u00fc", "`tick`", "?", "x" * self.values.randint(1, 60)))
        if self.values.random() < 0.3:
            return '"' + text.replace("''", '""') + '"'
        return f"'{text}'"

    def literal(self):
        r = self.values
        if r.random() < 0.9:
            return r.choice((self.signed, self.string))()
        return r.choice((f"x'{r.randint(16, 255):x}'", f"0x{r.randint(256, 4095):04x}", f"b'{r.randint(1, 7):b}'", f"X'{r.randint(16, 255):X}'",
                         f"0b{r.randint(1, 7):b}", "NULL", "null", "N'text'", "true", "FALSE", "date '2020-01-01'",
                         "timestamp'2020-01-01 10:00:00'", "'two' 'parts'", "interval 1 day + '2020-01-01'"))

    # ---- expressions ----

    def column(self):
        return self.one("id", "name", "price", "made", "`order`", "items.id", "i.name", "i . price", "`i`.`order`", "shop.items.id", "`name`",
                        "Id", "NAME", "data", "note", "amount", "o.item")

    def function(self):
        r = self.random
        return self.one(lambda: f"count(*)", lambda: f"COUNT(*)", lambda: f"count(distinct {self.column()})", lambda: f"sum({self.column()})",
                        lambda: f"MAX({self.column()})", lambda: f"length({self.string()})", lambda: f"concat({self.some(self.value, 1, 4)})",
                        lambda: f"CONCAT({self.some(self.value, 1, 4)})", lambda: f"now()", lambda: f"NOW()",
                        lambda: f"coalesce({self.column()}, {self.literal()})", lambda: f"ifnull({self.column()},{self.literal()})",
                        lambda: f"if({self.condition()}, {self.literal()}, {self.literal()})", lambda: f"substring({self.column()}, {r.randint(1, 9)}, 2)",
                        lambda: f"cast({self.value()} as {self.one('char', 'signed', 'decimal(10,2)', 'char(20)')})",
                        lambda: f"date_add({self.column()}, interval {r.randint(1, 30)} {self.one('day', 'month', 'HOUR')})",
                        lambda: f"group_concat({self.column()} order by id separator {self.string()})",
                        lambda: f"row_number() over (partition by {self.column()} order by {self.column()})",
                        lambda: f"json_extract(data, '$.a')", lambda: f"round({self.value()}, {r.randint(0, 3)})",
                        lambda: f"mod({self.value()}, 7)", lambda: f"left(name, 3)", lambda: f"char({self.some(self.number, 1, 3)})",
                        lambda: f"extract(year from made)", lambda: f"trim(both 'x' from name)", lambda: f"values(price)",
                        lambda: f"convert(name using utf8mb4)", lambda: f"uuid()", lambda: f"rand({r.randint(1, 9)})")()

    def value(self):
        r = self.random.random()
        if r < 0.4:
            return self.literal()
        if r < 0.7:
            return self.column()
        if r < 0.85:
            return self.function()
        return self.one(lambda: f"{self.column()}{self.one(' + ', '-', ' - ', '*', ' / ', ' % ', ' div ', '||', ' | ', '<<')}{self.value()}",
                        lambda: f"({self.value()})", lambda: f"-{self.column()}", lambda: f"- {self.column()}", lambda: f"~{self.column()}",
                        lambda: f"@v{self.random.randint(1, 2)}", lambda: "@@version", lambda: "@@global.max_connections", lambda: f"!{self.column()}",
                        lambda: f"case {self.column()} when {self.literal()} then {self.literal()} else {self.literal()} end",
                        lambda: f"case when {self.condition()} then {self.literal()} end", lambda: f"(select max(id) from orders)",
                        lambda: f"{self.column()} collate utf8mb4_bin", lambda: "name is null",
                        lambda: f"binary {self.string()}")()

    def condition(self):
        return self.one(lambda: f"{self.column()}{self.one('=', ' = ', ' <> ', ' != ', '<', ' >= ', '>', '<=', ' <=> ')}{self.value()}",
                        lambda: f"{self.column()} in ({self.list(self.literal, 6)})", lambda: f"{self.column()} IN({self.list(self.signed, 40)})",
                        lambda: f"{self.column()} not in ({self.list(self.string, 5)})", lambda: f"{self.column()} between {self.signed()} and {self.signed()}",
                        lambda: f"{self.column()} like {self.string()}", lambda: f"{self.column()} is {self.one('', 'not ')}null",
                        lambda: f"(id, item) in ({self.list(lambda: f'({self.number()}, {self.signed()})', 5)})",
                        lambda: f"exists (select 1 from orders o where o.item = {self.column()})",
                        lambda: f"{self.column()} = any (select item from orders)", lambda: f"{self.column()} regexp {self.string()}",
                        lambda: f"not ({self.condition()})", lambda: f"({self.condition()} {self.one('or', '||', 'xor')} {self.condition()})",
                        lambda: f"{self.column()} = {self.value()} {self.one('and', '&&', 'AND')} {self.condition()}")()

    # ---- statements ----

    def alias(self):
        return self.one("", "", " as a", " AS `alias`", " total", " as 'text'", ' "quoted"')

    def limit(self):
        r = self.random
        return self.one("", "", f" limit {r.randint(1, 100)}", f" limit {r.randint(1, 100)}, {r.randint(1, 9)}", f" limit {r.randint(1, 9)} offset 5")

    def order(self):
        return self.one("", "", f" order by {self.column()}", f" order by {self.column()} desc, {self.random.randint(1, 3)}", " order by rand()")

    def source(self):
        return self.one("items", "items i", "shop.items", "`items` as i", "items i join orders o on o.item = i.id",
                        "items i left join orders as o using (id)", "items i, orders o", "(select * from items where id > 5) i", "dual",
                        "items i force index (primary)", "`odd name`", "items i natural join orders o", "Items", "ITEMS i")

    def select(self):
        text = self.one("select ", "SELECT ", "Select ", "select distinct ", "select sql_no_cache ", "select  ")
        text += self.one(lambda: "*", lambda: "i.*", lambda: self.some(lambda: self.value() + self.alias(), 1, 4))()
        if self.random.random() < 0.9:
            text += f" {self.one('from', 'FROM')} {self.source()}"
            text += self.one("", f" where {self.condition()}", f" where {self.condition()} and {self.condition()}", f"\nwhere\t{self.condition()}")
            text += self.one("", "", "", f" group by {self.column()}", f" group by {self.column()} having count(*) > {self.number()}", " group by 1 with rollup")
            text += self.order() + self.limit()
            text += self.one("", "", "", " for update", " lock in share mode", " for update nowait")
        return text

    def insert(self):
        width = self.random.randint(1, 4)
        make = self.one(self.literal, self.literal, self.literal, self.value)
        rows = self.list(lambda: "(" + ", ".join(make() for _ in range(width)) + ")", 6)
        return (self.one("insert into ", "INSERT INTO ", "replace into ", "insert ignore into ", "insert ") + self.one("items", "orders", "shop.items") +
                self.one("", " (name, price)", " (`name`)", "(id,name,price)") + self.one(" values ", " VALUES", " value ") + rows +
                self.one("", "", " on duplicate key update price = 5", " on duplicate key update price = values(price), name = 'x'", " returning id"))

    def change(self):
        return self.one(lambda: f"update items set price = {self.value()}, name={self.literal()} where {self.condition()}{self.limit()}",
                        lambda: f"UPDATE items i JOIN orders o ON o.item=i.id SET i.price = {self.literal()} WHERE o.id = {self.number()}",
                        lambda: f"delete from orders where {self.condition()}", lambda: f"DELETE o FROM orders o JOIN items i ON i.id = o.item WHERE {self.condition()}",
                        lambda: f"insert into orders set item = {self.literal()}, note={self.string()}", lambda: f"insert into orders (item) select id from items where {self.condition()}",
                        lambda: f"delete from orders where id in ({self.list(self.number, 20)})")()

    def other(self):
        r = self.random
        return self.one(lambda: f"set @v1 = {self.value()}", lambda: f"set @v1 := {self.literal()}, @v2={self.literal()}", lambda: "set autocommit = 1",
                        lambda: f"set session sort_buffer_size = {r.randint(100000, 200000)}", lambda: f"set names {self.one('utf8mb4', 'latin1')}", lambda: "begin", lambda: "commit",
                        lambda: "start transaction read only", lambda: "rollback", lambda: f"savepoint s{r.randint(1, 2)}", lambda: "show tables", lambda: "show status like 'Threads%'",
                        lambda: "SHOW FULL COLUMNS FROM items", lambda: "explain " + self.select(), lambda: f"select {self.some(self.value, 1, 3)} union {self.one('', 'all ')}select {self.some(self.value, 1, 3)}",
                        lambda: f"with c as (select {self.value()} as x) select * from c", lambda: f"create temporary table if not exists t{r.randint(1, 2)} (a int default {r.randint(1, 9)}, b varchar({r.randint(1, 99)}))",
                        lambda: f"do {self.function()}", lambda: f"call no_such_procedure({self.some(self.literal, 1, 3)})", lambda: f"kill query {r.randint(10**6, 10**7)}",
                        lambda: f"select get_lock({self.string()}, {r.randint(0, 1)})", lambda: "use shop", lambda: f"values ({self.some(self.number, 1, 3)}),(1)",
                        lambda: "analyze table items", lambda: f"prepare p from {self.string()}", lambda: "desc items", lambda: f"select 1; ", lambda: f"select {self.number()} into @v2")()

    def dress(self, text):
        r = self.values
        parts = QUOTED.split(text)
        if r.random() < 0.3:  # other letters
            parts = [part if i % 2 else re.sub(r"\w+", lambda word: r.choice((str, str.upper, str.lower, str.capitalize))(word[0]), part)
                     for i, part in enumerate(parts)]
        if r.random() < 0.2:  # other spacing
            parts = [part if i % 2 else part.replace(" ", r.choice(("  ", "\n", "\t", " /* between */ "))) for i, part in enumerate(parts)]
        text = "".join(parts)
        if r.random() < 0.1:
            return r.choice(("/* by the application */ ", "-- note\n", "# note\n", "/**/", "  \n", "/*!40001 ")) + text
        if r.random() < 0.1:
            return text + r.choice((";", " ;", " -- end", " /* end */", "\n", " # end", "  "))
        return text

    def statement(self):
        r = self.random.random()
        make = self.select if r < 0.55 else self.insert if r < 0.7 else self.change if r < 0.85 else self.other
        text = self.dress(make())
        return text + " */" if text.startswith("/*!") else text


def statements(count, seed=1):
    return [Corpus(f"{seed}.{i // AGAIN}", f"{seed}.{i}").statement() for i in range(count)]
