// SPDX-License-Identifier: BSD-2-Clause
/*
 * pg_find.c - finds the PostgreSQL instances of this host.
 *
 * Goes over the processes once: which run something that could be a server (cheap, by name), what those files are (once
 * per file), which of the processes are postmasters (pg_postmaster), and whether their memory can be read through a
 * known layout (pg_layout_check) or one that is searched for (pg_layout_search).
 */
#include "userspace/attach/pg_find.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "userspace/attach/pg_binary.h"
#include "userspace/attach/pg_layout_cache.h"
#include "userspace/attach/pg_layout_check.h"
#include "userspace/attach/pg_layout_search.h"
#include "userspace/attach/pg_postmaster.h"

/* An executable file met during one search. */
struct file {
	struct tap_file_id id;
	int fd;
	bool readable; /* `binary` is there */
	struct tap_pg_binary binary;
};

enum verdict {
	VERDICT_OPEN,
	VERDICT_BUSY, /* being looked at: a parent's parent cannot be its child */
	VERDICT_INSTANCE,
	VERDICT_OTHER,
};

/* A process that could be a server's. */
struct candidate {
	struct tap_proc proc;
	size_t file;
	int error; /* its executable cannot be looked at */
	enum verdict verdict;
};

struct search {
	const struct tap_target_search *of;
	const char *root;
	struct candidate *candidates; /* by pid; room for every process */
	size_t n_candidates;
	struct file *files;
	size_t n_files;
	struct tap_target_list *list;
	size_t first; /* of our own in the list */
};

