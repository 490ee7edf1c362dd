/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fake_locks.h - a small image of PostgreSQL's lock tables, and a reader of it, for the tests and the fuzzer.
 *
 * Processes have pids 100, 101, ...; process i of the image is fl_proc(i). Calls that change the tables leave them as
 * the server does when it lets go of its own locks. Static: one program, one image.
 */
#ifndef TAP_TESTS_UNIT_USERSPACE_ATTACH_FAKE_LOCKS_H
#define TAP_TESTS_UNIT_USERSPACE_ATTACH_FAKE_LOCKS_H

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/attach/pg_lock_memory.h"

enum {
	FL_PROCS = 12,
	FL_PREPARED = 2,
	FL_LOCKS = 8,
	FL_SHARES = 40,
	FL_SIZE = 32768,
	FL_PID = 100,
	FL_XID = 700, /* of prepared transactions */
};

#define FL_BASE 0x7f1234560000ull

static struct {
	uint8_t bytes[FL_SIZE] __attribute__((aligned(8)));
	const struct tap_pg_lock_layout *layout;
	int n_locks;
	int n_shares;
	int reads; /* calls so far */
	/* Called before each read, with their number from 1. */
	void (*before)(int number);
	int fail_at; /* the call that returns -ESRCH; 0: none */
} fl;

static inline uint8_t *fl_at(uint64_t address)
{
	return fl.bytes + (address - FL_BASE);
}

static inline void fl_put64(uint64_t address, uint64_t value)
{
	memcpy(fl_at(address), &value, sizeof(value));
}

static inline void fl_put32(uint64_t address, uint32_t value)
{
	memcpy(fl_at(address), &value, sizeof(value));
}

static inline uint64_t fl_get64(uint64_t address)
{
	uint64_t value;

	memcpy(&value, fl_at(address), sizeof(value));
	return value;
}

static inline uint32_t fl_get32(uint64_t address)
{
	uint32_t value;

	memcpy(&value, fl_at(address), sizeof(value));
	return value;
}

/* Prepared transactions follow the processes. */
static inline uint64_t fl_proc(int index)
{
	return FL_BASE + (uint64_t)index * fl.layout->proc_size;
}

static inline uint64_t fl_lock(int index)
{
	return fl_proc(FL_PROCS + FL_PREPARED) + (uint64_t)index * fl.layout->lock_size;
}

static inline uint64_t fl_share(int index)
{
	return fl_lock(FL_LOCKS) + (uint64_t)index * fl.layout->share_size;
}

/* A list: the head is a link to itself, `link` goes to its end. */
static inline void fl_link_init(uint64_t head)
{
	fl_put64(head, head);
	fl_put64(head + 8, head);
}

static inline void fl_link_before(uint64_t head, uint64_t link)
{
	uint64_t last = fl_get64(head);

	fl_put64(link, last);
	fl_put64(link + 8, head);
	fl_put64(last + 8, link);
	fl_put64(head, link);
}

static inline void fl_unlink(uint64_t link)
{
	uint64_t prev = fl_get64(link), next = fl_get64(link + 8);

	fl_put64(prev + 8, next);
	fl_put64(next, prev);
	fl_put64(link, 0);
	fl_put64(link + 8, 0);
}

static inline void fl_init(void)
{
	memset(&fl, 0, sizeof(fl));
	fl.layout = tap_pg_lock_layout_find(150000, EM_X86_64);
	for (int i = 0; i < FL_PROCS + FL_PREPARED; i++) {
		if (i < FL_PROCS)
			fl_put32(fl_proc(i) + fl.layout->proc_pid, (uint32_t)(FL_PID + i));
		else
			fl_put32(fl_proc(i) + fl.layout->proc_xid, (uint32_t)(FL_XID + i - FL_PROCS));
		fl_put32(fl_proc(i) + fl.layout->proc_database, 5);
		for (int list = 0; list < fl.layout->proc_n_lists; list++)
			fl_link_init(fl_proc(i) + fl.layout->proc_lists + (uint64_t)list * 16);
	}
}

static inline uint64_t fl_add_lock(uint8_t type, uint32_t field1, uint32_t field2)
{
	struct tap_lock_tag tag = { .field1 = field1, .field2 = field2, .type = type, .method = 1 };
	uint64_t lock = fl_lock(fl.n_locks++);

	memcpy(fl_at(lock + fl.layout->lock_tag), &tag, sizeof(tag));
	fl_link_init(lock + fl.layout->lock_shares);
	fl_link_init(lock + fl.layout->lock_queue);
	return lock;
}

