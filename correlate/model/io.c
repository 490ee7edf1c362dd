// SPDX-License-Identifier: BSD-2-Clause
/*
 * io.c - sums up the block I/O of a window: by owner, object, both, disk; and charges what was written to who dirtied.
 *
 * An owner of no instance (kernel threads, other processes), and a background process of no database, counts by the
 * object it touched when only one instance or database is wanted. Disks are always whole: their residual would mean
 * nothing otherwise.
 */
#include "correlate/model/io.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/abi/kind.h"
#include "correlate/model/blame.h"

void tap_io_sum_u64(uint64_t *to, uint64_t bytes)
{
	if (__builtin_add_overflow(*to, bytes, to))
		*to = UINT64_MAX;
}

int64_t tap_io_signed(uint64_t value)
{
	return value > INT64_MAX ? INT64_MAX : (int64_t)value;
}

/* A percentile is the middle of its bucket, which may lie above the longest time itself. */
static int64_t percentile(const struct tap_io *io, double percent)
{
	int64_t ns = tap_latency_percentile_ns(io->latency, percent), max = tap_io_signed(io->max_ns);

	return ns > max && max > 0 ? max : ns;
}

struct tap_view_latency tap_io_latency(const struct tap_io *io)
{
	struct tap_view_latency latency = { percentile(io, 50), percentile(io, 95), percentile(io, 99), -1 };

	if (latency.p50 >= 0)
		latency.max = tap_io_signed(io->max_ns);
	return latency;
}

uint64_t tap_io_cell_bytes(const struct tap_io_cell *cell)
{
	uint64_t bytes = cell->submitted_bytes > cell->charged_bytes ? cell->submitted_bytes : cell->charged_bytes;

	tap_io_sum_u64(&bytes, cell->read_bytes);
	return bytes;
}

/* Keys come from the kernel's maps, where parity and padding may say anything. */
static struct tap_row_key row_plain(const struct tap_row_key *row)
{
	struct tap_row_key plain = *row;

	plain.parity = 0;
	plain.pad = 0;
	return plain;
}

const struct tap_io_owner *tap_io_owner_find(const struct tap_io_model *model, const struct tap_row_key *row)
{
	struct tap_row_key plain = row_plain(row);
	uint32_t place = tap_io_table_find(&model->owners, &plain);

	return place == TAP_IO_NONE ? NULL : tap_io_owner_at(model, place);
}

void tap_io_owner_calls(struct tap_io_model *model, const struct tap_row_key *row, int64_t calls)
{
	struct tap_row_key plain = row_plain(row);
	uint32_t place = tap_io_table_find(&model->owners, &plain);

	if (place != TAP_IO_NONE)
		tap_io_owner_at(model, place)->calls = calls;
}

const char *tap_io_owner_text(struct tap_io_model *model, uint32_t owner)
{
	struct tap_io_owner *of = tap_io_owner_at(model, owner);

	if (!of->text_asked)
		of->text = tap_build_text(model->build, of->row.instance, of->row.source, of->row.query_id);
	of->text_asked = true;
	return of->text;
}

static struct tap_io_sum *sum_new(struct tap_io_model *model)
{
	return tap_arena_new(&model->memory, 1, sizeof(struct tap_io_sum));
}

static uint32_t owner_get(struct tap_io_model *model, const struct tap_row_key *row)
{
	struct tap_row_key plain = row_plain(row);
	size_t before = model->owners.count;
	uint32_t place = tap_io_table_get(&model->owners, &plain);
	struct tap_io_owner *owner;

	if (place == TAP_IO_NONE || model->owners.count == before)
		return place;
	owner = tap_io_owner_at(model, place);
	/* What a full map could not keep apart may be of any instance: it is always shown. */
	owner->wanted = row->kind == TAP_KIND_REST || tap_build_row_is_wanted(model->build, &plain);
	owner->sum = sum_new(model);
	return place;
}

/* An owner and an object that something of the window is to be added to. */
struct spot {
	uint32_t owner;
	uint32_t object;
	struct tap_io_sum *of_owner;
	struct tap_io_sum *of_object;
	struct tap_io_cell *cell;
};

static bool is_wanted(const struct tap_io_owner *owner, const struct tap_io_object *object)
{
	bool by_object = owner->row.instance == TAP_INSTANCE_NONE || !owner->row.database;

	return owner->wanted || (by_object && object->wanted);
}

