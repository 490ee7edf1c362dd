// SPDX-License-Identifier: BSD-2-Clause
/* test_confirm.c - a layout and the server's own word for it: fits, does not, cannot be seen; once a build. */
#include "userspace/consume/confirm.h"

#include <errno.h>
#include <string.h>

#include "tests/lib/check_main.h"
#include "userspace/attach/engine.h"

static struct {
	int marks;	/* statements that were run */
	int looks;	/* at memory */
	int mark_fails; /* the code of each; 0: they work */
	int seen_at;	/* the look that sees it; 0: none does */
	int otherwise;	/* what the others say */
	char marker[80];
} played;

static int play_mark(struct tap_engine_conn *conn, const char *marker, int32_t for_ms, tap_engine_look_fn look,
		     void *arg, struct tap_error *err)
{
	const struct tap_engine_self self = { .connection_id = 7, .user = "root" };

	(void)conn;
	ck_assert_int_gt(for_ms, 0);
	played.marks++;
	strncpy(played.marker, marker, sizeof(played.marker) - 1);
	if (played.mark_fails)
		return tap_error_set(err, played.mark_fails, "lost");
	look(&self, arg);
	return 0;
}

static int play_confirm(const struct tap_target *target, const struct tap_engine_self *self, const char *marker,
			struct tap_error *err)
{
	(void)target;
	ck_assert_int_eq(self->connection_id, 7);
	ck_assert_str_eq(marker, played.marker);
	if (++played.looks == played.seen_at)
		return 0;
	return tap_error_set(err, played.otherwise, "its query lies elsewhere");
}

static const struct tap_client marking = { .mark = play_mark }, silent;
static const struct tap_attach looking = { .confirm = play_confirm };

const struct tap_client *tap_client_of(enum tap_engine engine)
{
	return engine == TAP_ENGINE_MYSQL ? &marking : &silent;
}

const struct tap_attach *tap_attach_of(enum tap_engine engine)
{
	(void)engine;
	return &looking;
}

static struct tap_target target;
static struct tap_confirmed confirmed;
static struct tap_error err;

static void set_up(void)
{
	target = (struct tap_target){
		.engine = TAP_ENGINE_MYSQL, .id = "mariadb-3306", .build_id = "0123abcd", .layout_source = "row x"
	};
	confirmed.count = 0;
	memset(&played, 0, sizeof(played));
	played.otherwise = -EAGAIN;
}

START_TEST(test_seen)
{
	played.seen_at = 3;
	ck_assert_int_eq(tap_target_confirm(&target, NULL, &confirmed, &err), 0);
	ck_assert_int_eq(played.marks, 1);
	ck_assert_str_eq(target.layout_source, "row x, confirmed by our own session");
	ck_assert_uint_gt(strlen(played.marker), 16);
}
END_TEST

START_TEST(test_once_a_build)
{
	played.seen_at = 1;
	ck_assert_int_eq(tap_target_confirm(&target, NULL, &confirmed, &err), 0);
	ck_assert_int_eq(tap_target_confirm(&target, NULL, &confirmed, &err), 0);
	ck_assert_int_eq(played.marks, 1);
	ck_assert_uint_eq(confirmed.count, 1);
	/* A binary without a build id is nobody's like. */
	target.build_id[0] = '\0';
	played.looks = 0;
	ck_assert_int_eq(tap_target_confirm(&target, NULL, &confirmed, &err), 0);
	ck_assert_int_eq(played.marks, 2);
	ck_assert_uint_eq(confirmed.count, 1);
}
END_TEST

START_TEST(test_seen_late)
{
	/* Not within the first statement's time. */
	played.seen_at = 10;
	ck_assert_int_eq(tap_target_confirm(&target, NULL, &confirmed, &err), 0);
	ck_assert_int_eq(played.marks, 2);
}
END_TEST

START_TEST(test_something_else)
{
	played.otherwise = -EBADMSG;
	ck_assert_int_eq(tap_target_confirm(&target, NULL, &confirmed, &err), -EBADMSG);
	ck_assert_ptr_nonnull(strstr(err.text, "mariadb-3306: our own session"));
	ck_assert_ptr_nonnull(strstr(err.text, "its query lies elsewhere"));
	ck_assert_ptr_nonnull(strstr(err.text, "0123abcd"));
	ck_assert_str_eq(target.layout_source, "row x");
	ck_assert_uint_eq(confirmed.count, 0);
}
END_TEST

/* No contradiction: a server that is too busy to show anything is followed all the same. */
START_TEST(test_never_seen)
{
	ck_assert_int_eq(tap_target_confirm(&target, NULL, &confirmed, &err), -EAGAIN);
	ck_assert_int_eq(played.marks, 5);
	ck_assert_str_eq(target.layout_source, "row x");
}
END_TEST

START_TEST(test_lost)
{
	played.mark_fails = -ECONNRESET;
	ck_assert_int_eq(tap_target_confirm(&target, NULL, &confirmed, &err), -ECONNRESET);
	ck_assert_int_eq(played.marks, 1);
}
END_TEST

START_TEST(test_nothing_to_confirm)
{
	target.engine = TAP_ENGINE_POSTGRES;
	ck_assert(!tap_target_wants_confirming(&target));
	ck_assert_int_eq(tap_target_confirm(&target, NULL, &confirmed, &err), 0);
	ck_assert_int_eq(played.marks, 0);
	ck_assert_str_eq(target.layout_source, "row x");
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("confirm");
	TCase *tests = tcase_create("confirm");

	tcase_add_checked_fixture(tests, set_up, NULL);
	tcase_add_test(tests, test_seen);
	tcase_add_test(tests, test_once_a_build);
	tcase_add_test(tests, test_seen_late);
	tcase_add_test(tests, test_something_else);
	tcase_add_test(tests, test_never_seen);
	tcase_add_test(tests, test_lost);
	tcase_add_test(tests, test_nothing_to_confirm);
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
