// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_digest.c - which statements share an id, how they read, and that no bytes upset it.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <check.h>

#include "correlate/engine/mysql/digest.h"
#include "tests/lib/check_main.h"
#include "userspace/base/strbuf.h"

static uint64_t id(const char *text)
{
	return tap_my_statement_id(text, strlen(text));
}

static char *normal(const char *text)
{
	struct tap_strbuf out;

	tap_strbuf_init(&out);
	tap_my_statement_normalise(text, strlen(text), &out);
	return tap_strbuf_take(&out);
}

static const struct {
	const char *left;
	const char *right;
} same[] = {
	{ "SELECT 1", "select   2" },
	{ "SELECT 1", "SELECT -1" },
	{ "SELECT 1", "SELECT 'a\\'b'" },
	{ "SELECT 1", "SELECT \"a\"\"b\"" },
	{ "SELECT 1;", "SELECT 1 ; " },
	{ "SELECT 1", "SELECT b'101'" },
	{ "SELECT 1", "SELECT n'text'" },
	{ "SELECT 1", "SELECT NULL" },
	{ "SELECT x'00'", "SELECT X'ff'" },
	{ "SELECT 1", "SELECT - + -1" },
	{ "SELECT 1", "/*!40001 SELECT */ 1" },
	{ "SELECT 1", "/*M!100100 SELECT 1*/" },
	{ "SELECT * FROM t", "SELECT * /* all */ FROM t" },
	{ "SELECT sql_no_cache 1", "SELECT sql_no_cache .5" },
	{ "SELECT COUNT(*) FROM t", "select Count(*) from t" },
	{ "SELECT ID FROM t", "SELECT id FROM t" },
	{ "SELECT t.a", "SELECT t.`a`" },
	{ "SELECT t.name", "SELECT t.`name`" },
	{ "SELECT @a, @b", "SELECT @c, @d.e" },
	{ "SELECT a <> 1", "SELECT a != 1" },
	{ "SELECT a << 1", "SELECT a << -1" },
	{ "INSERT INTO t VALUES (1, NULL)", "INSERT INTO t VALUES (NULL, -1)" },
	{ "SELECT 1", "SELECT 0xABCDEF" },
	{ "SELECT 1", "SELECT 1.5e-10" },
	{ "SELECT 1", "SELECT .5" },
	{ "SELECT 1", "/* why */ SELECT 1 -- because\n" },
	{ "SELECT 1", "SELECT 1 # because" },
	{ "SELECT 1", "SELECT ?" },
	{ "SELECT a FROM t", "SELECT `a` FROM `t`" },
	{ "SELECT a FROM t WHERE b IN (1, 2)", "SELECT a FROM t WHERE b IN (1,2,3,-4)" },
	{ "INSERT INTO t VALUES (1),(2)", "INSERT INTO t VALUES (1),(2),(3)" },
	{ "INSERT INTO t VALUES (1,2),(3,4)", "INSERT INTO t VALUES (1,'a'),(3,'b'),(5,'c')" },
	{ "SELECT a - 1", "SELECT a-2" },
	{ "INSERT INTO t VALUES (1,2),(3,4)", "INSERT INTO t VALUES (1,2),(3,4),(5, 'cut of" },
	{ "INSERT INTO t VALUES (1,2),(3,4)", "INSERT INTO t VALUES (1,2),(3,4),(" },
	{ "INSERT INTO t VALUES (1,2),(3,4)", "INSERT INTO t VALUES (1,2),(3,4)," },
};

