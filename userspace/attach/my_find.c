// SPDX-License-Identifier: BSD-2-Clause
/*
 * my_find.c - finds the MariaDB and MySQL instances of this host.
 *
 * Goes over the processes once: which are called like a server, what those files are (once per file), what the process
 * says of itself (my_server), and whether its sessions can be read (my_layout, my_session).
 */
#include "userspace/attach/my_find.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "userspace/attach/my_binary.h"
#include "userspace/attach/my_layout.h"
#include "userspace/attach/my_layout_cache.h"
#include "userspace/attach/my_lock_layout.h"
#include "userspace/attach/my_server.h"
#include "userspace/attach/my_session.h"
#include "userspace/attach/my_slot.h"

/* An executable file met during one search. */
struct file {
	struct tap_file_id id;
	int fd;
	int error; /* not 0: `binary` is not there */
	struct tap_my_binary binary;
};

struct search {
	const struct tap_target_search *of;
	struct file *files;
	size_t n_files;
	struct tap_target_list *list;
	size_t first; /* of our own in the list */
};

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static bool name_fits(const char *name)
{
	return !strcmp(name, "mariadbd") || !strcmp(name, "mysqld");
}

/* What the process runs may be called so, or the process itself: a container's init may rename neither. */
static bool could_be_server(const struct search *search, const struct tap_proc *proc)
{
	char path[TAP_PROC_PATH_MAX];

	if (!proc->state || proc->state == 'Z')
		return false;
	return name_fits(proc->comm) ||
	       (!tap_proc_exe_path(search->of->proc_root, proc->pid, path, NULL) && name_fits(base_name(path)));
}

static bool same_file(const struct tap_file_id *a, const struct tap_file_id *b)
{
	return a->device == b->device && a->inode == b->inode;
}

/* A program that the server starts is the server for a moment, before it becomes what it is. */
static bool is_child_of_its_own(const struct search *search, const struct tap_proc *proc, const struct tap_file_id *id)
{
	struct tap_file_id parent;

	return !tap_proc_exe_id(search->of->proc_root, proc->ppid, &parent) && same_file(&parent, id);
}

/* Opens and reads the executable, or finds it among those read before. */
static int file_find(struct search *search, int32_t pid, const struct tap_file_id *id, struct file **ret)
{
	struct file *files;
	int fd, err;

	for (size_t i = 0; i < search->n_files; i++) {
		if (same_file(&search->files[i].id, id)) {
			*ret = &search->files[i];
			return 0;
		}
	}
	err = tap_proc_exe_open(search->of->proc_root, pid, &fd);
	if (err)
		return err;
	files = reallocarray(search->files, search->n_files + 1, sizeof(*files));
	if (!files) {
		close(fd);
		return -ENOMEM;
	}
	search->files = files;
	*ret = &files[search->n_files++];
	**ret = (struct file){ .id = *id, .fd = fd };
	(*ret)->error = tap_my_binary_read(fd, &(*ret)->binary, NULL);
	return (*ret)->error == -ENOMEM ? -ENOMEM : 0;
}

/* A server that cannot be looked into: in the list, so that it is not silently missed. */
static int unreadable_add(struct search *search, const struct tap_proc *proc, const char *why)
{
	struct tap_target *target = tap_targets_add(search->list);

	if (!target)
		return -ENOMEM;
	target->engine = TAP_ENGINE_MYSQL;
	target->name = !strcmp(proc->comm, "mariadbd") ? "mariadb" : "mysql";
	target->pid = proc->pid;
	target->start_ticks = proc->start_ticks;
	target->proc_root = strdup(search->of->proc_root);
	if (!target->proc_root)
		return -ENOMEM;
	tap_target_refuse(target, "process %d %s", proc->pid, why);
	return 0;
}

static void describe(const struct tap_target *target, const struct tap_my_binary *binary, char ret[192])
{
	snprintf(ret, 192, "%s %s (%s%s)", tap_my_product_info(binary->product)->title, target->version,
		 *target->build_id ? "build id " : "no build id", target->build_id);
}

static void rows_describe(char *ret, size_t size)
{
	size_t count, length = 0;
	const struct tap_my_layout_row *rows = tap_my_layout_rows(&count);

	ret[0] = '\0';
	for (size_t i = 0; i < count && length < size; i++)
		length += (size_t)snprintf(ret + length, size - length, "%s%s", i ? ", " : "", rows[i].name);
}

/* Why the binary alone does not allow it; "" when it does. */
static void refuse_by_binary(struct tap_target *target, const struct tap_my_binary *binary)
{
	const char *lacking = tap_my_binary_lacks(binary, TAP_MY_NEED_LAYOUT);
	char who[192];

	describe(target, binary, who);
	if (lacking)
		tap_target_refuse(target,
				  "%s does not export the variable %s: its memory cannot be read; use a build that "
				  "exports it",
				  who, lacking);
}

