// SPDX-License-Identifier: BSD-2-Clause
/*
 * parts.c - three times the same object: the first one makes the maps, the other two use them.
 *
 * Nearly all of the time that a start takes is the kernel's verifier, which walks one program at a time in the thread
 * that loads it.
 */
#include "userspace/load/parts.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "bpf/abi/checkpoint.h"
#include "bpf/abi/fingerprint.h"
#include "bpf/abi/io.h"
#include "bpf/abi/kind.h"
#include "bpf/abi/task.h"
#include "bpf/abi/text.h"

#include "tracer.skel.h" /* names the types above */

static int part_open(struct tracer_bpf **ret)
{
	*ret = tracer_bpf__open();
	return *ret ? 0 : -errno;
}

/* Types of a kernel that has none, as a file; its descriptor or -errno. */
static int no_types(void)
{
	struct btf *empty = btf__new_empty();
	int fd = memfd_create("dbtap-no-types", MFD_CLOEXEC), status = 0;
	const void *data;
	uint32_t size = 0;

	data = empty ? btf__raw_data(empty, &size) : NULL;
	if (fd < 0 || !data || write(fd, data, size) != (ssize_t)size)
		status = -EIO;
	btf__free(empty);
	if (status && fd >= 0)
		close(fd);
	return status ? status : fd;
}

/*
 * Without a program nothing is looked up in the kernel's types, which take long to read: libbpf is given others, and
 * reads them at the load. Where they cannot be had it reads the kernel's.
 */
static int maps_open(struct tap_parts *parts)
{
	LIBBPF_OPTS(bpf_object_open_opts, options);
	char path[64];

	parts->types_fd = no_types();
	if (parts->types_fd < 0)
		return part_open(&parts->maps);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", parts->types_fd);
	options.btf_custom_path = path;
	parts->maps = tracer_bpf__open_opts(&options);
	return parts->maps ? 0 : -errno;
}

static void maps_drop(struct tap_parts *parts)
{
	tracer_bpf__destroy(parts->maps);
	parts->maps = NULL;
	if (parts->types_fd >= 0)
		close(parts->types_fd);
	parts->types_fd = -1;
}

void tap_parts_init(struct tap_parts *parts)
{
	*parts = (struct tap_parts){ .types_fd = -1 };
}

int tap_parts_open(struct tap_parts *parts)
{
	int status = maps_open(parts);

	if (!status)
		status = part_open(&parts->thread);
	if (!status)
		status = part_open(&parts->block);
	return status;
}

/* The part's maps are those of `from`: the same object, so they come in the same order. */
static int maps_share(const struct bpf_object *from, struct bpf_object *to)
{
	struct bpf_map *own = bpf_object__next_map(from, NULL), *map = bpf_object__next_map(to, NULL);
	int status = 0;

	while (own && map && !status) {
		status = bpf_map__reuse_fd(map, bpf_map__fd(own));
		own = bpf_object__next_map(from, own);
		map = bpf_object__next_map(to, map);
	}
	return status;
}

static int part_load(const struct tracer_bpf *maps, struct tracer_bpf *part)
{
	int status = maps_share(maps->obj, part->obj);

	return status ? status : tracer_bpf__load(part);
}

/* What the second thread does. */
struct loading {
	struct tap_parts *parts;
	int status;
};

static void *block_load(void *argument)
{
	struct loading *loading = argument;

	loading->status = part_load(loading->parts->maps, loading->parts->block);
	return NULL;
}

int tap_parts_load(struct tap_parts *parts, int *ret_block)
{
	struct loading loading = { .parts = parts };
	pthread_t thread;
	bool threaded;
	int status = tracer_bpf__load(parts->maps);

	if (status)
		return status;
	threaded = parts->block && !pthread_create(&thread, NULL, block_load, &loading);
	status = part_load(parts->maps, parts->thread);
	if (threaded)
		pthread_join(thread, NULL);
	else if (parts->block)
		block_load(&loading);
	maps_drop(parts);
	*ret_block = loading.status;
	return status;
}

void tap_parts_done(struct tap_parts *parts)
{
	maps_drop(parts);
	tracer_bpf__destroy(parts->thread);
	tracer_bpf__destroy(parts->block);
	tap_parts_init(parts);
}