static const struct {
	const char *left;
	const char *right;
} different[] = {
	{ "SELECT a", "SELECT b" },
	{ "SELECT a", "SELECT 1" },
	{ "SELECT a - 1", "SELECT a 1" },
	{ "SELECT a", "SELECT a, a" },
	{ "SELECT 1; SELECT 1", "SELECT 1" },
	{ "SELECT t.a", "SELECT t a" },
	{ "INSERT INTO t VALUES (1)", "INSERT INTO t VALUES (1, 2)" },
	{ "SELECT 2020_sales", "SELECT 2020" },
	{ "SELECT `a b`", "SELECT a b" },
	{ "SELECT 1 --1", "SELECT 1" },
	{ "SELECT 1 /2", "SELECT 1 * 2" },
	{ "", "SELECT 1" },
	{ "SELECT 1", "SELECT x'00'" },
	{ "SELECT a FROM t", "SELECT A FROM t" },
	{ "SELECT count FROM t", "SELECT Count FROM t" },
	{ "SELECT length(a)", "SELECT LENGTH(a)" },
	{ "SELECT name", "SELECT `name`" },
	{ "SELECT a IS NULL", "SELECT a IS 1" },
	{ "CREATE TABLE t (a INT NOT NULL)", "CREATE TABLE t (a INT NOT 1)" },
	{ "SELECT a = -1", "SELECT a = 1" },
	{ "SELECT a < -1", "SELECT a < 1" },
	{ "SELECT @a", "SELECT @@a" },
	{ "SELECT @@a", "SELECT @@b" },
	{ "SELECT 0x1F", "SELECT 0X1F" },
	{ "SELECT 1;", "SELECT 1; -- why" },
};

static const struct {
	const char *text;
	const char *normal;
} texts[] = {
	{ "SELECT  1", "SELECT ?" },
	{ "SELECT * FROM t WHERE a=-5 AND b IN (1,2,3)", "SELECT * FROM t WHERE a=-? AND b IN (...)" },
	{ "SELECT a <> 5, a, (-1)", "SELECT a <> ?, a, (?)" },
	{ "INSERT INTO `t` (a,b) VALUES (1,'x'),(2,'y')", "INSERT INTO `t` (a,b) VALUES (...) /* , ... */" },
	{ "INSERT INTO t VALUES (1), (2)", "INSERT INTO t VALUES (?) /* , ... */" },
	{ "SELECT SLEEP(0.5)", "SELECT SLEEP(?)" },
	{ "select 'secret', \"secret\", a /* secret */ from b # secret", "select ?, ..., a from b" },
	{ "SET @a := 5, @b=b'101'", "SET @? := ?, @?=?" },
	{ "SELECT a-1, a - -1, a", "SELECT a-?, a - ?, a" },
	{ "BEGIN; COMMIT ;", "BEGIN; COMMIT" },
	{ "LIMIT 1,2", "LIMIT ?, ..." },
	{ "SELECT 'not closed", "SELECT" },
	{ "SELECT 1 --\nFROM t", "SELECT ? FROM t" },
	{ "SELECT t.1a,t.b", "SELECT t.1a,t.b" },
	{ "SELECT((((1))))", "SELECT((((?))))" },
};

/* A statement, and its digest text as MariaDB 10.11 writes it. */
static const struct {
	const char *text;
	const char *digest;
} known[] = {
	{ "select distinct a from t where b regexp 'x'", "SELECT DISTINCTROW `a` FROM `t` WHERE `b` RLIKE ? " },
	{ "insert into t (name) values (1,2),(3,null)", "INSERT INTO `t` ( NAME ) VALUES (...) /* , ... */ " },
	{ "SELECT Count(*), rand() FROM t.name where id in (1,2) LIMIT 5",
	  "SELECT COUNT ( * ) , `rand` ( ) FROM `t` . `name` WHERE ID IN (...) LIMIT ? " },
	{ "select now() + interval -1 day, x'00', @a", "SELECT NOW ( ) + INTERVAL ? SQL_TSI_DAY , (unknown) , @? " },
	{ "select `(?)`, a from t", "SELECT `(?)` , `a` FROM `t` " },
};

START_TEST(digest_texts_are_found)
{
	uint64_t wanted = tap_my_canonical_id(known[_i].text, strlen(known[_i].text));

	ck_assert_uint_eq(wanted, tap_my_digest_text_id(known[_i].digest, strlen(known[_i].digest)));
	/* A text that was cut is nobody's. */
	ck_assert_uint_eq(0, tap_my_digest_text_id("SELECT `a` , ...", 16));
	ck_assert_uint_eq(0, tap_my_digest_text_id("", 0));
}
END_TEST