static bool name_fits(const char *name)
{
	return strstr(name, "postgres") || strstr(name, "postmaster");
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Opens and reads the executable, or finds it among those read before. */
static int file_find(struct search *search, int32_t pid, size_t *ret)
{
	struct tap_file_id id;
	struct file *files;
	int fd, err;

	err = tap_proc_exe_id(search->root, pid, &id);
	if (err)
		return err;
	for (size_t i = 0; i < search->n_files; i++) {
		if (search->files[i].id.device == id.device && search->files[i].id.inode == id.inode) {
			*ret = i;
			return 0;
		}
	}
	err = tap_proc_exe_open(search->root, pid, &fd);
	if (err)
		return err;
	files = realloc(search->files, (search->n_files + 1) * sizeof(*files));
	if (!files) {
		close(fd);
		return -ENOMEM;
	}
	search->files = files;
	files[search->n_files] = (struct file){ .id = id, .fd = fd };
	*ret = search->n_files++;
	err = tap_pg_binary_read(fd, &files[*ret].binary, NULL);
	files[*ret].readable = !err;
	return err == -ENOMEM ? err : 0;
}

/* One of the backends of a server that is known, of which there may be thousands. */
static bool is_known_backend(const struct search *search, const struct tap_proc *proc)
{
	const struct tap_target_scope *scope = search->of->scope;

	for (size_t i = 0; i < scope->n_known; i++) {
		if (scope->known[i].pid == proc->ppid)
			return name_fits(proc->comm);
	}
	return false;
}

static int candidate_add(struct search *search, const struct tap_proc *proc)
{
	char path[TAP_PROC_PATH_MAX];
	struct candidate candidate = { .proc = *proc };

	if (!proc->state || proc->state == 'Z' || is_known_backend(search, proc))
		return 0;
	candidate.error = tap_proc_exe_path(search->root, proc->pid, path, NULL);
	if (!name_fits(proc->comm) && (candidate.error || !name_fits(base_name(path))))
		return 0;
	if (!candidate.error)
		candidate.error = file_find(search, proc->pid, &candidate.file);
	if (candidate.error == -ENOMEM)
		return -ENOMEM;
	if (candidate.error && candidate.error != -EACCES && candidate.error != -EPERM)
		return 0; /* gone, or no executable at all */
	search->candidates[search->n_candidates++] = candidate;
	return 0;
}

static int compare_candidates(const void *a, const void *b)
{
	int32_t left = ((const struct candidate *)a)->proc.pid, right = ((const struct candidate *)b)->proc.pid;

	return (left > right) - (left < right);
}

static struct candidate *candidate_find(struct search *search, int32_t pid)
{
	const struct candidate key = { .proc = { .pid = pid } };

	return search->n_candidates ? bsearch(&key, search->candidates, search->n_candidates,
					      sizeof(*search->candidates), compare_candidates)
				    : NULL;
}

/* A server that cannot be looked into: in the list, so that it is not silently missed. */
static int unreadable_add(struct search *search, const struct tap_proc *proc, const char *why)
{
	struct tap_target *target = tap_targets_add(search->list);

	if (!target)
		return -ENOMEM;
	target->pid = proc->pid;
	target->start_ticks = proc->start_ticks;
	target->proc_root = strdup(search->root);
	if (!target->proc_root)
		return -ENOMEM;
	tap_target_refuse(target, "%s", why);
	return 0;
}

static bool has_child_candidate(const struct search *search, int32_t pid)
{
	for (size_t i = 0; i < search->n_candidates; i++) {
		if (search->candidates[i].proc.ppid == pid)
			return true;
	}
	return false;
}

/* Not readable, or without the symbols to recognise a server by: only what is called and behaves like one is listed. */
static int stranger_examine(struct search *search, const struct candidate *candidate, const struct candidate *parent)
{
	const struct tap_proc *proc = &candidate->proc;
	char why[TAP_ERROR_MAX];
	bool by_name = !strcmp(proc->comm, "postgres") || !strcmp(proc->comm, "postmaster");

	if (!by_name || parent || !has_child_candidate(search, proc->pid))
		return 0;
	if (candidate->error)
		snprintf(why, sizeof(why), "process %d cannot be looked into: %s; run dbtap as root", proc->pid,
			 strerror(-candidate->error));
	else
		snprintf(why, sizeof(why),
			 "process %d runs a PostgreSQL server whose executable exports no symbols, or is broken: its "
			 "memory "
			 "cannot be read; use a build with its dynamic symbol table",
			 proc->pid);
	return unreadable_add(search, proc, why);
}

static int postmaster_examine(struct search *search, struct candidate *candidate)
{
	const struct tap_pg_binary *binary = &search->files[candidate->file].binary;
	struct tap_target target;
	struct tap_target *item;
	char why[TAP_ERROR_MAX];
	int err = tap_pg_postmaster_read(search->root, &candidate->proc, binary, &target);

	if (err == -ENOMEM)
		return err;
	if (err == -EPERM || err == -EACCES) {
		snprintf(why, sizeof(why), "memory of process %d cannot be read: %s; run dbtap as root",
			 candidate->proc.pid, strerror(-err));
		candidate->verdict = VERDICT_INSTANCE;
		return unreadable_add(search, &candidate->proc, why);
	}
	if (err)
		return 0;
	item = tap_targets_add(search->list);
	if (!item) {
		tap_target_done(&target);
		return -ENOMEM;
	}
	*item = target;
	candidate->verdict = VERDICT_INSTANCE;
	return 0;
}

/*
 * Parents first: the children of a postmaster are its backends and need no look of their own, and there may be
 * hundreds. Any other server process is asked, also one that a backend started as a program.
 */
static int candidate_examine(struct search *search, struct candidate *candidate)
{
	struct candidate *parent = candidate_find(search, candidate->proc.ppid);
	const struct file *file = candidate->error ? NULL : &search->files[candidate->file];
	int err = 0;

	if (candidate->verdict != VERDICT_OPEN)
		return 0;
	candidate->verdict = VERDICT_BUSY;
	if (parent && (parent->error || candidate->error || parent->file != candidate->file))
		parent = candidate->error ? parent : NULL;
	if (parent)
		err = candidate_examine(search, parent);
	candidate->verdict = VERDICT_OTHER;
	if (err || (parent && parent->verdict == VERDICT_INSTANCE))
		return err;
	if (!file || !file->readable || tap_pg_binary_lacks(&file->binary, TAP_PG_NEED_RECOGNISE))
		return stranger_examine(search, candidate, parent);
	return postmaster_examine(search, candidate);
}

static void layouts_describe(char *ret, size_t size)
{
	size_t count;
	const struct tap_pg_layout_row *rows = tap_pg_layout_rows(&count);
	int length = snprintf(ret, size, "%d to %d on", rows[0].major, rows[count - 1].major);

	/* Every version has a row for each machine. */
	for (size_t i = 0; i < count && rows[i].major == rows[0].major && length < (int)size; i++)
		length += snprintf(ret + length, size - (size_t)length, "%s%s", i ? " and" : "",
				   strchr(rows[i].name, ' '));
}

static const char *machine_name(uint16_t machine, char ret[32])
{
	size_t count;
	const struct tap_pg_layout_row *rows = tap_pg_layout_rows(&count);

	for (size_t i = 0; i < count; i++) {
		const char *space = strchr(rows[i].name, ' ');

		if (rows[i].machine == machine && space)
			return space + 1;
	}
	snprintf(ret, 32, "ELF machine %u", machine);
	return ret;
}

/* "postgres-5432: PostgreSQL 15.18 (build id 12ab...)" */
static void target_describe(const struct tap_target *target, char ret[192])
{
	snprintf(ret, 192, "%s: PostgreSQL %s (%s%s)", target->id,
		 *target->version ? target->version : "of unknown version",
		 *target->build_id ? "build id " : "no build id", target->build_id);
}

/* Through this row; `how` says where it came from. */
static int layout_try(struct tap_target *target, const struct tap_pg_layout_row *row, const char *how,
		      struct tap_error *why)
{
	size_t checked;
	int code;

	target->layout = row->layout;
	code = tap_pg_layout_check(target, row, &checked, why);
	if (code)
		memset(&target->layout, 0, sizeof(target->layout));
	else
		snprintf(target->layout_source, sizeof(target->layout_source), "%s, checked against %zu processes", how,
			 checked);
	return code;
}

static int row_try(struct tap_target *target, const struct tap_pg_layout_row *row, struct tap_error *why)
{
	char how[64];

	if (!row)
		return tap_error_set(why, -ENOENT, "this dbtap has no row for this version");
	snprintf(how, sizeof(how), "table row %s", row->name);
	return layout_try(target, row, how, why);
}

/*
 * Of a build that does not fit its version's row (NULL: there is none): what an earlier search has found, else a
 * search. What did not fit may have been the moment: the row is asked again before what was found counts, and stays.
 */
static int layout_search(struct tap_target *target, const struct tap_pg_layout_row *row,
			 const struct tap_pg_layout_row *near, struct tap_error *why)
{
	struct tap_pg_layout_row found;
	struct tap_error again;
	int code = tap_pg_layout_cache_read(target->build_id, near, &found);

	if (!code)
		code = layout_try(target, &found, "found by an earlier search", why);
	if (!code)
		return 0;
	code = tap_pg_layout_search(target, near, &found, why);
	if (code || !row_try(target, row, &again))
		return code;
	code = layout_try(target, &found, "found by searching its memory", why);
	if (!code)
		tap_pg_layout_cache_write(target->build_id, &found);
	return code;
}

static void layout_refuse_unknown(struct tap_target *target, uint16_t machine, const char *who)
{
	char known[128], name[32];

	layouts_describe(known, sizeof(known));
	tap_target_refuse(target,
			  "%s on %s has no memory layout in this dbtap, which knows %s; use a dbtap that knows this "
			  "version",
			  who, machine_name(machine, name), known);
}

/* Sets layout and layout_source, or refused. */
static void layout_establish(struct tap_target *target, const struct tap_pg_binary *binary)
{
	const struct tap_pg_layout_row *row = tap_pg_layout_find(target->version_number, binary->machine);
	const struct tap_pg_layout_row *near = tap_pg_layout_near(target->version_number, binary->machine);
	const char *lacking = tap_pg_binary_lacks(binary, TAP_PG_NEED_LAYOUT);
	char who[192];
	struct tap_error why, searched;

	target_describe(target, who);
	if (!near) {
		layout_refuse_unknown(target, binary->machine, who);
		return;
	}
	if (lacking) {
		tap_target_refuse(
			target,
			"%s does not export the variable %s: its memory cannot be read; use a build that exports it",
			who, lacking);
		return;
	}
	if (row && tap_pg_postmaster_contradicts(target)) {
		tap_target_refuse(
			target,
			"%s runs on a data directory of another major version: %s; restart it with its own binary", who,
			target->data_dir);
		return;
	}
	if (!row_try(target, row, &why) || !layout_search(target, row, near, &searched))
		return;
	tap_target_refuse(target,
			  "%s does not fit memory layout %s: %s; none was found by searching: %s; else report it with "
			  "what `make pg-layout-row HEADERS=$(pg_config --includedir-server)` prints",
			  who, near->name, why.text, searched.text);
}

static void layouts_establish(struct search *search)
{
	for (size_t i = search->first; i < search->list->count; i++) {
		struct tap_target *target = &search->list->items[i];
		struct candidate *candidate = candidate_find(search, target->pid);

		if (target->refused[0]) {
			struct tap_error line;

			tap_error_set(&line, 0, "%s: %s", target->id, target->refused);
			memcpy(target->refused, line.text, sizeof(target->refused));
		} else if (candidate && candidate->file < search->n_files &&
			   tap_target_needs_look(search->of, target)) {
			layout_establish(target, &search->files[candidate->file].binary);
		}
	}
}

static void search_done(struct search *search)
{
	for (size_t i = 0; i < search->n_files; i++) {
		tap_pg_binary_done(&search->files[i].binary);
		close(search->files[i].fd);
	}
	free(search->files);
	free(search->candidates);
}

int tap_pg_find(const struct tap_target_search *of, struct tap_target_list *list)
{
	struct search search = { .of = of, .root = of->proc_root, .list = list, .first = list->count };
	int code = 0;

	search.candidates = calloc(of->n_procs + 1, sizeof(*search.candidates));
	if (!search.candidates)
		code = -ENOMEM;
	for (size_t i = 0; !code && i < of->n_procs; i++)
		code = candidate_add(&search, &of->procs[i]);
	for (size_t i = 0; !code && i < search.n_candidates; i++)
		code = candidate_examine(&search, &search.candidates[i]);
	if (!code) {
		tap_targets_name(list, search.first, "postgres");
		layouts_establish(&search);
	}
	search_done(&search);
	return code;
}
