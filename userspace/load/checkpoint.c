// SPDX-License-Identifier: BSD-2-Clause
/* checkpoint.c - writes and reads the map `checkpoints`. */
#include "userspace/load/checkpoint.h"

#include <errno.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf/abi/fingerprint.h"
#include "bpf/abi/io.h"
#include "bpf/abi/kind.h"
#include "bpf/abi/task.h"
#include "bpf/abi/text.h"

#include "tracer.skel.h" /* names the types above */

enum {
	TRIES = 8,
};

static void run_set(const struct tracer_bpf *skeleton, uint32_t instance, bool running)
{
	__u64 bit = 1ull << (instance & 63), *word = &skeleton->bss->checkpoints_running.words[instance / 64];

	if (running)
		__atomic_fetch_or(word, bit, __ATOMIC_RELAXED);
	else
		__atomic_fetch_and(word, ~bit, __ATOMIC_RELAXED);
}

int tap_checkpoint_begin(const struct tracer_bpf *skeleton, uint32_t instance, int32_t pid,
			 const struct tap_checkpoints *checkpoints)
{
	int map = bpf_map__fd(skeleton->maps.checkpoints);
	struct tap_checkpoints fresh;

	if (instance >= TAP_INSTANCES_MAX)
		return -E2BIG;
	if (bpf_map_lookup_elem(map, &instance, &fresh))
		return -errno;
	if (fresh.pid == pid)
		return 0;
	fresh = *checkpoints;
	fresh.pid = pid;
	run_set(skeleton, instance, fresh.running);
	return bpf_map_update_elem(map, &instance, &fresh, BPF_ANY) ? -errno : 0;
}

int tap_checkpoint_read(const struct tracer_bpf *skeleton, uint32_t instance, struct tap_checkpoints *ret)
{
	int map = bpf_map__fd(skeleton->maps.checkpoints);
	struct tap_checkpoints copies[2];

	/* The kernel copies while the checkpointer may write: two copies that are the same are whole. */
	for (int i = 0; i < TRIES; i++) {
		if (bpf_map_lookup_elem(map, &instance, &copies[0]) || bpf_map_lookup_elem(map, &instance, &copies[1]))
			return -errno;
		if (copies[0].seq & 1 || memcmp(&copies[0], &copies[1], sizeof(copies[0])) != 0)
			continue;
		*ret = copies[0];
		return 0;
	}
	return -EAGAIN;
}
