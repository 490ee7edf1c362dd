// SPDX-License-Identifier: BSD-2-Clause
/*
 * places.c - opens the folders of an instance in its own root directory and finds out what they are mounted from.
 *
 * Links below the data folder belong to whoever owns it: they are resolved inside the server's root (openat2), never in
 * ours, and only looked at.
 */
#include "userspace/consume/places.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "userspace/attach/engine.h"
#include "userspace/base/number.h"
#include "userspace/consume/mount.h"

enum {
	ENTRIES_MAX = 4 * TAP_PLACES_MAX,
	FOLDER = O_PATH | O_DIRECTORY | O_CLOEXEC,
	OVERLAY_DEPTH_MAX = 4,
};

/* A server whose folders are looked for. */
struct search {
	const struct tap_host_roots *roots;
	int32_t pid;
	int server_root; /* its root directory; negative: not to be had */
	enum tap_engine engine;
	const struct tap_data_folder *folder;
};

struct where {
	uint32_t device;
	uint64_t inode;
	uint64_t mount; /* 0: the kernel does not tell (before 5.8) */
};

static uint32_t device_number(unsigned int major_number, unsigned int minor_number)
{
	return (major_number & 0xfff) << 20 | (minor_number & 0xfffff);
}

static int look_at(int folder, struct where *ret)
{
	struct statx info = { 0 };

	if (statx(folder, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_INO | STATX_MNT_ID, &info))
		return -errno;
	ret->device = device_number(info.stx_dev_major, info.stx_dev_minor);
	ret->inode = info.stx_ino;
	ret->mount = info.stx_mask & STATX_MNT_ID ? info.stx_mnt_id : 0;
	return 0;
}

/* As the server would: absolute links on the way start at its own root. */
static int open_in(int root, const char *path, int flags)
{
	struct open_how how = { .flags = (unsigned int)flags, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
	int fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));

	return fd < 0 ? -errno : fd;
}

/* ---- what a folder is mounted from ---- */

/* The number of the device file a file system was mounted from, as the server's root or ours has it; 0: none. */
static uint32_t source_device(const struct search *search, const char *source)
{
	struct stat info;
	int fd = search->server_root < 0 ? -ENOENT : open_in(search->server_root, source, O_PATH | O_CLOEXEC);
	int status;

	if (fd < 0 || fstat(fd, &info) || !S_ISBLK(info.st_mode))
		status = stat(source, &info);
	else
		status = 0;
	if (fd >= 0)
		close(fd);
	return status || !S_ISBLK(info.st_mode) ? 0 : device_number(major(info.st_rdev), minor(info.st_rdev));
}

static void of_device_file(const struct search *search, const struct tap_mount *mount, struct tap_disks *disks)
{
	uint32_t device = source_device(search, mount->source);

	if (!device)
		tap_disks_say_why(disks, "%.40s from %.80s: not a device of this host", mount->type, mount->source);
	else if (!strcmp(mount->type, "btrfs"))
		tap_disks_add_btrfs(search->roots, device, disks);
	else
		tap_disks_add(search->roots, device, disks);
}

static void find_disks(const struct search *search, struct where *where, const char *path, int depth,
		       struct tap_disks *disks);

/* Both ways lead to the same file when they agree on what a server changes all the time. */
static bool is_same_folder(const char *changed, int a, int b)
{
	struct stat left, right;

	return !fstatat(a, changed, &left, AT_SYMLINK_NOFOLLOW) && !fstatat(b, changed, &right, AT_SYMLINK_NOFOLLOW) &&
	       left.st_size == right.st_size && left.st_mtim.tv_sec == right.st_mtim.tv_sec &&
	       left.st_mtim.tv_nsec == right.st_mtim.tv_nsec;
}

/*
 * An overlay's files that were written to are files of its upper folder, and it is those that the disk's requests name.
 * The folder below it stands for it where it is the data folder without doubt.
 */
