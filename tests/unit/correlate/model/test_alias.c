// SPDX-License-Identifier: BSD-2-Clause
/* test_alias.c - correlate/model/alias: rows under a text's own id become those of the statement that has the text. */
#include <string.h>

#include <check.h>

#include "bpf/abi/kind.h"
#include "correlate/fingerprint.h"
#include "correlate/model/alias.h"
#include "tests/lib/check_main.h"

static struct tap_texts texts;
static struct tap_aliases aliases;

static void set_up(void)
{
	tap_texts_init(&texts);
	tap_aliases_init(&aliases, &texts);
}

static void tear_down(void)
{
	tap_aliases_done(&aliases);
	tap_texts_done(&texts);
}

static void engine_text(uint32_t instance, uint64_t id, const char *text, enum tap_text_form form)
{
	struct tap_text_key key = { .instance = instance, .source = TAP_QUERY_ID_ENGINE, .query_id = id };

	ck_assert_int_eq(tap_texts_put(&texts, &key, text, strlen(text), form), 0);
}

static struct tap_row_key applied(uint32_t instance, uint8_t kind, const char *text)
{
	struct tap_row_key row = { .instance = instance, .kind = kind, .source = TAP_QUERY_ID_OWN };

	row.query_id = tap_fingerprint(text, strlen(text));
	ck_assert_int_eq(tap_aliases_apply(&aliases, &row), 0);
	return row;
}

START_TEST(test_engine_id)
{
	struct tap_row_key row;

	engine_text(1, 77, "create index i on t (a) /* one */", TAP_TEXT_RAW);
	engine_text(1, 78, "select * from t where a = $1", TAP_TEXT_NORMALISED);
	row = applied(1, TAP_KIND_PARALLEL, "CREATE INDEX i ON t (a)");
	ck_assert_uint_eq(row.source, TAP_QUERY_ID_ENGINE);
	ck_assert_uint_eq(row.query_id, 77);
	row = applied(1, TAP_KIND_CLIENT, "select * from t where a = 5");
	ck_assert_uint_eq(row.query_id, 78);
}
END_TEST

START_TEST(test_what_stays)
{
	struct tap_row_key row;

	engine_text(1, 77, "select 1", TAP_TEXT_RAW);
	ck_assert_uint_eq(applied(2, TAP_KIND_CLIENT, "select 1").source, TAP_QUERY_ID_OWN);
	ck_assert_uint_eq(applied(1, TAP_KIND_CLIENT, "select a").source, TAP_QUERY_ID_OWN);
	ck_assert_uint_eq(applied(1, TAP_KIND_AUTOVACUUM, "select 1").source, TAP_QUERY_ID_OWN);
	row = (struct tap_row_key){ .instance = 1, .kind = TAP_KIND_CLIENT };
	ck_assert_int_eq(tap_aliases_apply(&aliases, &row), 0);
	ck_assert_uint_eq(row.source, TAP_QUERY_ID_NONE);
}
END_TEST

/* The same text in two schemas is two statements: which one it was is not known. */
START_TEST(test_ambiguous)
{
	engine_text(1, 77, "select * from t", TAP_TEXT_RAW);
	engine_text(1, 78, "SELECT * FROM t", TAP_TEXT_RAW);
	engine_text(1, 79, "select * from u", TAP_TEXT_RAW);
	ck_assert_uint_eq(applied(1, TAP_KIND_CLIENT, "select * from t").source, TAP_QUERY_ID_OWN);
	ck_assert_uint_eq(applied(1, TAP_KIND_CLIENT, "select * from u").query_id, 79);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("correlate/model/alias");
	TCase *tests = tcase_create("alias");

	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, test_engine_id);
	tcase_add_test(tests, test_what_stays);
	tcase_add_test(tests, test_ambiguous);
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
