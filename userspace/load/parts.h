/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * parts.h - the BPF object in two parts that the kernel verifies at the same time: the programs of threads, and those
 * of block requests. Both have the same maps.
 *
 * Part of the tracer (tracer.h). That the second part is refused leaves the first as it is.
 */
#ifndef TAP_USERSPACE_LOAD_PARTS_H
#define TAP_USERSPACE_LOAD_PARTS_H

struct tracer_bpf;

struct tap_parts {
	struct tracer_bpf *maps;   /* what programs find when they are loaded; no programs, and gone after the load */
	struct tracer_bpf *thread; /* its maps and globals are everybody's */
	struct tracer_bpf *block;
	int types_fd; /* what the maps are loaded with instead of the kernel's types; negative: none */
};

void tap_parts_init(struct tap_parts *parts);
/* Opens all three: no program is chosen yet. 0 or -errno; _done also after an error. */
int tap_parts_open(struct tap_parts *parts);
/*
 * Loads the maps, as `parts->maps` was told to size them, then what was chosen of both parts, `block` only if it is
 * there. *ret_block is what became of that. 0 or -errno of the rest.
 */
int tap_parts_load(struct tap_parts *parts, int *ret_block);
void tap_parts_done(struct tap_parts *parts);

#endif
