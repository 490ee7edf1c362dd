/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * my_thread.h - what a thread of a MariaDB or MySQL server that serves no client is, by what it is called.
 *
 * MySQL and MariaDB from 11.7 name their threads. Older MariaDB's are all called like the server: those that run when
 * they are adopted userspace tells apart (userspace/attach/my_thread_kind.c), those that hold a session by what that
 * says of itself (bpf/my_kind.bpf.h).
 */
#ifndef TAP_BPF_ABI_MY_THREAD_H
#define TAP_BPF_ABI_MY_THREAD_H

#include "bpf/abi/kind.h"
#include "bpf/abi/my_layout.h"
#include "bpf/abi/types.h"

enum {
	TAP_MY_THREAD_NAME = 16, /* as the kernel keeps it, NUL included */
};

/* How its name begins, kind; the first that fits. */
#define TAP_MY_THREAD_NAMES(X) \
	X("page_cleaner", PAGE_CLEANER) \
	X("ib_pg_flush", PAGE_CLEANER) \
	X("ib_srv_purge", PURGE) \
	X("ib_srv_wkr", PURGE) \
	X("ib_log_", LOG_WRITER) \
	X("ib_io_", IO_THREAD) \
	X("io_uring_wait", IO_THREAD) \
	X("iou-wrk-", IO_THREAD) \
	X("ib_tpool_worker", INNODB_WORKER) \
	X("rpl_rca_io", REPLICATION_RECEIVER) \
	X("slave_io", REPLICATION_RECEIVER) \
	X("rpl_rca_sql", REPLICATION_APPLIER) \
	X("rpl_rca_wkr", REPLICATION_APPLIER) \
	X("slave_sql", REPLICATION_APPLIER) \
	X("rpl_parallel", REPLICATION_APPLIER) \
	X("evt_sched", EVENT_SCHEDULER) \
	X("event_scheduler", EVENT_SCHEDULER) \
	X("evt_worker", EVENT_WORKER) \
	X("event_worker", EVENT_WORKER) \
	X("sig_handler", SIGNAL_HANDLER) \
	X("signal_handler", SIGNAL_HANDLER) \
	X("ib_", BACKGROUND) \
	X("gtid_zip", BACKGROUND) \
	X("rpl_opt_tracker", BACKGROUND)

/* By words, as both of our compilers make it without a call; little endian, as all of dbtap. */
static inline __u8 tap_my_begins(const __u64 name[2], const __u64 text[2], __u32 size)
{
	__u64 first = size < 8 ? (1ull << 8 * (size & 7)) - 1 : ~0ull;
	__u64 second = size <= 8 ? 0 : (1ull << 8 * (size & 7)) - 1;

	return !((name[0] ^ text[0]) & first) && !((name[1] ^ text[1]) & second);
}

/* enum tap_kind; NONE: the name does not tell. */
/* NOLINTNEXTLINE(readability-function-size): a line of the table each */
static inline __u8 tap_my_kind_of_name(const __u64 name[TAP_MY_THREAD_NAME / 8])
{
#define X(text, id) \
	{ \
		__u64 words[TAP_MY_THREAD_NAME / 8] = {}; \
\
		_Static_assert(sizeof(text) <= sizeof(words), "as long as the kernel keeps"); \
		__builtin_memcpy(words, text, sizeof(text) - 1); \
		if (tap_my_begins(name, words, sizeof(text) - 1)) \
			return TAP_KIND_##id; \
	}
	TAP_MY_THREAD_NAMES(X)
#undef X
	return TAP_KIND_NONE;
}

/* How the stage of a session that purges begins; MariaDB. */
#define TAP_MY_STAGE_PURGE "InnoDB purge"
/* The user of the session that waits for events to become due; of the ones that run them until they become another. */
#define TAP_MY_USER_EVENTS "event_scheduler"

static inline __u32 tap_my_events_user(void)
{
	__u64 words[2];

	__builtin_memcpy(words, TAP_MY_USER_EVENTS, sizeof(words));
	return tap_my_name_final(tap_my_name_step(tap_my_name_step(0, words[0]), words[1]));
}
_Static_assert(sizeof(TAP_MY_USER_EVENTS) == 16, "two words with the NUL");

#endif
