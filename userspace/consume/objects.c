// SPDX-License-Identifier: BSD-2-Clause
/* objects.c - folders to disks, files to wants, wants to questions. */
#include "userspace/consume/objects.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/base/clock.h"
#include "userspace/base/hash.h"
#include "userspace/consume/instances.h"

enum {
	NO_SHARED = 0, /* the database of relations that all databases share */
};

void tap_instance_files_init(struct tap_instance_files *files)
{
	*files = (struct tap_instance_files){ 0 };
	tap_objects_init(&files->objects);
}

void tap_instance_files_done(struct tap_instance_files *files)
{
	if (!files)
		return;
	tap_places_done(&files->places);
	tap_objects_done(&files->objects);
	tap_instance_files_init(files);
}

/* ---- folders ---- */

static const char *describe(const struct tap_file_root *root, char text[64])
{
	if (root->tablespace)
		snprintf(text, 64, "tablespace %" PRIu32, root->tablespace);
	else
		snprintf(text, 64, root->wal ? "WAL folder" : "data folder");
	return text;
}

/* The first one that is not traced, and how many more. */
static void say_io_why_not(struct tap_instance_files *files)
{
	const struct tap_place *first = NULL;
	size_t count = 0;
	char more[48] = "";
	char text[64];

	for (size_t i = 0; i < files->places.count; i++) {
		const struct tap_place *place = &files->places.items[i];

		count += *place->disks.why_not != '\0';
		if (!first && *place->disks.why_not)
			first = place;
	}
	files->io_why_not.text[0] = '\0';
	if (count > 1)
		snprintf(more, sizeof(more), " (and %zu folders more)", count - 1);
	if (first)
		tap_error_set(&files->io_why_not, 0, "%s on %s%s", describe(&first->root, text), first->disks.why_not,
			      more);
	else if (files->places.cut)
		tap_error_set(&files->io_why_not, 0, "more than %d tablespaces: the others are not traced",
			      TAP_PLACES_MAX);
}

int tap_instance_files_find(struct tap_instance_files *files, const struct tap_host_roots *roots, uint32_t instance,
			    const struct tap_target *target)
{
	struct tap_places places;
	int status = tap_places_find(roots, instance, target, &places);

	if (status == -ENOMEM)
		return status;
	if (status) {
		tap_error_set(&files->io_why_not, 0, "its data folder cannot be looked at: %s", strerror(-status));
		return 0;
	}
	tap_places_done(&files->places);
	files->places = places;
	say_io_why_not(files);
	return 0;
}

bool tap_instance_files_changed(const struct tap_instance_files *files, const struct tap_target *target)
{
	return tap_places_changed(&files->places, target);
}

static bool is_listed(const struct tap_disk_list *list, uint32_t disk)
{
	for (size_t i = 0; i < list->count; i++) {
		if (list->items[i] == disk)
			return true;
	}
	return false;
}

static void list_add(struct tap_disk_list *list, uint32_t disk)
{
	if (!is_listed(list, disk) && list->count < TAP_DISKS_MAX)
		list->items[list->count++] = disk;
}

static int watch_disks(struct tap_instance_files *files, const struct tap_place *place, struct tap_tracer *tracer,
		       struct tap_disk_list *list, struct tap_error *err)
{
	int status = 0;

	for (size_t i = 0; i < place->disks.count && !status; i++) {
		uint32_t disk = place->disks.items[i];

		if (!is_listed(list, disk)) {
			if (list->count == TAP_DISKS_MAX)
				return tap_error_set(err, -E2BIG, "more than %d disks on this host", TAP_DISKS_MAX);
			status = tap_tracer_watch_disk(tracer, disk, err);
			if (status)
				break;
		}
		list_add(list, disk);
		list_add(&files->disks, disk);
		tap_tracer_disk_holds(tracer, disk, place->root.instance);
	}
	return status;
}

void tap_instance_files_watch(struct tap_instance_files *files, struct tap_tracer *tracer, struct tap_disk_list *list)
{
	struct tap_error err = { "" };

	if (!tap_tracer_has_io(tracer) || !files->places.count)
		return;
	for (size_t i = 0; i < files->places.count; i++) {
		struct tap_place *place = &files->places.items[i];

		place->watched = !watch_disks(files, place, tracer, list, &err) &&
				 !tap_tracer_watch_device(tracer, place->root.device, &err);
		if (!place->watched)
			tap_disks_say_why(&place->disks, "a disk that is not traced: %.120s", err.text);
	}
	say_io_why_not(files);
}

enum tap_reason tap_instance_files_absence(const struct tap_instance_files *files)
{
	const struct tap_place *data = files->places.items;

	if (!files->places.count || !data->disks.count)
		return TAP_REASON_NO_DISK;
	return data->watched ? TAP_REASON_NONE : TAP_REASON_IO_OFF;
}

/* ---- what is missing ---- */

