// SPDX-License-Identifier: BSD-2-Clause
/*
 * pg_layout_search.c - finds fields of PgBackendStatus and PGPROC by what they must hold.
 *
 * Called by pg_find where the table has no row, or one that does not fit. Each field has a fact: what its bytes are in
 * every process that is known otherwise. The place it has relative to the field before it in the nearest version is
 * looked at first; elsewhere a field is accepted only if it can be at one place. pg_layout_check then checks the result
 * as it checks a row of the table.
 */
#include "userspace/attach/pg_layout_search.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "bpf/abi/kind.h"
#include "userspace/attach/pg_status.h"
#include "userspace/base/clock.h"

enum {
	ROUNDS = 5,
	ROUND_PAUSE_NS = 40 * 1000 * 1000,
	SAMPLES_MIN = 3,
	APPLICATION_SIZE = 64, /* NAMEDATALEN */
	ADDRESS_SIZE = 128,    /* of sockaddr_storage */
	PROGRESS_COMMANDS = 32,
	IDLE_NUMBER_MAX = 2, /* state numbers before it: undefined, and logging in since version 18 */
	ACTIVITY_SIZE_MAX = 1024 * 1024,
	NOWHERE = -1,
};

#define DAY_US (86400LL * 1000000)

struct search {
	const struct tap_target *target;
	const struct tap_pg_layout_row *near;
	const struct tap_pg_sample_list *list;
	struct tap_pg_layout_row *row;
	int64_t now_us;
	struct tap_error *err;
};

/* What a field at `offset` holds: in each process, and in all of them together. Either may be NULL. */
struct fact {
	bool (*each)(const struct search *search, const struct tap_pg_sample *sample, int offset);
	bool (*together)(const struct search *search, int offset);
};

static uint32_t u32_at(const uint8_t *bytes, int offset)
{
	uint32_t value;

	memcpy(&value, bytes + offset, sizeof(value));
	return value;
}

static uint64_t u64_at(const uint8_t *bytes, int offset)
{
	uint64_t value;

	memcpy(&value, bytes + offset, sizeof(value));
	return value;
}

static bool fits(const struct search *search, const struct fact *fact, int offset)
{
	for (size_t i = 0; i < search->list->count && fact->each; i++) {
		if (!fact->each(search, &search->list->items[i], offset))
			return false;
	}
	return !fact->together || fact->together(search, offset);
}

/*
 * The place of a field of `size` bytes, so aligned, in the first `limit` bytes: `expected` if it fits there, else the
 * only place where it does.
 */
static int place_find(const struct search *search, const struct fact *fact, int expected, int size, int limit)
{
	int found = NOWHERE;

	if (expected >= 0 && expected % size == 0 && expected + size <= limit && fits(search, fact, expected))
		return expected;
	for (int offset = 0; offset + size <= limit; offset += size) {
		if (!fits(search, fact, offset))
			continue;
		if (found != NOWHERE)
			return NOWHERE;
		found = offset;
	}
	return found;
}

static int missing(const struct search *search, const char *field)
{
	return tap_error_set(search->err, -EBADMSG, "%s is nowhere, or in more than one place it could be", field);
}

/* ---- what each field holds ---- */

static bool pid_fits(const struct search *search, const struct tap_pg_sample *sample, int offset)
{
	(void)search;
	return (int32_t)u32_at(sample->status_bytes, offset) == sample->pid;
}

static bool type_fits(const struct search *search, const struct tap_pg_sample *sample, int offset)
{
	(void)search;
	return u32_at(sample->status_bytes, offset) == sample->backend_type;
}

static bool start_fits(const struct search *search, const struct tap_pg_sample *sample, int offset)
{
	(void)search;
	return (int64_t)u64_at(sample->status_bytes, offset) == sample->start;
}

static bool database_fits(const struct search *search, const struct tap_pg_sample *sample, int offset)
{
	(void)search;
	return u32_at(sample->status_bytes, offset) == sample->database;
}

