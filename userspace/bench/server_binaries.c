// SPDX-License-Identifier: BSD-2-Clause
/* server_binaries.c - searches for initdb and postgres; see server_binaries.h. */
#include "userspace/bench/server_binaries.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEBIAN_PACKAGES "/usr/lib/postgresql"

static bool is_program(const char *folder, const char *name)
{
	struct stat info;
	char *path = NULL;
	bool found;

	if (asprintf(&path, "%s/%s", folder, name) < 0)
		return false;
	found = !stat(path, &info) && S_ISREG(info.st_mode) && !access(path, X_OK);
	free(path);
	return found;
}

static bool is_server(const char *folder)
{
	return is_program(folder, "initdb") && is_program(folder, "postgres");
}

/* A package's folder is a plain number, from 9.6 on without a dot; 0: not one. */
static unsigned long version_of(const char *name)
{
	char *end;
	unsigned long version = strtoul(name, &end, 10);

	return *name >= '1' && *name <= '9' && !*end && version < 1000 ? version : 0;
}

static char *newest_package(const char *packages)
{
	DIR *folder = opendir(packages);
	unsigned long newest = 0, version;
	struct dirent *entry;
	char *best = NULL, *path;

	if (!folder)
		return NULL;
	while ((entry = readdir(folder))) {
		version = version_of(entry->d_name);
		if (version <= newest || asprintf(&path, "%s/%lu/bin", packages, version) < 0)
			continue;
		if (!is_server(path)) {
			free(path);
			continue;
		}
		free(best);
		best = path;
		newest = version;
	}
	closedir(folder);
	return best;
}

static char *first_in_path(const char *search_path)
{
	for (const char *at = search_path; at && *at;) {
		size_t size = strcspn(at, ":");
		char *folder = strndup(at, size);

		if (folder && *folder == '/' && is_server(folder))
			return folder;
		free(folder);
		at += size + (at[size] == ':');
	}
	return NULL;
}

static char *search(const char *packages, const char *search_path)
{
	char *found = newest_package(packages ? packages : DEBIAN_PACKAGES);

	return found ? found : first_in_path(search_path ? search_path : getenv("PATH"));
}

int tap_server_binaries_find(const char *wanted, const char *packages, const char *search_path, char **ret_folder,
			     struct tap_error *err)
{
	char *found;

	if (wanted && !is_server(wanted))
		return tap_error_set(err, -ENOENT,
				     "%s: no programs initdb and postgres there; name the server's bin folder", wanted);
	found = wanted ? strdup(wanted) : search(packages, search_path);
	if (!found)
		return tap_error_set(err, wanted ? -ENOMEM : -ENOENT,
				     "no PostgreSQL server programs on this host; install the package postgresql");
	*ret_folder = found;
	return 0;
}
