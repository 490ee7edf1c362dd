/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * objects.h - the files of a followed instance: where they are, whether their disks can be traced, and what its
 * catalogs call them.
 *
 * Catalogs are asked for what is missing alone, database by database, over a connection that is closed right after.
 */
#ifndef TAP_USERSPACE_CONSUME_OBJECTS_H
#define TAP_USERSPACE_CONSUME_OBJECTS_H

#include "correlate/engine/client.h"
#include "correlate/figure.h"
#include "correlate/io.h"
#include "correlate/objects.h"
#include "userspace/attach/target.h"
#include "userspace/base/error.h"
#include "userspace/consume/places.h"
#include "userspace/load/tracer.h"

/* Disks that are traced, each once. */
struct tap_disk_list {
	uint32_t items[TAP_DISKS_MAX];
	size_t count;
};

struct tap_instance_files {
	struct tap_places places;
	struct tap_disk_list disks; /* below them */
	struct tap_objects objects;
	struct tap_error io_why_not;	/* which of its folders' I/O is not traced, and why; "": all is */
	struct tap_error names_why_not; /* why files of relations have no name; "" */
};

void tap_instance_files_init(struct tap_instance_files *files);
/* NULL is fine. */
void tap_instance_files_done(struct tap_instance_files *files);

/* Finds its folders anew. What cannot be had is in io_why_not. -ENOMEM. */
int tap_instance_files_find(struct tap_instance_files *files, const struct tap_host_roots *roots, uint32_t instance,
			    const struct tap_target *target);
/* Whether it is worth finding them anew. */
bool tap_instance_files_changed(const struct tap_instance_files *files, const struct tap_target *target);

/*
 * Tells the tracer of its disks and file systems, and puts the disks on the list of all instances'. What it does not
 * take is in io_why_not: the rest goes on without it.
 */
void tap_instance_files_watch(struct tap_instance_files *files, struct tap_tracer *tracer, struct tap_disk_list *list);

/* NO_DISK or IO_OFF where not even the data folder's requests can be traced, else NONE. */
enum tap_reason tap_instance_files_absence(const struct tap_instance_files *files);

/* A way into one instance's databases. */
struct tap_catalog {
	const struct tap_target *target;
	const char *conninfo;	      /* NULL: automatic */
	struct tap_engine_conn *conn; /* to whichever of its databases; NULL: none, `why_not` says why */
	const char *why_not;
};

/* A connection to one of its databases, for the caller to close. Never to a template. Negative errno and `err`. */
int tap_catalog_open(const struct tap_catalog *catalog, uint32_t oid, struct tap_engine_conn **ret,
		     struct tap_error *err);

struct tap_asking {
	int64_t budget_ms; /* no further database once these have passed */
	int64_t ahead_ms;  /* what becomes due within these is due */
};

/* Asks the catalogs for the relations that are missing and due. */
void tap_instance_files_learn(struct tap_instance_files *files, const struct tap_catalog *catalog,
			      const struct tap_asking *asking);

/*
 * Writes down what is missing: `files_of(context, index)` has an instance's files, NULL: none. `roots` are those of all
 * instances. -ENOMEM.
 */
typedef struct tap_instance_files *(*tap_files_of)(void *context, uint32_t instance);
int tap_files_want(const struct tap_io_set *io, const struct tap_file_root *roots, size_t n_roots,
		   tap_files_of files_of, void *context);

#endif
