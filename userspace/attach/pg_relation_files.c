// SPDX-License-Identifier: BSD-2-Clause
/* pg_relation_files.c - walks base/DATABASE/FILENODE of a data folder. See pg_relation_files.h. */
#include "userspace/attach/pg_relation_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "userspace/base/number.h"

enum {
	TABLESPACE_DEFAULT = 1663, /* pg_default */
	FOLDER = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW,
};

/* A name that is a number and nothing else: a database's folder, or the first segment of a relation's main fork. */
static uint32_t number_of(const char *name)
{
	int64_t number;

	return tap_number_parse_int(name, 1, UINT32_MAX, &number) ? 0 : (uint32_t)number;
}

/* Takes the descriptor over. NULL: it is none, or no folder. */
static DIR *folder_open(int fd)
{
	DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;

	if (!folder && fd >= 0)
		close(fd);
	return folder;
}

static void want_of_database(DIR *folder, uint32_t database, struct tap_objects *objects, int64_t now_ms,
			     unsigned *looks)
{
	const struct dirent *entry;
	struct stat info;

	while (*looks && (entry = readdir(folder))) {
		const struct tap_object_key key = { .database = database,
						    .tablespace = TABLESPACE_DEFAULT,
						    .filenode = number_of(entry->d_name) };

		if (!key.filenode)
			continue;
		--*looks;
		if (!fstatat(dirfd(folder), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) && S_ISREG(info.st_mode) &&
		    info.st_size >= TAP_PG_RELATION_FILE_LARGE)
			tap_objects_want(objects, &key, now_ms);
	}
}

void tap_pg_relation_files_want(const char *data_dir, struct tap_objects *objects, int64_t now_ms)
{
	unsigned looks = TAP_PG_RELATION_FILES_LOOKS;
	int data = open(data_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *base = folder_open(data >= 0 ? openat(data, "base", FOLDER) : -1);
	const struct dirent *entry;

	while (base && looks && (entry = readdir(base))) {
		uint32_t database = number_of(entry->d_name);
		DIR *folder = database ? folder_open(openat(dirfd(base), entry->d_name, FOLDER)) : NULL;

		if (!folder)
			continue;
		want_of_database(folder, database, objects, now_ms, &looks);
		closedir(folder);
	}
	if (base)
		closedir(base);
	if (data >= 0)
		close(data);
}
