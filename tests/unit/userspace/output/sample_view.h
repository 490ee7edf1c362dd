/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sample_view.h - a small view made by hand, for the tests of the renderers.
 *
 * Included by test_render*.c. Everything is static; a test changes its own copy.
 */
#ifndef TAP_TESTS_UNIT_USERSPACE_OUTPUT_SAMPLE_VIEW_H
#define TAP_TESTS_UNIT_USERSPACE_OUTPUT_SAMPLE_VIEW_H

#include "correlate/view.h"

#define MS 1000000LL
#define KIB 1024LL

static struct tap_view_wait sample_waits_update[] = {
	{ "Lock", "transactionid", 41, 6100 * MS },
	{ "IO", "WALSync", 212, 900 * MS },
};
static struct tap_view_wait sample_waits_scan[] = { { "IO", "DataFileRead", 3100, 310 * MS } };
static struct tap_view_wait sample_waits_idle[] = { { "Client", "ClientRead", 77, 9000 * MS } };
static struct tap_view_wait sample_waits_checkpointer[] = { { "Timeout", "CheckpointWriteDelay", 95, 9500 * MS } };
static struct tap_absence sample_absent_user[] = { { "user", "needs a connection to the server" } };

#define FIGURES(calls, elapsed, cpu, runq, wait, unknown, read, dirtied) \
	{ \
		.value = { \
			[TAP_FIGURE_CALLS] = (calls), [TAP_FIGURE_ELAPSED] = (elapsed), \
			[TAP_FIGURE_CPU] = (cpu),     [TAP_FIGURE_RUNQ] = (runq), \
			[TAP_FIGURE_WAIT] = (wait),   [TAP_FIGURE_UNKNOWN] = (unknown), \
			[TAP_FIGURE_READ] = (read),   [TAP_FIGURE_DIRTIED] = (dirtied), \
		}, \
	}

static struct tap_view_query sample_queries[] = {
	{
		.instance = "postgres-5432",
		.database = "shop",
		.user = "app",
		.kind = "client",
		.query_id = "-4182334091263846512",
		.query_id_source = "engine",
		.query = "UPDATE accounts\n   SET balance = balance + $1\n WHERE id = $2",
		.figures = FIGURES(1203, 7500 * MS, 420 * MS, 72 * MS, 7000 * MS, 8 * MS, 48 * KIB, 9216 * KIB),
		.waits = sample_waits_update,
		.n_waits = 2,
	},
	{
		.instance = "postgres-5432",
		.database = "shop",
		.kind = "parallel",
		.query_id = "88172633",
		.query_id_source = "engine",
		.query = "SELECT region, sum(total) FROM orders GROUP BY region",
		.figures = FIGURES(0, 2000 * MS, 1650 * MS, 30 * MS, 310 * MS, 10 * MS, 262144 * KIB, 0),
		.waits = sample_waits_scan,
		.n_waits = 1,
		.absent = sample_absent_user,
		.n_absent = 1,
	},
	{
		.instance = "postgres-5432",
		.kind = "checkpointer",
		.figures = FIGURES(0, 10000 * MS, 100 * MS, 0, 9500 * MS, 400 * MS, 0, 4096 * KIB),
		.waits = sample_waits_checkpointer,
		.n_waits = 1,
	},
	{
		.instance = "postgres-5432",
		.database = "shop",
		.user = "app",
		.kind = "idle_in_transaction",
		.figures = FIGURES(0, 9000 * MS, 0, 0, 9000 * MS, 0, 0, 0),
		.waits = sample_waits_idle,
		.n_waits = 1,
	},
};

