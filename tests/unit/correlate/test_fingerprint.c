// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_fingerprint.c - the corpus against libpg_query, the BPF stepping against userspace, texts, hostile input.
 *
 * fingerprint_corpus.txt beside this file holds the statements and the documented differences. libpg_query is loaded
 * when the test runs, so that the build does not need it; without its header at build time or its library at run time a
 * test named SKIPPED... stands in the results for the comparisons.
 */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <check.h>
#if __has_include(<pg_query.h>)
#include <pg_query.h>
#define HAVE_PG_QUERY 1
#endif

#include "bpf/abi/fingerprint.h"
#include "correlate/fingerprint.h"
#include "tests/lib/check_main.h"
#include "userspace/base/strbuf.h"

enum {
	STATEMENTS_MAX = 2000,
	STATEMENTS_MIN = 400,
	TAGS_MAX = 32,
	LINE_SIZE = 4096,
};

struct tag {
	char name[64];
	int coarser; /* we give one id where libpg_query gives two */
	int used;
};

struct statement {
	char *text;
	size_t size;
	int family;
	uint32_t tags; /* bits of `corpus.tags` */
	uint32_t seen; /* those that a pair needed */
	uint64_t own;
	uint64_t theirs;
};

static struct {
	struct statement statements[STATEMENTS_MAX];
	struct tag tags[TAGS_MAX];
	int n_statements;
	int n_tags;
	int family; /* of the statement read next, 0 in a mixed set */
	int n_families;
} corpus;

static FILE *open_corpus(void)
{
	const char *name = "fingerprint_corpus.txt", *slash = strrchr(__FILE__, '/');
	char path[LINE_SIZE];
	FILE *file;

	snprintf(path, sizeof(path), "%.*s%s", slash ? (int)(slash - __FILE__) + 1 : 0, __FILE__, name);
	file = fopen(path, "re");
	ck_assert_msg(file != NULL, "cannot open %s: run the test from the top of the tree", path);
	return file;
}

static char *unescape(const char *line, size_t *size)
{
	char *text = malloc(strlen(line) + 1), *to = text;

	ck_assert_ptr_nonnull(text);
	while (*line) {
		if (!strncmp(line, "<NL>", 4)) {
			*to++ = '\n';
			line += 4;
		} else if (!strncmp(line, "<TAB>", 5)) {
			*to++ = '\t';
			line += 5;
		} else {
			*to++ = *line++;
		}
	}
	*to = '\0';
	*size = (size_t)(to - text);
	return text;
}

static uint32_t tag_bit(const char *name)
{
	int i;

	for (i = 0; i < corpus.n_tags; i++)
		if (!strcmp(corpus.tags[i].name, name))
			return 1u << i;
	ck_abort_msg("the corpus gives no reason for %s", name);
	return 0;
}

static void add_tag(char *line)
{
	struct tag *tag = &corpus.tags[corpus.n_tags++];
	char *end = strstr(line, ": ");

	ck_assert_int_le(corpus.n_tags, TAGS_MAX);
	ck_assert_msg(end && end[2], "a tag without a reason: %s", line);
	*end = '\0';
	ck_assert_uint_lt(strlen(line), sizeof(tag->name));
	memcpy(tag->name, line, strlen(line) + 1);
	tag->coarser = !strncmp(line, "coarser:", 8);
	ck_assert_msg(tag->coarser || !strncmp(line, "finer:", 6), "a tag of no kind: %s", line);
}

static void add_statement(char *line)
{
	struct statement *statement = &corpus.statements[corpus.n_statements++];
	char *name, *end, *rest = NULL;

	ck_assert_int_le(corpus.n_statements, STATEMENTS_MAX);
	if (line[0] == '[') {
		end = strchr(line, ']');
		ck_assert_ptr_nonnull(end);
		*end = '\0';
		for (name = strtok_r(line + 1, ",", &rest); name; name = strtok_r(NULL, ",", &rest))
			statement->tags |= tag_bit(name);
		line = end + 2;
	}
	statement->text = unescape(line, &statement->size);
	statement->family = corpus.family;
	statement->own = tap_fingerprint(statement->text, statement->size);
}

