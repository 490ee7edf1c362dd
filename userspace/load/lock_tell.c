// SPDX-License-Identifier: BSD-2-Clause
/* lock_tell.c - runs the iterator tell_locks, reads and writes the globals it shares with the programs. */
#include "userspace/load/lock_tell.h"

#include <errno.h>

#include <bpf/libbpf.h>

#include "bpf/abi/checkpoint.h"
#include "bpf/abi/fingerprint.h"
#include "bpf/abi/io.h"
#include "bpf/abi/kind.h"
#include "bpf/abi/task.h"
#include "bpf/abi/text.h"
#include "userspace/load/iterator.h"

#include "tracer.skel.h" /* names the types above */

void tap_lock_tell_done(struct tap_lock_tell *tell)
{
	bpf_link__destroy(tell->iterator);
	tell->iterator = NULL;
}

void tap_lock_tell_set(const struct tap_lock_tell *tell, bool on)
{
	__atomic_store_n(&tell->skeleton->bss->lock_events_on, on, __ATOMIC_RELAXED);
}

uint64_t tap_lock_tell_untold_ns(const struct tap_lock_tell *tell, uint32_t instance)
{
	if (instance >= TAP_INSTANCES_MAX)
		return 0;
	return __atomic_load_n(&tell->skeleton->bss->lock_untold_ns[instance], __ATOMIC_RELAXED);
}

int tap_lock_tell_late(struct tap_lock_tell *tell, uint64_t age_ns, uint32_t most, uint32_t *ret_told)
{
	struct tracer_bpf__bss *bss = tell->skeleton->bss;
	int status;

	if (!tell->iterator)
		tell->iterator = bpf_program__attach_iter(tell->skeleton->progs.tell_locks, NULL);
	if (!tell->iterator)
		return -errno;
	__atomic_store_n(&bss->lock_late_age_ns, age_ns, __ATOMIC_RELAXED);
	__atomic_store_n(&bss->lock_late_left, most, __ATOMIC_RELAXED);
	status = tap_iterator_run(tell->iterator);
	*ret_told = most - __atomic_load_n(&bss->lock_late_left, __ATOMIC_RELAXED);
	return status;
}

uint32_t tap_lock_tell_next_round(const struct tap_lock_tell *tell, uint32_t *ret_used)
{
	*ret_used = __atomic_load_n(&tell->skeleton->bss->lock_sums_used, __ATOMIC_ACQUIRE);
	return __atomic_fetch_add(&tell->skeleton->bss->lock_round, 1, __ATOMIC_SEQ_CST);
}
