// SPDX-License-Identifier: BSD-2-Clause
/*
 * pg_postmaster.c - recognises a postmaster by its own variables and reads its settings.
 *
 * Called by target for each process that runs a server's executable. Names of users and processes play no part: what
 * counts is that the process says of itself that it is a postmaster, with its own pid, and when it started its server.
 */
#include "userspace/attach/pg_postmaster.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "userspace/attach/memory.h"
#include "userspace/attach/pg_status.h"
#include "userspace/attach/server.h"

enum {
	SETTING_MAX = TAP_SERVER_TEXT_MAX,
	COMPUTE_QUERY_ID_ON = 1, /* enum ComputeQueryIdType: off, on, auto, regress */
};

/* The settings as the memory holds them. */
struct variables {
	int32_t my_proc_pid;
	int32_t postmaster_pid;
	uint8_t is_postmaster_environment;
	uint8_t is_under_postmaster;
	int64_t pg_start_time;
	uint64_t data_dir;
	int32_t port;
	int32_t activity_size;
	uint8_t query_id_enabled;
	int32_t max_backends;
	int32_t compute_query_id;
	uint64_t socket_directories;
	uint64_t listen_addresses;
	uint64_t cluster_name;
};

static uint64_t address_of(const struct tap_pg_binary *binary, uint64_t bias, enum tap_pg_symbol symbol)
{
	return binary->found[symbol] ? bias + binary->value[symbol] : 0;
}

