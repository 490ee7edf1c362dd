/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * statement_end.bpf.h - one statement has ended: its row's sums, and whether it is worth a record of its own.
 *
 * Called in the thread that ran it, from a uprobe, which can be preempted: what is kept of the thread may gain a switch
 * meanwhile, never lose its shape.
 */
#ifndef TAP_BPF_STATEMENT_END_BPF_H
#define TAP_BPF_STATEMENT_END_BPF_H

#include "bpf/spent.bpf.h"
#include "bpf/text.bpf.h"

enum {
	STATEMENT_NO_TOTAL = 0xffffffff,
};

#define STATEMENT_NO_TIME (~0ull)
#define PG_EPOCH_US 946684800000000ll /* 2000-01-01, UTC, since 1970 */

struct tap_statement_end {
	struct tap_row_key key;
	__s64 began;	/* tells the statement from others of the thread */
	__s64 began_us; /* by the server's clock; 0: not known */
	__s64 now_us;
	__u64 now_ns; /* monotonic */
	__u64 duration_ns;
	__u64 pid_tgid;
	__u32 code;
	__u32 why; /* bits of enum tap_statement_why */
	struct tap_statement_counters used;
	__u64 failed;
};

/* Plain loads, as in task.bpf.h. */
static __always_inline void statement_counters_now(struct tap_statement_counters *ret, struct task_struct *task)
{
	ret->minor_faults = task->min_flt;
	ret->major_faults = task->maj_flt;
	ret->rchar_bytes = task->ioac.rchar;
	ret->wchar_bytes = task->ioac.wchar;
	ret->read_bytes = task->ioac.read_bytes;
	ret->dirtied_bytes = task->ioac.write_bytes;
}

/* NULL: there is none. */
static __always_inline struct tap_statement_total *statement_total_at(__u32 index)
{
	return bpf_map_lookup_elem(&statement_totals, &index);
}

static __always_inline bool row_key_is_same(const struct tap_row_key *a, const struct tap_row_key *b)
{
	const __u64 *left = (const __u64 *)a, *right = (const __u64 *)b;

	return left[0] == right[0] && left[1] == right[1] && left[2] == right[2];
}

/* The row into which full sums spill, one an instance; userspace has put it in. */
static __always_inline __u32 statement_total_rest(const struct tap_row_key *key)
{
	struct tap_row_key rest = { .instance = key->instance, .kind = TAP_KIND_REST };
	const __u32 *index;

	count_loss(TAP_LOSS_CALLS_FULL);
	index = bpf_map_lookup_elem(&row_to_statements, &rest);
	return index ? *index : STATEMENT_NO_TOTAL;
}

/* The next free entry; STATEMENT_NO_TOTAL: all are in use. */
static __always_inline __u32 statement_total_take(void)
{
	if (!statement_total_at(*(volatile __u32 *)&statement_totals_used))
		return STATEMENT_NO_TOTAL;
	return __sync_fetch_and_add(&statement_totals_used, 1);
}

/* Index of the row's sums, made when there are none; STATEMENT_NO_TOTAL: not even those of the rest are there. */
TAP_GLOBAL __u32 statement_total_of(struct tap_row_key *key)
{
	struct tap_statement_total *total;
	const __u32 *known;
	__u32 index;

	if (!key)
		return STATEMENT_NO_TOTAL;
	known = bpf_map_lookup_elem(&row_to_statements, key);
	if (known)
		return *known;
	index = statement_total_take();
	total = statement_total_at(index);
	if (!total)
		return statement_total_rest(key);
	total->key = *key;
	if (!bpf_map_update_elem(&row_to_statements, key, &index, BPF_NOEXIST))
		return index;
	/* Another CPU was faster: it is given back, unless the next one is in use already. */
	__sync_val_compare_and_swap(&statement_totals_used, index + 1, index);
	known = bpf_map_lookup_elem(&row_to_statements, key);
	return known ? *known : statement_total_rest(key);
}

/* A session that repeats a statement finds its sums without a hash. */
static __always_inline struct tap_statement_total *statement_total_for(struct tap_task *account,
								       struct tap_row_key *key)
{
	struct tap_statement_task *own = &account->statement;
	__u32 index;

	if (own->total && row_key_is_same(&own->key, key))
		return statement_total_at(own->total - 1);
	index = statement_total_of(key);
	if (index == STATEMENT_NO_TOTAL)
		return NULL;
	own->key = *key;
	own->total = index + 1;
	return statement_total_at(index);
}

/*
 * Whether the time is one of the row's slowest of the window so far: then it takes the place of the least of them. Two
 * CPUs that begin a window at once may both clear what the other has put in: then one statement more is told of.
 */