/* The words of the file are keywords, and what is nearly one is none. */
START_TEST(keywords)
{
	FILE *file = fopen("tests/unit/correlate/engine/mysql/keywords.txt", "re");
	char word[80], text[200], small[200];
	size_t count = 0;

	ck_assert_ptr_nonnull(file);
	while (fscanf(file, "%70s", word) == 1) {
		size_t length = strlen(word);

		snprintf(small, sizeof(small), "show %s", word);
		for (size_t i = 0; i <= strlen(small); i++)
			text[i] = (char)toupper((unsigned char)small[i]);
		ck_assert_msg(id(small) == id(text), "%s", text);
		word[length - 1] = word[length - 1] == 'q' ? 'z' : 'q';
		snprintf(small, sizeof(small), "show %sq", word);
		snprintf(text, sizeof(text), "show %sQ", word);
		ck_assert_msg(id(small) != id(text), "%s", text);
		count++;
	}
	fclose(file);
	ck_assert_uint_gt(count, 700);
}
END_TEST

START_TEST(literals_do_not_count)
{
	ck_assert_msg(id(same[_i].left) == id(same[_i].right), "%s <> %s", same[_i].left, same[_i].right);
}
END_TEST

START_TEST(everything_else_does)
{
	ck_assert_msg(id(different[_i].left) != id(different[_i].right), "%s = %s", different[_i].left,
		      different[_i].right);
}
END_TEST

START_TEST(reads_as_the_server_writes_it)
{
	char *text = normal(texts[_i].text);

	ck_assert_str_eq(text, texts[_i].normal);
	free(text);
}
END_TEST

/* What is shown has the id of what was run, so that one may be looked for by the other. */
START_TEST(the_normal_text_keeps_the_id)
{
	char *text = normal(texts[_i].text);

	if (!strstr(text, "...") && !strstr(texts[_i].text, "not closed"))
		ck_assert_msg(id(text) == id(texts[_i].text), "%s", text);
	free(text);
}
END_TEST

/* Every cut of every text, with and without what follows. */
START_TEST(any_cut_is_harmless)
{
	const char *whole = texts[_i].text;

	for (size_t size = 0; size <= strlen(whole); size++) {
		char *copy = malloc(size + 1);
		struct tap_strbuf out;

		memcpy(copy, whole, size);
		copy[size] = '\0';
		tap_strbuf_init(&out);
		tap_my_statement_normalise(copy, size, &out);
		ck_assert(!out.failed);
		ck_assert_uint_le(out.size, 8 * size + 32);
		ck_assert_uint_ne(tap_my_statement_id(copy, size), 0);
		tap_strbuf_done(&out);
		free(copy);
	}
}
END_TEST

START_TEST(noise_is_harmless)
{
	unsigned seed = 1;

	for (int round = 0; round < 20000; round++) {
		static const char marks[] = "'\"`-/*#.,()?+;e0x1a \n\\@_";
		char noise[64];
		size_t size = (size_t)rand_r(&seed) % sizeof(noise);
		struct tap_strbuf out;

		for (size_t i = 0; i < size; i++)
			noise[i] = round & 1 ? (char)rand_r(&seed) : marks[(size_t)rand_r(&seed) % (sizeof(marks) - 1)];
		tap_strbuf_init(&out);
		tap_my_statement_normalise(noise, size, &out);
		ck_assert_uint_le(out.size, 8 * size + 32);
		tap_strbuf_done(&out);
		ck_assert_uint_ne(tap_my_statement_id(noise, size), 0);
		tap_my_digest_text_id(noise, size);
	}
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("digest");
	TCase *tests = tcase_create("digest");

	tcase_add_loop_test(tests, literals_do_not_count, 0, sizeof(same) / sizeof(*same));
	tcase_add_loop_test(tests, everything_else_does, 0, sizeof(different) / sizeof(*different));
	tcase_add_loop_test(tests, reads_as_the_server_writes_it, 0, sizeof(texts) / sizeof(*texts));
	tcase_add_loop_test(tests, the_normal_text_keeps_the_id, 0, sizeof(texts) / sizeof(*texts));
	tcase_add_loop_test(tests, any_cut_is_harmless, 0, sizeof(texts) / sizeof(*texts));
	tcase_add_loop_test(tests, digest_texts_are_found, 0, sizeof(known) / sizeof(*known));
	tcase_add_test(tests, keywords);
	tcase_add_test(tests, noise_is_harmless);
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