static void below_overlay(const struct search *search, const struct tap_mount *mount, struct where *where,
			  const char *path, int depth, struct tap_disks *disks)
{
	char *upper = tap_mount_option(mount, "upperdir");
	size_t length = strlen(mount->point);
	char below[PATH_MAX];
	int here = open_in(search->server_root, path, FOLDER);
	int there = -1;
	struct where found;

	if (length == 1)
		length = 0;
	if (upper && here >= 0 && !strncmp(path, mount->point, length) && path[length] == '/' &&
	    snprintf(below, sizeof(below), "%s%s", upper, path + length) < (int)sizeof(below))
		there = open(below, FOLDER);
	if (there >= 0 && is_same_folder(search->folder->changed_at_start, here, there) && !look_at(there, &found)) {
		*where = found;
		find_disks(search, where, below, depth + 1, disks);
	} else {
		tap_disks_say_why(disks, "overlay: the folder below it could not be found");
	}
	if (there >= 0)
		close(there);
	if (here >= 0)
		close(here);
	free(upper);
}

/* `path` is the folder as the server sees it, "" when that is not known. */
static void find_disks(const struct search *search, struct where *where, const char *path, int depth,
		       struct tap_disks *disks)
{
	struct tap_mount mount = { 0 };

	if (tap_disks_is_block(search->roots, where->device)) {
		tap_disks_add(search->roots, where->device, disks);
		return;
	}
	/* What lies below an overlay is a mount of ours. */
	if (tap_mount_find(search->roots->proc, search->pid, where->mount, where->device, &mount) &&
	    tap_mount_find(search->roots->proc, getpid(), where->mount, where->device, &mount)) {
		tap_disks_say_why(disks, "device %u:%u: no block device, and not among the server's mounts",
				  where->device >> 20, where->device & 0xfffff);
		return;
	}
	/* A subvolume of btrfs shows a number of its own; the inodes' superblock has the mount's. */
	where->device = mount.device;
	if (!strcmp(mount.type, "overlay") && *path && depth < OVERLAY_DEPTH_MAX)
		below_overlay(search, &mount, where, path, depth, disks);
	else if (*mount.source == '/')
		of_device_file(search, &mount, disks);
	else
		tap_disks_say_why(disks, "%.60s: no known block device", mount.type);
	tap_mount_done(&mount);
}

/* ---- the folders ---- */

static int add_place(const struct search *search, const struct tap_file_root *like, int folder, const char *path,
		     struct tap_places *places)
{
	struct tap_place place = { .root = *like };
	struct tap_place *items;
	struct where where;
	int status = look_at(folder, &where);

	if (status)
		return status;
	find_disks(search, &where, path, 0, &place.disks);
	place.root.device = where.device;
	place.root.inode = where.inode;
	items = reallocarray(places->items, places->count + 1, sizeof(*items));
	if (!items)
		return -ENOMEM;
	items[places->count++] = place;
	places->items = items;
	return 0;
}

/* The text of a link in a folder; false: it is none, or too long. */
static bool read_link(int folder, const char *name, char ret[PATH_MAX])
{
	ssize_t size = readlinkat(folder, name, ret, PATH_MAX);

	if (size <= 0 || size == PATH_MAX)
		return false;
	ret[size] = '\0';
	return true;
}

/* Where a link leads, in the server's root. Relative ones are made by hand only and start where they are. */
static int follow_link(const struct search *search, int folder, const char *target)
{
	int fd;

	if (*target == '/')
		return search->server_root < 0 ? -ENOENT : open_in(search->server_root, target, FOLDER);
	fd = openat(folder, target, FOLDER);
	return fd < 0 ? -errno : fd;
}

static int add_linked(const struct search *search, struct tap_file_root root, int folder, const char *name,
		      struct tap_places *places)
{
	char target[PATH_MAX] = "";
	bool linked = read_link(folder, name, target);
	int fd = linked ? follow_link(search, folder, target) : openat(folder, name, FOLDER | O_NOFOLLOW);
	int status = 0;

	if (fd < 0)
		return 0;
	status = add_place(search, &root, fd, *target == '/' ? target : "", places);
	close(fd);
	return status == -ENOMEM ? status : 0;
}

static int add_tablespace(const struct search *search, struct tap_file_root root, int folder, const char *name,
			  struct tap_places *places)
{
	int64_t oid;

