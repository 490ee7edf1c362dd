// SPDX-License-Identifier: BSD-2-Clause
/*
 * pg_layout_check.c - compares an instance's memory, read through a layout, with what is known from elsewhere.
 *
 * Called once per instance when it is found. The fixed facts are exported variables of the processes (MyDatabaseId,
 * MyStartTimestamp, MyBackendType, MyProcPid), /proc, and that arrays have one stride. Nothing is adapted to what is
 * found: a layout fits or is refused.
 */
#include "userspace/attach/pg_layout_check.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "bpf/abi/kind.h"
#include "userspace/attach/maps.h"
#include "userspace/attach/pg_backend.h"
#include "userspace/base/clock.h"

enum {
	ROUNDS = 5,
	ROUND_PAUSE_NS = 40 * 1000 * 1000,
	APPLICATION_SIZE = 64,	/* NAMEDATALEN, the stride of the application names */
	PROGRESS_COMMANDS = 32, /* more than any version has kinds of progress */
};

/* Clocks are set: a difference of a day is still no reason to refuse an instance. */
#define CLOCK_SLACK_US (86400LL * 1000000)

struct check {
	const struct tap_target *target;
	const struct tap_pg_layout_row *row;
	const char *root;
	const struct tap_maps *maps;	    /* of the postmaster */
	const struct tap_pg_backend *first; /* the process others are measured from; NULL: none yet */
	int64_t now_us;
};

static bool time_plausible(const struct check *check, int64_t timestamp)
{
	int64_t us = tap_pg_time_us(timestamp);

	if (!timestamp)
		return true;
	return us >= check->target->start_us - CLOCK_SLACK_US && us <= check->now_us + CLOCK_SLACK_US;
}

static bool in_shared_memory(const struct check *check, uint64_t address, uint64_t size)
{
	const struct tap_map *map = tap_maps_at(check->maps, address, size);

	return map && map->readable && map->shared;
}

static const char *identity_wrong(const struct check *check, const struct tap_pg_backend *backend)
{
	const struct tap_pg_status *status = &backend->status;
	int32_t ns_pid;

	/* Gone meanwhile: then it says nothing either way. */
	if (!tap_proc_ns_pid(check->root, backend->proc.pid, &ns_pid) && ns_pid != backend->my_proc_pid)
		return "MyProcPid is not its pid";
	if (status->backend_type != backend->my_backend_type)
		return "st_backendType is not MyBackendType";
	if (!check->row->searched && tap_pg_status_kind(&check->row->layout, status->backend_type) == TAP_KIND_UNKNOWN)
		return "st_backendType is none of this version's";
	if (status->database != backend->my_database_id)
		return "st_databaseid is not MyDatabaseId";
	if (status->proc_start != backend->my_start_timestamp)
		return "st_proc_start_timestamp is not MyStartTimestamp";
	if (backend->kind == TAP_KIND_CLIENT && (!status->database || !status->user))
		return "a client session without a database or user";
	return NULL;
}

static const char *fields_wrong(const struct check *check, const struct tap_pg_backend *backend)
{
	const struct tap_pg_layout *layout = &check->row->layout;
	const struct tap_pg_status *status = &backend->status;
	sa_family_t family;
	uint32_t progress;

	if (status->state >= TAP_PG_STATE_COUNT)
		return "st_state is no state";
	if (!time_plausible(check, status->xact_start) || !time_plausible(check, status->activity_start) ||
	    !time_plausible(check, status->state_start))
		return "a timestamp is before the server's start or in the future";
	memcpy(&family, backend->entry + layout->status_client_addr, sizeof(family));
	if (family != AF_UNSPEC && family != AF_UNIX && family != AF_INET && family != AF_INET6)
		return "st_clientaddr is no address";
	memcpy(&progress, backend->entry + layout->status_progress_command, sizeof(progress));
	if (progress >= PROGRESS_COMMANDS)
		return "st_progress_command is no command";
	if (status->state == TAP_PG_STATE_UNDEFINED && !status->database && status->query_id)
		return "a background process with a query id";
	return NULL;
}