/* Which instance a file's requests came from: a hint where its path does not tell. */
struct hints {
	struct tap_hash index; /* of the set's files */
	uint32_t *instances;
};

static int hints_init(struct hints *hints, const struct tap_io_set *io)
{
	int status = 0;

	tap_hash_init(&hints->index, sizeof(struct tap_file_key));
	hints->instances = malloc((io->n_files + 1) * sizeof(*hints->instances));
	if (!hints->instances)
		return -ENOMEM;
	for (size_t i = 0; i < io->n_files && !status; i++) {
		hints->instances[i] = TAP_INSTANCE_NONE;
		if (tap_hash_find(&hints->index, io->files, sizeof(*io->files), &io->files[i].key) == TAP_HASH_NONE)
			status = tap_hash_add(&hints->index, io->files, sizeof(*io->files), i);
	}
	return status;
}

static void hints_done(struct hints *hints)
{
	tap_hash_done(&hints->index);
	free(hints->instances);
}

static void hint(struct hints *hints, const struct tap_io_set *io, const struct tap_file_key *file, uint32_t instance)
{
	size_t place = tap_hash_find(&hints->index, io->files, sizeof(*io->files), file);

	if (place != TAP_HASH_NONE && instance != TAP_INSTANCE_NONE)
		hints->instances[place] = instance;
}

static void want(const struct tap_file_object *object, tap_files_of files_of, void *context, int64_t now_ms)
{
	const struct tap_object_key key = { .database = object->database,
					    .tablespace = object->tablespace,
					    .filenode = object->filenode };
	struct tap_instance_files *files;

	if (object->instance == TAP_INSTANCE_NONE || !object->filenode)
		return;
	files = files_of(context, object->instance);
	if (files)
		tap_objects_want(&files->objects, &key, now_ms);
}

int tap_files_want(const struct tap_io_set *io, const struct tap_file_root *roots, size_t n_roots,
		   tap_files_of files_of, void *context)
{
	int64_t now_ms = tap_clock_ms();
	struct hints hints;
	int status = hints_init(&hints, io);

	for (size_t i = 0; i < io->n_requests && !status; i++)
		hint(&hints, io, &io->requests[i].key.file, io->requests[i].key.row.instance);
	for (size_t i = 0; i < io->n_dirty && !status; i++)
		hint(&hints, io, &io->dirty[i].key.file, io->dirty[i].key.row.instance);
	for (size_t i = 0; i < io->n_files && !status; i++) {
		struct tap_file_object object;

		tap_file_decode(&io->files[i].key, &io->files[i].file, roots, n_roots, hints.instances[i], &object);
		want(&object, files_of, context, now_ms);
	}
	hints_done(&hints);
	return status;
}

/* ---- the catalogs ---- */

int tap_catalog_open(const struct tap_catalog *catalog, uint32_t oid, struct tap_engine_conn **ret,
		     struct tap_error *err)
{
	struct tap_engine_where where;

	tap_target_where(catalog->target, catalog->conninfo, &where);
	return tap_client_of(catalog->target->engine)->catalog_open(catalog->conn, &where, oid, ret, err);
}

static int ask(struct tap_objects *objects, const struct tap_catalog *catalog, uint32_t database,
	       const struct tap_object_key *wanted, size_t count, struct tap_error *err)
{
	const struct tap_client *client = tap_client_of(catalog->target->engine);
	struct tap_engine_conn *own = NULL;
	int status;

	if (!catalog->conn)
		return tap_error_set(err, -ENOTCONN, "%s",
				     catalog->why_not && *catalog->why_not ? catalog->why_not : "not connected");
	if (database == NO_SHARED)
		return client->relations(catalog->conn, database, wanted, count, objects, err);
	status = tap_catalog_open(catalog, database, &own, err);
	if (!status)
		status = client->relations(own, database, wanted, count, objects, err);
	client->close(own);
	return status;
}

void tap_instance_files_learn(struct tap_instance_files *files, const struct tap_catalog *catalog,
			      const struct tap_asking *asking)
{
	struct tap_object_key *wanted = malloc(TAP_OBJECTS_ASKED_MAX * sizeof(*wanted));
	int64_t until_ms = tap_clock_ms() + asking->budget_ms;
	int64_t now_ms = tap_clock_ms() + asking->ahead_ms;
	uint32_t database;

	while (wanted && tap_client_of(catalog->target->engine)->relations && tap_clock_ms() < until_ms &&
	       tap_objects_next(&files->objects, now_ms, &database)) {
		size_t count = tap_objects_take(&files->objects, database, now_ms, wanted);

		ask(&files->objects, catalog, database, wanted, count, &files->names_why_not);
		tap_objects_asked_for(&files->objects, wanted, count, now_ms);
	}
	if (!tap_objects_next(&files->objects, INT64_MAX, &database))
		files->names_why_not.text[0] = '\0';
	free(wanted);
}
