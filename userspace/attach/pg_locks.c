// SPDX-License-Identifier: BSD-2-Clause
/*
 * pg_locks.c - where an instance keeps its lock tables, and reading them through pg_lock_memory.
 *
 * Called by userspace/consume. The header of the process array comes from an exported variable; that it is one is shown
 * by its length, which follows from MaxBackends, and by each known process being found in it under its own pid.
 */
#include "userspace/attach/pg_locks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "userspace/attach/maps.h"
#include "userspace/attach/proc.h"
#include "userspace/base/clock.h"

enum {
	AUXILIARY_MAX = 64, /* processes beyond MaxBackends: five in version 15 */
	PREPARED_MAX = 1 << 16,
	HEADER_MAX = 256,
	PAUSE_NS = 20 * 1000, /* after the first round; doubles */
	PAUSE_MAX_NS = 1000 * 1000,
};

static int memory_read(void *context, struct tap_memory_read *reads, size_t count)
{
	const struct tap_target *target = context;

	return tap_memory_read_many(target->pid, reads, count);
}

static void memory_pause(void *context, unsigned int round)
{
	long ns = round < 6 ? PAUSE_NS << (round - 1) : PAUSE_MAX_NS;
	const struct timespec pause = { .tv_nsec = ns < PAUSE_MAX_NS ? ns : PAUSE_MAX_NS };

	(void)context;
	nanosleep(&pause, NULL);
}

static const char *proc_root(const struct tap_target *target)
{
	return target->proc_root ? target->proc_root : "/proc";
}

/* The one mapping that holds the header holds all the rest, too: the server's main shared memory segment. */
static int segment_find(const struct tap_target *target, uint64_t address, struct tap_pg_lock_memory *ret,
			struct tap_error *err)
{
	const struct tap_map *map;
	struct tap_maps maps;
	int code = tap_maps_read(proc_root(target), target->pid, &maps);

	if (code)
		return tap_error_set(err, code, "%s: mappings of process %d cannot be read: %s", target->id,
				     target->pid, strerror(-code));
	map = tap_maps_at(&maps, address, HEADER_MAX);
	if (!map || !map->readable || !map->shared)
		code = tap_error_set(err, -EBADMSG, "%s: ProcGlobal does not lead to shared memory", target->id);
	if (!code) {
		ret->start = map->start;
		ret->end = map->end;
	}
	tap_maps_done(&maps);
	return code;
}

static int unreadable(const struct tap_target *target, int code, struct tap_error *err)
{
	return tap_error_set(err, code, "%s: memory of process %d cannot be read: %s", target->id, target->pid,
			     strerror(-code));
}

/* The variables, and what is at the header. */
static int header_read(const struct tap_target *target, struct tap_pg_lock_memory *memory, struct tap_error *err)
{
	const struct tap_pg_lock_layout *layout = memory->layout;
	uint64_t header = 0;
	int32_t max_prepared = 0, n_groups = 0;
	struct tap_memory_read variables[] = {
		{ target->variables.proc_global, &header, sizeof(header), false },
		{ target->variables.prepared_procs, &memory->prepared, sizeof(memory->prepared), false },
		{ target->variables.max_prepared, &max_prepared, sizeof(max_prepared), false },
		{ target->variables.fast_groups, &n_groups, sizeof(n_groups), false },
	};
	int code = tap_memory_read_many(target->pid, variables, layout->fast_apart ? 4 : 3);

	if (!code &&
	    (!variables[0].ok || !variables[1].ok || !variables[2].ok || (layout->fast_apart && !variables[3].ok)))
		code = -EFAULT;
	if (code)
		return unreadable(target, code, err);
	code = segment_find(target, header, memory, err);
	if (code)
		return code;
	code = tap_memory_read(target->pid, header + layout->header_procs, &memory->procs, sizeof(memory->procs));
	if (!code)
		code = tap_memory_read(target->pid, header + layout->header_count, &memory->n_procs,
				       sizeof(memory->n_procs));
	if (!code && layout->xact_size)
		code = tap_memory_read(target->pid, header + layout->header_xacts, &memory->xacts,
				       sizeof(memory->xacts));
	if (code)
		return unreadable(target, code, err);
	if (max_prepared < 0 || max_prepared > PREPARED_MAX)
		return tap_error_set(err, -EBADMSG, "%s: max_prepared_xacts is %d", target->id, max_prepared);
	if (layout->fast_apart && (n_groups <= 0 || n_groups > TAP_PG_FAST_GROUPS_MAX))
		return tap_error_set(err, -EBADMSG, "%s: FastPathLockGroupsPerBackend is %d", target->id, n_groups);
	memory->n_prepared = (uint32_t)max_prepared;
	memory->n_fast_groups = (uint32_t)n_groups;
	return 0;
}

static int length_check(const struct tap_target *target, const struct tap_pg_lock_memory *memory, struct tap_error *err)
{
	uint64_t backends = (uint64_t)target->max_backends;

	if (memory->n_procs <= backends || memory->n_procs > backends + AUXILIARY_MAX)
		return tap_error_set(err, -EBADMSG, "%s: %u entries of ProcGlobal for %d backends", target->id,
				     memory->n_procs, target->max_backends);
	return 0;
}

/* Every process that has a PGPROC has it in this array, and there it has its pid. */
static int members_check(const struct tap_target *target, const struct tap_pg_lock_memory *memory,
			 struct tap_error *err)
{
	const struct tap_pg_lock_layout *layout = memory->layout;
	int32_t *pids;
	size_t count, checked = 0;
	int code = tap_target_processes(target, &pids, &count);