static void read_corpus(void)
{
	FILE *file = open_corpus();
	char line[LINE_SIZE];

	memset(&corpus, 0, sizeof(corpus));
	while (fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		if (!line[0] || line[0] == '#')
			continue;
		if (line[0] == '@')
			add_tag(line + 2);
		else if (line[0] == '=')
			corpus.family = ++corpus.n_families;
		else if (line[0] == '~')
			corpus.family = 0;
		else
			add_statement(line);
	}
	fclose(file);
}

static void free_corpus(void)
{
	int i;

	for (i = 0; i < corpus.n_statements; i++)
		free(corpus.statements[i].text);
}

static char *normalise(const char *text, size_t size)
{
	struct tap_strbuf out;
	char *result;

	tap_strbuf_init(&out);
	tap_fingerprint_normalise(text, size, &out);
	result = tap_strbuf_take(&out);
	ck_assert_ptr_nonnull(result);
	return result;
}

static uint64_t id(const char *text)
{
	return tap_fingerprint(text, strlen(text));
}

START_TEST(the_corpus_is_large)
{
	ck_assert_int_ge(corpus.n_statements, STATEMENTS_MIN);
	ck_assert_int_ge(corpus.n_families, 50);
}
END_TEST

START_TEST(a_family_has_one_id_and_no_other_has_it)
{
	const struct statement *a, *b;
	int i, j;

	for (i = 0; i < corpus.n_statements; i++) {
		for (j = 0; j < i; j++) {
			a = &corpus.statements[i];
			b = &corpus.statements[j];
			if (a->family && b->family)
				ck_assert_msg((a->own == b->own) == (a->family == b->family), "%s\n%s", a->text,
					      b->text);
		}
	}
}
END_TEST

#ifdef HAVE_PG_QUERY

static struct {
	__typeof__(&pg_query_fingerprint) fingerprint;
	__typeof__(&pg_query_free_fingerprint_result) free_fingerprint;
	__typeof__(&pg_query_normalize) normalize;
	__typeof__(&pg_query_free_normalize_result) free_normalize;
} pg_query;

static int load_pg_query(void)
{
	void *library = dlopen("libpg_query.so", RTLD_NOW | RTLD_LOCAL);

	if (!library)
		return 0;
	*(void **)&pg_query.fingerprint = dlsym(library, "pg_query_fingerprint");
	*(void **)&pg_query.free_fingerprint = dlsym(library, "pg_query_free_fingerprint_result");
	*(void **)&pg_query.normalize = dlsym(library, "pg_query_normalize");
	*(void **)&pg_query.free_normalize = dlsym(library, "pg_query_free_normalize_result");
	return pg_query.fingerprint && pg_query.free_fingerprint && pg_query.normalize && pg_query.free_normalize;
}

/* Is the difference of the pair documented? Notes which tags it needed. */
static int excused(struct statement *statement, int coarser)
{
	int i, found = 0;

	for (i = 0; i < corpus.n_tags; i++) {
		if (!(statement->tags & 1u << i) || corpus.tags[i].coarser != coarser)
			continue;
		statement->seen |= 1u << i;
		corpus.tags[i].used = 1;
		found = 1;
	}
	return found;
}

static void ask_pg_query(void)
{
	PgQueryFingerprintResult result;
	int i;

	for (i = 0; i < corpus.n_statements; i++) {
		result = pg_query.fingerprint(corpus.statements[i].text);
		ck_assert_msg(!result.error, "%s: %s", corpus.statements[i].text,
			      result.error ? result.error->message : "");
		corpus.statements[i].theirs = result.fingerprint;
		pg_query.free_fingerprint(result);
	}
}

