// SPDX-License-Identifier: BSD-2-Clause
/* test_governor.c - userspace/consume/governor over loads that jump, waver and go away. */
#include "userspace/consume/governor.h"

#include "tests/lib/check_main.h"

static struct tap_governor governor;
static int64_t now_ms;

static void set_up(void)
{
	tap_governor_init(&governor, 5);
	now_ms = 1000;
}

/* One look at a load that costs so much when all sessions are probed. The share comes out as it is meant. */
static enum tap_governor_level look(double percent_of_all)
{
	now_ms += TAP_GOVERNOR_LOOK_MS;
	tap_governor_look(&governor, now_ms, percent_of_all * governor.share);
	governor.share = tap_governor_share(governor.level);
	return governor.level;
}

/* How many steps were taken in so many seconds. */
static int steps_in(int seconds, double percent_of_all)
{
	int steps = 0;

	for (int i = 0; i < seconds * 1000 / TAP_GOVERNOR_LOOK_MS; i++) {
		enum tap_governor_level before = governor.level;

		steps += look(percent_of_all) != before;
	}
	return steps;
}

START_TEST(test_stays)
{
	ck_assert_int_eq(steps_in(600, 4.9), 0);
	ck_assert_int_eq(governor.level, TAP_GOVERNOR_ALL);
	ck_assert_int_eq(tap_governor_look(&governor, now_ms, -1), TAP_GOVERNOR_ALL);
}
END_TEST

/* The cost of a jump lasts one look, at most two. */
START_TEST(test_jump)
{
	static const struct {
		double percent;
		enum tap_governor_level level;
		int looks;
	} jumps[] = {
		{ 5.5, TAP_GOVERNOR_SOME, 2 }, { 10, TAP_GOVERNOR_SOME, 1 }, { 17, TAP_GOVERNOR_FEW, 1 },
		{ 60, TAP_GOVERNOR_FEW, 1 },   { 70, TAP_GOVERNOR_NONE, 1 }, { 1e9, TAP_GOVERNOR_NONE, 1 },
	};
	int looks = 0;

	ck_assert_int_eq(steps_in(10, 0.1), 0);
	do {
		looks++;
	} while (look(jumps[_i].percent) == TAP_GOVERNOR_ALL && looks < 10);
	ck_assert_int_eq(looks, jumps[_i].looks);
	ck_assert_int_eq(governor.level, jumps[_i].level);
	ck_assert_int_le(looks * TAP_GOVERNOR_LOOK_MS, 2000);
}
END_TEST

START_TEST(test_returns)
{
	look(100);
	ck_assert_int_eq(governor.level, TAP_GOVERNOR_NONE);
	ck_assert_int_eq(steps_in(3, 0.5), 0);
	ck_assert_int_eq(steps_in(30, 0.5), 3);
	ck_assert_int_eq(governor.level, TAP_GOVERNOR_ALL);
}
END_TEST

/* A load that stays where it is settles, instead of going to and fro; one that is far too much is tried ever less. */
START_TEST(test_does_not_flap)
{
	static const double percents[] = { 5.5, 8, 12, 15, 20, 30, 100 };
	int steps;

	steps_in(600, percents[_i]);
	steps = steps_in(600, percents[_i]);
	ck_assert_int_le(steps, 12);
}
END_TEST

/* Near the budget it does not step back into what it just left. */
START_TEST(test_hysteresis)
{
	look(10);
	ck_assert_int_eq(governor.level, TAP_GOVERNOR_SOME);
	ck_assert_int_eq(steps_in(300, 4), 0);
	ck_assert_int_eq(steps_in(10, 2.9), 1);
	ck_assert_int_eq(governor.level, TAP_GOVERNOR_ALL);
}
END_TEST

/* Figures that cannot be: no level beyond the last, no share of nothing. */
START_TEST(test_hostile)
{
	governor.share = 0;
	for (int i = 0; i < 100; i++)
		ck_assert_int_le(tap_governor_look(&governor, now_ms += 1, i % 2 ? 1e300 : -1), TAP_GOVERNOR_NONE);
	ck_assert_double_eq(tap_governor_share(TAP_GOVERNOR_LEVELS), 0);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("consume/governor");
	TCase *all = tcase_create("all");

	tcase_add_checked_fixture(all, set_up, NULL);
	tcase_add_test(all, test_stays);
	tcase_add_loop_test(all, test_jump, 0, 6);
	tcase_add_test(all, test_returns);
	tcase_add_loop_test(all, test_does_not_flap, 0, 7);
	tcase_add_test(all, test_hysteresis);
	tcase_add_test(all, test_hostile);
	suite_add_tcase(suite, all);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
