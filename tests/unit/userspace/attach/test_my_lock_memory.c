// SPDX-License-Identifier: BSD-2-Clause
/* test_my_lock_memory.c - a server's locks out of made-up memory, whole, torn and hostile. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/check_main.h"
#include "userspace/attach/my_lock_layout.h"
#include "userspace/attach/my_lock_memory.h"

enum {
	BASE = 0x10000,
	SIZE = 0x40000,
	LIST = 0x10100,
	THD = 0x11000, /* of the first session; the others follow */
	THD_STEP = 0x5000,
	TRX = 0x30000,
	TRX_STEP = 0x1000,
	LOCK = 0x38000,
	INDEX = 0x3a000,
	TABLE = 0x3a100,
	NAMES = 0x3a200,
	SESSIONS = 3,
};

struct image {
	unsigned char bytes[SIZE];
	unsigned int reads;
	unsigned int change_every; /* reads; 0: never */
};

static int image_read(void *context, struct tap_memory_read *reads, size_t count)
{
	struct image *image = context;

	for (size_t i = 0; i < count; i++) {
		uint64_t at = reads[i].address - BASE;

		reads[i].ok = at < SIZE && reads[i].size <= SIZE - at;
		if (reads[i].ok)
			memcpy(reads[i].to, image->bytes + at, reads[i].size);
	}
	if (image->change_every && !(++image->reads % image->change_every))
		image->bytes[(unsigned)rand() % SIZE] = (unsigned char)rand();
	return 0;
}

static void put(struct image *image, uint64_t address, const void *bytes, size_t size)
{
	memcpy(image->bytes + (address - BASE), bytes, size);
}

static void put_u64(struct image *image, uint64_t address, uint64_t value)
{
	put(image, address, &value, sizeof(value));
}

static void put_u32(struct image *image, uint64_t address, uint32_t value)
{
	put(image, address, &value, sizeof(value));
}

/* Sessions 1 to 3: the first has record (3,2), the others wait for it one after the other. */
static struct tap_my_lock_memory image_make(struct image *image)
{
	const struct tap_my_lock_layout *layout = tap_my_lock_layout_find(101119, 62);
	const uint64_t next = 0x10, thread_id = 0x3f18;
	struct tap_my_lock_memory memory = {
		.place = { .layout = *layout, .sessions = LIST, .next = next, .thread_id = thread_id },
		.read = image_read,
		.context = image,
	};

	memset(image, 0, sizeof(*image));
	put_u64(image, LIST, THD);
	for (uint64_t i = 0; i < SESSIONS; i++) {
		uint64_t thd = THD + i * THD_STEP, trx = TRX + i * TRX_STEP, lock = LOCK + i * 0x100;

		put_u64(image, thd + next - 8, i ? thd - THD_STEP + next : LIST);
		put_u64(image, thd + next, i + 1 < SESSIONS ? thd + THD_STEP : LIST + 8);
		put_u64(image, thd + thread_id, i + 1);
		put_u64(image, thd + layout->trx, trx);
		put_u64(image, thd + layout->metadata + layout->context_owner, thd + 0xe8);
		put_u64(image, trx + layout->trx_id, 100 + i);
		put_u64(image, trx + layout->wait_lock, i ? lock : 0);
		put_u64(image, trx + layout->wait_lock + 8, i ? TRX : 0);
		put_u64(image, trx + layout->wait_start, i ? 1000000 * i : 0);
		put_u64(image, trx + layout->trx_thd, thd);
		put_u64(image, trx + layout->trx_locks, lock);
		put_u64(image, trx + layout->trx_n_locks, 1);
		put_u64(image, lock + layout->lock_trx, trx);
		put_u64(image, lock + layout->lock_index, INDEX);
		put_u64(image, lock + layout->lock_chain, i + 1 < SESSIONS ? lock + 0x100 : 0);
		put_u64(image, lock + layout->lock_place, 5ull << 32 | 3);
		put_u32(image, lock + layout->lock_place + 8, 72);
		put_u32(image, lock + layout->lock_mode, 0x403 | (i ? TAP_MY_LOCK_WAIT : 0));
		put_u32(image, lock + layout->lock_size, 1 << 2);
	}
	put_u64(image, INDEX + layout->index_name, NAMES);
	put_u64(image, INDEX + layout->index_table, TABLE);
	put_u64(image, TABLE + layout->table_name, NAMES + 0x40);
	put(image, NAMES, "PRIMARY", 8);
	put(image, NAMES + 0x40, "shop/it@002dems", 16);
	return memory;
}