/* Missing variables stay 0. */
static int variables_read(int32_t pid, const struct tap_pg_binary *binary, uint64_t bias, struct variables *ret)
{
	struct variables v = { 0 };
#define READ(symbol, field) \
	{ \
		address_of(binary, bias, TAP_PG_SYMBOL_##symbol), &v.field, \
			binary->found[TAP_PG_SYMBOL_##symbol] ? sizeof(v.field) : 0, false \
	}
	struct tap_memory_read reads[] = {
		READ(MY_PROC_PID, my_proc_pid),
		READ(POSTMASTER_PID, postmaster_pid),
		READ(IS_POSTMASTER_ENVIRONMENT, is_postmaster_environment),
		READ(IS_UNDER_POSTMASTER, is_under_postmaster),
		READ(PG_START_TIME, pg_start_time),
		READ(DATA_DIR, data_dir),
		READ(PORT, port),
		READ(ACTIVITY_SIZE, activity_size),
		READ(QUERY_ID_ENABLED, query_id_enabled),
		READ(MAX_BACKENDS, max_backends),
		READ(COMPUTE_QUERY_ID, compute_query_id),
		READ(SOCKET_DIRECTORIES, socket_directories),
		READ(LISTEN_ADDRESSES, listen_addresses),
		READ(CLUSTER_NAME, cluster_name),
	};
#undef READ
	int err = tap_memory_read_many(pid, reads, sizeof(reads) / sizeof(*reads));

	if (err)
		return err;
	for (size_t i = 0; i < sizeof(reads) / sizeof(*reads); i++) {
		if (!reads[i].ok)
			return -ENOENT;
	}
	*ret = v;
	return 0;
}

/*
 * A child carries its parent's PostmasterPid; a stand-alone backend has none; `postgres -C` exits before the start time
 * is set, and so does a postmaster that fails to start.
 */
static bool is_running_postmaster(const struct variables *v, int32_t ns_pid)
{
	return v->my_proc_pid == ns_pid && v->postmaster_pid == ns_pid && v->is_postmaster_environment == 1 &&
	       !v->is_under_postmaster && v->pg_start_time && v->data_dir;
}

/* First entry of a list such as `/run/postgresql, "/tmp/with space"`; NULL: the list is empty. */
static int list_first(const char *list, char **ret)
{
	size_t length;

	*ret = NULL;
	list += strspn(list, " \t\n");
	if (*list == '"')
		length = strcspn(++list, "\"");
	else
		for (length = strcspn(list, ","); length && strchr(" \t\n", list[length - 1]); length--)
			;
	if (!length)
		return 0;
	*ret = strndup(list, length);
	return *ret ? 0 : -ENOMEM;
}

static int first_setting(int32_t pid, uint64_t address, char **ret)
{
	char *list;
	int err = tap_server_text(pid, address, SETTING_MAX, &list);

	*ret = NULL;
	if (err || !list)
		return err;
	err = list_first(list, ret);
	free(list);
	return err;
}

/* A name that starts with '@' is an abstract socket, which is in no file system. */
static int socket_dir_read(struct tap_target *target, uint64_t address, const char *data_dir)
{
	char *first;
	int err = first_setting(target->pid, address, &first);

	if (err || !first)
		return err;
	if (*first == '@') {
		target->socket = first;
		return 0;
	}
	err = tap_server_path(target, data_dir, first, &target->socket);
	free(first);
	return err;
}

static int strings_read(struct tap_target *target, const struct variables *v)
{
	char *data_dir;
	int err = tap_server_text(target->pid, v->data_dir, SETTING_MAX, &data_dir);

	if (err)
		return err;
	if (!data_dir)
		return -ENOENT;
	err = tap_server_path(target, "", data_dir, &target->data_dir);
	if (!err)
		err = socket_dir_read(target, v->socket_directories, data_dir);
	free(data_dir);
	if (!err)
		err = first_setting(target->pid, v->listen_addresses, &target->listen);
	if (!err)
		err = tap_server_text(target->pid, v->cluster_name, SETTING_MAX, &target->cluster_name);
	return err;
}

/* Where there is no pointer to the wait event word, the layout knows where in PGPROC it is. */
static enum tap_pg_symbol wait_event_symbol(const struct tap_pg_binary *binary)
{
	return binary->found[TAP_PG_SYMBOL_MY_WAIT_EVENT_INFO] ? TAP_PG_SYMBOL_MY_WAIT_EVENT_INFO
							       : TAP_PG_SYMBOL_MY_PROC;
}

static void addresses_fill(const struct tap_pg_binary *binary, uint64_t bias, struct tap_target *target)
{
	target->addresses = (struct tap_pg_addresses){
		.my_beentry = address_of(binary, bias, TAP_PG_SYMBOL_MY_BEENTRY),
		.my_wait_event_info = address_of(binary, bias, wait_event_symbol(binary)),
		.my_proc = address_of(binary, bias, TAP_PG_SYMBOL_MY_PROC),
		.parallel_worker_number = address_of(binary, bias, TAP_PG_SYMBOL_PARALLEL_WORKER_NUMBER),
		.query_id_enabled = address_of(binary, bias, TAP_PG_SYMBOL_QUERY_ID_ENABLED),
		.checkpoint_stats = address_of(binary, bias, TAP_PG_SYMBOL_CHECKPOINT_STATS),
		.debug_query_string = address_of(binary, bias, TAP_PG_SYMBOL_DEBUG_QUERY_STRING),
		.error_depth = binary->errors.depth ? binary->errors.depth + bias : 0,
		.error_code = binary->errors.depth ? binary->errors.code + bias : 0,
		.error_size = binary->errors.size,
		.my_logical_worker = address_of(binary, bias, TAP_PG_SYMBOL_MY_LOGICAL_WORKER),
	};
	target->variables = (struct tap_pg_variables){
		.my_proc_pid = address_of(binary, bias, TAP_PG_SYMBOL_MY_PROC_PID),
		.my_database_id = address_of(binary, bias, TAP_PG_SYMBOL_MY_DATABASE_ID),
		.my_start_timestamp = address_of(binary, bias, TAP_PG_SYMBOL_MY_START_TIMESTAMP),
		.my_backend_type = address_of(binary, bias, TAP_PG_SYMBOL_MY_BACKEND_TYPE),
		.exiting = address_of(binary, bias, TAP_PG_SYMBOL_EXITING),
		.proc_global = address_of(binary, bias, TAP_PG_SYMBOL_PROC_GLOBAL),
		.prepared_procs = address_of(binary, bias, TAP_PG_SYMBOL_PREPARED_PROCS),
		.max_prepared = address_of(binary, bias, TAP_PG_SYMBOL_MAX_PREPARED),
		.fast_groups = address_of(binary, bias, TAP_PG_SYMBOL_FAST_GROUPS),
		.aio_control = address_of(binary, bias, TAP_PG_SYMBOL_AIO_CONTROL),
		.buffer_blocks = address_of(binary, bias, TAP_PG_SYMBOL_BUFFER_BLOCKS),
		.buffer_descriptors = address_of(binary, bias, TAP_PG_SYMBOL_BUFFER_DESCRIPTORS),
		.n_buffers = address_of(binary, bias, TAP_PG_SYMBOL_N_BUFFERS),
	};
}

static void numbers_fill(const struct variables *v, struct tap_target *target)
{
	target->port = v->port;
	target->activity_size = v->activity_size;
	target->max_backends = v->max_backends > 0 ? v->max_backends : 0;
	target->start_us = tap_pg_time_us(v->pg_start_time);
	/* off; on; auto and regress: on when a module asked for it. */
	target->query_ids = v->compute_query_id == COMPUTE_QUERY_ID_ON ||
			    (v->compute_query_id > COMPUTE_QUERY_ID_ON && v->query_id_enabled == 1);
}

static void binary_fill(const struct tap_pg_binary *binary, struct tap_target *target)
{
	target->version_number = binary->version_number;
	target->statement_end_offset = binary->end_command_offset;
	target->statement_error_offset = binary->error_cleanup_offset;
	memcpy(target->version, binary->version, sizeof(target->version));
}

int tap_pg_postmaster_read(const char *root, const struct tap_proc *proc, const struct tap_pg_binary *binary,
			   struct tap_target *ret)
{
	struct tap_target target = { 0 };
	struct variables v = { 0 };
	uint64_t bias;
	int32_t ns_pid;
	int err;

	err = tap_proc_ns_pid(root, proc->pid, &ns_pid);
	if (!err)
		err = tap_server_bias(root, proc->pid, binary->elf, &bias);
	if (!err)
		err = variables_read(proc->pid, binary, bias, &v);
	if (err)
		return err;
	if (!is_running_postmaster(&v, ns_pid))
		return -ENOENT;
	err = tap_server_identify(root, proc, TAP_ENGINE_POSTGRES, binary->machine, binary->build_id, &target);
	if (!err)
		err = strings_read(&target, &v);
	if (err) {
		tap_target_done(&target);
		return err;
	}
	binary_fill(binary, &target);
	numbers_fill(&v, &target);
	addresses_fill(binary, bias, &target);
	*ret = target;
	return 0;
}

/* The directory's path comes from another process's memory: nothing but a plain file is read, and little of it. */
bool tap_pg_postmaster_contradicts(const struct tap_target *target)
{
	char path[SETTING_MAX * 4];
	char text[16] = "";
	struct stat st;
	ssize_t n = -1;
	int fd;

	if (snprintf(path, sizeof(path), "%s/PG_VERSION", target->data_dir) >= (int)sizeof(path))
		return false;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY);
	if (fd < 0)
		return false;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode))
		n = read(fd, text, sizeof(text) - 1);
	close(fd);
	return n > 0 && strtol(text, NULL, 10) != target->version_number / 10000;
}
