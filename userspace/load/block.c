// SPDX-License-Identifier: BSD-2-Clause
/* block.c - a table of programs and the tracepoints they need. */
#include "userspace/load/block.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf/abi/checkpoint.h"
#include "bpf/abi/fingerprint.h"
#include "bpf/abi/io.h"
#include "bpf/abi/kind.h"
#include "bpf/abi/task.h"
#include "bpf/abi/text.h"
#include "userspace/load/features.h"
#include "userspace/load/iterator.h"
#include "userspace/load/symbols.h"

#include "tracer.skel.h" /* names the types above */

enum {
	DEFAULT_TOTALS = 8192,
	DEFAULT_DIRTY = 16384,
	DEFAULT_FILES = 65536,
};

/* What is attached, in this order. */
struct choice {
	struct bpf_program *program;
	bool chosen;
};

static void choices_make(const struct tracer_bpf *skeleton, struct choice ret[TAP_BLOCK_PROGRAMS])
{
	bool start = tap_feature_has(TAP_FEATURE_BLOCK_IO_START);
	struct choice choices[TAP_BLOCK_PROGRAMS] = {
		{ skeleton->progs.on_block_rq_complete, true },
		{ skeleton->progs.on_block_rq_issue, true },
		{ skeleton->progs.on_block_rq_requeue, true },
		{ skeleton->progs.on_block_rq_merge, true },
		{ skeleton->progs.on_block_bio_backmerge, true },
		{ skeleton->progs.on_block_bio_frontmerge, true },
		{ start ? skeleton->progs.on_block_io_start : skeleton->progs.on_block_getrq, true },
		{ skeleton->progs.on_writeback_dirty_folio, tap_feature_has(TAP_FEATURE_DIRTY_FOLIO) },
		{ skeleton->progs.on_writeback_dirty_page, !tap_feature_has(TAP_FEATURE_DIRTY_FOLIO) },
	};

	memcpy(ret, choices, sizeof(choices));
}

void tap_block_size(struct tracer_bpf *maps, uint32_t totals_max, uint32_t dirty_max, uint32_t files_max)
{
	bpf_map__set_max_entries(maps->maps.io_totals, totals_max ? totals_max : DEFAULT_TOTALS);
	bpf_map__set_max_entries(maps->maps.io_key_to_total, totals_max ? totals_max : DEFAULT_TOTALS);
	bpf_map__set_max_entries(maps->maps.dirty_totals, dirty_max ? dirty_max : DEFAULT_DIRTY);
	bpf_map__set_max_entries(maps->maps.files, files_max ? files_max : DEFAULT_FILES);
}

static void programs_choose(const struct tracer_bpf *skeleton)
{
	struct choice choices[TAP_BLOCK_PROGRAMS];

	choices_make(skeleton, choices);
	for (size_t i = 0; i < TAP_BLOCK_PROGRAMS; i++)
		bpf_program__set_autoload(choices[i].program, choices[i].chosen);
	bpf_program__set_autoload(skeleton->progs.end_unseen, true);
	/* Also where no tracepoint runs it: what the two of merged bios go on to. */
	bpf_program__set_autoload(skeleton->progs.on_block_getrq, true);
}

void tap_block_prepare(struct tap_block *block, struct tracer_bpf *maps, struct tracer_bpf *skeleton)
{
	struct tap_symbol symbols[] = { { .name = "iomap_dio_bio_end_io" }, { .name = "bio_chain_endio" } };

	block->skeleton = skeleton;
	programs_choose(skeleton);
	tap_symbols_find(symbols, 2, NULL);
	maps->rodata->direct_end_io = symbols[0].address;
	maps->rodata->chain_end_io = symbols[1].address;
	maps->rodata->has_block_io_start = tap_feature_has(TAP_FEATURE_BLOCK_IO_START);
}

int tap_block_complete(struct tap_block *block)
{
	int programs = bpf_map__fd(block->skeleton->maps.bio_programs);
	int fd = bpf_program__fd(block->skeleton->progs.on_block_getrq);
	uint32_t first = 0;

	return bpf_map_update_elem(programs, &first, &fd, BPF_ANY) ? -errno : 0;
}

void tap_block_give_up(struct tap_block *block, const char *reason)
{
	block->skeleton = NULL;
	block->missing = reason;
}

static int links_make(struct tap_block *block, struct tap_error *err)
{
	struct choice choices[TAP_BLOCK_PROGRAMS];

	/* Requests that were on their way when the programs were last detached are forgotten. */
	block->skeleton->bss->io_epoch++;
	choices_make(block->skeleton, choices);
	for (size_t i = 0; i < TAP_BLOCK_PROGRAMS; i++) {
		if (!choices[i].chosen)
			continue;
		block->links[i] = bpf_program__attach(choices[i].program);
		if (!block->links[i])
			return tap_error_set(err, -errno, "cannot attach %s: %s", bpf_program__name(choices[i].program),
					     strerror(errno));
	}
	return 0;
}

static void links_drop(struct tap_block *block)
{
	for (size_t i = 0; i < TAP_BLOCK_PROGRAMS; i++) {
		bpf_link__destroy(block->links[i]);
		block->links[i] = NULL;
	}
	bpf_link__destroy(block->end_unseen);
	block->end_unseen = NULL;
}

