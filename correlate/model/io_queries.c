// SPDX-License-Identifier: BSD-2-Clause
/*
 * io_queries.c - the I/O figures, latencies and relations of a query's row.
 *
 * What the page cache gave (cache_read_bytes) is what a row asked of read system calls less what was read from a device
 * for it, read-ahead included: those pages answered its next calls. So
 *   - read-ahead beyond the end of what was wanted makes the difference a little negative: nothing came from the cache;
 *   - much more read than asked for (read-ahead that others used, or nobody) leaves the figure absent;
 *   - a process that reads pipes or files of other programs has no such figure: the kernel counts those bytes alike.
 *     Sessions talk to their clients with socket calls, which it does not count;
 *   - of a parallel scan one process reads ahead what another asks for: the share is that of all rows of the statement.
 */
#include "correlate/model/io.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "bpf/abi/kind.h"

enum {
	READ_AHEAD_SHARE = 16,	       /* of what was asked for */
	READ_AHEAD_SPARE = 256 * 1024, /* a window of read-ahead, twice */
};

static const enum tap_figure io_figures[] = {
	TAP_FIGURE_READ_REQUESTS, TAP_FIGURE_CACHE_READ, TAP_FIGURE_READ_SEQ,	    TAP_FIGURE_READ_NEAR,
	TAP_FIGURE_READ_RAND,	  TAP_FIGURE_WRITE,	 TAP_FIGURE_WRITE_REQUESTS, TAP_FIGURE_SUBMITTED_WRITE,
	TAP_FIGURE_WRITE_SEQ,	  TAP_FIGURE_WRITE_NEAR, TAP_FIGURE_WRITE_RAND,	    TAP_FIGURE_TEMP,
};

void tap_io_figures_absent(struct tap_figures *figures, enum tap_reason reason)
{
	for (size_t i = 0; i < sizeof(io_figures) / sizeof(io_figures[0]); i++)
		tap_build_absent(figures, io_figures[i], reason);
}

/* Why a row has no I/O figures at all; NONE: it has. */
static enum tap_reason absence_of(const struct tap_build *build, const struct tap_row_key *row)
{
	const struct tap_window_instance *instance = tap_build_instance(build, row->instance);

	if (!build->io)
		return TAP_REASON_IO_OFF;
	return instance ? instance->io_absent : TAP_REASON_NONE;
}

/* Whether what the row's processes read is files alone. COPY ... FROM PROGRAM reads a pipe. */
static bool reads_files_only(const struct tap_row *row, const char *text)
{
	switch (row->key.kind) {
	case TAP_KIND_CHILD:
	case TAP_KIND_LOGGER:
	case TAP_KIND_POSTMASTER:
		return false;
	default:
		return !text || strncasecmp(text, "copy", 4) != 0 || !strcasestr(text, "program");
	}
}

static bool is_of_group(const struct tap_row_key *row)
{
	return row->source != TAP_QUERY_ID_NONE && (row->kind == TAP_KIND_CLIENT || row->kind == TAP_KIND_PARALLEL);
}

static struct tap_io_group_key group_key(const struct tap_row_key *row)
{
	return (struct tap_io_group_key){ .instance = row->instance,
					  .database = row->database,
					  .user = row->user,
					  .source = row->source,
					  .query_id = row->query_id };
}

int tap_io_groups_fill(struct tap_io_model *model)
{
	const struct tap_row_set *rows = &model->build->rows;

	for (size_t i = 0; i < rows->count; i++) {
		const struct tap_row_key *key = &rows->rows[i].key;
		const struct tap_io_owner *owner = tap_io_owner_find(model, key);
		struct tap_io_group_key group = group_key(key);
		struct tap_io_group *to;
		uint32_t place;

		if (!is_of_group(key))
			continue;
		place = tap_io_table_get(&model->groups, &group);
		if (place == TAP_IO_NONE)
			return -ENOMEM;
		to = &((struct tap_io_group *)model->groups.items)[place];
		tap_io_sum_u64(&to->rchar_bytes, rows->rows[i].account.rchar_bytes);
		tap_io_sum_u64(&to->brought_in_bytes, owner ? owner->brought_in_bytes : 0);
	}
	return 0;
}

/* Of the row's statement where it is one's, else its own. */
static struct tap_io_group group_of(const struct tap_io_model *model, const struct tap_row *row)
{
	const struct tap_io_owner *owner = tap_io_owner_find(model, &row->key);
	struct tap_io_group_key key = group_key(&row->key);
	uint32_t place = is_of_group(&row->key) ? tap_io_table_find(&model->groups, &key) : TAP_IO_NONE;

	if (place != TAP_IO_NONE)
		return ((struct tap_io_group *)model->groups.items)[place];
	return (struct tap_io_group){ .rchar_bytes = row->account.rchar_bytes,
				      .brought_in_bytes = owner ? owner->brought_in_bytes : 0 };
}

