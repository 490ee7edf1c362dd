/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * slot.bpf.h - where what is known of a request is kept while it is under way, found by the request's address.
 *
 * A request is used by one thread or CPU at a time, so its slot has one writer; what two CPUs may want at once is a
 * slot that is free, and `epoch` decides who gets it.
 */
#ifndef TAP_BPF_SLOT_BPF_H
#define TAP_BPF_SLOT_BPF_H

#include "bpf/account.bpf.h"
#include "bpf/io_maps.bpf.h"

/*
 * A number that stands for a pointer: the verifier lets nothing be computed from a pointer but its distance from
 * another.
 */
static __always_inline __u64 pointer_number(const void *pointer)
{
	__u64 number = (__u64)pointer, base = (__u64)&io_epoch;

	barrier_var(base);
	number -= base;
	barrier_var(number);
	return number;
}

/* The step-th place to look for a request; never NULL but for the verifier. */
static __always_inline struct io_request *slot_at(__u64 number, __u32 step)
{
	__u32 index = (__u32)((number >> 6) * 0x9e3779b97f4a7c15ull >> (64 - IO_SLOT_BITS));

	index = (index + step) & (IO_SLOTS - 1);
	return bpf_map_lookup_elem(&request_slots, &index);
}

/* The slot of a request that is under way; NULL: its submission was not seen. */
static __always_inline struct io_request *slot_find(__u64 number)
{
	struct io_request *slot;

	for (__u32 step = 0; step < IO_SLOT_STEPS; step++) {
		slot = slot_at(number, step);
		if (!slot || !slot->number)
			return NULL;
		if (slot->number == number && slot->epoch == io_epoch)
			return slot;
	}
	return NULL;
}

static __always_inline bool slot_claim(struct io_request *slot, __u32 epoch)
{
	return __sync_val_compare_and_swap(&slot->epoch, epoch, IO_CLAIMED) == epoch;
}

static __always_inline bool epoch_is_over(__u32 epoch)
{
	return epoch != io_epoch && epoch != IO_CLAIMED;
}

/* A slot for a request that is new on its way: one nearby that no request uses. NULL: there is none. */
TAP_LOCAL struct io_request *slot_make(__u64 number)
{
	struct io_request *slot;
	__u32 epoch;

	for (__u32 step = 0; step < IO_SLOT_STEPS; step++) {
		slot = slot_at(number, step);
		if (!slot)
			break;
		epoch = slot->epoch;
		if (!epoch_is_over(epoch) || !slot_claim(slot, epoch))
			continue;
		slot->number = number;
		return slot;
	}
	count_loss(TAP_LOSS_REQUESTS_FULL);
	return NULL;
}

/*
 * The slot of a request that is submitted, claimed: the one it had before, or a new one. *ret_unfinished: it is still
 * in use, by the request itself, whose completion was missed.
 */
static __always_inline struct io_request *slot_take(__u64 number, bool *ret_unfinished)
{
	struct io_request *slot;
	__u32 epoch;

	for (__u32 step = 0; step < IO_SLOT_STEPS; step++) {
		slot = slot_at(number, step);
		if (!slot || !slot->number)
			break;
		if (slot->number != number)
			continue;
		/* Claimed first, then looked at again: another request may just have taken it. */
		epoch = slot->epoch;
		if (epoch == IO_CLAIMED || !slot_claim(slot, epoch))
			break;
		if (slot->number == number) {
			*ret_unfinished = epoch == io_epoch;
			return slot;
		}
		slot->epoch = epoch;
		break;
	}
	return slot_make(number);
}

static __always_inline void slot_leave(struct io_request *slot)
{
	slot->epoch = 0;
}

#endif