	if (tap_number_parse_int(name, 1, UINT32_MAX, &oid))
		return 0;
	if (places->count == TAP_PLACES_MAX) {
		places->cut = true;
		return 0;
	}
	root.tablespace = (uint32_t)oid;
	return add_linked(search, root, folder, name, places);
}

static int64_t change_time(int folder)
{
	struct stat info;

	return fstat(folder, &info) ? 0 : info.st_mtim.tv_sec * 1000000000ll + info.st_mtim.tv_nsec;
}

/* Takes the descriptor. */
static int add_tablespaces(const struct search *search, const struct tap_file_root *root, int folder,
			   struct tap_places *places)
{
	struct dirent *entry;
	int status = 0;
	DIR *dir;

	places->changed_ns = change_time(folder);
	dir = fdopendir(folder);
	if (!dir) {
		close(folder);
		return 0;
	}
	for (size_t i = 0; i < ENTRIES_MAX && !status && (entry = readdir(dir)); i++)
		status = add_tablespace(search, *root, dirfd(dir), entry->d_name, places);
	closedir(dir);
	return status;
}

static int add_all(const struct search *search, uint32_t instance, int folder, const char *path,
		   struct tap_places *places)
{
	struct tap_file_root root = { .instance = instance, .engine = search->engine };
	const char *spaces = search->folder->tablespaces, *wal = search->folder->wal;
	char target[PATH_MAX];
	int status = add_place(search, &root, folder, path, places);
	int tablespaces = spaces ? openat(folder, spaces, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;

	if (tablespaces >= 0 && status)
		close(tablespaces);
	else if (tablespaces >= 0)
		status = add_tablespaces(search, &root, tablespaces, places);
	root.wal = true;
	if (!status && wal && read_link(folder, wal, target))
		status = add_linked(search, root, folder, wal, places);
	return status;
}

/* The path below the server's own root when `path` goes through it, else the path itself. */
static const char *inner_path(const struct search *search, const char *path, bool *ret_through)
{
	char prefix[PATH_MAX];
	int length = snprintf(prefix, sizeof(prefix), "%s/%d/root", search->roots->proc, search->pid);

	*ret_through = length < (int)sizeof(prefix) && !strncmp(path, prefix, (size_t)length) && path[length] == '/';
	return *ret_through ? path + length : path;
}

int tap_places_find(const struct tap_host_roots *roots, uint32_t instance, const struct tap_target *target,
		    struct tap_places *ret)
{
	struct search search = { .roots = roots,
				 .pid = target->pid,
				 .engine = target->engine,
				 .folder = &tap_attach_of(target->engine)->folder };
	struct tap_places places = { 0 };
	char path[PATH_MAX];
	const char *inner;
	bool through;
	int folder, status;

	snprintf(path, sizeof(path), "%s/%d/root", roots->proc, target->pid);
	search.server_root = open(path, FOLDER);
	inner = inner_path(&search, target->data_dir, &through);
	if (through && search.server_root >= 0) {
		folder = open_in(search.server_root, inner, FOLDER);
	} else {
		folder = open(target->data_dir, FOLDER);
		folder = folder < 0 ? -errno : folder;
	}
	status = folder < 0 ? folder : add_all(&search, instance, folder, inner, &places);
	if (folder >= 0)
		close(folder);
	if (search.server_root >= 0)
		close(search.server_root);
	if (status)
		tap_places_done(&places);
	else
		*ret = places;
	return status;
}

void tap_places_done(struct tap_places *places)
{
	if (!places)
		return;
	free(places->items);
	*places = (struct tap_places){ 0 };
}

bool tap_places_changed(const struct tap_places *places, const struct tap_target *target)
{
	const char *spaces = tap_attach_of(target->engine)->folder.tablespaces;
	char path[PATH_MAX];
	struct stat info;

	if (!spaces || snprintf(path, sizeof(path), "%s/%s", target->data_dir, spaces) >= (int)sizeof(path) ||
	    stat(path, &info))
		return false;
	return places->changed_ns != info.st_mtim.tv_sec * 1000000000ll + info.st_mtim.tv_nsec;
}