/* 1: found; 0: not wanted; -ENOMEM. */
static int spot_find(struct tap_io_model *model, const struct tap_row_key *row, uint32_t object, struct spot *ret)
{
	struct spot spot = { .owner = owner_get(model, row), .object = object };
	struct tap_io_cell_key key = { spot.owner, object };
	uint32_t cell;

	if (spot.owner == TAP_IO_NONE || object == TAP_IO_NONE)
		return -ENOMEM;
	if (!is_wanted(tap_io_owner_at(model, spot.owner), tap_io_object_at(model, object)))
		return 0;
	cell = tap_io_table_get(&model->cells, &key);
	if (!tap_io_object_at(model, object)->sum)
		tap_io_object_at(model, object)->sum = sum_new(model);
	spot.of_owner = tap_io_owner_at(model, spot.owner)->sum;
	spot.of_object = tap_io_object_at(model, object)->sum;
	if (cell == TAP_IO_NONE || !spot.of_owner || !spot.of_object)
		return -ENOMEM;
	spot.cell = tap_io_cell_at(model, cell);
	*ret = spot;
	return 1;
}

static void sum_add(struct tap_io_sum *sum, uint8_t op, const struct tap_io *io)
{
	switch (op) {
	case TAP_IO_READ:
		tap_io_add(&sum->read, io);
		break;
	case TAP_IO_WRITE:
		tap_io_add(&sum->write, io);
		break;
	case TAP_IO_DISCARD:
		tap_io_sum_u64(&sum->discard_bytes, io->bytes);
		break;
	case TAP_IO_FLUSH:
		tap_io_sum_u64(&sum->flushes, io->requests);
		break;
	default:
		break;
	}
}

static void cell_add(struct tap_io_cell *cell, uint8_t op, const struct tap_io *io)
{
	if (op == TAP_IO_WRITE)
		tap_io_sum_u64(&cell->submitted_bytes, io->bytes);
	if (op != TAP_IO_READ)
		return;
	tap_io_sum_u64(&cell->read_bytes, io->bytes);
	tap_io_sum_u64(&cell->read_requests, io->requests);
	for (int i = 0; i < TAP_PATTERNS; i++)
		tap_io_sum_u64(&cell->read_pattern_bytes[i], io->pattern_bytes[i]);
}

static struct tap_io_disk *disk_get(struct tap_io_model *model, uint32_t number)
{
	for (size_t i = 0; i < model->n_disks; i++) {
		if (model->disks[i].disk == number)
			return &model->disks[i];
	}
	if (model->n_disks == TAP_DISKS_MAX)
		return NULL;
	model->disks[model->n_disks] = (struct tap_io_disk){ .disk = number, .sum = sum_new(model) };
	return model->disks[model->n_disks].sum ? &model->disks[model->n_disks++] : NULL;
}

/* Kernel threads carry out what the checkpointer handed them: they are part of the cause. */
static bool is_other(uint8_t kind)
{
	return kind != TAP_KIND_CHECKPOINTER && kind != TAP_KIND_KERNEL && kind != TAP_KIND_REST;
}

static int others_add(struct tap_io_model *model, struct tap_io_disk *disk, const struct tap_io_entry *entry)
{
	struct tap_io_others **others = &disk->others[entry->key.checkpoint != 0];
	uint8_t op = entry->key.op;

	if (!is_other(entry->key.row.kind) || (op != TAP_IO_READ && op != TAP_IO_WRITE && op != TAP_IO_FLUSH))
		return 0;
	if (!*others)
		*others = tap_arena_new(&model->memory, 1, sizeof(**others));
	if (!*others)
		return -ENOMEM;
	tap_io_add(op == TAP_IO_READ	? &(*others)->read
		   : op == TAP_IO_WRITE ? &(*others)->write
					: &(*others)->flush,
		   &entry->io);
	return 0;
}

const struct tap_io_others *tap_io_disk_others(const struct tap_io_model *model, uint32_t disk, bool during)
{
	for (size_t i = 0; i < model->n_disks; i++) {
		if (model->disks[i].disk == disk)
			return model->disks[i].others[during];
	}
	return NULL;
}

