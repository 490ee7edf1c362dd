/* SPDX-License-Identifier: BSD-2-Clause */
/* two_io.h - two_snapshots.h with block I/O: files below one data folder, requests, dirtied pages, a catalog. */
#ifndef TAP_TESTS_UNIT_CORRELATE_MODEL_TWO_IO_H
#define TAP_TESTS_UNIT_CORRELATE_MODEL_TWO_IO_H

#include <stdio.h>

#include "tests/unit/correlate/model/two_snapshots.h"

enum {
	TWO_DISK = 8 << 20,
	TWO_DATA = 3, /* inode of the data folder of instance 0 */
};

static struct tap_objects two_objects;

static inline void two_io_init(void)
{
	two_init();
	tap_objects_init(&two_objects);
	two.roots[0] = (struct tap_file_root){ .instance = 0, .device = TWO_DISK, .inode = TWO_DATA };
	two.input.roots = two.roots;
	two.input.n_roots = 1;
	two.instances[0].objects = &two_objects;
}

static inline void two_io_done(void)
{
	two_done();
	tap_objects_done(&two_objects);
}

/* A file "folder/parent/name" (folder NULL: "parent/name") in the data folder of instance 0, 100 MiB when first seen.
 */
static inline struct tap_file_key two_file(uint64_t inode, const char *name, const char *parent, const char *folder)
{
	struct tap_file_key key = { .inode = inode, .device = TWO_DISK };
	struct tap_file file = { .folders = { 1, folder ? 2 : TWO_DATA, TWO_DATA }, .size_bytes = 100 << 20 };
	bool foreign = folder && !strcmp(folder, "srv");

	snprintf(file.names[0], TAP_FILE_NAME_MAX, "%s", name);
	snprintf(file.names[1], TAP_FILE_NAME_MAX, "%s", parent);
	snprintf(file.names[2], TAP_FILE_NAME_MAX, "%s", folder ? folder : "main");
	if (foreign)
		file.folders[2] = 0;
	ck_assert_int_eq(tap_io_set_add_file(&two.end.io, &key, &file), 0);
	return key;
}

static inline void two_request(struct tap_snapshot *snapshot, struct tap_row_key row, struct tap_file_key file,
			       uint8_t op, uint64_t requests, uint64_t bytes, int pattern)
{
	struct tap_io_key key = { .row = row, .file = file, .disk = TWO_DISK, .op = op };
	struct tap_io io = { .requests = requests, .bytes = bytes, .asked_bytes = bytes, .max_ns = 1000000 };

	io.pattern_bytes[pattern] = bytes;
	io.latency[tap_latency_bucket(1000000)] = (uint32_t)requests;
	io.device_latency[tap_latency_bucket(500000)] = (uint32_t)requests;
	ck_assert_int_eq(tap_io_set_add_request(&snapshot->io, &key, &io), 0);
}

static inline void two_dirty(struct tap_snapshot *snapshot, struct tap_row_key row, struct tap_file_key file,
			     uint64_t bytes)
{
	struct tap_dirty_key key = { .row = row, .file = file };

	ck_assert_int_eq(tap_io_set_add_dirty(&snapshot->io, &key, bytes), 0);
}

/* What the catalog of database APP says of a filenode. */
static inline void two_object(uint32_t filenode, uint32_t oid, enum tap_file_kind kind, const char *name,
			      const char *parent)
{
	struct tap_object_key key = { .database = APP, .tablespace = 1663, .filenode = filenode };
	struct tap_object_info info = { .oid = oid,
					.kind = kind,
					.schema = "public",
					.name = name,
					.parent_schema = parent ? "public" : NULL,
					.parent_name = parent };

	ck_assert_int_eq(tap_objects_add(&two_objects, &key, &info), 0);
}

#endif