/* Processes that serve no user and are in no database, whatever the version. */
static bool is_auxiliary(const struct tap_pg_sample *sample)
{
	return sample->kind == TAP_KIND_CHECKPOINTER || sample->kind == TAP_KIND_BGWRITER ||
	       sample->kind == TAP_KIND_WALWRITER;
}

static bool user_fits(const struct search *search, const struct tap_pg_sample *sample, int offset)
{
	uint32_t user = u32_at(sample->status_bytes, offset);

	(void)search;
	if (is_auxiliary(sample))
		return !user;
	return sample->kind != TAP_KIND_CLIENT || user;
}

static bool address_fits(const struct search *search, const struct tap_pg_sample *sample, int offset)
{
	uint32_t length;
	sa_family_t family;

	if (offset + ADDRESS_SIZE + 4 > search->row->layout.status_size)
		return false;
	memcpy(&family, sample->status_bytes + offset, sizeof(family));
	length = u32_at(sample->status_bytes, offset + ADDRESS_SIZE);
	if (is_auxiliary(sample))
		return family == AF_UNSPEC && !length;
	if (sample->kind != TAP_KIND_CLIENT)
		return length <= ADDRESS_SIZE;
	return (family == AF_UNIX || family == AF_INET || family == AF_INET6) && length && length <= ADDRESS_SIZE;
}

static bool is_time(const struct search *search, uint64_t value)
{
	int64_t us = tap_pg_time_us((int64_t)value);

	return us && us >= search->target->start_us - DAY_US && us <= search->now_us + DAY_US;
}

/* A session that is idle has finished a statement, and its transaction. */
static bool transaction_fits(const struct search *search, const struct tap_pg_sample *sample, int offset)
{
	uint64_t value = u64_at(sample->status_bytes, offset);

	if (sample->state == TAP_PG_SAMPLE_IDLE || is_auxiliary(sample))
		return !value;
	return sample->state == TAP_PG_SAMPLE_NO_STATE || is_time(search, value);
}

/* Of a session that has run nothing yet it is 0. */
static bool activity_start_fits(const struct search *search, const struct tap_pg_sample *sample, int offset)
{
	uint64_t value = u64_at(sample->status_bytes, offset);

	if (is_auxiliary(sample))
		return !value;
	return sample->state == TAP_PG_SAMPLE_NO_STATE || (is_time(search, value) && (int64_t)value > sample->start) ||
	       (sample->state == TAP_PG_SAMPLE_IDLE && !value);
}

static bool idle_has(const struct search *search, int offset, uint64_t least)
{
	for (size_t i = 0; i < search->list->count; i++) {
		const struct tap_pg_sample *sample = &search->list->items[i];

		if (sample->state == TAP_PG_SAMPLE_IDLE && u64_at(sample->status_bytes, offset) >= least)
			return true;
	}
	return false;
}

static bool state_start_fits(const struct search *search, const struct tap_pg_sample *sample, int offset)
{
	uint64_t value = u64_at(sample->status_bytes, offset);

	if (is_auxiliary(sample))
		return !value;
	return sample->state == TAP_PG_SAMPLE_NO_STATE || (is_time(search, value) && (int64_t)value > sample->start);
}

/* A session went idle after its last statement began. */
static bool times_follow(const struct search *search, int began_at, int changed_at)
{
	bool after = false;

	for (size_t i = 0; i < search->list->count; i++) {
		const struct tap_pg_sample *sample = &search->list->items[i];
		uint64_t began = u64_at(sample->status_bytes, began_at);
		uint64_t changed = u64_at(sample->status_bytes, changed_at);

		if (sample->state != TAP_PG_SAMPLE_IDLE)
			continue;
		if (began > changed)
			return false;
		after |= began && began < changed;
	}
	return after;
}

static bool state_start_follows(const struct search *search, int offset)
{
	return times_follow(search, search->row->layout.status_activity_start, offset);
}

/* What tells it from the state's is that there is one that follows. */
static bool activity_start_leads(const struct search *search, int offset)
{
	const struct fact state_start = { state_start_fits, NULL };

	for (int other = 0; other + 8 <= search->row->layout.status_size; other += 8) {
		if (fits(search, &state_start, other) && times_follow(search, offset, other))
			return true;
	}
	return false;
}