START_TEST(libpg_query_tells_the_same_pairs_apart)
{
	struct statement *a, *b;
	int i, j, fine;

	ask_pg_query();
	for (i = 0; i < corpus.n_statements; i++) {
		for (j = 0; j < i; j++) {
			a = &corpus.statements[i];
			b = &corpus.statements[j];
			if ((a->own == b->own) == (a->theirs == b->theirs))
				continue;
			fine = excused(a, a->own == b->own);
			fine |= excused(b, a->own == b->own);
			ck_assert_msg(fine, "a difference without a tag, %s:\n%s\n%s",
				      a->own == b->own ? "coarser" : "finer", a->text, b->text);
		}
	}
	for (i = 0; i < corpus.n_statements; i++)
		ck_assert_msg(corpus.statements[i].seen == corpus.statements[i].tags, "the difference is gone: %s",
			      corpus.statements[i].text);
	for (i = 0; i < corpus.n_tags; i++)
		ck_assert_msg(corpus.tags[i].used, "no statement shows %s", corpus.tags[i].name);
}
END_TEST

START_TEST(libpg_query_writes_the_same_text)
{
	static const char *const texts[] = {
		"select a from t where b = 1 and c = 'x'",
		"SELECT a FROM T WHERE b = -1",
		"select a from t where b=$1 and c=2",
		"select a from t where b=$7 and c='x'",
		"insert into t (a, b) values (1, 'x')",
		"update t set a = 1, b = 'it''s' where c = $$x$$",
		"select f(1, 2.5, null, true) from t where x between 1 and 2",
		"select a, 1 from t where b is not null",
		"select case when a > 1 then 'x' else 'y' end from t",
		"select date '2024-01-01', 1::int8",
	};
	PgQueryNormalizeResult theirs;
	char *own;
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		theirs = pg_query.normalize(texts[i]);
		own = normalise(texts[i], strlen(texts[i]));
		ck_assert_ptr_null(theirs.error);
		ck_assert_str_eq(own, theirs.normalized_query);
		free(own);
		pg_query.free_normalize(theirs);
	}
}
END_TEST

#else

static int load_pg_query(void)
{
	return 0;
}

#endif

START_TEST(SKIPPED_comparison_no_libpg_query)
{
	fprintf(stderr, "skipped: comparison with libpg_query: its header or library is not there\n");
}
END_TEST

/* ---- the stepping of the BPF side ---- */

static uint64_t id_by_pieces(const char *text, size_t size, size_t piece_size)
{
	unsigned char piece[256];
	struct tap_fp fp;
	size_t i, n;

	tap_fp_init(&fp);
	for (i = 0; i < size; i += piece_size) {
		n = size - i < piece_size ? size - i : piece_size;
		memset(piece, 0, sizeof(piece));
		memcpy(piece, text + i, n);
		tap_fp_run(&fp, piece, (__u32)piece_size);
	}
	return tap_fp_final(&fp);
}

static uint64_t id_by_bytes(const char *text, size_t size)
{
	struct tap_fp fp;
	size_t i;

	tap_fp_init(&fp);
	for (i = 0; i < size; i++)
		tap_fp_step(&fp, (unsigned char)text[i]);
	return tap_fp_final(&fp);
}

/* Everything that must hold for any bytes. */
static void check_rules(const char *text, size_t size)
{
	uint64_t expected = tap_fingerprint(text, size);
	char *once, *twice;

	ck_assert_uint_ne(expected, 0);
	ck_assert_uint_eq(id_by_bytes(text, size), expected);
	ck_assert_uint_eq(id_by_pieces(text, size, 8), expected);
	ck_assert_uint_eq(id_by_pieces(text, size, 32), expected);
	ck_assert_uint_eq(id_by_pieces(text, size, 256), expected);
	once = normalise(text, size);
	ck_assert_msg(strlen(once) <= 5 * size + 32, "%s", once);
	ck_assert_msg(id(once) == expected, "%.*s\n%s", (int)size, text, once);
	twice = normalise(once, strlen(once));
	ck_assert_str_eq(once, twice);
	free(once);
	free(twice);
}

START_TEST(the_corpus_keeps_the_rules)
{
	int i;

	for (i = 0; i < corpus.n_statements; i++)
		check_rules(corpus.statements[i].text, corpus.statements[i].size);
}
END_TEST