/* Counts and masks of the lock, from its lists. */
static inline void fl_count(uint64_t lock)
{
	const struct tap_pg_lock_layout *layout = fl.layout;
	uint64_t head = lock + layout->lock_shares, queue = lock + layout->lock_queue;
	uint32_t granted[TAP_PG_LOCK_MODES + 1] = { 0 }, requested[TAP_PG_LOCK_MODES + 1] = { 0 };
	uint32_t grant_mask = 0, wait_mask = 0, waiting = 0;

	for (uint64_t at = fl_get64(head + 8); at != head; at = fl_get64(at + 8)) {
		uint32_t held = fl_get32(at - layout->share_lock_link + layout->share_held);

		grant_mask |= held;
		for (int mode = 1; mode < TAP_PG_LOCK_MODES; mode++) {
			granted[mode] += held >> mode & 1;
			granted[TAP_PG_LOCK_MODES] += held >> mode & 1;
		}
	}
	memcpy(requested, granted, sizeof(requested));
	for (uint64_t at = fl_get64(queue + 8); at != queue; at = fl_get64(at + 8)) {
		uint32_t mode = fl_get32(at - layout->proc_links + layout->proc_wait_mode);

		wait_mask |= 1u << mode;
		requested[mode]++;
		requested[TAP_PG_LOCK_MODES]++;
		waiting++;
	}
	fl_put32(lock + layout->lock_grant_mask, grant_mask);
	fl_put32(lock + layout->lock_wait_mask, wait_mask);
	fl_put32(lock + layout->lock_queue_size, waiting);
	memcpy(fl_at(lock + layout->lock_granted), granted, sizeof(granted));
	memcpy(fl_at(lock + layout->lock_requested), requested, sizeof(requested));
}

/* `proc` gets a share of the lock, with what it holds; `leader` is itself outside a group. */
static inline uint64_t fl_add_share(uint64_t lock, int proc, int leader, uint32_t held)
{
	const struct tap_pg_lock_layout *layout = fl.layout;
	uint64_t share = fl_share(fl.n_shares++);

	fl_put64(share + layout->share_lock, lock);
	fl_put64(share + layout->share_proc, fl_proc(proc));
	fl_put64(share + layout->share_leader, fl_proc(leader));
	fl_put32(share + layout->share_held, held);
	fl_link_before(lock + layout->lock_shares, share + layout->share_lock_link);
	fl_link_before(fl_proc(proc) + layout->proc_lists + lock / 152 % layout->proc_n_lists * 16,
		       share + layout->share_proc_link);
	fl_count(lock);
	return share;
}

static inline void fl_wait(uint64_t share, uint32_t mode, int64_t start)
{
	const struct tap_pg_lock_layout *layout = fl.layout;
	uint64_t lock = fl_get64(share + layout->share_lock), proc = fl_get64(share + layout->share_proc);

	fl_put64(proc + layout->proc_wait_lock, lock);
	fl_put64(proc + layout->proc_wait_share, share);
	fl_put32(proc + layout->proc_wait_mode, mode);
	fl_put64(proc + layout->proc_wait_start, (uint64_t)start);
	fl_link_before(lock + layout->lock_queue, proc + layout->proc_links);
	fl_count(lock);
}

static inline void fl_wait_end(uint64_t share)
{
	const struct tap_pg_lock_layout *layout = fl.layout;
	uint64_t proc = fl_get64(share + layout->share_proc);

	fl_unlink(proc + layout->proc_links);
	fl_put64(proc + layout->proc_wait_lock, 0);
	fl_put64(proc + layout->proc_wait_share, 0);
	fl_count(fl_get64(share + layout->share_lock));
}

static inline void fl_drop_share(uint64_t share)
{
	uint64_t lock = fl_get64(share + fl.layout->share_lock);

	fl_unlink(share + fl.layout->share_lock_link);
	fl_unlink(share + fl.layout->share_proc_link);
	fl_count(lock);
}

/* What the server does when the holder lets go and the first waiter is next. */
static inline void fl_hand_over(uint64_t holder, uint64_t waiter)
{
	uint64_t lock = fl_get64(waiter + fl.layout->share_lock), proc = fl_get64(waiter + fl.layout->share_proc);
	uint32_t mode = fl_get32(proc + fl.layout->proc_wait_mode);

	fl_drop_share(holder);
	fl_wait_end(waiter);
	fl_put32(waiter + fl.layout->share_held, fl_get32(waiter + fl.layout->share_held) | 1u << mode);
	fl_count(lock);
}

