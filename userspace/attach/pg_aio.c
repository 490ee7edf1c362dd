// SPDX-License-Identifier: BSD-2-Clause
/*
 * pg_aio.c - finds the arrays of PgAioHandles, their iovecs, the buffers, and the entries of who asks.
 *
 * Called by pg_engine when an instance is adopted. Sources: src/include/storage/aio_internal.h, buf_internals.h,
 * proc.h; that a process has the same place in PGPROCs and in PgBackendStatus is utils/activity/backend_status.c. The
 * arrays begin where exported variables lead; that they are the arrays is shown by handles that know their own iovecs.
 */
#include "userspace/attach/pg_aio.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "userspace/attach/maps.h"
#include "userspace/attach/memory.h"
#include "userspace/attach/pg_layout.h"

enum {
	HANDLES_MAX = 1 << 22, /* bounds of what a server can have */
	IOVECS_MAX = 1024,
	BUFFERS_MAX = 1 << 30,
	PROCS_MAX = 1 << 18,
	IOVEC_SIZE = 16,
	PRIME_MAX = 64 << 20,
	PRIME_PAGES = 256, /* at a time */
};

/* The variables that lead to the arrays. */
struct roots {
	uint64_t control;
	uint64_t blocks;
	uint64_t descriptors;
	uint64_t header; /* of the PGPROCs */
	int32_t n_buffers;
};

static int roots_read(const struct tap_target *target, struct roots *ret)
{
	const struct tap_pg_variables *at = &target->variables;
	struct tap_memory_read reads[] = {
		{ at->aio_control, &ret->control, sizeof(ret->control), false },
		{ at->buffer_blocks, &ret->blocks, sizeof(ret->blocks), false },
		{ at->buffer_descriptors, &ret->descriptors, sizeof(ret->descriptors), false },
		{ at->proc_global, &ret->header, sizeof(ret->header), false },
		{ at->n_buffers, &ret->n_buffers, sizeof(ret->n_buffers), false },
	};
	int err;

	if (!at->aio_control || !at->buffer_blocks || !at->buffer_descriptors || !at->proc_global || !at->n_buffers)
		return -ENOTSUP;
	err = tap_memory_read_many(target->pid, reads, sizeof(reads) / sizeof(*reads));
	for (size_t i = 0; i < sizeof(reads) / sizeof(*reads) && !err; i++)
		err = reads[i].ok ? 0 : -EFAULT;
	return err;
}

static int control_read(const struct tap_target *target, const struct tap_pg_aio_layout *layout, uint64_t control,
			struct tap_pg_aio *aio)
{
	uint32_t n_iovecs = 0;
	struct tap_memory_read reads[] = {
		{ control + layout->control_iovec_count, &n_iovecs, sizeof(n_iovecs), false },
		{ control + layout->control_iovecs, &aio->iovecs, sizeof(aio->iovecs), false },
		{ control + layout->control_handle_count, &aio->n_handles, sizeof(aio->n_handles), false },
		{ control + layout->control_handles, &aio->handles, sizeof(aio->handles), false },
	};
	int err = tap_memory_read_many(target->pid, reads, sizeof(reads) / sizeof(*reads));

	for (size_t i = 0; i < sizeof(reads) / sizeof(*reads) && !err; i++)
		err = reads[i].ok ? 0 : -EFAULT;
	if (err)
		return err;
	if (!aio->n_handles || aio->n_handles > HANDLES_MAX || n_iovecs % aio->n_handles ||
	    n_iovecs / aio->n_handles == 0 || n_iovecs / aio->n_handles > IOVECS_MAX)
		return -EBADMSG;
	aio->iovecs_each = n_iovecs / aio->n_handles;
	return 0;
}

static int procs_read(const struct tap_target *target, const struct tap_pg_lock_layout *locks, uint64_t header,
		      struct tap_pg_aio *aio)
{
	struct tap_memory_read reads[] = {
		{ header + locks->header_procs, &aio->procs, sizeof(aio->procs), false },
		{ header + locks->header_count, &aio->n_procs, sizeof(aio->n_procs), false },
	};
	int err = tap_memory_read_many(target->pid, reads, sizeof(reads) / sizeof(*reads));

	if (!err && (!reads[0].ok || !reads[1].ok))
		err = -EFAULT;
	if (!err && (!aio->n_procs || aio->n_procs > PROCS_MAX))
		err = -EBADMSG;
	return err;
}

/* Where the array of entries begins, as one process sees it; 0: it does not say. */
static uint64_t statuses_of(const struct tap_target *target, int32_t pid, const struct tap_pg_aio *aio)
{
	uint64_t entry = 0, proc = 0, offset;
	struct tap_memory_read reads[] = {
		{ target->addresses.my_beentry, &entry, sizeof(entry), false },
		{ target->addresses.my_proc, &proc, sizeof(proc), false },
	};

	if (tap_memory_read_many(pid, reads, 2) || !reads[0].ok || !reads[1].ok || !entry || !proc)
		return 0;
	offset = proc - aio->procs;
	if (offset % aio->proc_size || offset / aio->proc_size >= aio->n_procs)
		return 0;
	return entry - offset / aio->proc_size * target->layout.status_size;
}

/* All processes agree where it begins. */
static int statuses_find(const struct tap_target *target, struct tap_pg_aio *aio)
{
	int32_t *pids;
	size_t count;
	int err = tap_target_processes(target, &pids, &count);

	if (err)
		return err;
	for (size_t i = 0; i < count && !err; i++) {
		uint64_t statuses = statuses_of(target, pids[i], aio);

		if (statuses && aio->statuses && statuses != aio->statuses)
			err = -EBADMSG;
		else if (statuses)
			aio->statuses = statuses;
	}
	free(pids);
	return err || aio->statuses ? err : -EBADMSG;
}