static int idle_number(const struct search *search, int offset)
{
	for (size_t i = 0; i < search->list->count; i++) {
		if (search->list->items[i].state == TAP_PG_SAMPLE_IDLE)
			return (int)u32_at(search->list->items[i].status_bytes, offset);
	}
	return 0;
}

/* The order of the states is the same in all versions; only what comes before "idle" differs. */
static bool state_fits(const struct search *search, const struct tap_pg_sample *sample, int offset)
{
	static const int after_idle[] = {
		[TAP_PG_SAMPLE_IDLE] = 0,
		[TAP_PG_SAMPLE_RUNNING] = 1,
		[TAP_PG_SAMPLE_IN_TRANSACTION] = 2,
		[TAP_PG_SAMPLE_ABORTED] = 4,
	};
	int idle = idle_number(search, offset);
	uint32_t state = u32_at(sample->status_bytes, offset);

	if (idle < 1 || idle > IDLE_NUMBER_MAX || state >= TAP_PG_BACKEND_STATES)
		return false;
	if (is_auxiliary(sample))
		return !state;
	return sample->state == TAP_PG_SAMPLE_NO_STATE || (int)state == idle + after_idle[sample->state];
}

static bool progress_fits(const struct search *search, const struct tap_pg_sample *sample, int offset)
{
	uint32_t command = u32_at(sample->status_bytes, offset);

	(void)search;
	return sample->state == TAP_PG_SAMPLE_IDLE || is_auxiliary(sample) ? !command : command < PROGRESS_COMMANDS;
}

static bool changes_fit(const struct search *search, const struct tap_pg_sample *sample, int offset)
{
	uint32_t count = u32_at(sample->status_bytes, offset);

	(void)search;
	return count && !(count & 1);
}

/* Who has not run anything has no id, nor has who failed at once; some session that is idle has. */
static bool query_id_fits(const struct search *search, const struct tap_pg_sample *sample, int offset)
{
	(void)search;
	return !is_auxiliary(sample) || !u64_at(sample->status_bytes, offset);
}

/* Small numbers are no hashes, and what lies before the text is known. */
static bool query_id_shows(const struct search *search, int offset)
{
	return offset > search->row->layout.status_activity && idle_has(search, offset, 1ULL << 40);
}

/* ---- arrays ---- */

static bool in_shared_memory(const struct search *search, uint64_t address, uint64_t size)
{
	const struct tap_map *map = tap_maps_at(&search->list->maps, address, size);

	return map && map->readable && map->shared;
}

/*
 * sizeof(PgBackendStatus), when what is at `offset` leads to the elements of an array with `stride`, one for each
 * entry; 0: it does not.
 */
static int64_t size_by(const struct search *search, int offset, int64_t stride)
{
	const struct tap_pg_sample *first = search->list->items;
	uint64_t base = u64_at(first->status_bytes, offset);
	int64_t size = 0;

	for (size_t i = 0; i < search->list->count; i++) {
		const struct tap_pg_sample *sample = &search->list->items[i];
		uint64_t address = u64_at(sample->status_bytes, offset);
		int64_t apart = (int64_t)(address - base), entries = (int64_t)(sample->status - first->status);

		if (!in_shared_memory(search, address, (uint64_t)stride) || apart % stride || !apart != !entries)
			return 0;
		if (!entries)
			continue;
		apart /= stride;
		if (entries % apart || entries / apart <= 0 || (size && entries / apart != size))
			return 0;
		size = entries / apart;
	}
	return size <= TAP_PG_STATUS_MAX && size % 8 == 0 ? size : 0;
}

static bool activity_fits(const struct search *search, int offset)
{
	return size_by(search, offset, search->target->activity_size) != 0;
}

/* The clients' host names are such an array, too, and empty unless the server looks them up. */
static bool appname_fits(const struct search *search, int offset)
{
	return size_by(search, offset, APPLICATION_SIZE) == search->row->layout.status_size;
}

