// SPDX-License-Identifier: BSD-2-Clause
/*
 * fuzz_pg_locks.c - the lock tables' reader over images that are damaged, before it begins and while it reads.
 *
 * The input is a list of writes into a good image: when (before which read), where, what. Whatever they do, the reader
 * ends without touching anything outside its buffers, and what it tells has names that exist and a graph.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "correlate/lock.h"
#include "tests/unit/userspace/attach/fake_locks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct patch {
	uint8_t before_read; /* 0 and 1: at the beginning */
	uint8_t bytes;	     /* of the value that are written, 0 to 8 */
	uint16_t word;
	uint8_t is_address; /* odd: the value is an offset in the image */
	uint8_t value[8];
};

enum {
	PATCH_SIZE = 13,
	PATCHES_MAX = 64,
};

static const uint8_t *patches;
static size_t n_patches;

static void require(int holds)
{
	if (!holds)
		abort();
}

static void apply(const uint8_t *raw, int number)
{
	struct patch patch;
	uint64_t value;
	size_t at;

	patch.before_read = raw[0];
	patch.bytes = raw[1] % 9;
	memcpy(&patch.word, raw + 2, sizeof(patch.word));
	patch.is_address = raw[4] & 1;
	memcpy(patch.value, raw + 5, sizeof(patch.value));
	if ((patch.before_read > 1 ? patch.before_read : 1) != number)
		return;
	memcpy(&value, patch.value, sizeof(value));
	if (patch.is_address)
		value = FL_BASE + value % FL_SIZE;
	at = patch.word % (FL_SIZE / 8) * 8u;
	memcpy(fl.bytes + at, &value, patch.bytes);
}

static void before(int number)
{
	for (size_t i = 0; i < n_patches; i++)
		apply(patches + i * PATCH_SIZE, number);
}

static void look(const struct tap_lock_table *table)
{
	struct tap_lock_graph graph;

	for (size_t i = 0; i < table->count; i++) {
		const struct tap_lock_entry *entry = &table->entries[i];

		require(entry->wanted < TAP_LOCK_MODE_COUNT && entry->tag.type < TAP_LOCK_PG_TYPE_COUNT);
		require(entry->held || entry->wanted);
		require(entry->pid > 0 || entry->xid);
		require(!entry->wanted == !entry->queue);
	}
	require(tap_lock_graph_make(table, &graph) == 0);
	for (size_t i = 0; i < graph.n_edges; i++)
		require(graph.edges[i].waiter != graph.edges[i].blocker && graph.edges[i].entry < table->count);
	tap_lock_graph_done(&graph);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tap_pg_lock_memory memory;
	struct tap_lock_table table;
	struct fl_scene scene;
	int err;

	patches = data;
	n_patches = size / PATCH_SIZE < PATCHES_MAX ? size / PATCH_SIZE : PATCHES_MAX;
	for (int scope = 0; scope < 2; scope++) {
		fl_scene(&scene);
		fl.before = before;
		memory = fl_memory();
		tap_lock_table_init(&table);
		err = tap_pg_lock_memory_read(&memory, scope ? TAP_PG_LOCKS_WAITED : TAP_PG_LOCKS_ALL, &table);
		require(err == 0);
		look(&table);
		tap_lock_table_done(&table);
	}
	return 0;
}