static struct tap_view_session sample_sessions[] = {
	{
		.instance = "postgres-5432",
		.pid = 4711,
		.tid = 4711,
		.kind = "client",
		.database = "shop",
		.user = "app",
		.application = "checkout",
		.client = "10.0.0.7:41234",
		.state = "active",
		.state_since_ns = 1530 * MS,
		.transaction_since_ns = 75000 * MS,
		.wait_class = "Lock",
		.wait_event = "transactionid",
		.query_id = "-4182334091263846512",
		.query_id_source = "engine",
		.query = "UPDATE accounts SET balance = balance + $1 WHERE id = $2",
		.figures = FIGURES(600, 5000 * MS, 210 * MS, 36 * MS, 4750 * MS, 4 * MS, 24 * KIB, 4608 * KIB),
	},
	{
		.instance = "postgres-5432",
		.pid = 4702,
		.kind = "checkpointer",
		.state_since_ns = -1,
		.transaction_since_ns = -1,
		.wait_class = "Timeout",
		.wait_event = "CheckpointWriteDelay",
		.figures = FIGURES(0, 10000 * MS, 100 * MS, 0, 9500 * MS, 400 * MS, 0, 4096 * KIB),
	},
};

static struct tap_view_event sample_events[] = {
	{
		.instance = "postgres-5432",
		.class_name = "Lock",
		.event_name = "transactionid",
		.count = 41,
		.ns = 6100 * MS,
		.percent = 83.4,
		.sessions = 3,
		.top_query_id = "-4182334091263846512",
		.top_query = "UPDATE accounts SET balance = balance + $1 WHERE id = $2",
		.top_kind = "client",
		.top_ns = 6000 * MS,
	},
	{
		.instance = "postgres-5432",
		.class_name = "Activity",
		.event_name = "CheckpointerMain",
		.count = 2,
		.ns = 500 * MS,
		.sessions = 0,
		.top_kind = "checkpointer",
		.top_ns = 500 * MS,
		.idle = true,
	},
};

static struct tap_view_instance sample_instances[] = {
	{
		.id = "postgres-5432",
		.engine = "postgres",
		.version = "15.18",
		.pid = 812,
		.port = 5432,
		.data_dir = "/var/lib/postgresql/15/main",
		.build_id = "9f86d081884c7d65",
		.layout = "table 15 x86-64, checked against 12 processes",
		.connected = true,
		.processes = 12,
		.figures =
			FIGURES(1203, 28500 * MS, 2170 * MS, 102 * MS, 25810 * MS, 418 * MS, 262192 * KIB, 13312 * KIB),
	},
	{
		.id = "postgres-5433",
		.engine = "postgres",
		.version = "15.18",
		.pid = 990,
		.data_dir = "/srv/pg",
		.not_connected_why = "password authentication failed",
		.processes = 6,
		.figures = FIGURES(0, 0, 0, 0, 0, 0, 0, 0),
	},
};

static struct tap_view_loss sample_losses[] = {
	{ "ring_full", "the event ring was full: a query text was not taken, it is tried again", 0 },
	{ "read_failed", "a thread's memory could not be read: it kept its last known statement", 0 },
};

static struct tap_absence sample_absent[] = { { "temp_bytes", "not measured by this version" } };

/* One instance; rows of all parts. */
static inline struct tap_view sample_view(void)
{
	return (struct tap_view){
		.tool_version = "0.1.0",
		.depth = "ambient",
		.host_name = "db1",
		.kernel = "6.1.0-30-amd64",
		.cpus = 8,
		.start_realtime_ns = 1767323045LL * 1000000000 + 123456789,
		.end_realtime_ns = 1767323055LL * 1000000000 + 125456789,
		.seconds = 10.002,
		.instances = sample_instances,
		.n_instances = 1,
		.losses = sample_losses,
		.n_losses = 2,
		.bpf_cpu_percent = 0.41,
		.trap_cpu_percent = -1,
		.fingerprint_cpu_percent = 0.02,
		.tool_cpu_percent = 0.3,
		.tool_rss_bytes = 22020096,
		.totals =
			FIGURES(1203, 28500 * MS, 2170 * MS, 102 * MS, 25810 * MS, 418 * MS, 262192 * KIB, 13312 * KIB),
		.attributed_percent = 98.53,
		.absent = sample_absent,
		.n_absent = 1,
		.queries = sample_queries,
		.n_queries = 4,
		.n_queries_all = 31,
		.sessions = sample_sessions,
		.n_sessions = 2,
		.n_sessions_all = 2,
		.events = sample_events,
		.n_events = 2,
		.n_events_all = 2,
	};
}

#endif
