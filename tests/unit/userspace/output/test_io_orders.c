// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_io_orders.c - correlate/io_order against userspace/output/part_io: rows can be put in order by every figure that
 * is printed, under the name that CSV prints, and by nothing else.
 */
#include "correlate/io_order.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/check_main.h"
#include "userspace/output/part.h"

static const struct {
	enum tap_view_part part;
	enum tap_io_list list;
} lists[] = {
	{ TAP_PART_IO_QUERIES, TAP_IO_LIST_QUERIES }, { TAP_PART_IO_RELATIONS, TAP_IO_LIST_RELATIONS },
	{ TAP_PART_IO_DEVICES, TAP_IO_LIST_DEVICES }, { TAP_PART_IO_STREAMS, TAP_IO_LIST_STREAMS },
	{ TAP_PART_IO_BLAME, TAP_IO_LIST_BLAME },     { TAP_PART_IO_CHECKPOINTS, TAP_IO_LIST_CHECKPOINTS },
};

/* Numbers that name something or tell when, instead of how much. */
static bool is_figure(const struct tap_field *field)
{
	switch (field->type) {
	case TAP_FIELD_POSITIVE:
		return strcmp(field->name, "pid") != 0;
	case TAP_FIELD_INT:
	case TAP_FIELD_AGE:
	case TAP_FIELD_COUNT:
	case TAP_FIELD_DOUBLE:
	case TAP_FIELD_RESIDUAL:
	case TAP_FIELD_PART_OF:
		return true;
	default:
		return false;
	}
}

static void name_of(const struct tap_field *field, char ret[96])
{
	snprintf(ret, 96, "%s%s%s", field->group ? field->group : "", field->group ? "_" : "", field->name);
}

START_TEST(test_every_printed_figure)
{
	struct tap_view view = { 0 };
	size_t n_orders, figures = 0, orders_of_lists = 0;
	const struct tap_io_order *orders = tap_io_orders(&n_orders);

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		struct tap_rows rows;

		tap_rows_init(&rows, &view, lists[i].part);
		for (size_t j = 0; j < rows.n_fields; j++) {
			const struct tap_io_order *order;
			char name[96];

			name_of(&rows.fields[j], name);
			order = tap_io_order_find(lists[i].list, name);
			ck_assert_msg((order != NULL) == is_figure(&rows.fields[j]), "%s of %s", name,
				      tap_part_name(lists[i].part));
			if (!order)
				continue;
			ck_assert_msg(order->offset == rows.fields[j].offset, "%s", name);
			ck_assert_int_eq(order->type == TAP_IO_ORDER_COUNT, rows.fields[j].type == TAP_FIELD_COUNT);
			ck_assert_int_eq(order->type == TAP_IO_ORDER_DOUBLE, rows.fields[j].type == TAP_FIELD_DOUBLE);
			figures++;
		}
	}
	for (size_t i = 0; i < n_orders; i++)
		orders_of_lists += (size_t)__builtin_popcount(orders[i].lists);
	ck_assert_uint_eq(figures, orders_of_lists);
}
END_TEST

static int by_device(const void *a, const void *b)
{
	return strcmp(((const struct tap_view_io *)a)->device, ((const struct tap_view_io *)b)->device);
}

static void assert_order(const struct tap_view_io *rows, const char *wanted)
{
	for (size_t i = 0; wanted[i]; i++)
		ck_assert_msg(rows[i].device[0] == wanted[i], "%c at %zu, not %c", rows[i].device[0], i, wanted[i]);
}

START_TEST(test_sorting)
{
	struct tap_view_io rows[] = {
		{ .device = "a", .flushes = 5, .residual_read_bytes = -1, .read.latency.p95 = -1 },
		{ .device = "d", .flushes = UINT64_MAX, .residual_read_bytes = -4096, .read.latency.p95 = 7 },
		{ .device = "c", .flushes = 5, .residual_read_bytes = 9, .read.latency.p95 = 70 },
		{ .device = "b", .flushes = 0, .residual_read_bytes = 0, .read.latency.p95 = 0 },
	};
	size_t size = sizeof(rows[0]);

	tap_io_order_sort(TAP_IO_LIST_DEVICES, "flushes", rows, 4, size, by_device);
	assert_order(rows, "dacb");
	tap_io_order_sort(TAP_IO_LIST_DEVICES, "residual_read_bytes", rows, 4, size, by_device);
	assert_order(rows, "cbda");
	tap_io_order_sort(TAP_IO_LIST_DEVICES, "read_latency_ns_p95", rows, 4, size, by_device);
	assert_order(rows, "cdba");
	/* What this list does not have, and nothing. */
	tap_io_order_sort(TAP_IO_LIST_DEVICES, "dirtied_bytes", rows, 4, size, by_device);
	assert_order(rows, "abcd");
	tap_io_order_sort(TAP_IO_LIST_DEVICES, NULL, rows, 2, size, NULL);
	assert_order(rows, "ab");
	tap_io_order_sort(TAP_IO_LIST_DEVICES, "flushes", NULL, 0, size, by_device);
	ck_assert_ptr_null(tap_io_order_find(TAP_IO_LIST_STREAMS, "write_bytes"));
	ck_assert_ptr_null(tap_io_order_find(TAP_IO_LISTS_ALL, ""));
	ck_assert_ptr_null(tap_io_order_find(0, "flushes"));
}
END_TEST

START_TEST(test_numbers_that_are_none)
{
	struct tap_view_checkpoints rows[] = {
		{ .devices = "a", .running_percent = NAN },
		{ .devices = "b", .running_percent = 0 },
		{ .devices = "c", .running_percent = INFINITY },
		{ .devices = "d", .running_percent = 50 },
	};

	tap_io_order_sort(TAP_IO_LIST_CHECKPOINTS, "running_percent", rows, 4, sizeof(rows[0]), NULL);
	ck_assert_str_eq(rows[0].devices, "d");
	ck_assert_str_eq(rows[1].devices, "b");
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("correlate/io_order");
	TCase *tests = tcase_create("all");

	tcase_add_test(tests, test_every_printed_figure);
	tcase_add_test(tests, test_sorting);
	tcase_add_test(tests, test_numbers_that_are_none);
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
