// SPDX-License-Identifier: BSD-2-Clause
/*
 * pg_sample.c - takes samples of an instance's processes: their variables, their titles, and bytes.
 *
 * Called by pg_layout_search. A sample whose bytes, variables or title changed while it was taken is left out: what is
 * compared later belongs to one moment.
 */
#include "userspace/attach/pg_sample.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/abi/kind.h"
#include "userspace/attach/memory.h"
#include "userspace/attach/pg_backend.h"
#include "userspace/attach/pg_title.h"

/* ---- titles ---- */

static bool begins(const char *text, const char *prefix)
{
	return !strncmp(text, prefix, strlen(prefix));
}

static bool ends(const char *text, const char *suffix)
{
	size_t length = strlen(text), tail = strlen(suffix);

	return length >= tail && !strcmp(text + length - tail, suffix);
}

/* "... [local] SELECT", "... 10.0.0.7(41234) idle": the last word group is what the session does. */
static bool is_client(const char *body)
{
	const char *at = strstr(body, " [local] ");
	size_t digits;

	for (const char *open = body; !at && (open = strchr(open, '(')); open++) {
		digits = strspn(open + 1, "0123456789");
		if (digits && open[digits + 1] == ')' && open[digits + 2] == ' ')
			at = open;
	}
	return at != NULL;
}

static enum tap_pg_sample_state client_state(const char *body)
{
	if (ends(body, " idle"))
		return TAP_PG_SAMPLE_IDLE;
	if (ends(body, " idle in transaction"))
		return TAP_PG_SAMPLE_IN_TRANSACTION;
	if (ends(body, " idle in transaction (aborted)"))
		return TAP_PG_SAMPLE_ABORTED;
	/* Neither runs a statement: one logs in, the other may be anything. */
	if (ends(body, " authentication") || ends(body, " startup") || ends(body, " initializing"))
		return TAP_PG_SAMPLE_NO_STATE;
	return TAP_PG_SAMPLE_RUNNING;
}

uint8_t tap_pg_sample_kind(const char *body, enum tap_pg_sample_state *ret_state)
{
	static const struct {
		const char *prefix;
		uint8_t kind;
	} titles[] = {
		{ "checkpointer", TAP_KIND_CHECKPOINTER },
		{ "background writer", TAP_KIND_BGWRITER },
		{ "walwriter", TAP_KIND_WALWRITER },
		{ "autovacuum launcher", TAP_KIND_AUTOVACUUM_LAUNCHER },
		{ "autovacuum worker", TAP_KIND_AUTOVACUUM },
		{ "logical replication ", TAP_KIND_BGWORKER },
		{ "parallel worker for PID", TAP_KIND_BGWORKER },
		{ "archiver", TAP_KIND_ARCHIVER },
		{ "startup", TAP_KIND_STARTUP },
		{ "walreceiver", TAP_KIND_WALRECEIVER },
		{ "io worker", TAP_KIND_IO_WORKER },
		{ "slotsync worker", TAP_KIND_SLOTSYNC_WORKER },
		{ "walsummarizer", TAP_KIND_WALSUMMARIZER },
	};

	*ret_state = TAP_PG_SAMPLE_NO_STATE;
	if (begins(body, "walsender "))
		return TAP_KIND_WALSENDER;
	if (is_client(body)) {
		*ret_state = client_state(body);
		return TAP_KIND_CLIENT;
	}
	for (size_t i = 0; i < sizeof(titles) / sizeof(*titles); i++) {
		if (begins(body, titles[i].prefix))
			return titles[i].kind;
	}
	return TAP_KIND_UNKNOWN;
}

/* ---- samples ---- */

static const char *root_of(const struct tap_target *target)
{
	return target->proc_root ? target->proc_root : "/proc";
}

static void title_read(const struct tap_target *target, int32_t pid, char ret[TAP_PG_TITLE_MAX])
{
	if (tap_proc_title(root_of(target), pid, ret, TAP_PG_TITLE_MAX))
		ret[0] = '\0';
}

/* Twice: false when it is not there or did not stand still. */
static bool bytes_read(int32_t pid, struct tap_pg_sample *sample)
{
	uint8_t status[TAP_PG_SAMPLE_STATUS], proc[TAP_PG_SAMPLE_PROC];
	struct tap_memory_read reads[] = {
		{ sample->status, sample->status_bytes, sizeof(sample->status_bytes), false },
		{ sample->proc, sample->proc_bytes, sizeof(sample->proc_bytes), false },
		{ sample->proc, proc, sizeof(proc), false },
		{ sample->status, status, sizeof(status), false },
	};

	if (tap_memory_read_many(pid, reads, sizeof(reads) / sizeof(*reads)))
		return false;
	return reads[0].ok && reads[1].ok && reads[2].ok && reads[3].ok &&
	       !memcmp(status, sample->status_bytes, sizeof(status));
}

static bool sample_take(const struct tap_target *target, const struct tap_pg_backend *backend,
			struct tap_pg_sample *ret)
{
	char before[TAP_PG_TITLE_MAX], after[TAP_PG_TITLE_MAX];
	bool pointed = target->addresses.my_wait_event_info != target->addresses.my_proc;
	const char *body;
	int32_t ns_pid;

	/* One forked a moment ago still has its parent's pid. */
	if (!backend->my_beentry || !backend->my_proc || backend->exiting ||
	    tap_proc_ns_pid(root_of(target), backend->proc.pid, &ns_pid) || ns_pid != backend->my_proc_pid)
		return false;
	*ret = (struct tap_pg_sample){
		.status = backend->my_beentry,
		.proc = backend->my_proc,
		.wait_event = pointed ? backend->my_wait_event_info : 0,
		.pid = backend->my_proc_pid,
		.database = backend->my_database_id,
		.backend_type = backend->my_backend_type,
		.start = backend->my_start_timestamp,
	};
	title_read(target, backend->proc.pid, before);
	if (!bytes_read(backend->proc.pid, ret))
		return false;
	title_read(target, backend->proc.pid, after);
	body = tap_pg_title_body(before, target->cluster_name);
	ret->kind = TAP_KIND_UNKNOWN;
	if (body && !strcmp(before, after))
		ret->kind = tap_pg_sample_kind(body, &ret->state);
	return true;
}

int tap_pg_samples_read(const struct tap_target *target, struct tap_pg_sample_list *ret)
{
	struct tap_target bare = *target;
	struct tap_pg_sample_list list = { 0 };
	struct tap_pg_backend_list backends;
	int err;

	/* What an entry holds is not asked of pg_backend; only that it reads none beyond its buffer. */
	bare.layout = (struct tap_pg_layout){ .status_size = TAP_PG_SAMPLE_STATUS };
	err = tap_pg_backends_read(&bare, false, &backends, NULL);
	if (err)
		return err;
	err = tap_maps_read(root_of(target), target->pid, &list.maps);
	if (!err) {
		list.items = calloc(backends.count + 1, sizeof(*list.items));
		err = list.items ? 0 : -ENOMEM;
	}
	for (size_t i = 0; i < backends.count && !err; i++)
		list.count += sample_take(target, &backends.items[i], &list.items[list.count]);
	tap_pg_backends_done(&backends);
	if (err)
		tap_pg_samples_done(&list);
	else
		*ret = list;
	return err;
}

void tap_pg_samples_done(struct tap_pg_sample_list *list)
{
	if (!list)
		return;
	free(list->items);
	tap_maps_done(&list->maps);
	*list = (struct tap_pg_sample_list){ 0 };
}
