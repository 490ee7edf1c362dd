// SPDX-License-Identifier: BSD-2-Clause
/* io_files.c - from the files of a window to the objects they belong to, and the tables of the I/O model. */
#include "correlate/model/io.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void tap_io_table_init(struct tap_io_table *table, size_t item_size, size_t key_size)
{
	*table = (struct tap_io_table){ .item_size = item_size };
	tap_hash_init(&table->index, key_size);
}

void tap_io_table_done(struct tap_io_table *table)
{
	free(table->items);
	tap_hash_done(&table->index);
	table->items = NULL;
	table->count = table->capacity = 0;
}

uint32_t tap_io_table_find(const struct tap_io_table *table, const void *key)
{
	size_t place = tap_hash_find(&table->index, table->items, table->item_size, key);

	return place == TAP_HASH_NONE ? TAP_IO_NONE : (uint32_t)place;
}

uint32_t tap_io_table_get(struct tap_io_table *table, const void *key)
{
	uint32_t place = tap_io_table_find(table, key);
	char *item;

	if (place != TAP_IO_NONE)
		return place;
	if (table->count == table->capacity) {
		size_t capacity = table->capacity ? table->capacity * 2 : 64;
		void *items = reallocarray(table->items, capacity, table->item_size);

		if (!items)
			return TAP_IO_NONE;
		table->items = items;
		table->capacity = capacity;
	}
	item = (char *)table->items + table->count * table->item_size;
	memset(item, 0, table->item_size);
	memcpy(item, key, table->index.key_size);
	if (tap_hash_add(&table->index, table->items, table->item_size, table->count))
		return TAP_IO_NONE;
	return (uint32_t)table->count++;
}

static struct tap_io_file *file_at(const struct tap_io_model *model, size_t place)
{
	return &((struct tap_io_file *)model->files.items)[place];
}

/* The file of a key, new when it is not known; NULL: out of memory. */
static struct tap_io_file *file_get(struct tap_io_model *model, const struct tap_file_key *key)
{
	size_t before = model->files.count;
	uint32_t place = tap_io_table_get(&model->files, key);

	if (place == TAP_IO_NONE)
		return NULL;
	if (model->files.count > before) {
		file_at(model, place)->entry = TAP_IO_NONE;
		file_at(model, place)->hint = TAP_INSTANCE_NONE;
		file_at(model, place)->object = TAP_IO_NONE;
	}
	return file_at(model, place);
}

/* An instance whose process used the file: believed where its folders' inodes tell nothing. */
static int hint_add(struct tap_io_model *model, const struct tap_file_key *key, const struct tap_row_key *row)
{
	struct tap_io_file *file = file_get(model, key);

	if (!file)
		return -ENOMEM;
	if (tap_build_instance(model->build, row->instance))
		file->hint = row->instance;
	return 0;
}

int tap_io_files_fill(struct tap_io_model *model)
{
	const struct tap_io_set *end = &model->build->input->end->io;
	int status = 0;

	for (size_t i = 0; i < end->n_files && !status; i++) {
		struct tap_io_file *file = file_get(model, &end->files[i].key);

		if (file)
			file->entry = (uint32_t)i;
		status = file ? 0 : -ENOMEM;
	}
	for (size_t i = 0; i < end->n_requests && !status; i++)
		status = hint_add(model, &end->requests[i].key.file, &end->requests[i].key.row);
	for (size_t i = 0; i < end->n_dirty && !status; i++)
		status = hint_add(model, &end->dirty[i].key.file, &end->dirty[i].key.row);
	return status;
}

/* A file whose place the kernel side could not keep still has its own number. */
static void decode(const struct tap_io_model *model, const struct tap_io_file *file, struct tap_file_object *ret)
{
	const struct tap_window_input *input = model->build->input;
	static const struct tap_file nameless;

	if (file->entry != TAP_IO_NONE || !file->key.inode) {
		tap_file_decode(&file->key,
				file->entry == TAP_IO_NONE ? &nameless : &input->end->io.files[file->entry].file,
				input->roots, input->n_roots, file->hint, ret);
		return;
	}
	*ret = (struct tap_file_object){ .instance = TAP_INSTANCE_NONE, .kind = TAP_FILE_UNKNOWN };
	snprintf(ret->path, sizeof(ret->path), "inode %" PRIu64, (uint64_t)file->key.inode);
}