/* An offset that no function tells, of a version that no row is of. */
static void refuse_undecoded(struct tap_target *target, const struct tap_my_binary *binary)
{
	char who[192];

	describe(target, binary, who);
	tap_target_refuse(target,
			  "%s has a function %s that dbtap cannot read an offset from, and no row for its version; "
			  "report it with the build id",
			  who, binary->undecoded);
}

/* The row of its version, or one that is inferred from those of others. False: refused. */
static bool row_choose(struct tap_target *target, const struct tap_my_binary *binary, struct tap_my_layout_row *ret)
{
	const struct tap_my_layout_row *row =
		tap_my_layout_find(binary->product, target->version_number, binary->machine);
	char who[192], known[256];

	/* Lets a test see what becomes of a version that is not known. */
	if (row && !getenv("DBTAP_TEST_NO_MY_ROWS")) {
		*ret = *row;
		return true;
	}
	if (binary->undecoded) {
		refuse_undecoded(target, binary);
		return false;
	}
	if (!tap_my_layout_infer(binary->product, binary->machine, &binary->decoded, ret))
		return true;
	describe(target, binary, who);
	rows_describe(known, sizeof(known));
	tap_target_refuse(target,
			  "%s has no memory layout in this dbtap, which knows %s; use a dbtap that knows this version",
			  who, known);
	return false;
}

/* What the binary's functions do not tell, its version's row does; the thread's slot is nobody's but the build's. */
static void decoded_complete(const struct tap_my_binary *binary, struct tap_my_layout_row *row)
{
	const struct tap_my_function *functions = tap_my_product_info(binary->product)->functions;
	struct tap_my_decoded decoded = binary->decoded;

	for (size_t i = 0; i < TAP_MY_FUNCTIONS_MAX && functions[i].symbol; i++) {
		if (!binary->told[i])
			memcpy((char *)&decoded + functions[i].to, (char *)&row->decoded + functions[i].to,
			       sizeof(uint32_t));
	}
	if (!decoded.security)
		decoded.security = row->decoded.security;
	decoded.thd = binary->decoded.thd;
	if (!decoded.database)
		decoded.database = row->decoded.database;
	row->decoded = decoded;
}

/* Puts the layout together. `row` has in `decoded` what was decoded. 0, or an error with a phrase in `why`. */
static int layout_make(struct tap_target *target, const struct tap_my_binary *binary, uint64_t bias,
		       const struct tap_my_layout_row *known, const struct tap_my_layout_row *row,
		       struct tap_my_own *own, struct tap_error *why)
{
	const struct tap_my_lock_layout *locks = tap_my_lock_layout_find(target->version_number, binary->machine);
	struct tap_my_status_offsets offsets;
	const char *reason;
	int err = tap_my_server_status_offsets(target, binary, bias, &offsets);

	if (err)
		return tap_error_set(why, err, "its counters are not found by name");
	err = tap_my_layout_make(known, &row->decoded, &offsets, &own->instance.layout, &reason);
	if (err)
		return tap_error_set(why, err, "%s", reason);
	own->fields = row->fields;
	/* Without them it is as a server of a version that nobody knows. */
	if (locks && !getenv("DBTAP_TEST_NO_LOCK_MEMORY"))
		own->instance.locks = *locks;
	own->product = binary->product;
	own->sessions = bias + binary->sessions;
	tap_my_thread_marks_make(binary, bias, &own->marks);
	own->instance.pooled = tap_my_server_is_pooled(target, binary, bias);
	tap_my_server_stages(target, binary, bias, &own->instance.stages);
	return 0;
}

/* Where functions do not tell the thread's slot: from sessions, or as an earlier start found it. */
static int slot_find(struct tap_target *target, const struct tap_my_layout_row *kept, struct tap_my_layout_row *row,
		     struct tap_my_own *own, struct tap_error *why)
{
	int err = row->decoded.thd ? 0 : tap_my_slot_find(target, &row->decoded.thd, why);

	if (err == -ENODATA && kept) {
		row->decoded.thd = kept->decoded.thd;
		err = 0;
	}
	if (!err)
		own->instance.layout.thd = row->decoded.thd;
	return err;
}

/*
 * A layout that is not of a known version, as far as functions tell, is believed where sessions agree, now or at an
 * earlier start.
 */
static int layout_believe(struct tap_target *target, const struct tap_my_layout_row *kept,
			  const struct tap_my_layout_row *row, struct tap_error *why)
{
	int err = tap_my_sessions_agree(target, why);

	if (!err && !(kept && tap_my_layout_cache_is_same(kept, row)))
		tap_my_layout_cache_write(target->build_id, row);
	return err == -ENODATA && kept && tap_my_layout_cache_is_same(kept, row) ? 0 : err;
}