	if (code)
		return tap_error_set(err, code, "%s: its processes cannot be listed: %s", target->id, strerror(-code));
	for (size_t i = 0; i < count && !code; i++) {
		uint64_t my_proc = 0, offset;
		int32_t my_pid = 0, pid = 0;
		struct tap_memory_read reads[] = {
			{ target->addresses.my_proc, &my_proc, sizeof(my_proc), false },
			{ target->variables.my_proc_pid, &my_pid, sizeof(my_pid), false },
		};

		/* Children that are no server processes, or gone, or without a PGPROC, say nothing. */
		if (tap_memory_read_many(pids[i], reads, 2) || !reads[0].ok || !reads[1].ok || !my_proc)
			continue;
		offset = my_proc - memory->procs;
		if (offset % layout->proc_size || offset / layout->proc_size >= memory->n_procs)
			code = -EBADMSG;
		else if (!tap_memory_read(target->pid, my_proc + layout->proc_pid, &pid, sizeof(pid)) && pid == my_pid)
			checked++;
	}
	free(pids);
	if (code || !checked)
		return tap_error_set(err, -EBADMSG, "%s: its processes are not in the array that ProcGlobal leads to",
				     target->id);
	return 0;
}

static int layout_find(const struct tap_target *target, struct tap_pg_lock_memory *memory, struct tap_error *err)
{
	const struct tap_pg_variables *variables = &target->variables;

	/* Lets a test take the tables away. */
	if (getenv("DBTAP_TEST_NO_LOCK_MEMORY"))
		return tap_error_set(err, -ENOTSUP, "%s: its lock tables are not read in this test", target->id);
	memory->layout = tap_pg_lock_layout_find(target->version_number, target->machine);
	/* Without the latter PGPROC is not what the version's is. */
	if (!memory->layout || !target->layout.proc_wait_lock)
		return tap_error_set(err, -ENOTSUP, "%s: this dbtap does not know the lock tables of PostgreSQL %s",
				     target->id, target->version);
	if (!variables->proc_global || !variables->prepared_procs || !variables->max_prepared ||
	    (memory->layout->fast_apart && !variables->fast_groups) || !target->max_backends)
		return tap_error_set(
			err, -ENOTSUP,
			"%s: its binary does not export ProcGlobal, PreparedXactProcs, max_prepared_xacts, "
			"FastPathLockGroupsPerBackend (from 18) or MaxBackends: its lock tables cannot be found",
			target->id);
	return 0;
}

static bool counts_as_we_do(const struct tap_target *target)
{
	int32_t ns_pid;

	return !tap_proc_ns_pid(proc_root(target), target->pid, &ns_pid) && ns_pid == target->pid;
}

int tap_pg_locks_open(const struct tap_target *target, struct tap_pg_locks *ret, struct tap_error *err)
{
	struct tap_pg_locks locks = { 0 };
	struct tap_pg_lock_memory *memory = &locks.memory;
	int code = layout_find(target, memory, err);

	if (!code)
		code = header_read(target, memory, err);
	if (!code)
		code = length_check(target, memory, err);
	if (!code)
		code = members_check(target, memory, err);
	if (code)
		return code;
	locks.same_pids = counts_as_we_do(target);
	memory->read = memory_read;
	memory->pause = memory_pause;
	*ret = locks;
	return 0;
}

/* ---- pids of another pid namespace ---- */

struct pid_pair {
	int32_t theirs;
	int32_t ours;
};

static int compare_pairs(const void *a, const void *b)
{
	const struct pid_pair *left = a, *right = b;

	return (left->theirs > right->theirs) - (left->theirs < right->theirs);
}

static int32_t pid_of(const struct pid_pair *pairs, size_t count, int32_t pid)
{
	const struct pid_pair key = { .theirs = pid };
	const struct pid_pair *found = count ? bsearch(&key, pairs, count, sizeof(key), compare_pairs) : NULL;

	return found ? found->ours : pid;
}

static int pids_translate(const struct tap_target *target, struct tap_lock_table *table)
{
	struct pid_pair *pairs;
	int32_t *pids;
	size_t count, known = 0;
	int code = tap_target_processes(target, &pids, &count);

	if (code)
		return code;
	pairs = calloc(count + 1, sizeof(*pairs));
	for (size_t i = 0; i < count && pairs; i++) {
		if (!tap_proc_ns_pid(proc_root(target), pids[i], &pairs[known].theirs))
			pairs[known++].ours = pids[i];
	}
	free(pids);
	if (!pairs)
		return -ENOMEM;
	qsort(pairs, known, sizeof(*pairs), compare_pairs);
	for (size_t i = 0; i < table->count; i++) {
		struct tap_lock_entry *entry = &table->entries[i];

		entry->pid = pid_of(pairs, known, entry->pid);
		entry->leader_pid = pid_of(pairs, known, entry->leader_pid);
	}
	free(pairs);
	return 0;
}

int tap_pg_locks_translate(const struct tap_target *target, struct tap_lock_table *table)
{
	return counts_as_we_do(target) ? 0 : pids_translate(target, table);
}

int tap_pg_locks_read(const struct tap_pg_locks *locks, const struct tap_target *target, enum tap_pg_lock_scope scope,
		      struct tap_lock_table *table, struct tap_error *err)
{
	struct tap_pg_lock_memory memory = locks->memory;
	int code;

	memory.context = (void *)target;
	code = tap_pg_lock_memory_read(&memory, scope, table);
	table->realtime_ns = tap_clock_ns(CLOCK_REALTIME);
	if (!code && !locks->same_pids)
		code = pids_translate(target, table);
	if (code)
		return tap_error_set(err, code, "%s: its lock tables cannot be read: %s", target->id,
				     code == -EBADMSG ? "they are not what its version has" : strerror(-code));
	return 0;
}
