/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * probes.h - the uprobes of statement depth: where they are, and in which processes.
 *
 * Part of the tracer (tracer.h). A uprobe is on a place in a file: for all processes that run it, or for some of them.
 */
#ifndef TAP_USERSPACE_LOAD_PROBES_H
#define TAP_USERSPACE_LOAD_PROBES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "userspace/base/error.h"

struct bpf_link;
struct bpf_program;

struct tap_probe_place {
	const struct bpf_program *program;
	struct bpf_link *link; /* for all processes; NULL: it is off */
	int fd;		       /* of the file, which may have lost its name meanwhile */
	dev_t device;
	ino_t inode;
	uint64_t offset;
};

/* One process's own, at one place. */
struct tap_probe_link {
	int32_t pid;
	size_t place;
	struct bpf_link *link;
};

struct tap_probes {
	struct tap_probe_place *places;
	size_t n_places;
	struct tap_probe_link *links; /* when some processes are probed and not all */
	size_t n_links;
	bool some; /* some processes, or none: a new place waits */
};

void tap_probes_done(struct tap_probes *probes);

/* A place more, once: asked for the same one again it does nothing. On, unless only some processes are probed. */
int tap_probes_add(struct tap_probes *probes, const struct bpf_program *program, const char *binary, uint64_t offset,
		   struct tap_error *err);

/* All processes again. 0 or -errno, and then it is as it was. */
int tap_probes_all(struct tap_probes *probes);
/*
 * These processes alone, none with `count` 0; those that are probed already stay so. One that has ended meanwhile is
 * passed over. 0 or -errno: then fewer may be probed.
 */
int tap_probes_some(struct tap_probes *probes, const int32_t *pids, size_t count);

/* Whether any is on. */
bool tap_probes_are_on(const struct tap_probes *probes);

#endif