START_TEST(every_cut_of_the_corpus_keeps_the_rules)
{
	const struct statement *statement;
	size_t size;
	char *cut;
	int i;

	for (i = 0; i < corpus.n_statements; i += 5) {
		statement = &corpus.statements[i];
		for (size = 0; size < statement->size; size++) {
			cut = malloc(size + 1); /* its own memory, so that a read behind it is found */
			ck_assert_ptr_nonnull(cut);
			memcpy(cut, statement->text, size);
			check_rules(cut, size);
			free(cut);
		}
	}
}
END_TEST

static uint32_t next_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

START_TEST(random_bytes_keep_the_rules)
{
	uint32_t state = 20240131, size, i;
	char text[200];
	int round;

	for (round = 0; round < 2000; round++) {
		size = next_random(&state) % sizeof(text);
		for (i = 0; i < size; i++)
			text[i] = (char)next_random(&state);
		check_rules(text, size);
	}
}
END_TEST

START_TEST(random_tokens_keep_the_rules)
{
	static const char *const tokens[] = {
		"in",	"(",	    "1",  ",",	   " ",	  "'",	"\"", "$",	"$a$", "$1", "-",   "/",
		"*",	"--",	    "/*", "*/",	   "\n",  ";",	".",  "...",	"e",   "u&", "n'",  "\\",
		"null", "true",	    "is", "array", "[",	  "]",	")",  "select", "+",   "=",  "0x1", "e5",
		"a",	"\xc3\xa9", ":",  "&",	   "'a'", "-1", "b",  "0",	"_",
	};
	uint32_t state = 7, n, i;
	char text[400];
	int round;

	for (round = 0; round < 8000; round++) {
		text[0] = '\0';
		n = next_random(&state) % 30;
		for (i = 0; i < n; i++)
			strcat(text, tokens[next_random(&state) % (sizeof(tokens) / sizeof(tokens[0]))]);
		check_rules(text, strlen(text));
	}
}
END_TEST

/* ---- ids ---- */

START_TEST(ids_are_the_same_for_ever)
{
	/* A change here is a change of TAP_FP_VERSION: stored ids become worthless. */
	ck_assert_int_eq(TAP_FP_VERSION, 1);
	ck_assert_uint_eq(id(""), 0x5c3e910faa7da296ull);
	ck_assert_uint_eq(id("select 1"), 0x68e0d565a84b8bf3ull);
	ck_assert_uint_eq(id("begin"), 0xd0b421da310147f4ull);
	ck_assert_uint_eq(id("SELECT abalance FROM pgbench_accounts WHERE aid = 1234567;"), 0x14ee4b6f733d71a2ull);
	ck_assert_uint_eq(id("select * from \"T\" where x in (1,2,3) /* c */"), 0x43da1b0db8c0657full);
}
END_TEST

