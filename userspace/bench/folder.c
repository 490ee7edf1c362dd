// SPDX-License-Identifier: BSD-2-Clause
/* folder.c - makes and removes the throwaway server's folder; see folder.h. */
#include "userspace/bench/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_DEPTH 64

int tap_folder_make(const char *parent, uid_t uid, gid_t gid, char **ret_path)
{
	char *path = NULL;
	int err;

	if (!parent)
		parent = getenv("TMPDIR");
	if (!parent || !*parent)
		parent = "/tmp";
	if (asprintf(&path, "%s/dbtap-XXXXXX", parent) < 0)
		return -ENOMEM;
	if (!mkdtemp(path)) {
		err = -errno;
		free(path);
		return err;
	}
	if (lchown(path, uid, gid)) {
		err = -errno;
		rmdir(path);
		free(path);
		return err;
	}
	*ret_path = path;
	return 0;
}

static int remove_in(int parent_fd, const char *name, unsigned depth);

static int remove_entries(DIR *folder, unsigned depth)
{
	struct dirent *entry;
	int err = 0, one;

	while ((entry = readdir(folder))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		one = remove_in(dirfd(folder), entry->d_name, depth + 1);
		err = err ? err : one;
	}
	return err;
}

static int remove_subfolder(int parent_fd, const char *name, unsigned depth)
{
	int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), err;
	DIR *folder;

	if (fd < 0)
		return -errno;
	folder = fdopendir(fd);
	if (!folder) {
		err = -errno;
		close(fd);
		return err;
	}
	err = depth >= MAX_DEPTH ? -ELOOP : remove_entries(folder, depth);
	closedir(folder);
	if (unlinkat(parent_fd, name, AT_REMOVEDIR) && errno != ENOENT && !err)
		err = -errno;
	return err;
}

static int remove_in(int parent_fd, const char *name, unsigned depth)
{
	if (!unlinkat(parent_fd, name, 0) || errno == ENOENT)
		return 0;
	/* What unlink says of a directory: EISDIR on Linux, EPERM by POSIX. */
	return errno == EISDIR || errno == EPERM ? remove_subfolder(parent_fd, name, depth) : -errno;
}

int tap_folder_remove(const char *path)
{
	return remove_in(AT_FDCWD, path, 0);
}