START_TEST(test_queue)
{
	struct image *image = calloc(1, sizeof(*image));
	struct tap_my_lock_memory memory = image_make(image);
	struct tap_relation_names names;
	struct tap_lock_table table = { 0 };
	struct tap_lock_graph graph;

	tap_relation_names_init(&names);
	ck_assert_int_eq(tap_my_lock_memory_read(&memory, true, &table, &names), 0);
	ck_assert_uint_eq(table.count, 3);
	ck_assert_uint_eq(table.torn, 0);
	ck_assert_int_eq(tap_lock_graph_make(&table, &graph), 0);
	ck_assert_uint_eq(graph.n_edges, 3);
	ck_assert_int_eq(graph.edges[0].waiter, 2);
	ck_assert_int_eq(graph.edges[0].blocker, 1);
	ck_assert_int_eq(graph.edges[2].waiter, 3);
	ck_assert_int_eq(graph.edges[2].blocker, 2);
	ck_assert(graph.edges[2].soft);
	ck_assert_str_eq(tap_relation_names_find(&names, 0, table.entries[0].tag.field3), "shop.it-ems");
	ck_assert_str_eq(tap_relation_names_find(&names, 6, 3), "index.PRIMARY");
	tap_lock_graph_done(&graph);
	tap_lock_table_done(&table);
	tap_relation_names_done(&names);
	free(image);
}
END_TEST

/* A lock of somebody else, a ring of sessions, a chain into itself: refused, not followed. */
START_TEST(test_what_does_not_lead_back)
{
	struct image *image = calloc(1, sizeof(*image));
	struct tap_my_lock_memory memory = image_make(image);
	const struct tap_my_lock_layout *layout = &memory.place.layout;
	struct tap_lock_table table = { 0 };

	put_u64(image, LOCK + 0x100 + layout->lock_trx, TRX);
	ck_assert_int_eq(tap_my_lock_memory_read(&memory, true, &table, NULL), -EAGAIN);
	memory = image_make(image);
	put_u64(image, THD + 2 * THD_STEP + memory.place.next, THD);
	ck_assert_int_eq(tap_my_lock_memory_read(&memory, true, &table, NULL), -EAGAIN);
	memory = image_make(image);
	put_u64(image, LOCK + 0x200 + layout->lock_chain, LOCK + 0x200);
	ck_assert_int_eq(tap_my_lock_memory_read(&memory, true, &table, NULL), -EAGAIN);
	memory = image_make(image);
	put_u64(image, THD + layout->metadata + layout->context_owner, 1);
	ck_assert_int_eq(tap_my_lock_memory_read(&memory, true, &table, NULL), -EBADMSG);
	free(image);
}
END_TEST

START_TEST(test_hostile)
{
	struct image *image = calloc(1, sizeof(*image));

	srand((unsigned)_i);
	for (int run = 0; run < 200; run++) {
		struct tap_my_lock_memory memory = image_make(image);
		struct tap_lock_table table = { 0 };
		struct tap_relation_names names;

		tap_relation_names_init(&names);
		for (int i = rand() % 40; i > 0; i--) {
			uint64_t at = (uint64_t)(rand() % 4 ? TRX + rand() % 0xb000 : rand() % SIZE) & ~7ull;
			uint64_t value = rand() % 2 ? (uint64_t)(BASE + rand() % SIZE)
						    : (uint64_t)rand() << 32 | (uint64_t)rand();

			put_u64(image, at < BASE ? BASE + at : at, value);
		}
		image->change_every = (unsigned)rand() % 8;
		tap_my_lock_memory_read(&memory, run & 1, &table, &names);
		for (size_t i = 0; i < table.count; i++)
			ck_assert(table.entries[i].wanted < tap_lock_mode_count(table.entries[i].tag.type));
		tap_lock_table_done(&table);
		tap_relation_names_done(&names);
	}
	free(image);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("my_lock_memory");
	TCase *tcase = tcase_create("core");

	tcase_add_test(tcase, test_queue);
	tcase_add_test(tcase, test_what_does_not_lead_back);
	tcase_add_loop_test(tcase, test_hostile, 0, 4);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