/* ---- PgBackendStatus ---- */

/* Of PgBackendStatus, `expected` in the distance from another field that it has in the nearest version. */
static int status_find(const struct search *search, const struct fact *fact, int from, int near_from, int near_field,
		       int size, const char *name, uint16_t *ret)
{
	int expected = near_field == TAP_PG_ABSENT ? NOWHERE : from + near_field - near_from;
	int limit = search->row->layout.status_size ? search->row->layout.status_size : TAP_PG_SAMPLE_STATUS;
	int found = place_find(search, fact, expected, size, limit);

	if (found == NOWHERE)
		return missing(search, name);
	*ret = (uint16_t)found;
	return 0;
}

/* `field` near `anchor` */
#define FIND(search, field, anchor, each, together, bytes, name) \
	status_find(search, &(const struct fact){ each, together }, (search)->row->layout.anchor, \
		    (search)->near->layout.anchor, (search)->near->layout.field, bytes, name, \
		    &(search)->row->layout.field)

static int exact_find(const struct search *search)
{
	int code = FIND(search, status_procpid, status_changecount, pid_fits, NULL, 4, "st_procpid");

	if (!code)
		code = FIND(search, status_backend_type, status_procpid, type_fits, NULL, 4, "st_backendType");
	if (!code)
		code = FIND(search, status_proc_start, status_procpid, start_fits, NULL, 8, "st_proc_start_timestamp");
	if (!code)
		code = FIND(search, status_database, status_proc_start, database_fits, NULL, 4, "st_databaseid");
	return code;
}

static int arrays_find(const struct search *search)
{
	struct tap_pg_layout *layout = &search->row->layout;
	int code = FIND(search, status_activity, status_database, NULL, activity_fits, 8, "st_activity_raw");

	if (!code) {
		layout->status_size = (uint16_t)size_by(search, layout->status_activity, search->target->activity_size);
		code = FIND(search, status_appname, status_activity, NULL, appname_fits, 8, "st_appname");
	}
	return code;
}

static int session_find(const struct search *search)
{
	int code = FIND(search, status_user, status_database, user_fits, NULL, 4, "st_userid");

	if (!code)
		code = FIND(search, status_client_addr, status_user, address_fits, NULL, 4, "st_clientaddr");
	if (!code)
		code = FIND(search, status_state, status_appname, state_fits, NULL, 4, "st_state");
	if (!code)
		code = FIND(search, status_progress_command, status_activity, progress_fits, NULL, 4,
			    "st_progress_command");
	if (!code)
		code = FIND(search, status_changecount, status_procpid, changes_fit, NULL, 4, "st_changecount");
	return code;
}

static int times_find(const struct search *search)
{
	int code = FIND(search, status_activity_start, status_proc_start, activity_start_fits, activity_start_leads, 8,
			"st_activity_start_timestamp");

	if (!code)
		code = FIND(search, status_state_start, status_activity_start, state_start_fits, state_start_follows, 8,
			    "st_state_start_timestamp");
	if (!code)
		code = FIND(search, status_xact_start, status_activity_start, transaction_fits, NULL, 8,
			    "st_xact_start_timestamp");
	return code;
}

/* Where the server makes no ids nothing proves the place, and nothing is lost without it. */
static int query_id_find(const struct search *search)
{
	struct tap_pg_layout *layout = &search->row->layout;

	layout->status_query_id = TAP_PG_ABSENT;
	if (search->near->layout.status_query_id == TAP_PG_ABSENT || !search->target->query_ids)
		return 0;
	return FIND(search, status_query_id, status_activity, query_id_fits, query_id_shows, 8, "st_query_id");
}

static int status_search(const struct search *search)
{
	int code = exact_find(search);

	if (!code)
		code = arrays_find(search);
	if (!code)
		code = session_find(search);
	if (!code)
		code = times_find(search);
	return code ? code : query_id_find(search);
}

/* ---- PGPROC ---- */

