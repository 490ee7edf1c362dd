// SPDX-License-Identifier: BSD-2-Clause
/* my_locks.c - where a server's locks are, and reading them through my_lock_memory. */
#include "userspace/attach/my_locks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bpf/abi/my_layout.h"
#include "userspace/attach/memory.h"
#include "userspace/attach/my_lock_layout.h"
#include "userspace/attach/my_server.h"
#include "userspace/base/clock.h"

enum {
	PAUSE_NS = 50 * 1000, /* after the second reading; doubles */
};

static int memory_read(void *context, struct tap_memory_read *reads, size_t count)
{
	const struct tap_target *target = context;

	return tap_memory_read_many(target->pid, reads, count);
}

static void memory_pause(void *context, unsigned int round)
{
	const struct timespec pause = { .tv_nsec = (long)PAUSE_NS << (round < 6 ? round : 6) };

	(void)context;
	nanosleep(&pause, NULL);
}

static int unreadable(const struct tap_target *target, int code, struct tap_error *err)
{
	return tap_error_set(err, code, "%s: its locks cannot be read: %s", target->id,
			     code == -EBADMSG  ? "its sessions are not what its version has"
			     : code == -EAGAIN ? "they were being changed each time"
					       : strerror(-code));
}

int tap_my_locks_read(const struct tap_my_locks *locks, const struct tap_target *target, bool all,
		      struct tap_lock_table *table, struct tap_relation_names *names, struct tap_error *err)
{
	struct tap_my_lock_memory memory = locks->memory;
	int code;

	memory.context = (void *)target;
	code = tap_my_lock_memory_read(&memory, all, table, names);
	table->realtime_ns = tap_clock_ns(CLOCK_REALTIME);
	return code ? unreadable(target, code, err) : 0;
}

int tap_my_locks_open(const struct tap_target *target, struct tap_my_locks *ret, struct tap_error *err)
{
	const struct tap_my_lock_layout *layout = tap_my_lock_layout_find(target->version_number, target->machine);
	const struct tap_my_own *own = target->own;
	struct tap_lock_table table = { 0 };
	struct tap_my_locks locks = { 0 };
	int code;

	/* Lets a test take them away. */
	if (getenv("DBTAP_TEST_NO_LOCK_MEMORY"))
		return tap_error_set(err, -ENOTSUP, "%s: its locks are not read in this test", target->id);
	if (!layout || !own)
		return tap_error_set(err, -ENOTSUP, "%s: this dbtap does not know where %s %s keeps its locks",
				     target->id, own ? tap_my_product_info(own->product)->title : "MariaDB",
				     target->version);
	locks.memory = (struct tap_my_lock_memory){
		.place = { .layout = *layout,
			   .sessions = own->sessions,
			   .next = own->fields.next,
			   .thread_id = own->fields.thread_id },
		.read = memory_read,
		.pause = memory_pause,
	};
	code = tap_my_locks_read(&locks, target, false, &table, NULL, err);
	tap_lock_table_done(&table);
	if (code)
		return code;
	*ret = locks;
	return 0;
}

uint32_t tap_my_locks_wait(const struct tap_target *target, uint64_t thd)
{
	const struct tap_my_lock_layout *layout = &((const struct tap_my_own *)target->own)->instance.locks;
	uint64_t trx = 0, lock = 0, ticket = 0;
	uint32_t mode = 0;
	struct tap_memory_read reads[] = {
		{ thd + layout->trx, &trx, sizeof(trx), false },
		{ thd + layout->metadata + layout->context_ticket, &ticket, sizeof(ticket), false },
	};

	if (!layout->trx || tap_memory_read_many(target->pid, reads, 2))
		return 0;
	if (reads[0].ok && trx && !tap_memory_read(target->pid, trx + layout->wait_lock, &lock, sizeof(lock)) && lock &&
	    !tap_memory_read(target->pid, lock + layout->lock_mode, &mode, sizeof(mode)))
		return mode & layout->lock_type_table ? TAP_MY_WAIT_ENGINE_TABLE_LOCK : TAP_MY_WAIT_ROW_LOCK;
	return reads[1].ok && ticket ? TAP_MY_WAIT_METADATA_LOCK : 0;
}
