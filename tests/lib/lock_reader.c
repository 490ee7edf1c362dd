// SPDX-License-Identifier: BSD-2-Clause
/*
 * lock_reader.c - prints an instance's locks and who waits for whom, as JSON; for the live tests.
 *
 * lock_reader PORT [CONNINFO]: for each line of standard input one line of output. "memory" and "waited" read shared
 * memory (all locks, or only those waited for), "connection" asks pg_locks.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "correlate/engine/postgres/lock_queue.h"
#include "correlate/engine/postgres/locks.h"
#include "correlate/lock.h"
#include "userspace/attach/pg_locks.h"
#include "userspace/base/clock.h"

struct instance {
	struct tap_target_list list;
	const struct tap_target *target;
	struct tap_pg_locks locks;
	struct tap_pg_conn *conn;
};

static void die(const char *what)
{
	fprintf(stderr, "lock_reader: %s\n", what);
	exit(1);
}

static void instance_open(struct instance *instance, int port, const char *conninfo)
{
	struct tap_engine_where where = { .instance = "server", .conninfo = conninfo };
	struct tap_error err = { "" };

	if (tap_targets_find("/proc", &instance->list, &err))
		die(err.text);
	for (size_t i = 0; i < instance->list.count; i++) {
		if (instance->list.items[i].port == port)
			instance->target = &instance->list.items[i];
	}
	if (!instance->target)
		die("no instance with that port");
	if (*instance->target->refused)
		die(instance->target->refused);
	if (tap_pg_locks_open(instance->target, &instance->locks, &err))
		die(err.text);
	if (conninfo && tap_pg_conn_open(&where, &instance->conn, &err))
		die(err.text);
}

static void table_print(const struct tap_lock_table *table)
{
	for (size_t i = 0; i < table->count; i++) {
		const struct tap_lock_entry *entry = &table->entries[i];

		printf("%s{\"type\":\"%s\",\"tag\":[%u,%u,%u,%u],\"pid\":%d,\"leader\":%d,\"held\":%u,\"wanted\":%u,"
		       "\"fast\":%s,\"queue\":%u,\"wait_start_us\":%" PRId64 ",\"xid\":%u}",
		       i ? "," : "", tap_lock_type_name(entry->tag.type), entry->tag.field1, entry->tag.field2,
		       entry->tag.field3, entry->tag.field4, entry->pid, entry->leader_pid, entry->held, entry->wanted,
		       entry->fast_path ? "true" : "false", entry->queue, entry->wait_start_us, entry->xid);
	}
}

static void graph_print(const struct tap_lock_graph *graph)
{
	printf("],\"edges\":[");
	for (size_t i = 0; i < graph->n_edges; i++)
		printf("%s[%d,%d,%s]", i ? "," : "", graph->edges[i].waiter, graph->edges[i].blocker,
		       graph->edges[i].soft ? "true" : "false");
	printf("],\"cycles\":[");
	for (size_t cycle = 0, at = 0; cycle < graph->n_cycles; cycle++) {
		printf("%s[", cycle ? "," : "");
		for (size_t begin = at; at < graph->cycle_ends[cycle]; at++)
			printf("%s%d", at > begin ? "," : "", graph->cycle_pids[at]);
		printf("]");
	}
	printf("]}\n");
}

static int table_read(const struct instance *instance, const char *how, struct tap_lock_table *table,
		      struct tap_error *err)
{
	if (!strcmp(how, "connection") && !instance->conn)
		die("no CONNINFO");
	if (!strcmp(how, "connection")) {
		int status = tap_pg_query_locks(instance->conn, table, NULL, err);

		/* Version 13 does not say when waits began, so nothing else tells their order. */
		return status || tap_pg_conn_version(instance->conn) >= 140000
			       ? status
			       : tap_pg_query_queues(instance->conn, table, err);
	}
	return tap_pg_locks_read(&instance->locks, instance->target,
				 strcmp(how, "waited") ? TAP_PG_LOCKS_ALL : TAP_PG_LOCKS_WAITED, table, err);
}

static void answer(const struct instance *instance, const char *line)
{
	struct tap_lock_graph graph = { 0 };
	struct tap_lock_table table;
	struct tap_error err = { "" };
	int64_t begin = tap_clock_ns(CLOCK_MONOTONIC), read;

	tap_lock_table_init(&table);
	if (table_read(instance, line, &table, &err))
		die(err.text);
	read = tap_clock_ns(CLOCK_MONOTONIC);
	if (tap_lock_graph_make(&table, &graph))
		die("out of memory");
	printf("{\"read_ns\":%" PRId64 ",\"graph_ns\":%" PRId64 ",\"complete\":%s,\"retries\":%" PRIu64
	       ",\"torn\":%" PRIu64 ",\"realtime_ns\":%" PRId64 ",\"entries\":[",
	       read - begin, tap_clock_ns(CLOCK_MONOTONIC) - read, table.complete ? "true" : "false", table.retries,
	       table.torn, table.realtime_ns);
	table_print(&table);
	graph_print(&graph);
	fflush(stdout);
	tap_lock_graph_done(&graph);
	tap_lock_table_done(&table);
}

int main(int argc, char **argv)
{
	struct instance instance = { 0 };
	char line[64];

	if (argc != 2 && argc != 3)
		die("usage: lock_reader PORT [CONNINFO]");
	instance_open(&instance, atoi(argv[1]), argc == 3 ? argv[2] : NULL);
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		answer(&instance, line);
	}
	tap_pg_conn_close(instance.conn);
	tap_targets_done(&instance.list);
	return 0;
}
