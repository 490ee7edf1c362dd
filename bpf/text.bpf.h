/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * text.bpf.h - the text of the current thread's statement: its own fingerprint, and its one trip to userspace.
 */
#ifndef TAP_BPF_TEXT_BPF_H
#define TAP_BPF_TEXT_BPF_H

#include "bpf/abi/fingerprint.h"
#include "bpf/account.bpf.h"

/* Where a text that no NUL ends is to be cut. `size` counts the NUL. */
static __always_inline long text_cut(const struct tap_task *task, long size)
{
	__u32 known = task->text_size;

	return known && known < TAP_TEXT_MAX && size > (long)known ? (long)known + 1 : size;
}

/* Reads the statement's text, zeros behind it. Its length without the NUL, or negative. */
static __always_inline long text_read(const struct tap_task *task, struct tap_scratch *copy)
{
	long size = bpf_probe_read_user_str(copy->text, TAP_TEXT_MAX, (const void *)task->activity_address);

	if (size <= 0 || size > TAP_TEXT_MAX) {
		count_loss(TAP_LOSS_TEXT_FAILED);
		return -1;
	}
	size = text_cut(task, size);
	if (size <= 0 || size > TAP_TEXT_MAX)
		return -1;
	__builtin_memset(copy->text + size, 0, TAP_TEXT_PIECE);
	copy->text[(size - 1) & (TAP_TEXT_MAX - 1)] = 0;
	return size - 1;
}

struct fingerprint_loop {
	struct tap_fp state;
	struct tap_scratch *copy;
};

static long fingerprint_piece(__u32 index, void *context)
{
	struct fingerprint_loop *loop = context;
	__u32 at = (index * TAP_TEXT_PIECE) & (TAP_TEXT_MAX - 1);

	tap_fp_run(&loop->state, (const unsigned char *)loop->copy->text + at, TAP_TEXT_PIECE);
	return 0;
}

/* The statement's own fingerprint; 0 when it cannot be had. Needs bpf_loop, 5.17 (commit e6f2dd0f8067). */
static __always_inline __u64 text_fingerprint_in(const struct tap_task *task, struct tap_scratch *copy)
{
	struct fingerprint_loop loop = { .copy = copy };
	__u64 began;
	long size;

	if (!has_bpf_loop || !task->activity_address)
		return 0;
	began = bpf_ktime_get_ns();
	size = text_read(task, copy);
	if (size < 0)
		return 0;
	tap_fp_init(&loop.state);
	bpf_loop((size + TAP_TEXT_PIECE - 1) / TAP_TEXT_PIECE, fingerprint_piece, &loop, 0);
	__sync_fetch_and_add(&fingerprint_count, 1);
	__sync_fetch_and_add(&fingerprint_ns, bpf_ktime_get_ns() - began);
	return tap_fp_final(&loop.state);
}

/* ... by way of this CPU's scratch: interrupts are off. */
TAP_GLOBAL __u64 text_fingerprint(struct tap_task *task)
{
	__u32 zero = 0;
	struct tap_scratch *copy = bpf_map_lookup_elem(&scratch, &zero);

	return task && copy ? text_fingerprint_in(task, copy) : 0;
}

/* Sends the text of a row's query, once per query id. Called when a thread gets a way for a row it did not have. */
TAP_GLOBAL int text_send(struct tap_task *task, struct tap_row_key *row)
{
	struct tap_text_key key = {};
	struct tap_text_event *event;
	__u8 one = 1;
	long size;

	if (!task || !row)
		return 0;
	key.instance = row->instance;
	key.source = row->source;
	key.query_id = row->query_id;
	if (!task->activity_address || bpf_map_lookup_elem(&text_sent, &key))
		return 0;
	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event) {
		count_loss(TAP_LOSS_RING_FULL);
		return 0;
	}
	size = bpf_probe_read_user_str(event->text, sizeof(event->text), (const void *)task->activity_address);
	if (size <= 0) {
		count_loss(TAP_LOSS_TEXT_FAILED);
		bpf_ringbuf_discard(event, BPF_RB_NO_WAKEUP);
		return 0;
	}
	event->key = key;
	event->text_size = text_cut(task, size) - 1;
	event->database = row->database;
	bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);
	bpf_map_update_elem(&text_sent, &key, &one, BPF_ANY);
	return 0;
}

#endif