static int request_add(struct tap_io_model *model, const struct tap_io_entry *entry)
{
	const struct tap_io_key *key = &entry->key;
	struct tap_io_disk *disk = disk_get(model, key->disk);
	struct spot spot;
	int status;

	if (disk)
		sum_add(disk->sum, key->op, &entry->io);
	status = disk ? others_add(model, disk, entry) : 0;
	if (status)
		return status;
	status = spot_find(model, &key->row, tap_io_file_object(model, &key->file), &spot);
	if (status <= 0)
		return status;
	sum_add(spot.of_owner, key->op, &entry->io);
	sum_add(spot.of_object, key->op, &entry->io);
	cell_add(spot.cell, key->op, &entry->io);
	if (key->op == TAP_IO_READ && key->file.inode)
		tap_io_sum_u64(&tap_io_owner_at(model, spot.owner)->brought_in_bytes, entry->io.bytes);
	return 0;
}

static int dirty_add(struct tap_io_model *model, const struct tap_dirty_entry *entry)
{
	struct spot spot;
	int status = spot_find(model, &entry->key.row, tap_io_file_object(model, &entry->key.file), &spot);

	if (status <= 0)
		return status;
	tap_io_sum_u64(&spot.of_owner->dirtied_bytes, entry->bytes);
	tap_io_sum_u64(&spot.of_object->dirtied_bytes, entry->bytes);
	tap_io_sum_u64(&spot.cell->dirtied_bytes, entry->bytes);
	if (tap_io_object_at(model, spot.object)->kind == TAP_FILE_TEMP)
		tap_io_sum_u64(&tap_io_owner_at(model, spot.owner)->temp_bytes, entry->bytes);
	return 0;
}

/* --- who dirtied what was written ------------------------------------------------------------- */

/* What a row dirtied in a file, or wrote to it. */
struct share {
	struct tap_file_key file;
	struct tap_blame_party party;
};

struct shares {
	struct share *items;
	size_t count;
};

static void share_add(struct shares *shares, const struct tap_file_key *file, const struct tap_row_key *row,
		      uint64_t before, uint64_t bytes)
{
	struct share *share = &shares->items[shares->count++];

	share->file = *file;
	share->party = (struct tap_blame_party){ .row = row_plain(row), .before = before, .bytes = bytes };
}

/* By file, then by row: both as bytes, which is what blame wants. */
static int by_file(const void *a, const void *b)
{
	const struct share *left = a, *right = b;
	int order = memcmp(&left->file, &right->file, sizeof(left->file));

	return order ? order : memcmp(&left->party.row, &right->party.row, sizeof(left->party.row));
}

/* Sorts, and makes one of those of the same file and row (several disks; before and within the window). */
static void shares_pack(struct shares *shares)
{
	size_t kept = 0;

	qsort(shares->items, shares->count, sizeof(*shares->items), by_file);
	for (size_t i = 0; i < shares->count; i++) {
		struct share *last = kept ? &shares->items[kept - 1] : NULL;

		if (last && !by_file(last, &shares->items[i])) {
			tap_io_sum_u64(&last->party.before, shares->items[i].party.before);
			tap_io_sum_u64(&last->party.bytes, shares->items[i].party.bytes);
		} else {
			shares->items[kept++] = shares->items[i];
		}
	}
	shares->count = kept;
}

/* The row that a statement's requests belong to, whatever id they were submitted under. */
static struct tap_row_key row_of(struct tap_io_model *model, const struct tap_row_key *row)
{
	struct tap_row_key ret = *row;

	if (tap_aliases_apply(&model->build->aliases, &ret))
		model->memory.failed = true;
	return ret;
}

static int written_collect(struct tap_io_model *model, struct shares *ret)
{
	const struct tap_io_set *begin = &model->build->input->begin->io, *window = &model->window;

	ret->items = calloc(begin->n_requests + window->n_requests + 1, sizeof(*ret->items));
	if (!ret->items)
		return -ENOMEM;
	for (size_t i = 0; i < begin->n_requests; i++) {
		const struct tap_io_entry *entry = &begin->requests[i];
		struct tap_row_key row = row_of(model, &entry->key.row);

		if (entry->key.op == TAP_IO_WRITE)
			share_add(ret, &entry->key.file, &row, entry->io.bytes, 0);
	}
	for (size_t i = 0; i < window->n_requests; i++) {
		const struct tap_io_entry *entry = &window->requests[i];

		if (entry->key.op == TAP_IO_WRITE)
			share_add(ret, &entry->key.file, &entry->key.row, 0, entry->io.bytes);
	}
	shares_pack(ret);
	return 0;
}

