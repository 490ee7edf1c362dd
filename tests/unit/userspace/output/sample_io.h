/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sample_io.h - the lists of a small io view made by hand, for the tests of the renderers.
 */
#ifndef TAP_TESTS_UNIT_USERSPACE_OUTPUT_SAMPLE_IO_H
#define TAP_TESTS_UNIT_USERSPACE_OUTPUT_SAMPLE_IO_H

#include "tests/unit/userspace/output/sample_view.h"

#define US 1000LL

/* 1000 requests of 8 KiB: 80 % at random, around 100 us. */
#define SAMPLE_READS \
	{ \
		.requests = 1000, .bytes = 8192 * 1000, .pattern_bytes = { 8192 * 150, 8192 * 50, 8192 * 800 }, \
		.asked_bytes = 8192 * 990, .queue_ns = 2 * MS, .device_ns = 110 * MS, \
		.latency = { 85 * US, 1200 * US, 9 * MS, 12 * MS }, \
		.device_latency = { 80 * US, 1100 * US, 8 * MS, 11 * MS }, \
		.sizes = { [4] = 970, [8] = 20, [12] = 10 }, .octaves = { \
			[5] = 10, \
			[6] = 800, \
			[7] = 150, \
			[10] = 30, \
			[13] = 10 \
		} \
	}
#define SAMPLE_WRITES \
	{ \
		.requests = 40, .bytes = 4 * 1024 * KIB, .pattern_bytes = { 4 * 1024 * KIB, 0, 0 }, .failed = 2, \
		.queue_ns = 1 * MS, .device_ns = 40 * MS, .latency = { 1 * MS, 2 * MS, 3 * MS, 4 * MS }, \
		.device_latency = { 1 * MS, 2 * MS, 3 * MS, 4 * MS }, .sizes = { [8] = 40 }, .octaves = { \
			[10] = 40 \
		} \
	}
#define SAMPLE_NONE \
	{ \
		.latency = { -1, -1, -1, -1 }, .device_latency = { -1, -1, -1, -1 } \
	}
#define SAMPLE_NO_DEVICE \
	.counted_read_bytes = -1, .counted_write_bytes = -1, .counted_flushes = -1, .residual_read_bytes = -1, \
	.residual_write_bytes = -1

static struct tap_view_io sample_io_devices[] = { {
	.device = "vda",
	.read = SAMPLE_READS,
	.write = SAMPLE_WRITES,
	.flushes = 7,
	.discard_bytes = 64 * KIB,
	.counted_read_bytes = 8200 * 1000,
	.counted_write_bytes = 4 * 1024 * KIB,
	.counted_flushes = 9,
	.residual_read_bytes = 8000,
	.residual_write_bytes = 0,
} };

static struct tap_view_io sample_io_queries[] = {
	{
		.instance = "postgres-5432",
		.database = "shop",
		.user = "app",
		.kind = "client",
		.query_id = "-4182334091263846512",
		.query_id_source = "engine",
		.query = "SELECT * FROM accounts WHERE id = $1",
		.read = SAMPLE_READS,
		.write = SAMPLE_NONE,
		.charged_write_bytes = 512 * KIB,
		.dirtied_bytes = 1024 * KIB,
		.rchar_bytes = 81920 * 1000,
		.cache_read_bytes = 73728 * 1000,
		SAMPLE_NO_DEVICE,
	},
	{
		.instance = "postgres-5432",
		.kind = "checkpointer",
		.read = SAMPLE_NONE,
		.write = SAMPLE_WRITES,
		SAMPLE_NO_DEVICE,
	},
};

static struct tap_view_io sample_io_relations[] = { {
	.instance = "postgres-5432",
	.database = "shop",
	.relation = "public.accounts",
	.relation_kind = "table",
	.read = SAMPLE_READS,
	.write = SAMPLE_WRITES,
	.charged_write_bytes = 4 * 1024 * KIB,
	.dirtied_bytes = 9 * 1024 * KIB,
	SAMPLE_NO_DEVICE,
} };