static bool proc_pid_fits(const struct search *search, const struct tap_pg_sample *sample, int offset)
{
	(void)search;
	return (int32_t)u32_at(sample->proc_bytes, offset) == sample->pid;
}

/* sizeof(PGPROC), or a multiple of it, when all are elements of one array; 0: they are not. */
static uint64_t proc_stride(const struct search *search)
{
	uint64_t stride = 0;

	for (size_t i = 1; i < search->list->count; i++) {
		uint64_t a = search->list->items[0].proc, b = search->list->items[i].proc;
		uint64_t apart = a < b ? b - a : a - b;

		while (apart) {
			uint64_t rest = stride % apart;

			stride = apart;
			apart = rest;
		}
	}
	return stride;
}

/* PGPROC is the nearest version's: then all of it is, as far as this can be known. */
static bool proc_is_near(const struct search *search, int pid, int64_t wait_event)
{
	return pid == search->near->layout.proc_pid && wait_event == search->near->layout.proc_wait_event_info &&
	       proc_stride(search) % search->near->proc_size == 0;
}

/* The latch in PGPROC has the pid, too, for as long as the process lives: any of its places will do. */
static int proc_pid_find(const struct search *search)
{
	const struct fact is_pid = { proc_pid_fits, NULL };
	int expected = search->near->layout.proc_pid;
	int found = fits(search, &is_pid, expected) ? expected : NOWHERE;

	for (int offset = 0; offset + 4 <= TAP_PG_SAMPLE_PROC && found == NOWHERE; offset += 4) {
		if (fits(search, &is_pid, offset))
			found = offset;
	}
	return found;
}

static int proc_search(const struct search *search)
{
	const struct tap_pg_sample *first = search->list->items;
	struct tap_pg_layout *layout = &search->row->layout;
	bool pointed = first->wait_event != 0;
	int64_t wait_event =
		pointed ? (int64_t)(first->wait_event - first->proc) : search->near->layout.proc_wait_event_info;
	uint64_t stride = proc_stride(search);
	int pid = proc_pid_find(search);

	if (pid == NOWHERE)
		return missing(search, "PGPROC.pid");
	for (size_t i = 0; i < search->list->count; i++) {
		const struct tap_pg_sample *sample = &search->list->items[i];

		if (pointed && (int64_t)(sample->wait_event - sample->proc) != wait_event)
			return missing(search, "PGPROC.wait_event_info");
	}
	if (wait_event < 0 || wait_event + 4 > TAP_PG_SAMPLE_PROC || stride > INT64_MAX || !stride)
		return missing(search, "PGPROC.wait_event_info");
	layout->wait_event_offset = (uint16_t)(pointed ? 0 : wait_event);
	if (proc_is_near(search, pid, wait_event))
		return 0;
	if (!pointed)
		return missing(search, "PGPROC.wait_event_info");
	layout->proc_pid = (uint16_t)pid;
	layout->proc_wait_event_info = (uint16_t)wait_event;
	layout->proc_lock_group_leader = TAP_PG_ABSENT;
	layout->proc_wait_lock = layout->proc_wait_lock_mode = layout->proc_wait_start = layout->proc_wait_status = 0;
	/* A multiple of the size, which the check takes for the size. */
	search->row->proc_size = stride <= UINT16_MAX ? (uint16_t)stride : 1;
	return 0;
}

/* ---- numbers ---- */

/* Types as the titles name them; where that is what the nearest version has, its table stays whole. */
static int kinds_search(const struct search *search)
{
	uint8_t found[TAP_PG_BACKEND_TYPES] = { 0 };
	bool same = true;

	for (size_t i = 0; i < search->list->count; i++) {
		const struct tap_pg_sample *sample = &search->list->items[i];
		uint32_t type = sample->backend_type;

		if (sample->kind == TAP_KIND_UNKNOWN)
			continue;
		if (!type || type >= TAP_PG_BACKEND_TYPES || (found[type] && found[type] != sample->kind))
			return tap_error_set(search->err, -EBADMSG, "MyBackendType %u is no kind of process", type);
		found[type] = sample->kind;
		same &= search->near->layout.kind_of_type[type] == sample->kind;
	}
	if (same)
		return 0;
	for (size_t type = 0; type < TAP_PG_BACKEND_TYPES; type++)
		search->row->layout.kind_of_type[type] = found[type] ? found[type] : TAP_KIND_UNKNOWN;
	search->row->types = TAP_PG_BACKEND_TYPES;
	return 0;
}