static int dirtied_collect(struct tap_io_model *model, struct shares *ret)
{
	const struct tap_io_set *begin = &model->build->input->begin->io, *window = &model->window;

	ret->items = calloc(begin->n_dirty + window->n_dirty + 1, sizeof(*ret->items));
	if (!ret->items)
		return -ENOMEM;
	for (size_t i = 0; i < begin->n_dirty; i++) {
		struct tap_row_key row = row_of(model, &begin->dirty[i].key.row);

		share_add(ret, &begin->dirty[i].key.file, &row, begin->dirty[i].bytes, 0);
	}
	for (size_t i = 0; i < window->n_dirty; i++)
		share_add(ret, &window->dirty[i].key.file, &window->dirty[i].key.row, 0, window->dirty[i].bytes);
	shares_pack(ret);
	return 0;
}

/* The parties of the file at shares->items[*at], copied behind each other; *at moves to the next file. */
static size_t parties_take(const struct shares *shares, size_t *at, struct tap_blame_party *ret)
{
	const struct tap_file_key *file = &shares->items[*at].file;
	size_t count = 0;

	while (*at < shares->count && !memcmp(&shares->items[*at].file, file, sizeof(*file)))
		ret[count++] = shares->items[(*at)++].party;
	return count;
}

struct charging {
	struct tap_io_model *model;
	uint32_t object;
	int status;
};

static void charge(void *context, const struct tap_row_key *dirtier, uint8_t writer_kind, uint64_t bytes)
{
	static const struct tap_row_key nobody = { .instance = TAP_INSTANCE_NONE, .kind = TAP_KIND_NONE };
	struct charging *charging = context;
	struct tap_io_model *model = charging->model;
	struct tap_io_charge_key key = { .object = charging->object, .writer_kind = writer_kind };
	struct spot spot;
	int status = spot_find(model, dirtier ? dirtier : &nobody, charging->object, &spot);
	uint32_t place;

	if (status <= 0) {
		charging->status = status < 0 ? status : charging->status;
		return;
	}
	tap_io_sum_u64(&spot.of_owner->charged_bytes, bytes);
	tap_io_sum_u64(&spot.of_object->charged_bytes, bytes);
	tap_io_sum_u64(&spot.cell->charged_bytes, bytes);
	key.dirtier = spot.owner;
	place = tap_io_table_get(&model->charges, &key);
	if (place == TAP_IO_NONE)
		charging->status = -ENOMEM;
	else
		tap_io_sum_u64(&((struct tap_io_charge *)model->charges.items)[place].bytes, bytes);
}

static bool is_written(const struct tap_blame_party *writers, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (writers[i].bytes)
			return true;
	}
	return false;
}

/* Goes through both sorted lists file by file; `parties` has room for all of both. */
static int blame_files(struct tap_io_model *model, const struct shares *written, const struct shares *dirtied,
		       struct tap_blame_party *parties)
{
	size_t i = 0, j = 0;
	int status = 0;

	while (i < written->count && !status) {
		const struct tap_file_key *file = &written->items[i].file;
		struct charging charging = { .model = model };
		size_t n_writers = parties_take(written, &i, parties), n_dirtiers = 0;

		while (j < dirtied->count && memcmp(&dirtied->items[j].file, file, sizeof(*file)) < 0)
			j++;
		if (j < dirtied->count && !memcmp(&dirtied->items[j].file, file, sizeof(*file)))
			n_dirtiers = parties_take(dirtied, &j, parties + n_writers);
		if (!is_written(parties, n_writers))
			continue;
		charging.object = tap_io_file_object(model, file);
		status = tap_blame_file(parties + n_writers, n_dirtiers, parties, n_writers, charge, &charging);
		if (!status)
			status = charging.status;
	}
	return status;
}

static int blame(struct tap_io_model *model)
{
	struct shares written = { 0 }, dirtied = { 0 };
	struct tap_blame_party *parties = NULL;
	int status = written_collect(model, &written);

	if (!status)
		status = dirtied_collect(model, &dirtied);
	if (!status) {
		parties = calloc(written.count + dirtied.count + 1, sizeof(*parties));
		status = parties ? blame_files(model, &written, &dirtied, parties) : -ENOMEM;
	}
	free(parties);
	free(written.items);
	free(dirtied.items);
	return status;
}

/* --- the whole -------------------------------------------------------------------------------- */