static int layout_try(struct tap_target *target, const struct tap_my_binary *binary, uint64_t bias,
		      struct tap_my_layout_row *row, size_t *ret_checked, struct tap_error *why)
{
	struct tap_my_layout_row known = *row, found, *kept = NULL;
	bool unsure = row->inferred || binary->undecoded;
	int err;

	decoded_complete(binary, row);
	err = layout_make(target, binary, bias, &known, row, target->own, why);
	if (!err && unsure && !tap_my_layout_cache_read(target->build_id, row, &found))
		kept = &found;
	if (!err)
		err = slot_find(target, kept, row, target->own, why);
	if (!err)
		err = tap_my_sessions_check(target, ret_checked, why);
	return !err && unsure ? layout_believe(target, kept, row, why) : err;
}

/* Sets target->own and layout_source, or refused. -ENOMEM. */
static int layout_establish(struct tap_target *target, const struct tap_my_binary *binary, uint64_t bias)
{
	struct tap_my_layout_row row;
	struct tap_error why = { "" };
	size_t checked = 0;
	char who[192];
	int err;

	refuse_by_binary(target, binary);
	if (*target->refused || !row_choose(target, binary, &row))
		return 0;
	target->own = calloc(1, sizeof(struct tap_my_own));
	if (!target->own)
		return -ENOMEM;
	describe(target, binary, who);
	err = layout_try(target, binary, bias, &row, &checked, &why);
	if (err) {
		tap_target_refuse(target, "%s does not fit memory layout %s: %s; %s", who, row.name, why.text,
				  err == -ENODATA ? "connect to it and start dbtap again"
						  : "try again, or report it with the build id");
		return 0;
	}
	snprintf(target->layout_source, sizeof(target->layout_source),
		 "%s, %s%s for the rest, checked against %zu sessions",
		 binary->undecoded ? "found in its sessions" : "decoded from its functions", row.inferred ? "" : "row ",
		 row.name, checked);
	return 0;
}

/* Of no use without the symbols that tell what it is: but it is a server, by its name. */
static const char *stranger(const struct file *file)
{
	if (file->error)
		return "runs a MariaDB or MySQL server whose executable cannot be read: use a whole one";
	if (tap_my_binary_lacks(&file->binary, TAP_MY_NEED_RECOGNISE))
		return "runs a MariaDB or MySQL server that does not export its variables: use a build that does";
	return NULL;
}

static int server_add(struct search *search, const struct tap_proc *proc, const struct tap_my_binary *binary)
{
	struct tap_target target, *item;
	uint64_t bias;
	int err = tap_my_server_read(search->of->proc_root, proc, binary, &target, &bias);

	if (err == -EPERM || err == -EACCES)
		return unreadable_add(search, proc, "cannot be looked into: run dbtap as root");
	if (err)
		return err == -ENOMEM ? err : 0;
	item = tap_targets_add(search->list);
	if (!item) {
		tap_target_done(&target);
		return -ENOMEM;
	}
	*item = target;
	item->name = tap_my_product_info(binary->product)->name;
	item->product = tap_my_product_info(binary->product)->title;
	return layout_establish(item, binary, bias);
}

static int process_examine(struct search *search, const struct tap_proc *proc)
{
	struct tap_file_id id;
	struct file *file;
	int err = tap_proc_exe_id(search->of->proc_root, proc->pid, &id);

	if (!err && is_child_of_its_own(search, proc, &id))
		return 0;
	if (!err)
		err = file_find(search, proc->pid, &id, &file);
	if (err == -EACCES || err == -EPERM)
		return unreadable_add(search, proc, "cannot be looked into: run dbtap as root");
	if (err)
		return err == -ENOMEM ? err : 0;
	if (stranger(file))
		return unreadable_add(search, proc, stranger(file));
	return server_add(search, proc, &file->binary);
}

int tap_my_find(const struct tap_target_search *of, struct tap_target_list *list)
{
	struct search search = { .of = of, .list = list, .first = list->count };
	int err = 0;

	for (size_t i = 0; i < of->n_procs && !err; i++) {
		if (could_be_server(&search, &of->procs[i]))
			err = process_examine(&search, &of->procs[i]);
	}
	for (size_t i = 0; i < search.n_files; i++) {
		tap_my_binary_done(&search.files[i].binary);
		close(search.files[i].fd);
	}
	free(search.files);
	if (!err)
		tap_targets_name(list, search.first, "mysql");
	return err;
}

void tap_my_target_done(struct tap_target *target)
{
	free(target->own);
	target->own = NULL;
}