static int compare_ids(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

START_TEST(many_statements_have_as_many_ids)
{
	enum {
		N = 200000
	};
	uint64_t *ids = malloc(N * sizeof(*ids)), ones = 0;
	char text[64];
	int i;

	ck_assert_ptr_nonnull(ids);
	for (i = 0; i < N; i++) {
		snprintf(text, sizeof(text), "select c%d from t%d", i % 500, i / 500);
		ids[i] = id(text);
		ones += (uint64_t)__builtin_popcountll(ids[i]);
	}
	qsort(ids, N, sizeof(*ids), compare_ids);
	for (i = 1; i < N; i++)
		ck_assert_uint_ne(ids[i], ids[i - 1]);
	ck_assert_double_eq_tol((double)ones / N, 32.0, 0.05);
	free(ids);
}
END_TEST

START_TEST(a_nul_ends_the_text)
{
	ck_assert_uint_eq(tap_fingerprint("select a\0 from t", 16), id("select a"));
	ck_assert_uint_eq(tap_fingerprint("select \"a\0b\"", 12), id("select \"a\""));
	ck_assert_uint_eq(tap_fingerprint("select 'a\0b', c", 15), id("select 1"));
	ck_assert_uint_eq(tap_fingerprint("select /* \0 */ b", 16), id("select"));
	ck_assert_uint_eq(tap_fingerprint("\0select", 7), id(""));
	check_rules("select a\0 from t", 16);
}
END_TEST

START_TEST(a_cut_list_has_one_id_wherever_it_is_cut)
{
	const char *text = "select a from t where b in (10, -20, 'x''y', $3, null, E'\\'', 2.5e-3";
	size_t first = strcspn(text, "1") + 1, size;
	uint64_t expected = tap_fingerprint(text, first);
	int same = 0;

	for (size = first; size <= strlen(text); size++)
		same += tap_fingerprint(text, size) == expected;
	/* all but the cuts where what is seen is not yet a literal: $, n, nu, nul, E */
	ck_assert_int_eq(same, (int)(strlen(text) - first + 1) - 5);
}
END_TEST

START_TEST(what_is_open_at_the_end_ends_quietly)
{
	ck_assert_uint_eq(id("select 'abc"), id("select 1"));
	ck_assert_uint_eq(id("select E'abc\\"), id("select 1"));
	ck_assert_uint_eq(id("select $tag$abc$ta"), id("select 1"));
	ck_assert_uint_eq(id("select a /* b"), id("select a"));
	ck_assert_uint_eq(id("select a /* b /* c */"), id("select a"));
	ck_assert_uint_eq(id("select a -- b"), id("select a"));
	ck_assert_uint_eq(id("select \"a"), id("select a"));
	ck_assert_uint_eq(id("select a from t where b = -"), id("select a from t where b ="));
	ck_assert_uint_ne(id("select a\xc3"), id("select a"));
}
END_TEST

START_TEST(limits_are_kept)
{
	static char text[70000];
	size_t i;
	char *out;

	memset(text, ' ', 700);
	for (i = 0; i < 700; i += 2)
		text[i] = '-'; /* 350 signs, more than are counted */
	strcpy(text + 700, "a");
	check_rules(text, strlen(text));
	memset(text, '(', 60000);
	text[60000] = '\0';
	check_rules(text, 2000);
	ck_assert_uint_ne(tap_fingerprint(text, 60000), tap_fingerprint(text, 59999));
	for (i = 0; i + 2 < 60000; i += 2)
		memcpy(text + i, "/*", 2);
	ck_assert_uint_eq(tap_fingerprint(text, 60000), id(""));
	out = normalise("select $99999999999, $65535, 1", 30);
	ck_assert_str_eq(out, "select $99999999999, $65535, $65536");
	free(out);
}
END_TEST

/* ---- texts ---- */

static const struct {
	const char *text;
	const char *expected;
} texts[] = {
	{ "", "" },
	{ " ;; ", "" },
	{ "-- nothing", "" },
	{ "SELECT  1 ;", "SELECT $1" },
	{ "select\n\t1,'a'/* c */,x -- d\n", "select $1,$2 ,x" },
	{ "select a/**/b", "select a b" },
	{ "select -1, - 2, - - 3, 4-5, a -6, - a", "select $1, $2, $3, $4-$5, a -$6, - a" },
	{ "select - /* x */ - a", "select - - a" },
	{ "select a=-1", "select a=$1" },
	{ "select-1", "select $1" },
	{ "select date'2024-01-01'x", "select date $1 x" },
	{ "select 1'a'", "select $1 $2" },
	{ "where id = $3 and x = 5 and y = $1 and z = 'q'", "where id = $3 and x = $4 and y = $1 and z = $5" },
	{ "x in (1)", "x in ($1)" },
	{ "x IN (1, 2,3) and y in ('a','b')", "x IN ($1, ...) and y in ($2, ...)" },
	{ "x in ($4, 2)", "x in ($4, ...)" },
	{ "x in (1, -2 , - 3)", "x in ($1, ...)" },
	{ "x in (1, 2, a)", "x in ($1, ..., a)" },
	{ "x in (1 , a, 3)", "x in ($1 , a, $2)" },
	{ "x in (1, 2 + 3)", "x in ($1, $2 + $3)" },
	{ "x in (1, 2, 3 + 4)", "x in ($1, ..., $2 + $3)" },
	{ "x in (1, $2 + 4)", "x in ($3, $2 + $4)" },
	{ "x in (1, - a)", "x in ($1, - a)" },
	{ "x in (1, 2", "x in ($1, ..." },
	{ "x in (1, ", "x in ($1" },
	{ "x in (1, 2; b", "x in ($1, ...; b" },
	{ "x in ($1, ...)", "x in ($1, ...)" },
	{ "array[1,2]", "array[$1, ...]" },
	{ "a ; ; b;", "a ; b" },
	{ "select \"In\"(1, 2), \"a\"\"b\"", "select \"In\"($1, $2), \"a\"\"b\"" },
	{ "select true, NULL, x is null", "select $1, $2, x is null" },
	{ "select 'a'\n'b', E'\\''\n'\\'', U&'x', u&\"y\"", "select $1, $2, $3, u&\"y\"" },
	{ "select $$a;'$$, $q$ $$ $q$, $, $x, $x y", "select $1, $2, $, $x, $x y" },
	{ "select 0x1f, 1_000, .5, 1., 1e-5, 0b1, 0xe-1, t.5", "select $1, $2, $3, $4, $5, $6, $7-$8, t $9" },
	{ "create user x password 'secret'", "create user x password $1" },
	{ "\xc3\xa9 = '\xc3\xa9'", "\xc3\xa9 = $1" },
};

START_TEST(texts_are_readable)
{
	char *out = normalise(texts[_i].text, strlen(texts[_i].text));

	ck_assert_str_eq(out, texts[_i].expected);
	free(out);
	check_rules(texts[_i].text, strlen(texts[_i].text));
}
END_TEST

START_TEST(a_text_is_appended)
{
	struct tap_strbuf out;

	tap_strbuf_init(&out);
	tap_strbuf_add_string(&out, "query: x");
	tap_fingerprint_normalise("y = 1", 5, &out);
	ck_assert_str_eq(out.data, "query: xy = $1");
	tap_strbuf_done(&out);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("fingerprint");
	TCase *ids = tcase_create("ids"), *rules = tcase_create("rules"), *text = tcase_create("text");

	tcase_add_checked_fixture(ids, read_corpus, free_corpus);
	tcase_add_test(ids, the_corpus_is_large);
	tcase_add_test(ids, a_family_has_one_id_and_no_other_has_it);
	if (load_pg_query()) {
#ifdef HAVE_PG_QUERY
		tcase_add_test(ids, libpg_query_tells_the_same_pairs_apart);
		tcase_add_test(ids, libpg_query_writes_the_same_text);
#endif
	} else {
		tcase_add_test(ids, SKIPPED_comparison_no_libpg_query);
	}
	tcase_add_test(ids, ids_are_the_same_for_ever);
	tcase_add_test(ids, many_statements_have_as_many_ids);
	tcase_add_test(ids, a_nul_ends_the_text);
	tcase_add_test(ids, a_cut_list_has_one_id_wherever_it_is_cut);
	tcase_add_test(ids, what_is_open_at_the_end_ends_quietly);
	tcase_set_timeout(ids, 60);
	suite_add_tcase(suite, ids);
	tcase_add_checked_fixture(rules, read_corpus, free_corpus);
	tcase_add_test(rules, the_corpus_keeps_the_rules);
	tcase_add_test(rules, every_cut_of_the_corpus_keeps_the_rules);
	tcase_add_test(rules, random_bytes_keep_the_rules);
	tcase_add_test(rules, random_tokens_keep_the_rules);
	tcase_add_test(rules, limits_are_kept);
	tcase_set_timeout(rules, 120);
	suite_add_tcase(suite, rules);
	tcase_add_loop_test(text, texts_are_readable, 0, (int)(sizeof(texts) / sizeof(texts[0])));
	tcase_add_test(text, a_text_is_appended);
	suite_add_tcase(suite, text);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