static const char *pointers_wrong(const struct check *check, const struct tap_pg_backend *backend)
{
	const struct tap_pg_layout *layout = &check->row->layout;

	if (!in_shared_memory(check, backend->my_beentry, layout->status_size))
		return "MyBEEntry does not lead to shared memory";
	if (!in_shared_memory(check, backend->status.activity, (uint64_t)check->target->activity_size))
		return "st_activity_raw does not lead to shared memory";
	if (!in_shared_memory(check, backend->status.appname, APPLICATION_SIZE))
		return "st_appname does not lead to shared memory";
	if (!in_shared_memory(check, backend->my_proc, check->row->proc_size) || !backend->has_proc)
		return "MyProc does not lead to shared memory";
	if (backend->proc_pid != backend->my_proc_pid)
		return "MyProc->pid is not its pid";
	if (backend->my_wait_event_info != backend->my_proc + layout->proc_wait_event_info)
		return "my_wait_event_info does not lead to MyProc->wait_event_info";
	if (backend->lock_group_leader &&
	    (int64_t)(backend->lock_group_leader - backend->my_proc) % check->row->proc_size)
		return "MyProc->lockGroupLeader is no PGPROC";
	return NULL;
}

/* Entries, texts and PGPROCs are arrays: two processes are a whole number of elements apart, the same one in each. */
static const char *strides_wrong(const struct check *check, const struct tap_pg_backend *backend)
{
	const struct tap_pg_backend *first = check->first;
	int64_t apart = (int64_t)(backend->my_beentry - first->my_beentry);
	int64_t slots = apart / check->row->layout.status_size;

	if (apart % check->row->layout.status_size)
		return "PgBackendStatus has another size";
	if ((int64_t)(backend->status.activity - first->status.activity) != slots * check->target->activity_size)
		return "st_activity_raw is not this slot's text";
	if ((int64_t)(backend->status.appname - first->status.appname) != slots * APPLICATION_SIZE)
		return "st_appname is not this slot's name";
	if ((int64_t)(backend->my_proc - first->my_proc) % check->row->proc_size)
		return "PGPROC has another size";
	return NULL;
}

static const char *backend_wrong(struct check *check, const struct tap_pg_backend *backend)
{
	const char *wrong = identity_wrong(check, backend);

	if (!wrong)
		wrong = fields_wrong(check, backend);
	if (!wrong)
		wrong = pointers_wrong(check, backend);
	if (!wrong && check->first)
		wrong = strides_wrong(check, backend);
	if (!wrong && !check->first)
		check->first = backend;
	return wrong;
}

static int backends_check(struct check *check, const struct tap_pg_backend_list *list, size_t *ret_checked,
			  struct tap_error *err)
{
	size_t checked = 0;

	for (size_t i = 0; i < list->count; i++) {
		const struct tap_pg_backend *backend = &list->items[i];
		const char *wrong = NULL;

		/* An entry with no pid at all belongs to a process that is starting or leaving. */
		if (backend->foreign_pid)
			wrong = "st_procpid is not its pid";
		else if (backend->has_status)
			wrong = backend_wrong(check, backend);
		if (wrong)
			return tap_error_set(err, -EBADMSG, "process %d: %s", backend->proc.pid, wrong);
		checked += backend->has_status;
	}
	if (!checked)
		return tap_error_set(err, -EBADMSG, "no process with a readable status entry to check it against");
	*ret_checked = checked;
	return 0;
}

static int round_run(const struct tap_target *target, const struct tap_pg_layout_row *row, size_t *ret_checked,
		     struct tap_error *err)
{
	const char *root = target->proc_root ? target->proc_root : "/proc";
	struct check check = {
		.target = target, .row = row, .root = root, .now_us = tap_clock_ns(CLOCK_REALTIME) / 1000
	};
	struct tap_pg_backend_list list;
	struct tap_maps maps;
	int code = tap_maps_read(root, target->pid, &maps);

	if (code)
		return tap_error_set(err, code, "mappings of process %d cannot be read: %s", target->pid,
				     strerror(-code));
	check.maps = &maps;
	code = tap_pg_backends_read(target, false, &list, err);
	if (!code) {
		code = backends_check(&check, &list, ret_checked, err);
		tap_pg_backends_done(&list);
	}
	tap_maps_done(&maps);
	return code;
}

int tap_pg_layout_check(const struct tap_target *target, const struct tap_pg_layout_row *row, size_t *ret_checked,
			struct tap_error *err)
{
	const struct timespec pause = { .tv_nsec = ROUND_PAUSE_NS };
	int code = -EBADMSG;

	for (int round = 0; round < ROUNDS && code == -EBADMSG; round++) {
		if (round)
			nanosleep(&pause, NULL);
		code = round_run(target, row, ret_checked, err);
	}
	return code;
}
