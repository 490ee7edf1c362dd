/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * file.h - which database object a file is, told from the names of the file and the folders above it.
 *
 * Pure: takes what the kernel side kept of a file's path (struct tap_file) and where instances keep their data; the
 * catalog (correlate/engine/<name>/relations) then gives a name to what this found. What the names below a folder mean
 * is the engine's.
 */
#ifndef TAP_CORRELATE_FILE_H
#define TAP_CORRELATE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/abi/engine.h"
#include "bpf/abi/io.h"

#define TAP_FILE_KINDS(X) \
	X(UNKNOWN, "unknown")	/* nothing of a watched instance */ \
	X(RELATION, "relation") /* a table, index, sequence, ... until the catalog says which */ \
	X(TABLE, "table") \
	X(INDEX, "index") \
	X(TOAST, "toast") \
	X(SEQUENCE, "sequence") \
	X(MATVIEW, "matview") \
	X(CATALOG, "catalog")		  /* a table or index of the schema pg_catalog */ \
	X(TEMP_RELATION, "temp_relation") /* of a session: t<backend>_<filenode> */ \
	X(TEMP, "temp")			  /* a sort, hash or materialise spill: pgsql_tmp<pid>.<n> */ \
	X(WAL, "wal") \
	X(XACT, "xact")		    /* pg_xact, pg_multixact, pg_subtrans, pg_commit_ts */ \
	X(CONTROL, "control")	    /* pg_control, pg_filenode.map, relation cache files, ... */ \
	X(STATISTICS, "statistics") /* pg_stat, pg_stat_tmp */ \
	X(LOG, "log") \
	X(SERVER, "server")	/* any other file of the instance */ \
	X(METADATA, "metadata") /* the file system's own: inodes, maps, journal */ \
	X(SYSTEM, \
	  "system") /* InnoDB's system tablespace: in MariaDB its doublewrite buffer, and undo unless that is apart */ \
	X(UNDO, "undo") \
	X(DOUBLEWRITE, "doublewrite") \
	X(BINLOG, "binlog") /* what replication sends, or has got */

enum tap_file_kind {
#define X(id, name) TAP_FILE_##id,
	TAP_FILE_KINDS(X)
#undef X
	TAP_FILE_KIND_COUNT
};

/* "wal"; never NULL. */
const char *tap_file_kind_name(enum tap_file_kind kind);

/* PostgreSQL's forks, by the suffix of the file's name. */
enum tap_fork {
	TAP_FORK_MAIN,
	TAP_FORK_FSM,
	TAP_FORK_VM,
	TAP_FORK_INIT,
	TAP_FORK_COUNT
};

/* A folder that holds an instance's files. */
struct tap_file_root {
	uint32_t instance;	/* index, as in records */
	enum tap_engine engine; /* of the instance */
	uint32_t device;	/* st_dev as major << 20 | minor */
	uint64_t inode;		/* of the folder */
	uint32_t tablespace;	/* oid; 0: the data folder itself, or the WAL's */
	bool wal;		/* what pg_wal is a link to; its own name may be any */
};

/* The components of a path below a root, topmost first; the last one is the file. */
struct tap_file_place {
	const char *names[TAP_FILE_NAMES]; /* "" from `count` on */
	int count;
	const char *above; /* the folder above names[0]; "": not known */
};

/* What a path says. */
struct tap_file_object {
	uint32_t instance; /* TAP_INSTANCE_NONE: of no watched instance */
	enum tap_file_kind kind;
	uint32_t tablespace; /* oid; 1663 pg_default, 1664 pg_global; 0: no relation */
	uint32_t database;   /* oid; 0: shared relations, or none */
	uint32_t filenode;   /* 0: no relation */
	enum tap_fork fork;
	uint32_t segment; /* of 1 GiB */
	int32_t pid;	  /* whose temp file; 0: none. As the server counts pids */
	/* Without a catalog: "base/5/16384", "pg_wal", "pg_tblspc/16400/5/16385", "base/pgsql_tmp"; segments and forks
	 * are one name. */
	char path[128];
};

/*
 * Decodes the names of `file` (hostile: cut, not UTF-8, contradictory). The root is found by the inodes of the folders
 * above; where none fits (an overlay shows other inodes), `instance_hint` (or TAP_INSTANCE_NONE) is believed when the
 * names have the shape of a data folder. Always fills *ret.
 */
void tap_file_decode(const struct tap_file_key *key, const struct tap_file *file, const struct tap_file_root *roots,
		     size_t n_roots, uint32_t instance_hint, struct tap_file_object *ret);

/* For engines: appends to the path of an object, as far as there is room. */
void tap_file_path_add(struct tap_file_object *object, const char *text, size_t size);
void tap_file_path_add_string(struct tap_file_object *object, const char *text);
void tap_file_path_add_number(struct tap_file_object *object, uint32_t number);

#endif
