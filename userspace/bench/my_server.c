// SPDX-License-Identifier: BSD-2-Clause
/* my_server.c - how a MariaDB server of our own is made and asked; its table for engine.h. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "userspace/bench/engine.h"
#include "userspace/bench/my_load.h"
#include "userspace/bench/throwaway.h"

#define SERVER "mariadbd"
#define INSTALLER "mariadb-install-db"
#define SOCKET "s.sock"
#define DEFAULT_BUFFERS_MB 64
#define DEFAULT_CONNECTIONS 100
/* Where packages put them; servers are in nobody's $PATH but root's. */
#define FOLDERS "/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin"

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

/* The first folder of a list that has the program, malloc'd; NULL: none. */
static char *first_with(const char *list, const char *name)
{
	for (const char *at = list; at && *at;) {
		size_t size = strcspn(at, ":");
		char *folder = strndup(at, size);

		if (folder && *folder == '/' && is_program(folder, name))
			return folder;
		free(folder);
		at += size + (at[size] == ':');
	}
	return NULL;
}

static char *folder_of(const char *wanted, const char *name)
{
	char *found = first_with(wanted ? wanted : FOLDERS, name);

	return found || wanted ? found : first_with(getenv("PATH"), name);
}

static int find(const char *wanted, struct tap_bench_programs *ret, struct tap_error *err)
{
	struct tap_bench_programs programs = {
		.server_folder = folder_of(wanted, SERVER),
		.installer_folder = folder_of(wanted, INSTALLER),
	};

	if (!programs.server_folder || !programs.installer_folder) {
		tap_bench_programs_done(&programs);
		return tap_error_set(err, -ENOENT, "%s: no programs " SERVER " and " INSTALLER "; %s",
				     wanted ? wanted : "MariaDB",
				     wanted ? "name the folder that has both" : "install the package mariadb-server");
	}
	*ret = programs;
	return 0;
}

static void installer_arguments(const struct tap_bench_place *place, struct tap_arguments *arguments)
{
	tap_arguments_add(arguments, "--no-defaults");
	tap_arguments_add(arguments, "--datadir=%s/data", place->folder);
	tap_arguments_add(arguments, "--tmpdir=%s", place->folder);
	tap_arguments_add(arguments, "--skip-test-db");
	tap_arguments_add(arguments, "--auth-root-authentication-method=normal");
	tap_arguments_add(arguments, "--innodb-log-file-size=16M");
}

/* "10.11.19-MariaDB": 10. */
static uint32_t version(const struct tap_bench_place *place)
{
	static const char *const names[] = { "mariadb_upgrade_info", "mysql_upgrade_info" };
	int number = 0;
	char *path = NULL;
	FILE *file;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && !number; i++) {
		if (asprintf(&path, "%s/data/%s", place->folder, names[i]) < 0)
			return 0;
		file = fopen(path, "re");
		free(path);
		if (file && fscanf(file, "%4d", &number) != 1)
			number = 0;
		if (file)
			fclose(file);
	}
	return number > 0 ? (uint32_t)number : 0;
}

static void server_arguments(const struct tap_bench_place *place, const struct tap_throwaway_options *options,
			     struct tap_arguments *arguments)
{
	tap_arguments_add(arguments, "--no-defaults");
	tap_arguments_add(arguments, "--datadir=%s/data", place->folder);
	tap_arguments_add(arguments, "--socket=%s/" SOCKET, place->folder);
	tap_arguments_add(arguments, "--pid-file=%s/data/server.pid", place->folder);
	tap_arguments_add(arguments, "--tmpdir=%s", place->folder);
	tap_arguments_add(arguments, "--skip-networking");
	tap_arguments_add(arguments, "--innodb-buffer-pool-size=%uM",
			  options->shared_buffers_mb ? options->shared_buffers_mb : DEFAULT_BUFFERS_MB);
	tap_arguments_add(arguments, "--innodb-log-file-size=16M");
	tap_arguments_add(arguments, "--innodb-flush-log-at-trx-commit=%d", options->fsync);
	tap_arguments_add(arguments, "--max-connections=%u",
			  options->max_connections ? options->max_connections : DEFAULT_CONNECTIONS);
	if (options->preload)
		tap_arguments_add(arguments, "--plugin-load-add=%s", options->preload);
	for (size_t i = 0; options->settings && options->settings[i] && i < TAP_THROWAWAY_MAX_SETTINGS; i++)
		tap_arguments_add(arguments, "--%s", options->settings[i]);
}

static int where(const struct tap_bench_place *place, char **ret, struct tap_error *err)
{
	char *path = NULL;

	if (strlen(place->folder) + sizeof("/" SOCKET) > sizeof(((struct sockaddr_un *)NULL)->sun_path))
		return tap_error_set(err, -ENAMETOOLONG, "%s: too long for a socket's path; use a shorter folder",
				     place->folder);
	if (asprintf(&path, "%s/" SOCKET, place->folder) < 0)
		return -ENOMEM;
	*ret = path;
	return 0;
}

/* It listens on no port. */
static void instance(const struct tap_bench_place *place, char *text, size_t size)
{
	snprintf(text, size, "mariadb-pid-%d", (int)place->pid);
}

static const char *const users[] = { "mysql", "nobody", NULL };

const struct tap_bench_engine tap_bench_mariadb = {
	.name = "mariadb",
	.product = "MariaDB",
	.absent = TAP_MY_LOAD_ABSENT,
	.server = SERVER,
	.installer = INSTALLER,
	.users = users,
	.lock = "data/server.pid",
	.stop_signal = SIGTERM,
	.quick_signal = SIGTERM,
	.find = find,
	.installer_arguments = installer_arguments,
	.version = version,
	.server_arguments = server_arguments,
	.where = where,
	.answers = tap_my_load_answers,
	.instance = instance,
	.build = tap_my_load_build,
	.protocols = 1 << TAP_PROTOCOL_SIMPLE | 1 << TAP_PROTOCOL_PREPARED,
	.role_of = tap_my_load_role_of,
	.connect = tap_my_load_connect,
	.is_lost = tap_my_load_is_lost,
	.recover = tap_my_load_recover,
	.disconnect = tap_my_load_disconnect,
};