static const struct tap_object *known_find(const struct tap_io_model *model, const struct tap_file_object *path)
{
	const struct tap_window_instance *instance = tap_build_instance(model->build, path->instance);
	struct tap_object_key key = { .database = path->database,
				      .tablespace = path->tablespace,
				      .filenode = path->filenode };

	return instance && instance->objects && path->filenode ? tap_objects_find(instance->objects, &key) : NULL;
}

static bool object_is_wanted(const struct tap_build *build, const struct tap_io_object_key *key)
{
	const struct tap_window_options *options = &build->input->options;
	const struct tap_window_instance *instance = tap_build_instance(build, key->instance);
	const char *name;

	if (instance ? !tap_window_wants(options, instance) : options->instance != NULL)
		return false;
	if (!options->database)
		return true;
	name = instance && instance->names ? tap_names_find(instance->names, TAP_NAME_DATABASE, key->database) : NULL;
	return name && !strcmp(name, options->database);
}

static uint32_t object_get(struct tap_io_model *model, const struct tap_file_object *path)
{
	const struct tap_object *known = known_find(model, path);
	struct tap_io_object_key key;
	struct tap_io_object *object;
	size_t before = model->objects.count;
	uint32_t place;

	memset(&key, 0, sizeof(key));
	key.instance = path->instance;
	key.database = path->database;
	if (known && known->oid)
		key.oid = known->oid;
	else
		memcpy(key.path, path->path, sizeof(key.path));
	place = tap_io_table_get(&model->objects, &key);
	if (place == TAP_IO_NONE || model->objects.count == before)
		return place;
	object = tap_io_object_at(model, place);
	object->known = known;
	object->kind = known && path->kind == TAP_FILE_RELATION ? known->kind : path->kind;
	object->wanted = object_is_wanted(model->build, &key);
	return place;
}

uint32_t tap_io_file_object(struct tap_io_model *model, const struct tap_file_key *key)
{
	struct tap_io_file *file = file_get(model, key);
	struct tap_file_object path;

	if (!file)
		return TAP_IO_NONE;
	if (file->object == TAP_IO_NONE) {
		decode(model, file, &path);
		file->object = object_get(model, &path);
	}
	return file->object;
}

int tap_io_sizes(struct tap_io_model *model)
{
	const struct tap_file_entry *entries = model->build->input->end->io.files;

	for (size_t i = 0; i < model->files.count; i++) {
		struct tap_io_file *file = file_at(model, i);
		struct tap_file_object path;

		if (file->entry == TAP_IO_NONE)
			continue;
		decode(model, file, &path);
		if (!path.filenode || path.fork != TAP_FORK_MAIN)
			continue;
		if (file->object == TAP_IO_NONE)
			file->object = object_get(model, &path);
		if (file->object == TAP_IO_NONE)
			return -ENOMEM;
		tap_io_sum_u64(&tap_io_object_at(model, file->object)->size_bytes,
			       entries[file->entry].file.size_bytes);
	}
	return 0;
}

const char *tap_io_object_name(const struct tap_io_model *model, const struct tap_io_object *object)
{
	return tap_arena_string(model->build->arena, object->known ? object->known->name : object->key.path);
}

const char *tap_io_object_parent(const struct tap_io_model *model, const struct tap_io_object *object)
{
	return tap_arena_string(model->build->arena, object->known ? object->known->parent : NULL);
}

const char *tap_io_object_instance(const struct tap_io_model *model, const struct tap_io_object *object)
{
	const struct tap_window_instance *instance = tap_build_instance(model->build, object->key.instance);

	return instance ? instance->id : NULL;
}