static void cache_fill(struct tap_figures *figures, const struct tap_io_model *model, const struct tap_row *row,
		       const char *text)
{
	struct tap_io_group group = group_of(model, row);
	uint64_t asked = group.rchar_bytes, brought_in = group.brought_in_bytes;

	if (!reads_files_only(row, text))
		tap_build_absent(figures, TAP_FIGURE_CACHE_READ, TAP_REASON_NO_FILES);
	else if (asked < brought_in && brought_in - asked > asked / READ_AHEAD_SHARE + READ_AHEAD_SPARE)
		tap_build_absent(figures, TAP_FIGURE_CACHE_READ, TAP_REASON_READ_AHEAD);
	else if (asked > brought_in)
		figures->value[TAP_FIGURE_CACHE_READ] = tap_io_signed(
			(uint64_t)((unsigned __int128)row->account.rchar_bytes * (asked - brought_in) / asked));
	else
		figures->value[TAP_FIGURE_CACHE_READ] = 0;
}

void tap_io_figures_fill(const struct tap_build *build, const struct tap_row *row, const char *text,
			 struct tap_figures *figures)
{
	static const struct tap_io_sum nothing;
	enum tap_reason reason = absence_of(build, &row->key);
	const struct tap_io_owner *owner = reason ? NULL : tap_io_owner_find(build->io, &row->key);
	const struct tap_io_sum *sum = owner ? owner->sum : &nothing;
	int64_t *value = figures->value;

	if (reason) {
		tap_io_figures_absent(figures, reason);
		return;
	}
	value[TAP_FIGURE_READ_REQUESTS] = tap_io_signed(sum->read.requests);
	value[TAP_FIGURE_READ_SEQ] = tap_io_signed(sum->read.pattern_bytes[TAP_PATTERN_SEQUENTIAL]);
	value[TAP_FIGURE_READ_NEAR] = tap_io_signed(sum->read.pattern_bytes[TAP_PATTERN_NEAR]);
	value[TAP_FIGURE_READ_RAND] = tap_io_signed(sum->read.pattern_bytes[TAP_PATTERN_RANDOM]);
	value[TAP_FIGURE_WRITE] = tap_io_signed(sum->charged_bytes);
	value[TAP_FIGURE_WRITE_REQUESTS] = tap_io_signed(sum->write.requests);
	value[TAP_FIGURE_SUBMITTED_WRITE] = tap_io_signed(sum->write.bytes);
	value[TAP_FIGURE_WRITE_SEQ] = tap_io_signed(sum->write.pattern_bytes[TAP_PATTERN_SEQUENTIAL]);
	value[TAP_FIGURE_WRITE_NEAR] = tap_io_signed(sum->write.pattern_bytes[TAP_PATTERN_NEAR]);
	value[TAP_FIGURE_WRITE_RAND] = tap_io_signed(sum->write.pattern_bytes[TAP_PATTERN_RANDOM]);
	value[TAP_FIGURE_TEMP] = owner ? tap_io_signed(owner->temp_bytes) : 0;
	cache_fill(figures, build->io, row, text);
}

static void relation_fill(const struct tap_io_model *model, const struct tap_io_cell *cell,
			  struct tap_view_relation *relation)
{
	const struct tap_io_object *object = tap_io_object_at(model, cell->key.object);

	relation->name = tap_io_object_name(model, object);
	relation->kind = tap_file_kind_name(object->kind);
	relation->parent = tap_io_object_parent(model, object);
	relation->read_bytes = cell->read_bytes;
	relation->read_requests = cell->read_requests;
	memcpy(relation->read_pattern_bytes, cell->read_pattern_bytes, sizeof(relation->read_pattern_bytes));
	relation->write_bytes = cell->charged_bytes;
	relation->dirtied_bytes = cell->dirtied_bytes;
}

static void relations_fill(struct tap_build *build, const struct tap_io_owner *owner, struct tap_view_query *query)
{
	size_t count = owner->n_cells < TAP_IO_RELATIONS_MAX ? owner->n_cells : TAP_IO_RELATIONS_MAX;

	query->relations = tap_arena_new(build->arena, count, sizeof(*query->relations));
	if (!query->relations)
		return;
	for (size_t i = 0; i < count; i++)
		relation_fill(build->io, tap_io_cell_at(build->io, owner->first_cell + i), &query->relations[i]);
	query->n_relations = count;
}

bool tap_io_query_fill(struct tap_build *build, const struct tap_row_key *row, struct tap_view_query *query,
		       enum tap_reason *ret_reason)
{
	enum tap_reason reason = absence_of(build, row);
	const struct tap_io_owner *owner = reason ? NULL : tap_io_owner_find(build->io, row);
	struct tap_io both;

	query->io_latency_ns = (struct tap_view_latency){ -1, -1, -1, -1 };
	*ret_reason = reason;
	if (reason || !owner)
		return !reason;
	both = owner->sum->read;
	tap_io_add(&both, &owner->sum->write);
	query->io_latency_ns = tap_io_latency(&both);
	relations_fill(build, owner, query);
	return true;
}
