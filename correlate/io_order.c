// SPDX-License-Identifier: BSD-2-Clause
/* io_order.c - the table of io_order.h, and sorting by it. */
#include "correlate/io_order.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "correlate/view.h"

#define OWNED (TAP_IO_LIST_QUERIES | TAP_IO_LIST_RELATIONS)
#define COUNTED (OWNED | TAP_IO_LIST_DEVICES)
#define MOVED (COUNTED | TAP_IO_LIST_STREAMS)

#define IO(in_lists, field_name, kind, member) \
	{ \
		.name = field_name, .lists = in_lists, .offset = offsetof(struct tap_view_io, member), \
		.type = TAP_IO_ORDER_##kind \
	}

#define LATENCY(direction, member) \
	IO(COUNTED, #direction "_" #member "_ns_p50", KNOWN, direction.member.p50), \
		IO(COUNTED, #direction "_" #member "_ns_p95", KNOWN, direction.member.p95), \
		IO(COUNTED, #direction "_" #member "_ns_p99", KNOWN, direction.member.p99), \
		IO(COUNTED, #direction "_" #member "_ns_max", KNOWN, direction.member.max)

#define REQUESTS(direction) \
	IO(MOVED, #direction "_requests", COUNT, direction.requests), \
		IO(COUNTED, #direction "_failed", COUNT, direction.failed), \
		IO(MOVED, #direction "_seq_bytes", COUNT, direction.pattern_bytes[TAP_PATTERN_SEQUENTIAL]), \
		IO(MOVED, #direction "_near_bytes", COUNT, direction.pattern_bytes[TAP_PATTERN_NEAR]), \
		IO(MOVED, #direction "_rand_bytes", COUNT, direction.pattern_bytes[TAP_PATTERN_RANDOM]), \
		IO(COUNTED, #direction "_queue_ns", COUNT, direction.queue_ns), \
		IO(COUNTED, #direction "_device_ns", COUNT, direction.device_ns), LATENCY(direction, latency), \
		LATENCY(direction, device_latency)

#define CHECKPOINT(field_name, kind, member) \
	{ \
		.name = field_name, .lists = TAP_IO_LIST_CHECKPOINTS, \
		.offset = offsetof(struct tap_view_checkpoints, member), .type = TAP_IO_ORDER_##kind \
	}

#define SPAN(span) \
	CHECKPOINT(#span "_requests", KNOWN, span.requests), \
		CHECKPOINT(#span "_latency_ns_p50", KNOWN, span.latency.p50), \
		CHECKPOINT(#span "_latency_ns_p95", KNOWN, span.latency.p95), \
		CHECKPOINT(#span "_latency_ns_p99", KNOWN, span.latency.p99), \
		CHECKPOINT(#span "_latency_ns_max", KNOWN, span.latency.max)

static const struct tap_io_order orders[] = {
	IO(MOVED, "read_bytes", COUNT, read.bytes),
	IO(COUNTED, "read_asked_bytes", COUNT, read.asked_bytes),
	REQUESTS(read),
	/* 0 where it is not known: last as well. */
	IO(TAP_IO_LIST_QUERIES, "rchar_bytes", KNOWN, rchar_bytes),
	IO(TAP_IO_LIST_QUERIES, "cache_read_bytes", KNOWN, cache_read_bytes),
	/* Of a device there is no difference between who dirtied and who submitted. */
	IO(OWNED, "write_bytes", COUNT, charged_write_bytes),
	IO(TAP_IO_LIST_DEVICES, "write_bytes", COUNT, write.bytes),
	IO(OWNED | TAP_IO_LIST_STREAMS, "submitted_write_bytes", COUNT, write.bytes),
	REQUESTS(write),
	IO(OWNED, "dirtied_bytes", COUNT, dirtied_bytes),
	IO(COUNTED, "flushes", COUNT, flushes),
	IO(COUNTED, "discard_bytes", COUNT, discard_bytes),
	IO(TAP_IO_LIST_DEVICES, "counted_read_bytes", KNOWN, counted_read_bytes),
	IO(TAP_IO_LIST_DEVICES, "counted_write_bytes", KNOWN, counted_write_bytes),
	IO(TAP_IO_LIST_DEVICES, "counted_flushes", KNOWN, counted_flushes),
	IO(TAP_IO_LIST_DEVICES, "residual_read_bytes", KNOWN, residual_read_bytes),
	IO(TAP_IO_LIST_DEVICES, "residual_write_bytes", KNOWN, residual_write_bytes),
	{ "bytes", TAP_IO_LIST_BLAME, offsetof(struct tap_view_blame, bytes), TAP_IO_ORDER_COUNT },
	CHECKPOINT("count", KNOWN, count),
	CHECKPOINT("running_ns", KNOWN, running_ns),
	CHECKPOINT("running_percent", DOUBLE, running_percent),
	CHECKPOINT("write_bytes", KNOWN, write_bytes),
	CHECKPOINT("submitted_write_bytes", KNOWN, submitted_write_bytes),
	SPAN(read_during),
	SPAN(read_outside),
	SPAN(write_during),
	SPAN(write_outside),
	SPAN(flush_during),
	SPAN(flush_outside),
};

const struct tap_io_order *tap_io_orders(size_t *ret_count)
{
	*ret_count = sizeof(orders) / sizeof(orders[0]);
	return orders;
}

const struct tap_io_order *tap_io_order_find(unsigned lists, const char *name)
{
	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		if (orders[i].lists & lists && !strcmp(orders[i].name, name))
			return &orders[i];
	}
	return NULL;
}

struct sorting {
	const struct tap_io_order *order;
	int (*otherwise)(const void *, const void *);
};

/* Whether the row has the figure. */
static bool figure_of(const struct tap_io_order *order, const void *row, double *ret)
{
	const void *at = (const char *)row + order->offset;
	bool known = true;

	switch (order->type) {
	case TAP_IO_ORDER_COUNT:
		*ret = (double)*(const uint64_t *)at;
		break;
	case TAP_IO_ORDER_KNOWN:
		*ret = (double)*(const int64_t *)at;
		known = *(const int64_t *)at != -1;
		break;
	case TAP_IO_ORDER_DOUBLE:
		*ret = *(const double *)at;
		known = isfinite(*ret);
		break;
	}
	return known;
}

static int by_figure(const void *a, const void *b, void *context)
{
	const struct sorting *sorting = context;
	double left = 0, right = 0;
	bool has_left = figure_of(sorting->order, a, &left), has_right = figure_of(sorting->order, b, &right);

	if (has_left != has_right)
		return has_left ? -1 : 1;
	if (has_left && left != right)
		return left < right ? 1 : -1;
	return sorting->otherwise ? sorting->otherwise(a, b) : 0;
}

void tap_io_order_sort(enum tap_io_list list, const char *name, void *rows, size_t count, size_t size,
		       int (*otherwise)(const void *, const void *))
{
	struct sorting sorting = { name ? tap_io_order_find(list, name) : NULL, otherwise };

	if (count < 2)
		return;
	if (sorting.order)
		qsort_r(rows, count, size, by_figure, &sorting);
	else if (otherwise)
		qsort(rows, count, size, otherwise);
}