/* Of one owner together, most bytes first; then by name, so that equal ones do not change places. */
static int by_owner(const void *a, const void *b, void *context)
{
	const struct tap_io_model *model = context;
	const struct tap_io_cell *left = a, *right = b;
	uint64_t l = tap_io_cell_bytes(left), r = tap_io_cell_bytes(right);

	if (left->key.owner != right->key.owner)
		return left->key.owner < right->key.owner ? -1 : 1;
	if (l != r)
		return l < r ? 1 : -1;
	if (left->dirtied_bytes != right->dirtied_bytes)
		return left->dirtied_bytes < right->dirtied_bytes ? 1 : -1;
	return memcmp(&tap_io_object_at(model, left->key.object)->key, &tap_io_object_at(model, right->key.object)->key,
		      sizeof(struct tap_io_object_key));
}

/* After this the table of cells cannot be searched any more: its index is of the old order. */
static void cells_sort(struct tap_io_model *model)
{
	if (!model->cells.count)
		return;
	qsort_r(model->cells.items, model->cells.count, sizeof(struct tap_io_cell), by_owner, model);
	for (size_t i = 0; i < model->cells.count; i++) {
		struct tap_io_owner *owner = tap_io_owner_at(model, tap_io_cell_at(model, i)->key.owner);

		if (!owner->n_cells++)
			owner->first_cell = (uint32_t)i;
	}
}

/* The window is the model's own: from here on its rows are those that are shown. */
static void rows_settle(struct tap_io_model *model)
{
	struct tap_io_set *window = &model->window;

	for (size_t i = 0; i < window->n_requests; i++)
		window->requests[i].key.row = row_of(model, &window->requests[i].key.row);
	for (size_t i = 0; i < window->n_dirty; i++)
		window->dirty[i].key.row = row_of(model, &window->dirty[i].key.row);
	for (size_t i = 0; i < window->n_streams; i++)
		window->streams[i].set.row = row_of(model, &window->streams[i].set.row);
}

static int model_fill(struct tap_io_model *model)
{
	const struct tap_window_input *input = model->build->input;
	int status = tap_io_set_subtract(&input->end->io, &input->begin->io, &model->window);

	if (!status)
		rows_settle(model);
	if (!status)
		status = tap_io_files_fill(model);
	for (size_t i = 0; i < model->window.n_requests && !status; i++)
		status = request_add(model, &model->window.requests[i]);
	for (size_t i = 0; i < model->window.n_dirty && !status; i++)
		status = dirty_add(model, &model->window.dirty[i]);
	if (!status)
		status = blame(model);
	if (!status)
		status = tap_io_groups_fill(model);
	if (!status)
		cells_sort(model);
	return model->memory.failed ? -ENOMEM : status;
}

int tap_io_model_new(struct tap_build *build, struct tap_io_model **ret)
{
	struct tap_io_model *model;
	int status;

	*ret = NULL;
	if (!build->input->begin->io.traced || !build->input->end->io.traced)
		return 0;
	model = calloc(1, sizeof(*model));
	if (!model)
		return -ENOMEM;
	model->build = build;
	tap_arena_init(&model->memory);
	tap_io_set_init(&model->window);
	tap_io_table_init(&model->files, sizeof(struct tap_io_file), sizeof(struct tap_file_key));
	tap_io_table_init(&model->objects, sizeof(struct tap_io_object), sizeof(struct tap_io_object_key));
	tap_io_table_init(&model->owners, sizeof(struct tap_io_owner), sizeof(struct tap_row_key));
	tap_io_table_init(&model->cells, sizeof(struct tap_io_cell), sizeof(struct tap_io_cell_key));
	tap_io_table_init(&model->charges, sizeof(struct tap_io_charge), sizeof(struct tap_io_charge_key));
	tap_io_table_init(&model->groups, sizeof(struct tap_io_group), sizeof(struct tap_io_group_key));
	status = model_fill(model);
	if (status) {
		tap_io_model_free(model);
		return status;
	}
	*ret = model;
	return 0;
}

void tap_io_model_free(struct tap_io_model *model)
{
	if (!model)
		return;
	tap_io_table_done(&model->files);
	tap_io_table_done(&model->objects);
	tap_io_table_done(&model->owners);
	tap_io_table_done(&model->cells);
	tap_io_table_done(&model->charges);
	tap_io_table_done(&model->groups);
	tap_io_set_done(&model->window);
	tap_arena_done(&model->memory);
	free(model);
}