TAP_GLOBAL int statement_is_slowest(__u32 index, __u64 ns)
{
	struct tap_statement_total *total = statement_total_at(index);
	__u32 least = 0, count = statement_slowest;
	__u64 least_ns;

	if (!total || !count)
		return 0;
	if (total->round != statement_round) {
		total->round = statement_round;
		__builtin_memset(total->slowest, 0, sizeof(total->slowest));
	}
	least_ns = total->slowest[0];
	for (__u32 i = 1; i < TAP_STATEMENT_SLOWEST; i++) {
		if (i < count && total->slowest[i] < least_ns) {
			least_ns = total->slowest[i];
			least = i;
		}
	}
	barrier_var(least);
	if (ns <= least_ns || least >= TAP_STATEMENT_SLOWEST)
		return 0;
	barrier_var(least);
	return __sync_val_compare_and_swap(&total->slowest[least], least_ns, ns) == least_ns;
}

static __always_inline void statement_sum(struct tap_statement_total *total, const struct tap_statement_end *end)
{
	__u32 bucket = tap_latency_bucket_of(end->duration_ns, TAP_STATEMENT_OCTAVES);

	__sync_fetch_and_add(&total->ended, 1);
	if (end->failed)
		__sync_fetch_and_add(&total->errors, 1);
	if (end->duration_ns == STATEMENT_NO_TIME)
		return;
	barrier_var(bucket);
	if (bucket < TAP_STATEMENT_BUCKETS) {
		barrier_var(bucket);
		__sync_fetch_and_add(&total->latency[bucket], 1);
	}
	/* Of two that are the longest at once the lesser may stay: by the width of a race. */
	if (end->duration_ns > total->max_ns)
		total->max_ns = end->duration_ns;
}

static __always_inline void statement_count_error(const struct tap_statement_end *end)
{
	struct tap_statement_error_key key = { .row = end->key, .code = end->code };
	__u64 *count = bpf_map_lookup_elem(&statement_errors, &key), zero = 0;

	if (!count) {
		bpf_map_update_elem(&statement_errors, &key, &zero, BPF_NOEXIST);
		count = bpf_map_lookup_elem(&statement_errors, &key);
	}
	if (count)
		__sync_fetch_and_add(count, 1);
	else
		count_loss(TAP_LOSS_ERRORS_FULL);
}

/*
 * Where the whole text is. What the session shows to others is cut at a length that the server is set to; what it keeps
 * for its log is not, but is gone already when an error is cleaned up.
 */
static __always_inline __u64 statement_text_address(const struct tap_task *account, const struct tap_instance *instance)
{
	__u64 address = 0;

	if (account->role == TAP_ROLE_BACKEND && instance->addresses.debug_query_string)
		bpf_probe_read_user(&address, sizeof(address), (const void *)instance->addresses.debug_query_string);
	return address ? address : account->activity_address;
}

static __always_inline void event_fill(struct tap_statement_event *event, const struct tap_task *account,
				       const struct tap_statement_end *end)
{
	const struct tap_statement_task *own = &account->statement;

	event->key = end->key;
	event->tid = (__s32)end->pid_tgid;
	event->ns_pid = account->ns_pid;
	event->monotonic_ns = end->now_ns;
	event->duration_ns = end->duration_ns;
	event->why = end->why;
	event->code = end->code;
	event->used.minor_faults = end->used.minor_faults - own->base.minor_faults;
	event->used.major_faults = end->used.major_faults - own->base.major_faults;
	event->used.rchar_bytes = end->used.rchar_bytes - own->base.rchar_bytes;
	event->used.wchar_bytes = end->used.wchar_bytes - own->base.wchar_bytes;
	event->used.read_bytes = end->used.read_bytes - own->base.read_bytes;
	event->used.dirtied_bytes = end->used.dirtied_bytes - own->base.dirtied_bytes;
	if (own->spent.began == end->began)
		event->spent = own->spent;
	else
		__builtin_memset(&event->spent, 0, sizeof(event->spent));
}

/* One record with room for so much text. 1: the text does not fit, and nothing was sent; negative: no room. */
#define STATEMENT_TELL(name, room) \
	TAP_GLOBAL int name(struct tap_task *account, struct tap_statement_end *end, __u64 address, __u32 anyway) \
	{ \
		struct tap_statement_event *event; \
		char *text; \
		long size; \
\
		if (!account || !end) \
			return 0; \
		event = bpf_ringbuf_reserve(&events, sizeof(*event) + (room), 0); \
		if (!event) { \
			count_loss(TAP_LOSS_STATEMENTS_LOST); \
			return -1; \
		} \
		text = (char *)(event + 1); \
		size = bpf_probe_read_user_str(text, (room), (const void *)address); \
		if (size == (room) && !anyway) { \
			bpf_ringbuf_discard(event, BPF_RB_NO_WAKEUP); \
			return 1; \
		} \
		event_fill(event, account, end); \
		event->text_size = size > 0 && size <= (room) ? (__u32)size - 1 : 0; \
		event->cut = size == (room); \
		bpf_ringbuf_submit(event, 0); \
		return 0; \
	}
