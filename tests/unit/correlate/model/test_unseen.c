// SPDX-License-Identifier: BSD-2-Clause
/* test_unseen.c - correlate/model/unseen: when what ended unseen in the same sessions spoils a row's calls. */
#include "correlate/model/build.h"

#include "tests/lib/alloc_fail.h"
#include "tests/unit/correlate/model/two_snapshots.h"

static struct tap_arena arena;
static struct tap_build build;
static struct tap_unseen *unseen;

static void set_up(void)
{
	two_init();
	tap_arena_init(&arena);
	build = (struct tap_build){ .input = &two.input, .arena = &arena };
}

static void forget(void)
{
	tap_unseen_free(unseen);
	unseen = NULL;
}

static void tear_down(void)
{
	forget();
	tap_arena_done(&arena);
	two_done();
}

static struct tap_row_key add(uint32_t instance, uint32_t database, uint64_t query_id, uint64_t calls,
			      uint64_t uncounted)
{
	struct tap_row_key key = two_key(instance, TAP_KIND_CLIENT, database, query_id);

	two_add(key, 1, calls, 0, 0)->account.uncounted = uncounted;
	return key;
}

static void look(void)
{
	forget();
	/* Borrowed: the rows stay the snapshot's. */
	build.rows = two.end.rows;
	unseen = tap_unseen_new(&build);
	ck_assert_ptr_nonnull(unseen);
}

static bool is_spoilt(struct tap_row_key key)
{
	return tap_unseen_spoils(unseen, two_row(&two.end, &key));
}

/* More than 0.5 % of the row and more than 0.1 % of all its user's statements in that database; up to three are noise.
 */
static const struct {
	uint64_t calls, uncounted, others;
	bool row, other;
} shares[] = {
	{ 1, 0, 1, false, false },	   { 1, 3, 0, false, false },  { 1, 4, 0, true, true },
	{ 799, 4, 0, true, true },	   { 800, 4, 0, false, true }, { 100, 4, 3899, true, false },
	{ 100, 4, 3900, false, false },	   { 0, 1000, 0, true, true }, { 100000, 500, 100000, false, false },
	{ 99999, 500, 99999, true, true },
};

START_TEST(test_shares)
{
	struct tap_row_key row = add(0, APP, 1, shares[_i].calls, shares[_i].uncounted);
	struct tap_row_key other = add(0, APP, 2, shares[_i].others, 0);

	look();
	ck_assert_int_eq(is_spoilt(row), shares[_i].row);
	ck_assert_int_eq(is_spoilt(other), shares[_i].other);
}
END_TEST

/* What one user's sessions hide says nothing of another's, of another database or of another server. */
START_TEST(test_groups_are_apart)
{
	struct tap_row_key row = add(0, APP, 1, 10, 100), user = row;
	struct tap_row_key database = add(0, OTHER, 1, 10, 0), instance = add(1, APP, 1, 10, 0);

	user.user = ME + 1;
	two_add(user, 1, 10, 0, 0);
	look();
	ck_assert(is_spoilt(row));
	ck_assert(!is_spoilt(user));
	ck_assert(!is_spoilt(database));
	ck_assert(!is_spoilt(instance));
}
END_TEST

START_TEST(test_only_clients_count)
{
	struct tap_row_key row = add(0, APP, 1, 10, 0);

	two_add(two_key(0, TAP_KIND_IDLE, APP, 0), 1, 0, 0, 0)->account.uncounted = 1000;
	two_add(two_key(0, TAP_KIND_PARALLEL, APP, 1), 1, 0, 0, 0)->account.uncounted = 1000;
	two_add(two_key(0, TAP_KIND_REST, 0, 0), 1, 5, 0, 0)->account.uncounted = 1000;
	look();
	ck_assert(!is_spoilt(row));
	/* A row of sessions that were never counted. */
	ck_assert(!is_spoilt(two_key(0, TAP_KIND_REST, 0, 0)));
}
END_TEST

static const struct {
	const char *text;
	bool progress;
} commands[] = {
	{ "copy t from stdin", true },
	{ "COPY (select 1) to stdout", true },
	{ "Vacuum", true },
	{ "ANALYZE t", true },
	{ "create  index on t (a)", false }, /* as normalised there is one space */
	{ "create unique index on t (a)", true },
	{ "CREATE TABLE AS select 1", true },
	{ "call p()", true },
	{ "do $1", true },
	{ "done", false },
	{ "copyright()", false },
	{ "select 'vacuum'", false },
	{ "/* vacuum */ select 1", false },
	{ "", false },
	{ NULL, false },
};

START_TEST(test_commands_with_progress)
{
	struct tap_row_key row = add(0, APP, 1, 10, 100), other = add(0, APP, 2, 10, 0);

	ck_assert_int_eq(tap_terms_postgres.statement_reports_progress(commands[_i].text), commands[_i].progress);
	two_text(1, NULL, commands[_i].text);
	look();
	ck_assert_int_eq(is_spoilt(row), !commands[_i].progress);
	ck_assert_int_eq(is_spoilt(other), !commands[_i].progress);
}
END_TEST

START_TEST(test_many_groups)
{
	enum {
		GROUPS = 2000
	};

	for (uint32_t i = 0; i < GROUPS; i++)
		add(i % 7, 100 + i, 1, 10, i % 3 ? 0 : 50);
	look();
	for (uint32_t i = 0; i < GROUPS; i++)
		ck_assert_int_eq(is_spoilt(two_key(i % 7, TAP_KIND_CLIENT, 100 + i, 1)), i % 3 == 0);
}
END_TEST

START_TEST(test_nothing)
{
	look();
	add(0, APP, 1, 10, 100); /* after the look: of a group it never saw */
	ck_assert(!is_spoilt(two_key(0, TAP_KIND_CLIENT, APP, 1)));
	tap_unseen_free(NULL);
}
END_TEST

START_TEST(test_out_of_memory)
{
	long failures = 0;

	for (uint32_t i = 0; i < 20; i++)
		add(0, 100 + i, 1, 10, 100);
	build.rows = two.end.rows;
	for (long n = 1;; n++) {
		tap_alloc_fail_at(n);
		unseen = tap_unseen_new(&build);
		if (!tap_alloc_failed())
			break;
		ck_assert_ptr_null(unseen);
		failures++;
	}
	tap_alloc_fail_at(0);
	ck_assert_ptr_nonnull(unseen);
	ck_assert_int_ge(failures, 3);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("model/unseen");
	TCase *tests = tcase_create("all");

	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_loop_test(tests, test_shares, 0, sizeof(shares) / sizeof(shares[0]));
	tcase_add_test(tests, test_groups_are_apart);
	tcase_add_test(tests, test_only_clients_count);
	tcase_add_loop_test(tests, test_commands_with_progress, 0, sizeof(commands) / sizeof(commands[0]));
	tcase_add_test(tests, test_many_groups);
	tcase_add_test(tests, test_nothing);
	tcase_add_test(tests, test_out_of_memory);
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
