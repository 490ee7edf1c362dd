// SPDX-License-Identifier: BSD-2-Clause
/*
 * pg_engine.c - PostgreSQL's table of userspace/attach/engine.h.
 *
 * How its processes become what the kernel side is told of them; everything else is in the files it names.
 */
#include "userspace/attach/engine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/abi/kind.h"
#include "correlate/fingerprint.h"
#include "userspace/attach/memory.h"
#include "userspace/attach/pg_aio.h"
#include "userspace/attach/pg_checkpoint.h"
#include "userspace/attach/pg_find.h"
#include "userspace/attach/pg_locks.h"
#include "userspace/attach/pg_memory.h"
#include "userspace/attach/pg_relation_files.h"
#include "userspace/attach/pg_statement.h"
#include "userspace/attach/pg_status.h"

static void instance_of(const struct tap_target *target, struct tap_instance *ret)
{
	ret->layout = target->layout;
	ret->addresses = target->addresses;
	ret->own_ids = !target->query_ids;
	/* Without it all an io worker reads is its own. */
	tap_pg_aio_find(target, &ret->aio);
}

/* ---- running processes ---- */

static bool role_reads_memory(uint8_t kind)
{
	return kind != TAP_KIND_POSTMASTER && kind != TAP_KIND_LOGGER && kind != TAP_KIND_CHILD;
}

static struct tap_adoption adoption_of(const struct tap_target *target, uint32_t index,
				       const struct tap_pg_process *process)
{
	struct tap_adoption adoption = { .instance = index, .role = TAP_ROLE_FIXED };
	struct tap_pg_status status;

	adoption.identity.kind = process->kind;
	if (process->kind == TAP_KIND_POSTMASTER)
		adoption.role = TAP_ROLE_POSTMASTER;
	else if (role_reads_memory(process->kind))
		adoption.role = TAP_ROLE_BACKEND;
	if (!process->status || adoption.role != TAP_ROLE_BACKEND)
		return adoption;
	tap_pg_status_decode(&target->layout, process->entry, &status);
	adoption.status_address = process->status;
	adoption.wait_address = process->wait_event;
	adoption.activity_address = status.activity;
	adoption.wait_event = process->wait_event_now;
	adoption.identity.change_count = status.changecount;
	adoption.identity.database = status.database;
	adoption.identity.user = status.user;
	adoption.identity.state = (uint8_t)status.state;
	adoption.identity.activity_start_us = status.activity_start;
	adoption.identity.query_id = status.query_id;
	adoption.identity.source = status.query_id ? TAP_QUERY_ID_ENGINE : TAP_QUERY_ID_NONE;
	return adoption;
}

/* A statement that runs and has no engine id: its own, from its text. Without memory for the text it goes without. */
static void own_id_give(const struct tap_target *target, struct tap_running *running)
{
	struct tap_adoption *adoption = &running->adoption;
	size_t size = target->activity_size < TAP_TEXT_MAX ? (size_t)target->activity_size : TAP_TEXT_MAX;
	char text[TAP_TEXT_MAX] = "";

	if (adoption->role != TAP_ROLE_BACKEND || !tap_pg_state_is_running(adoption->identity.state) ||
	    adoption->identity.query_id || tap_memory_read(running->tid, adoption->activity_address, text, size))
		return;
	text[sizeof(text) - 1] = '\0';
	adoption->identity.query_id = tap_fingerprint(text, strlen(text));
	adoption->identity.source = TAP_QUERY_ID_OWN;
	running->text = strdup(text);
}

static void io_workers_prime(const struct tap_target *target, const struct tap_pg_process *processes, size_t count)
{
	struct tap_pg_aio aio;

	if (tap_pg_aio_find(target, &aio))
		return;
	for (size_t i = 0; i < count; i++) {
		if (processes[i].kind == TAP_KIND_IO_WORKER)
			tap_pg_aio_prime(target, &aio, processes[i].pid);
	}
}

static int running_read(const struct tap_target *target, uint32_t index, struct tap_running_list *ret,
			struct tap_error *err)
{
	struct tap_running_list list = { 0 };
	struct tap_pg_process *processes = NULL;
	size_t count = 0, torn;
	int status = tap_pg_processes_read(target, &processes, &count, &torn, err);

	if (status)
		return status;
	list.items = calloc(count + 1, sizeof(*list.items));
	for (size_t i = 0; i < count && list.items; i++) {
		list.items[i].tid = processes[i].pid;
		list.items[i].adoption = adoption_of(target, index, &processes[i]);
		own_id_give(target, &list.items[i]);
		list.count++;
	}
	io_workers_prime(target, processes, count);
	free(processes);
	if (!list.items)
		return tap_error_set(err, -ENOMEM, "out of memory");
	*ret = list;
	return 0;
}

static int sessions_read(const struct tap_target *target, struct tap_session_list *list, struct tap_error *err)
{
	size_t torn;

	return tap_pg_sessions_read(target, list, &torn, err);
}

/* ---- locks ---- */

/* LOCKTAG. A type that PostgreSQL does not have is nobody's, not another engine's. */
static void lock_decode(const struct tap_lock_event *record, struct tap_lock_words *ret)
{
	const uint32_t *words = record->tag;
	const uint8_t *last = (const uint8_t *)&words[3];

	ret->tag = (struct tap_lock_tag){ .field1 = words[0], .field2 = words[1], .field3 = words[2] };
	memcpy(&ret->tag.field4, last, sizeof(ret->tag.field4));
	ret->tag.type = last[2] < TAP_LOCK_PG_TYPE_COUNT ? last[2] : UINT8_MAX;
	ret->tag.method = last[3];
	ret->mode = record->mode;
	ret->wait_start_us = tap_pg_time_us(record->wait_start);
}

static int locks_open(const struct tap_target *target, struct tap_engine_locks **ret, struct tap_error *err)
{
	struct tap_pg_locks *locks = calloc(1, sizeof(*locks));
	int status;

	if (!locks)
		return tap_error_set(err, -ENOMEM, "out of memory");
	status = tap_pg_locks_open(target, locks, err);
	if (status)
		free(locks);
	else
		*ret = (struct tap_engine_locks *)locks;
	return status;
}

static int locks_read(const struct tap_engine_locks *locks, const struct tap_target *target, bool all,
		      struct tap_lock_table *table, struct tap_relation_names *names, struct tap_error *err)
{
	/* Names are in the catalogs. */
	(void)names;
	return tap_pg_locks_read((const struct tap_pg_locks *)locks, target,
				 all ? TAP_PG_LOCKS_ALL : TAP_PG_LOCKS_WAITED, table, err);
}

static void locks_close(struct tap_engine_locks *locks)
{
	free(locks);
}

const struct tap_attach tap_attach_postgres = {
	.product = "PostgreSQL",
	.statement_end = "EndCommand",
	.folder = { .changed_at_start = "postmaster.pid", .tablespaces = "pg_tblspc", .wal = "pg_wal" },
	.first_role = TAP_ROLE_POSTMASTER,
	.first_kind = TAP_KIND_POSTMASTER,
	.find = tap_pg_find,
	.instance = instance_of,
	.running = running_read,
	.checkpoints = tap_pg_checkpoint_read,
	.sessions = sessions_read,
	.statement = tap_pg_statement_read,
	.lock_decode = lock_decode,
	.locks_open = locks_open,
	.locks_read = locks_read,
	.locks_close = locks_close,
	.locks_pids = tap_pg_locks_translate,
	.want_relations = tap_pg_relation_files_want,
};
