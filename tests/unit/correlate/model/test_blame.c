// SPDX-License-Identifier: BSD-2-Clause
/* test_blame.c - correlate/model/blame: known balances, and conservation under random and hostile input. */
#include "correlate/model/blame.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/abi/kind.h"
#include "tests/lib/alloc_fail.h"
#include "tests/lib/check_main.h"

enum {
	PARTIES_MAX = 40,
	CHARGES_MAX = 20000,
	NOBODY = -1,
};

static struct tap_blame_party dirtiers[PARTIES_MAX], writers[PARTIES_MAX];
static size_t n_dirtiers, n_writers;

static struct {
	int dirtier; /* its query id, or NOBODY */
	uint8_t writer_kind;
	uint64_t bytes;
} charges[CHARGES_MAX];
static size_t n_charges;

static void charge(void *context, const struct tap_row_key *dirtier, uint8_t writer_kind, uint64_t bytes)
{
	ck_assert_ptr_eq(context, &n_charges);
	ck_assert_uint_gt(bytes, 0);
	ck_assert_uint_lt(n_charges, CHARGES_MAX);
	charges[n_charges].dirtier = dirtier ? (int)dirtier->query_id : NOBODY;
	charges[n_charges].writer_kind = writer_kind;
	charges[n_charges++].bytes = bytes;
}

static void set_up(void)
{
	n_dirtiers = n_writers = n_charges = 0;
}

static void dirtier(uint8_t kind, uint64_t id, uint64_t before, uint64_t bytes)
{
	dirtiers[n_dirtiers++] =
		(struct tap_blame_party){ .row = { .kind = kind, .query_id = id }, .before = before, .bytes = bytes };
}

static void writer(uint8_t kind, uint64_t id, uint64_t before, uint64_t bytes)
{
	writers[n_writers++] =
		(struct tap_blame_party){ .row = { .kind = kind, .query_id = id }, .before = before, .bytes = bytes };
}

static int by_row(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct tap_row_key));
}

static void blame(void)
{
	qsort(dirtiers, n_dirtiers, sizeof(dirtiers[0]), by_row);
	qsort(writers, n_writers, sizeof(writers[0]), by_row);
	n_charges = 0;
	ck_assert_int_eq(tap_blame_file(dirtiers, n_dirtiers, writers, n_writers, charge, &n_charges), 0);
}

/* What a dirtier (any: -2) was charged for what a kind (any: COUNT) wrote. */
static uint64_t charged(int who, uint8_t writer_kind)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n_charges; i++) {
		if ((who == -2 || charges[i].dirtier == who) &&
		    (writer_kind == TAP_KIND_COUNT || charges[i].writer_kind == writer_kind))
			sum += charges[i].bytes;
	}
	return sum;
}

START_TEST(test_kernel_writes_what_two_dirtied)
{
	dirtier(TAP_KIND_CLIENT, 1, 0, 300);
	dirtier(TAP_KIND_CLIENT, 2, 0, 100);
	writer(TAP_KIND_KERNEL, 9, 0, 200);
	blame();
	ck_assert_uint_eq(charged(1, TAP_KIND_KERNEL), 150);
	ck_assert_uint_eq(charged(2, TAP_KIND_KERNEL), 50);
	ck_assert_uint_eq(charged(-2, TAP_KIND_COUNT), 200);
}
END_TEST

/* What was owed when the window began is paid first. */
START_TEST(test_oldest_first)
{
	dirtier(TAP_KIND_CLIENT, 1, 1000, 0);
	dirtier(TAP_KIND_CLIENT, 2, 0, 1000);
	writer(TAP_KIND_KERNEL, 9, 400, 700);
	blame();
	ck_assert_uint_eq(charged(1, TAP_KIND_COUNT), 600);
	ck_assert_uint_eq(charged(2, TAP_KIND_COUNT), 100);
}
END_TEST

START_TEST(test_own_writes_first)
{
	dirtier(TAP_KIND_CLIENT, 1, 0, 100);
	dirtier(TAP_KIND_CHECKPOINTER, 3, 0, 300);
	writer(TAP_KIND_CHECKPOINTER, 3, 0, 250);
	writer(TAP_KIND_KERNEL, 9, 0, 150);
	blame();
	ck_assert_uint_eq(charged(3, TAP_KIND_CHECKPOINTER), 250);
	ck_assert_uint_eq(charged(3, TAP_KIND_KERNEL), 50);
	ck_assert_uint_eq(charged(1, TAP_KIND_KERNEL), 100);
	ck_assert_uint_eq(charged(1, TAP_KIND_CHECKPOINTER), 0);
}
END_TEST

/* Dirtied before the attach, or direct: who submitted; a kernel thread submits for nobody who was seen. */
START_TEST(test_what_nobody_owes)
{
	writer(TAP_KIND_KERNEL, 9, 0, 100);
	writer(TAP_KIND_CLIENT, 1, 0, 50);
	blame();
	ck_assert_uint_eq(charged(NOBODY, TAP_KIND_KERNEL), 100);
	ck_assert_uint_eq(charged(1, TAP_KIND_CLIENT), 50);
	ck_assert_uint_eq(n_charges, 2);
	set_up();
	/* More was written before than was dirtied: nothing is owed, and not less than nothing. */
	dirtier(TAP_KIND_CLIENT, 1, 100, 30);
	writer(TAP_KIND_KERNEL, 9, 5000, 50);
	blame();
	ck_assert_uint_eq(charged(1, TAP_KIND_KERNEL), 30);
	ck_assert_uint_eq(charged(NOBODY, TAP_KIND_KERNEL), 20);
}
END_TEST

