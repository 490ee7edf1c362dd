/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * one_backend.h - the fixture of the tests of the BPF programs: one backend of one instance, what it does, and what a
 * snapshot says of it. Static: one program, one backend.
 */
#ifndef TAP_TESTS_UNIT_BPF_FAKE_ONE_BACKEND_H
#define TAP_TESTS_UNIT_BPF_FAKE_ONE_BACKEND_H

#include "tests/unit/bpf/fake/pg_snapshot.h"

enum {
	DATABASE = 5,
	USER = 10,
	LOCK_EVENT = 0x03000004,
	IO_EVENT = 0x0a000012,
};

static struct pg_process postmaster, backend;
static struct tap_snapshot taken;
static __u64 began_ns;

static inline void start_with(size_t rows_max, size_t waits_max)
{
	struct tap_instance instance = pg_instance();
	__u32 zero = 0;

	fake_programs_init(rows_max, waits_max);
	bpf_map_update_elem(&instances, &zero, &instance, BPF_ANY);
	fake_rest_add(0);
	pg_postmaster_init(&postmaster);
	pg_fork(&postmaster, &backend, 200);
	began_ns = kernel.clock_ns;
	pg_arrive(&backend);
	tap_snapshot_init(&taken);
}

static inline void set_up(void)
{
	start_with(FAKE_ENTRIES, FAKE_ENTRIES);
}

static inline void tear_down(void)
{
	tap_snapshot_done(&taken);
	pg_process_done(&backend);
	pg_process_done(&postmaster);
	fake_kernel_done();
}

/* A client that has logged in, said hello and begins to wait for its client 100 ns after it was forked. */
static inline void client_is_idle(void)
{
	pg_login(&backend, PG_TYPE_CLIENT, DATABASE, USER);
	pg_cpu(&backend, 100);
	pg_sleep(&backend, TAP_PG_CLIENT_READ);
}

static inline void woken_after(__u64 sleep_ns, __u64 runq_ns)
{
	clock_advance(sleep_ns);
	pg_wake(&backend);
	clock_advance(runq_ns);
	pg_arrive(&backend);
}

static inline void take(void)
{
	struct pg_process *all[] = { &backend };

	tap_snapshot_done(&taken);
	/* The clocks are the same here: the scheduler's is not ahead. */
	snapshot_take(&taken, all, 1, NULL, NULL);
}

static inline const struct tap_row *row_at(__u8 kind, __u8 source, __u64 query_id, __u32 database, __u32 user)
{
	struct tap_row_key key = {
		.kind = kind, .source = source, .query_id = query_id, .database = database, .user = user
	};
	const struct tap_row *row = tap_row_set_find(&taken.rows, &key);

	ck_assert_msg(row, "no row of kind %d, id %llu", kind, query_id);
	return row;
}

static inline const struct tap_row *statement(__u64 query_id)
{
	return row_at(TAP_KIND_CLIENT, query_id ? TAP_QUERY_ID_ENGINE : TAP_QUERY_ID_NONE, query_id, DATABASE, USER);
}

static inline bool has_statement(__u64 query_id)
{
	struct tap_row_key key = { .kind = TAP_KIND_CLIENT,
				   .source = query_id ? TAP_QUERY_ID_ENGINE : TAP_QUERY_ID_NONE,
				   .query_id = query_id,
				   .database = DATABASE,
				   .user = USER };
	const struct tap_row *row = tap_row_set_find(&taken.rows, &key);

	return row && (tap_row_elapsed_ns(row) || row->account.calls || tap_row_sleeps(row));
}

static inline const struct tap_row *of_kind(__u8 kind)
{
	return row_at(kind, TAP_QUERY_ID_NONE, 0, DATABASE, USER);
}

static inline struct tap_row_wait wait_in(const struct tap_row *row, __u32 event)
{
	struct tap_row_wait none = { .event = event };

	for (size_t i = 0; i < row->n_waits; i++) {
		if (row->waits[i].event == event)
			return row->waits[i];
	}
	return none;
}

static inline void assert_wait(const struct tap_row *row, __u32 event, __u64 count, __s64 ns)
{
	ck_assert_uint_eq(wait_in(row, event).count, count);
	ck_assert_int_eq(wait_in(row, event).ns, ns);
}

/* What the head of a thread's storage knows of its ways is so. */
static inline void assert_head(const struct tap_task *account)
{
	for (__u32 i = 0; i < TAP_WAYS; i++) {
		const struct tap_way *way = &account->ways[i];

		ck_assert_int_eq(way_is_free(way), !account->tags[i]);
		for (__u32 j = 0; j < i && !way_is_free(way); j++)
			ck_assert(!way_is_of(&account->ways[j], &way->key));
	}
	for (int i = 0; i < TAP_IDLE_KINDS; i++) {
		if (account->idle_ways[i] != TAP_NO_WAY)
			ck_assert_uint_eq(account->ways[account->idle_ways[i]].key.kind, TAP_KIND_IDLE + i);
	}
}

/* Every nanosecond since the fork is in exactly one place. */
static inline void assert_conserved(void)
{
	__s64 sum = 0;

	assert_head(pg_account(&backend));
	take();
	for (size_t i = 0; i < taken.rows.count; i++)
		sum += tap_row_elapsed_ns(&taken.rows.rows[i]);
	ck_assert_int_eq(sum, (__s64)(kernel.clock_ns - began_ns));
}

#endif