static int fl_read(void *context, struct tap_memory_read *reads, size_t count)
{
	(void)context;
	fl.reads++;
	if (fl.before)
		fl.before(fl.reads);
	if (fl.reads == fl.fail_at)
		return -3; /* -ESRCH */
	for (size_t i = 0; i < count; i++) {
		uint64_t from = reads[i].address - FL_BASE;

		reads[i].ok = from < FL_SIZE && reads[i].size <= FL_SIZE - from;
		if (reads[i].ok)
			memcpy(reads[i].to, fl.bytes + from, reads[i].size);
	}
	return 0;
}

static inline struct tap_pg_lock_memory fl_memory(void)
{
	fl.reads = 0;
	return (struct tap_pg_lock_memory){
		.layout = fl.layout,
		.start = FL_BASE,
		.end = FL_BASE + FL_SIZE,
		.procs = fl_proc(0),
		.n_procs = FL_PROCS,
		.prepared = fl_proc(FL_PROCS),
		.n_prepared = FL_PREPARED,
		.read = fl_read,
	};
}

/*
 * The picture most tests begin with: process 0 holds a row's transaction, 1 waits for it; 1 holds the tuple, 2 and 3
 * wait for that; 4 reads a table, 5 wants it alone, 6 to read it, too; a prepared transaction has a third table, 7
 * wants it; 8 and its worker 9 hold an advisory lock together, 10 wants that.
 */
struct fl_scene {
	uint64_t transaction, tuple, table, prepared, advisory; /* locks */
	uint64_t holder, first;					/* shares of `transaction` */
	uint64_t reader, ddl, queued;				/* of `table` */
};

static inline void fl_scene(struct fl_scene *scene)
{
	struct tap_lock_tag tag;

	fl_init();
	scene->transaction = fl_add_lock(TAP_LOCK_TRANSACTION, 742, 0);
	scene->holder = fl_add_share(scene->transaction, 0, 0, 1u << TAP_LOCK_MODE_EXCLUSIVE);
	scene->first = fl_add_share(scene->transaction, 1, 1, 0);
	fl_wait(scene->first, TAP_LOCK_MODE_SHARE, 1000000);
	scene->tuple = fl_add_lock(TAP_LOCK_TUPLE, 5, 16384);
	fl_add_share(scene->tuple, 1, 1, 1u << TAP_LOCK_MODE_EXCLUSIVE);
	fl_wait(fl_add_share(scene->tuple, 2, 2, 0), TAP_LOCK_MODE_EXCLUSIVE, 2000000);
	fl_wait(fl_add_share(scene->tuple, 3, 3, 0), TAP_LOCK_MODE_EXCLUSIVE, 3000000);
	scene->table = fl_add_lock(TAP_LOCK_RELATION, 5, 16385);
	scene->reader = fl_add_share(scene->table, 4, 4, 1u << TAP_LOCK_MODE_ACCESS_SHARE);
	scene->ddl = fl_add_share(scene->table, 5, 5, 0);
	fl_wait(scene->ddl, TAP_LOCK_MODE_ACCESS_EXCLUSIVE, 4000000);
	scene->queued = fl_add_share(scene->table, 6, 6, 0);
	fl_wait(scene->queued, TAP_LOCK_MODE_ACCESS_SHARE, 5000000);
	scene->prepared = fl_add_lock(TAP_LOCK_RELATION, 5, 16386);
	fl_add_share(scene->prepared, FL_PROCS, FL_PROCS, 1u << TAP_LOCK_MODE_ROW_EXCLUSIVE);
	fl_wait(fl_add_share(scene->prepared, 7, 7, 0), TAP_LOCK_MODE_EXCLUSIVE, 6000000);
	scene->advisory = fl_add_lock(TAP_LOCK_ADVISORY, 5, 1);
	memcpy(&tag, fl_at(scene->advisory), sizeof(tag));
	tag.method = 2;
	memcpy(fl_at(scene->advisory), &tag, sizeof(tag));
	fl_add_share(scene->advisory, 8, 8, 1u << TAP_LOCK_MODE_SHARE);
	fl_add_share(scene->advisory, 9, 8, 1u << TAP_LOCK_MODE_SHARE);
	fl_wait(fl_add_share(scene->advisory, 10, 10, 0), TAP_LOCK_MODE_EXCLUSIVE, 7000000);
	/* And a fast-path lock of process 11, with its virtual transaction. */
	fl_put64(fl_proc(11) + fl.layout->proc_fast_bits, 1ull << 3);
	fl_put32(fl_proc(11) + fl.layout->proc_fast_relations + 4, 16390);
	fl_put32(fl_proc(11) + fl.layout->proc_backend_id, 3);
	*fl_at(fl_proc(11) + fl.layout->proc_fast_vxid) = 1;
	fl_put32(fl_proc(11) + fl.layout->proc_fast_lxid, 17);
}

#endif