static bool is_shared(const struct tap_maps *maps, uint64_t address, uint64_t count, uint64_t size)
{
	const struct tap_map *map = tap_maps_at(maps, address, count * size);

	return map && map->readable && map->shared;
}

static int arrays_check(const struct tap_target *target, const struct tap_pg_aio *aio)
{
	struct tap_maps maps;
	int err = tap_maps_read(target->proc_root ? target->proc_root : "/proc", target->pid, &maps);

	if (err)
		return err;
	if (!is_shared(&maps, aio->handles, aio->n_handles, aio->handle_size) ||
	    !is_shared(&maps, aio->iovecs, (uint64_t)aio->n_handles * aio->iovecs_each, IOVEC_SIZE) ||
	    !is_shared(&maps, aio->blocks, aio->n_blocks, aio->block_size) ||
	    !is_shared(&maps, aio->descriptors, aio->n_blocks, aio->descriptor_size) ||
	    !is_shared(&maps, aio->statuses, aio->n_procs, target->layout.status_size) ||
	    !is_shared(&maps, aio->procs, aio->n_procs, aio->proc_size))
		err = -EBADMSG;
	tap_maps_done(&maps);
	return err;
}

/* The first, a middle and the last handle know where their iovecs begin. */
static int handles_check(const struct tap_target *target, const struct tap_pg_aio_layout *layout,
			 const struct tap_pg_aio *aio)
{
	const uint32_t places[] = { 0, aio->n_handles / 2, aio->n_handles - 1 };

	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		uint64_t handle = aio->handles + (uint64_t)places[i] * aio->handle_size;
		uint32_t iovec = 0;
		int err = tap_memory_read(target->pid, handle + layout->handle_iovec, &iovec, sizeof(iovec));

		if (err)
			return err;
		if (iovec != places[i] * aio->iovecs_each)
			return -EBADMSG;
	}
	return 0;
}

static struct tap_pg_aio aio_of_layout(const struct tap_pg_aio_layout *layout, const struct tap_pg_lock_layout *locks)
{
	return (struct tap_pg_aio){
		.block_size = layout->block_size,
		.proc_size = locks->proc_size,
		.handle_size = layout->handle_size,
		.handle_state = layout->handle_state,
		.handle_owner = layout->handle_owner,
		.handle_resowner = layout->handle_resowner,
		.submitted = layout->submitted,
		.descriptor_size = layout->descriptor_size,
		.descriptor_wait = layout->descriptor_wait,
	};
}

int tap_pg_aio_find(const struct tap_target *target, struct tap_pg_aio *ret)
{
	const struct tap_pg_aio_layout *layout = tap_pg_aio_layout_find(target->version_number, target->machine);
	const struct tap_pg_lock_layout *locks = tap_pg_lock_layout_find(target->version_number, target->machine);
	struct roots roots = { 0 };
	struct tap_pg_aio aio;
	int err;

	if (!layout || !locks || !target->layout.proc_wait_lock)
		return -ENOTSUP;
	aio = aio_of_layout(layout, locks);
	err = roots_read(target, &roots);
	if (!err && (roots.n_buffers <= 0 || roots.n_buffers > BUFFERS_MAX))
		err = -EBADMSG;
	if (err)
		return err;
	aio.blocks = roots.blocks;
	aio.descriptors = roots.descriptors;
	aio.n_blocks = (uint32_t)roots.n_buffers;
	err = control_read(target, layout, roots.control, &aio);
	if (!err)
		err = procs_read(target, locks, roots.header, &aio);
	if (!err)
		err = statuses_find(target, &aio);
	if (!err)
		err = arrays_check(target, &aio);
	if (!err)
		err = handles_check(target, layout, &aio);
	if (!err)
		*ret = aio;
	return err;
}

/* A byte of each page. */
static void pages_touch(int32_t pid, uint64_t address, uint64_t size)
{
	const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t end = address + (size < PRIME_MAX ? size : PRIME_MAX);
	uint8_t bytes[PRIME_PAGES];

	if (end < address)
		return;
	for (uint64_t at = address & ~(page - 1); at < end;) {
		struct tap_memory_read reads[PRIME_PAGES];
		size_t count = 0;

		for (; count < PRIME_PAGES && at < end; at += page, count++)
			reads[count] = (struct tap_memory_read){ at < address ? address : at, &bytes[count], 1, false };
		if (tap_memory_read_many(pid, reads, count))
			return;
	}
}

void tap_pg_aio_prime(const struct tap_target *target, const struct tap_pg_aio *aio, int32_t pid)
{
	uint64_t texts;

	pages_touch(pid, aio->statuses, (uint64_t)aio->n_procs * target->layout.status_size);
	pages_touch(pid, aio->procs, (uint64_t)aio->n_procs * aio->proc_size);
	pages_touch(pid, aio->handles, (uint64_t)aio->n_handles * aio->handle_size);
	pages_touch(pid, aio->descriptors, (uint64_t)aio->n_blocks * aio->descriptor_size);
	/* The texts are an array, too, in the order of the entries. */
	if (target->activity_size > 0 &&
	    !tap_memory_read(pid, aio->statuses + target->layout.status_activity, &texts, sizeof(texts)))
		pages_touch(pid, texts, (uint64_t)aio->n_procs * (uint64_t)target->activity_size);
}
