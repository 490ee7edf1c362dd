// SPDX-License-Identifier: BSD-2-Clause
/* reclaim.c - a table of programs and what they need. */
#include "userspace/load/reclaim.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include <bpf/libbpf.h>

#include "bpf/abi/checkpoint.h"
#include "bpf/abi/fingerprint.h"
#include "bpf/abi/io.h"
#include "bpf/abi/kind.h"
#include "bpf/abi/stall.h"
#include "bpf/abi/task.h"
#include "bpf/abi/text.h"
#include "userspace/load/features.h"

#include "tracer.skel.h" /* names the types above */

struct choice {
	struct bpf_program *program;
	const char *tracepoint; /* of one that is attached to several; NULL: its own */
	enum tap_feature feature;
};

static void choices_make(const struct tracer_bpf *skeleton, struct choice ret[TAP_RECLAIM_PROGRAMS])
{
	struct bpf_program *end = skeleton->progs.on_stall_end, *begin = skeleton->progs.on_reclaim_begin;
	struct choice choices[TAP_RECLAIM_PROGRAMS] = {
		/* Ends first: what has begun before they are all there is not measured. */
		{ end, "mm_vmscan_direct_reclaim_end", TAP_FEATURE_RECLAIM },
		{ end, "mm_vmscan_memcg_reclaim_end", TAP_FEATURE_RECLAIM },
		{ end, "mm_compaction_end", TAP_FEATURE_RECLAIM },
		{ begin, "mm_vmscan_direct_reclaim_begin", TAP_FEATURE_RECLAIM },
		{ begin, "mm_vmscan_memcg_reclaim_begin", TAP_FEATURE_RECLAIM },
		{ skeleton->progs.on_compaction_begin, "mm_compaction_begin", TAP_FEATURE_RECLAIM },
		{ skeleton->progs.on_mark_victim, NULL, TAP_FEATURE_VICTIM },
	};

	memcpy(ret, choices, sizeof(choices));
}

void tap_reclaim_choose(struct tracer_bpf *skeleton)
{
	struct choice choices[TAP_RECLAIM_PROGRAMS];

	choices_make(skeleton, choices);
	for (size_t i = 0; i < TAP_RECLAIM_PROGRAMS; i++)
		bpf_program__set_autoload(choices[i].program, tap_feature_has(choices[i].feature));
}

int tap_reclaim_attach(struct tap_reclaim *reclaim, const struct tracer_bpf *skeleton, struct tap_error *err)
{
	struct choice choices[TAP_RECLAIM_PROGRAMS];

	choices_make(skeleton, choices);
	for (size_t i = 0; i < TAP_RECLAIM_PROGRAMS; i++) {
		const struct choice *choice = &choices[i];

		if (!tap_feature_has(choice->feature))
			continue;
		reclaim->links[i] = choice->tracepoint
					    ? bpf_program__attach_raw_tracepoint(choice->program, choice->tracepoint)
					    : bpf_program__attach(choice->program);
		if (!reclaim->links[i])
			return tap_error_set(err, -errno, "cannot attach %s: %s", bpf_program__name(choice->program),
					     strerror(errno));
	}
	return 0;
}

void tap_reclaim_detach(struct tap_reclaim *reclaim)
{
	for (size_t i = 0; i < TAP_RECLAIM_PROGRAMS; i++) {
		bpf_link__destroy(reclaim->links[i]);
		reclaim->links[i] = NULL;
	}
}