STATEMENT_TELL(statement_tell_short, TAP_STATEMENT_TEXT)
STATEMENT_TELL(statement_tell_long, TAP_STATEMENT_TEXT_LONG)

static __always_inline void statement_tell(struct tap_task *account, struct tap_instance *instance,
					   struct tap_statement_end *end)
{
	__u64 address = statement_text_address(account, instance);

	if (statement_tell_short(account, end, address, 0) > 0)
		statement_tell_long(account, end, address, 1);
}

/* From where its time counts: where a string holds several, from the end of the one before. */
static __always_inline void statement_time(const struct tap_statement_task *own, struct tap_statement_end *end)
{
	__s64 from_us = end->began_us;

	if (own->began == end->began && own->ended_us > from_us)
		from_us = own->ended_us;
	end->duration_ns = STATEMENT_NO_TIME;
	if (end->began_us && wall_ahead_ns && end->now_us >= from_us)
		end->duration_ns = (__u64)(end->now_us - from_us) * 1000;
	else
		count_loss(TAP_LOSS_STATEMENTS_TIMELESS);
}

static __always_inline void statement_end(struct tap_task *account, struct tap_instance *instance,
					  struct tap_statement_end *end)
{
	struct tap_statement_task *own = &account->statement;
	struct tap_statement_total *total;

	statement_time(own, end);
	total = statement_total_for(account, &end->key);
	if (total)
		statement_sum(total, end);
	if (end->failed)
		statement_count_error(end);
	if (end->duration_ns != STATEMENT_NO_TIME) {
		if (statement_slow_ns && end->duration_ns >= statement_slow_ns)
			end->why |= end->failed ? TAP_STATEMENT_SLOW | TAP_STATEMENT_FAILED : TAP_STATEMENT_SLOW;
		if (statement_slowest && own->total && statement_is_slowest(own->total - 1, end->duration_ns))
			end->why |= end->failed ? TAP_STATEMENT_IS_SLOWEST | TAP_STATEMENT_FAILED
						: TAP_STATEMENT_IS_SLOWEST;
		if (end->why)
			statement_tell(account, instance, end);
	}
	own->began = end->began;
	own->ended_us = end->now_us;
	own->base = end->used;
	/* The next one of the same string begins with nothing. */
	if (own->spent.began == end->began)
		spent_clear(&own->spent, 0);
}

/* What a PostgreSQL session's entry says of the statement that ends. Not 0: it cannot be read. */
static __always_inline int pg_end_read(const struct tap_task *account, const struct tap_instance *instance,
				       struct tap_statement_end *end)
{
	const struct tap_pg_layout *layout = &instance->layout;
	__u64 query_id = 0;
	__s64 activity_us = 0;

	if ((layout->status_query_id != TAP_PG_ABSENT &&
	     bpf_probe_read_user(&query_id, sizeof(query_id),
				 (const void *)(account->status_address + layout->status_query_id))) ||
	    bpf_probe_read_user(&activity_us, sizeof(activity_us),
				(const void *)(account->status_address + layout->status_activity_start))) {
		count_loss(TAP_LOSS_READ_FAILED);
		return -1;
	}
	end->now_ns = bpf_ktime_get_ns();
	end->now_us = (__s64)((end->now_ns + (__u64)wall_ahead_ns) / 1000);
	end->began = activity_us;
	/* Not set where the server keeps no account of activities. */
	end->began_us = activity_us ? activity_us + PG_EPOCH_US : 0;
	end->key.source = query_id ? TAP_QUERY_ID_ENGINE : TAP_QUERY_ID_NONE;
	end->key.instance = account->instance;
	end->key.kind = TAP_KIND_CLIENT;
	end->key.database = account->identity.database;
	end->key.user = account->identity.user;
	end->key.query_id = query_id;
	return 0;
}

/* The code of the error that is being cleaned up; 0: not known. */
static __always_inline __u32 pg_error_code(const struct tap_instance *instance)
{
	const struct tap_pg_addresses *addresses = &instance->addresses;
	__s32 depth = -1;
	__u32 code = 0;

	if (!addresses->error_depth || !addresses->error_code ||
	    bpf_probe_read_user(&depth, sizeof(depth), (const void *)addresses->error_depth) || depth < 0 ||
	    depth >= 16)
		return 0;
	if (bpf_probe_read_user(&code, sizeof(code),
				(const void *)(addresses->error_code + (__u64)depth * addresses->error_size)))
		return 0;
	return code;
}

#endif
