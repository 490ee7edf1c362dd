/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * checkpoint.bpf.h - whether a checkpoint runs: what a checkpointer's own memory says of it at each of its boundaries.
 *
 * One that was seen to be over is kept for userspace. While one runs, a bit of its instance says so to the programs of
 * block requests (io.bpf.h).
 */
#ifndef TAP_BPF_CHECKPOINT_BPF_H
#define TAP_BPF_CHECKPOINT_BPF_H

#include "bpf/abi/checkpoint.h"
#include "bpf/account.bpf.h"
#include "bpf/maps.bpf.h"

/* Asked at every boundary of every thread: one comparison. */
static __always_inline bool checkpoint_concerns(const struct tap_task *task)
{
	return task->identity.kind == TAP_KIND_CHECKPOINTER;
}

static __always_inline void checkpoint_run(struct tap_checkpoints *all, __u32 instance, bool running)
{
	__u64 bit = 1ull << (instance & 63);
	__u32 word = instance / 64;

	all->running = running;
	barrier_var(word);
	if (word >= TAP_INSTANCE_WORDS)
		return;
	if (running)
		__sync_fetch_and_or(&checkpoints_running.words[word], bit);
	else
		__sync_fetch_and_and(&checkpoints_running.words[word], ~bit);
}

/* What `now` holds is over. */
static __always_inline void checkpoint_keep(struct tap_checkpoints *all)
{
	struct tap_checkpoint *kept = &all->kept[all->ended & (TAP_CHECKPOINTS_KEPT - 1)];

	kept->stats = all->now;
	kept->seen_ns = bpf_ktime_get_ns();
	all->ended++;
}

/*
 * `at_rest`: the checkpointer waits for work, so whatever it began is over. One that never came to writing was not
 * needed: the server does not count it either.
 */
static __always_inline void checkpoint_step(struct tap_checkpoints *all, __u32 instance,
					    const struct tap_pg_checkpoint *stats, bool at_rest)
{
	bool is_new = stats->start_us != all->now.start_us, over;

	if (!is_new && !all->running)
		return;
	/* It was not seen to end, and nothing is left of how it did. */
	if (is_new && all->running)
		checkpoint_keep(all);
	all->now = *stats;
	over = at_rest || stats->end_us || !stats->start_us;
	if (over && stats->start_us && (stats->end_us || stats->write_us))
		checkpoint_keep(all);
	checkpoint_run(all, instance, !over);
}

/* The process is on its way out, and its memory may be gone: what still ran will not end any more. */
static __always_inline void checkpoint_abandon(struct tap_checkpoints *all, __u32 instance)
{
	if (all->running)
		checkpoint_keep(all);
	checkpoint_run(all, instance, false);
}

/* At a boundary of a thread that checkpoint_concerns. */
TAP_GLOBAL int checkpoint_follow(struct tap_task *task, __u32 exiting)
{
	struct tap_pg_checkpoint stats;
	struct tap_checkpoints *all;
	struct tap_instance *instance;
	__u32 index;

	if (!task || task->role != TAP_ROLE_BACKEND)
		return 0;
	index = task->instance;
	instance = bpf_map_lookup_elem(&instances, &index);
	all = bpf_map_lookup_elem(&checkpoints, &index);
	if (!instance || !all || !instance->addresses.checkpoint_stats)
		return 0;
	/* It fails, too, where no checkpoint was made yet and the page has never been touched: no loss. */
	if (!exiting && bpf_probe_read_user(&stats, sizeof(stats), (const void *)instance->addresses.checkpoint_stats))
		return 0;
	all->seq++;
	barrier();
	if (exiting)
		checkpoint_abandon(all, index);
	else
		checkpoint_step(all, index, &stats,
				task->off == TAP_OFF_SLEEP && task->sleep_event >> 24 == TAP_PG_ACTIVITY_CLASS);
	barrier();
	all->seq++;
	return 0;
}

#endif