START_TEST(test_nothing_written)
{
	dirtier(TAP_KIND_CLIENT, 1, 100, 30);
	writer(TAP_KIND_KERNEL, 9, 50, 0);
	blame();
	ck_assert_uint_eq(n_charges, 0);
	set_up();
	blame();
	ck_assert_uint_eq(n_charges, 0);
}
END_TEST

static uint64_t random_bytes(unsigned *seed)
{
	uint64_t bytes = (uint64_t)rand_r(seed) << 31 ^ (uint64_t)rand_r(seed);

	switch (rand_r(seed) % 4) {
	case 0:
		return 0;
	case 1:
		return bytes % 10;
	case 2:
		return bytes % 100000 * 4096;
	default:
		return bytes % 1000000;
	}
}

static void parties_random(unsigned *seed)
{
	set_up();
	for (int i = rand_r(seed) % PARTIES_MAX; i > 0; i--)
		dirtier(i % 3 ? TAP_KIND_CLIENT : TAP_KIND_CHECKPOINTER, (uint64_t)i, random_bytes(seed),
			random_bytes(seed));
	for (int i = rand_r(seed) % PARTIES_MAX; i > 0; i--)
		writer(i % 5 == 4 ? TAP_KIND_KERNEL
		       : i % 3	  ? TAP_KIND_CLIENT
				  : TAP_KIND_CHECKPOINTER,
		       (uint64_t)i, random_bytes(seed), random_bytes(seed));
}

/* What the rule promises of any input without overflow. */
static void properties_check(void)
{
	uint64_t written = 0, kinds[TAP_KIND_COUNT] = { 0 }, unowed = charged(NOBODY, TAP_KIND_COUNT);

	for (size_t i = 0; i < n_writers; i++) {
		written += writers[i].bytes;
		kinds[writers[i].row.kind] += writers[i].bytes;
	}
	ck_assert_uint_eq(charged(-2, TAP_KIND_COUNT), written);
	for (uint8_t kind = 0; kind < TAP_KIND_COUNT; kind++)
		ck_assert_uint_eq(charged(-2, kind), kinds[kind]);
	ck_assert_uint_eq(unowed, charged(NOBODY, TAP_KIND_KERNEL));
	/* Nobody pays for more than it dirtied or submitted itself. */
	for (int id = 0; id <= PARTIES_MAX; id++) {
		uint64_t most = 0;

		for (size_t i = 0; i < n_dirtiers; i++)
			most += (int)dirtiers[i].row.query_id == id ? dirtiers[i].before + dirtiers[i].bytes : 0;
		for (size_t i = 0; i < n_writers; i++)
			most += (int)writers[i].row.query_id == id && writers[i].row.kind != TAP_KIND_KERNEL
					? writers[i].bytes
					: 0;
		ck_assert_uint_le(charged(id, TAP_KIND_COUNT), most);
	}
	/* Somebody who was seen pays as long as somebody who was seen owes. */
	if (unowed) {
		uint64_t dirtied = 0, before = 0, owed;

		for (size_t i = 0; i < n_dirtiers; i++) {
			dirtied += dirtiers[i].bytes;
			before += dirtiers[i].before;
		}
		owed = before;
		for (size_t i = 0; i < n_writers; i++)
			owed -= writers[i].before < owed ? writers[i].before : owed;
		ck_assert_uint_le(owed + dirtied, written - unowed);
	}
}

START_TEST(test_conservation)
{
	unsigned seed = 7;

	for (int round = 0; round < 5000; round++) {
		parties_random(&seed);
		blame();
		properties_check();
	}
}
END_TEST

START_TEST(test_same_input_same_result)
{
	unsigned seed = 11;
	size_t count;
	uint64_t first[CHARGES_MAX];

	parties_random(&seed);
	blame();
	count = n_charges;
	for (size_t i = 0; i < count; i++)
		first[i] = charges[i].bytes;
	blame();
	ck_assert_uint_eq(n_charges, count);
	for (size_t i = 0; i < count; i++)
		ck_assert_uint_eq(charges[i].bytes, first[i]);
}
END_TEST

START_TEST(test_sums_beyond_64_bits)
{
	dirtier(TAP_KIND_CLIENT, 1, UINT64_MAX, UINT64_MAX);
	dirtier(TAP_KIND_CLIENT, 2, UINT64_MAX, UINT64_MAX);
	writer(TAP_KIND_KERNEL, 9, 5, UINT64_MAX);
	writer(200, 3, UINT64_MAX, UINT64_MAX); /* and a kind that is none */
	blame();
	ck_assert_uint_eq(charged(-2, TAP_KIND_COUNT), UINT64_MAX);
	ck_assert_uint_eq(charged(-2, TAP_KIND_KERNEL) + charged(-2, TAP_KIND_UNKNOWN), UINT64_MAX);
}
END_TEST

START_TEST(test_out_of_memory)
{
	dirtier(TAP_KIND_CLIENT, 1, 1, 1);
	tap_alloc_fail_at(1);
	ck_assert_int_eq(tap_blame_file(dirtiers, 1, writers, 0, charge, &n_charges), -ENOMEM);
	tap_alloc_fail_at(0);
	ck_assert_uint_eq(n_charges, 0);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("model/blame");
	TCase *tests = tcase_create("all");

	tcase_set_timeout(tests, 60);
	tcase_add_checked_fixture(tests, set_up, NULL);
	tcase_add_test(tests, test_kernel_writes_what_two_dirtied);
	tcase_add_test(tests, test_oldest_first);
	tcase_add_test(tests, test_own_writes_first);
	tcase_add_test(tests, test_what_nobody_owes);
	tcase_add_test(tests, test_nothing_written);
	tcase_add_test(tests, test_conservation);
	tcase_add_test(tests, test_same_input_same_result);
	tcase_add_test(tests, test_sums_beyond_64_bits);
	tcase_add_test(tests, test_out_of_memory);
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