static void states_fill(const struct search *search)
{
	struct tap_pg_layout *layout = &search->row->layout;
	int idle = idle_number(search, layout->status_state);

	memset(layout->state_of, TAP_PG_STATE_UNDEFINED, sizeof(layout->state_of));
	for (int number = idle; number < TAP_PG_BACKEND_STATES; number++) {
		int state = TAP_PG_STATE_IDLE + number - idle;

		layout->state_of[number] = (uint8_t)(state < TAP_PG_STATE_COUNT ? state : TAP_PG_STATE_COUNT);
	}
}

/* By how much a statement moves the change count is known of versions, not of this build. */
static void counting_drop(const struct search *search)
{
	struct tap_pg_layout *layout = &search->row->layout;

	if (search->target->version_number / 10000 == search->near->major)
		return;
	memset(layout->changes_of_one, 0, sizeof(layout->changes_of_one));
	layout->changes_extended = 0;
	layout->changes_least = 2;
}

/* ---- all of it ---- */

static int samples_suffice(const struct search *search)
{
	size_t auxiliary = 0, idle = 0, databases = 0;

	for (size_t i = 0; i < search->list->count; i++) {
		const struct tap_pg_sample *sample = &search->list->items[i];

		auxiliary += is_auxiliary(sample);
		idle += sample->state == TAP_PG_SAMPLE_IDLE;
		databases += sample->database != 0;
	}
	if (search->target->activity_size <= 0 || search->target->activity_size > ACTIVITY_SIZE_MAX)
		return tap_error_set(search->err, -ENODATA, "track_activity_query_size of %d is no such size",
				     search->target->activity_size);
	if (search->list->count < SAMPLES_MIN || !auxiliary)
		return tap_error_set(search->err, -ENODATA, "%zu processes are too few to search by",
				     search->list->count);
	if (!idle || !databases)
		return tap_error_set(search->err, -ENODATA,
				     "no session is idle, or update_process_title is off: connect with psql, run one "
				     "statement, and leave it open");
	return 0;
}

int tap_pg_layout_search_samples(const struct tap_target *target, const struct tap_pg_layout_row *near,
				 const struct tap_pg_sample_list *samples, struct tap_pg_layout_row *ret,
				 struct tap_error *err)
{
	struct tap_pg_layout_row row = *near;
	struct search search = {
		.target = target,
		.near = near,
		.list = samples,
		.row = &row,
		.now_us = tap_clock_ns(CLOCK_REALTIME) / 1000,
		.err = err,
	};
	int code = samples_suffice(&search);

	row.searched = true;
	row.layout.status_size = 0;
	if (!code)
		code = status_search(&search);
	if (!code)
		code = proc_search(&search);
	if (!code)
		code = kinds_search(&search);
	if (code)
		return code;
	states_fill(&search);
	counting_drop(&search);
	*ret = row;
	return 0;
}

int tap_pg_layout_search(const struct tap_target *target, const struct tap_pg_layout_row *near,
			 struct tap_pg_layout_row *ret, struct tap_error *err)
{
	const struct timespec pause = { .tv_nsec = ROUND_PAUSE_NS };
	int code = -EBADMSG;

	/* Sessions that work show other bytes each time. */
	for (int round = 0; round < ROUNDS && code == -EBADMSG; round++) {
		struct tap_pg_sample_list samples;

		if (round)
			nanosleep(&pause, NULL);
		code = tap_pg_samples_read(target, &samples);
		if (code)
			return tap_error_set(err, code, "its memory cannot be read: %s", strerror(-code));
		code = tap_pg_layout_search_samples(target, near, &samples, ret, err);
		tap_pg_samples_done(&samples);
	}
	return code;
}