static struct tap_view_io sample_io_streams[] = { {
	.instance = "postgres-5432",
	.database = "shop",
	.kind = "client",
	.query_id = "88172633",
	.query_id_source = "engine",
	.query = "SELECT region, sum(total) FROM orders GROUP BY region",
	.relation = "public.orders",
	.relation_kind = "table",
	.device = "vda",
	.pid = 4712,
	.pattern = "random",
	.read = SAMPLE_READS,
	.write = SAMPLE_NONE,
	SAMPLE_NO_DEVICE,
} };

static struct tap_view_blame sample_io_blame[] = { {
	.instance = "postgres-5432",
	.relation = "public.accounts",
	.relation_kind = "table",
	.dirtied_by = "client",
	.query_id = "-4182334091263846512",
	.query = "UPDATE accounts SET balance = balance + $1 WHERE id = $2",
	.written_by = "checkpointer",
	.bytes = 3 * 1024 * KIB,
} };

/* 2025-06-01 12:00:00 and what follows. */
#define SAMPLE_NOON 1748779200000000000LL

static struct tap_view_checkpoint_run sample_runs[] = {
	{
		.phase = "ended",
		.begin_ns = SAMPLE_NOON,
		.end_ns = SAMPLE_NOON + 2500 * MS,
		.write_ns = 2000 * MS,
		.sync_ns = 340 * MS,
		.longest_sync_ns = 120 * MS,
		.buffers = 12345,
		.files = 12,
	},
	{
		.phase = "writing",
		.begin_ns = SAMPLE_NOON + 8000 * MS,
		.end_ns = -1,
		.write_ns = -1,
		.sync_ns = -1,
		.longest_sync_ns = -1,
		.buffers = 17,
		.files = -1,
	},
};

static struct tap_absence sample_checkpoint_absent[] = { { "write_outside_latency_ns", "none of them" } };

static struct tap_view_checkpoints sample_checkpoints[] = { {
	.instance = "postgres-5432",
	.devices = "vda",
	.count = 2,
	.running_ns = 4500 * MS,
	.running_percent = 45,
	.running_since_ns = SAMPLE_NOON + 8000 * MS,
	.write_bytes = 96 * 1024 * KIB,
	.submitted_write_bytes = 1024 * KIB,
	.read_during = { 1234, { 12 * MS, 40 * MS, 80 * MS, 90 * MS } },
	.read_outside = { 12000, { 300 * US, 1 * MS, 2 * MS, 9 * MS } },
	.write_during = { 7, { 5 * MS, 6 * MS, 7 * MS, 8 * MS } },
	.write_outside = { -1, { -1, -1, -1, -1 } },
	.flush_during = { 0, { -1, -1, -1, -1 } },
	.flush_outside = { 0, { -1, -1, -1, -1 } },
	.runs = sample_runs,
	.n_runs = 2,
	.absent = sample_checkpoint_absent,
	.n_absent = 1,
} };

static struct tap_view_hint sample_hints[] = { {
	.hint = "random_heap",
	.instance = "postgres-5432",
	.database = "shop",
	.relation = "public.accounts",
	.query_id = "-4182334091263846512",
	.query = "SELECT * FROM accounts WHERE id = $1",
	.confidence = 0.8,
	.evidence = "80 % of 7.81 MiB read at random",
	.advice = "A covering index would spare the heap",
} };

static struct tap_view_relation sample_query_relations[] = {
	{ "public.accounts",
	  "table",
	  NULL,
	  8192 * 1000,
	  1000,
	  { 8192 * 150, 8192 * 50, 8192 * 800 },
	  512 * KIB,
	  1024 * KIB },
	{ "public.accounts_pkey", "index", "public.accounts", 4096, 1, { 0, 0, 4096 }, 0, 0 },
};

static inline struct tap_view sample_io_view(void)
{
	struct tap_view view = sample_view();

	view.absent = NULL;
	view.n_absent = 0;
	view.io_devices = sample_io_devices;
	view.n_io_devices = 1;
	view.io_queries = sample_io_queries;
	view.n_io_queries = 2;
	view.io_relations = sample_io_relations;
	view.n_io_relations = 1;
	view.io_streams = sample_io_streams;
	view.n_io_streams = 1;
	view.io_blame = sample_io_blame;
	view.n_io_blame = 1;
	view.checkpoints = sample_checkpoints;
	view.n_checkpoints = 1;
	view.hints = sample_hints;
	view.n_hints = 1;
	return view;
}

#endif