static struct bpf_link *over_slots(const struct tracer_bpf *skeleton)
{
	union bpf_iter_link_info map = { .map = { .map_fd = (uint32_t)bpf_map__fd(skeleton->maps.request_slots) } };
	LIBBPF_OPTS(bpf_iter_attach_opts, options, .link_info = &map, .link_info_len = sizeof(map));

	return bpf_program__attach_iter(skeleton->progs.end_unseen, &options);
}

int tap_block_end_unseen(struct tap_block *block)
{
	if (!block->links[0])
		return 0;
	if (!block->end_unseen)
		block->end_unseen = over_slots(block->skeleton);
	return block->end_unseen ? tap_iterator_run(block->end_unseen) : -errno;
}

int tap_block_attach(struct tap_block *block, struct tap_error *err)
{
	int status;

	block->wanted = true;
	if (block->missing || !block->n_disks || block->links[0])
		return 0;
	status = links_make(block, err);
	if (status)
		tap_block_detach(block);
	return status;
}

void tap_block_detach(struct tap_block *block)
{
	block->wanted = false;
	links_drop(block);
}

/* An entry of the totals for a key, as the programs make them. What is there already is left as it is. */
static int total_add(const struct tap_block *block, const struct tap_io_key *key)
{
	int totals = bpf_map__fd(block->skeleton->maps.io_totals);
	int indexes = bpf_map__fd(block->skeleton->maps.io_key_to_total);
	struct tap_io_total total = { .key = *key };
	uint32_t index;

	if (!bpf_map_lookup_elem(indexes, key, &index))
		return 0;
	index = __atomic_fetch_add(&block->skeleton->bss->io_totals_used, 1, __ATOMIC_RELAXED);
	if (bpf_map_update_elem(totals, &index, &total, BPF_ANY) ||
	    bpf_map_update_elem(indexes, key, &index, BPF_NOEXIST))
		return -errno;
	return 0;
}

/* The rows into which full totals spill. */
static int rest_rows_add(const struct tap_block *block, uint32_t disk)
{
	int status = 0;

	for (int op = 0; op < TAP_IO_OPS && !status; op++) {
		struct tap_io_key key = { .row = { .instance = TAP_INSTANCE_NONE, .kind = TAP_KIND_REST },
					  .disk = disk,
					  .op = (uint8_t)op };

		status = total_add(block, &key);
	}
	return status;
}

/* 1: it was there already. */
static int number_add(struct tap_number_set *set, uint32_t number)
{
	if (!number)
		return -EINVAL;
	if (tap_number_has(set, number))
		return 1;
	for (uint32_t step = 0; step < TAP_NUMBER_STEPS; step++) {
		uint32_t *slot = &set->slots[tap_number_slot(number, step)];

		if (*slot)
			continue;
		__atomic_store_n(slot, number, __ATOMIC_RELEASE);
		return 0;
	}
	return -E2BIG;
}

static int cannot_watch(struct tap_error *err, int status, const char *what, uint32_t number)
{
	return tap_error_set(err, status, "cannot watch %s %u:%u: %s", what, number >> 20, number & 0xfffff,
			     status == -E2BIG ? "too many on one host" : strerror(-status));
}

int tap_block_watch_disk(struct tap_block *block, uint32_t disk, struct tap_error *err)
{
	int status = 0;

	if (block->missing)
		return tap_error_set(err, -EOPNOTSUPP, "block requests cannot be traced: %s", block->missing);
	status = rest_rows_add(block, disk);
	if (!status)
		status = number_add(&block->skeleton->bss->watched_disks, disk);
	if (status < 0)
		return cannot_watch(err, status, "the disk", disk);
	block->n_disks += status == 0;
	return block->wanted ? tap_block_attach(block, err) : 0;
}

int tap_block_watch_device(struct tap_block *block, uint32_t device, struct tap_error *err)
{
	int status;

	if (block->missing)
		return tap_error_set(err, -EOPNOTSUPP, "dirtied pages cannot be traced: %s", block->missing);
	status = number_add(&block->skeleton->bss->watched_devices, device);
	return status < 0 ? cannot_watch(err, status, "the device", device) : 0;
}

void tap_block_disk_holds(struct tap_block *block, uint32_t disk, uint32_t instance)
{
	const struct tap_number_set *watched;

	if (block->missing || instance >= TAP_INSTANCES_MAX)
		return;
	watched = &block->skeleton->bss->watched_disks;
	for (uint32_t step = 0; step < TAP_NUMBER_STEPS; step++) {
		uint32_t slot = tap_number_slot(disk, step);

		if (watched->slots[slot] == disk)
			__atomic_fetch_or(&block->skeleton->bss->disk_instances[slot].words[instance / 64],
					  1ull << (instance & 63), __ATOMIC_RELAXED);
	}
}

const struct bpf_program *tap_block_program(const struct tap_block *block, size_t index)
{
	struct choice choices[TAP_BLOCK_PROGRAMS];
	size_t at = 0;

	if (!block->skeleton || block->missing)
		return NULL;
	choices_make(block->skeleton, choices);
	for (size_t i = 0; i < TAP_BLOCK_PROGRAMS; i++) {
		if (choices[i].chosen && at++ == index)
			return choices[i].program;
	}
	return NULL;
}
