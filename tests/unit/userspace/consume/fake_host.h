/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fake_host.h - /proc and /sys trees of a test's own making, in a folder that goes with it.
 */
#ifndef TAP_TESTS_UNIT_USERSPACE_CONSUME_FAKE_HOST_H
#define TAP_TESTS_UNIT_USERSPACE_CONSUME_FAKE_HOST_H

#include <check.h>
#include <ftw.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "userspace/consume/disks.h"

#define FAKE_PATH_MAX 512

struct fake_host {
	char top[64];
	char proc[96];
	char sys[96];
	struct tap_host_roots roots;
};

/* A path below the host's top. */
static inline void __attribute__((format(printf, 3, 4)))
fake_path(const struct fake_host *host, char ret[FAKE_PATH_MAX], const char *format, ...)
{
	size_t length = (size_t)snprintf(ret, FAKE_PATH_MAX, "%s/", host->top);
	va_list args;

	va_start(args, format);
	vsnprintf(ret + length, FAKE_PATH_MAX - length, format, args);
	va_end(args);
}

/* A folder and those above it. */
static inline void fake_folder(const struct fake_host *host, const char *name)
{
	char path[FAKE_PATH_MAX];

	fake_path(host, path, "%s", name);
	for (char *at = path + strlen(host->top) + 1; (at = strchr(at, '/')); at++) {
		*at = '\0';
		mkdir(path, 0700);
		*at = '/';
	}
	mkdir(path, 0700);
}

static inline void fake_file(const struct fake_host *host, const char *name, const char *text)
{
	char path[FAKE_PATH_MAX];
	FILE *file;

	fake_path(host, path, "%s", name);
	file = fopen(path, "w");
	ck_assert_msg(file != NULL, "%s", path);
	fwrite(text, 1, strlen(text), file);
	fclose(file);
}

static inline void fake_link(const struct fake_host *host, const char *name, const char *to)
{
	char path[FAKE_PATH_MAX];

	fake_path(host, path, "%s", name);
	unlink(path);
	ck_assert_int_eq(symlink(to, path), 0);
}

static inline void fake_host_init(struct fake_host *host)
{
	snprintf(host->top, sizeof(host->top), "/tmp/tap_fake_host_XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(host->top));
	snprintf(host->proc, sizeof(host->proc), "%s/proc", host->top);
	snprintf(host->sys, sizeof(host->sys), "%s/sys", host->top);
	host->roots = (struct tap_host_roots){ .proc = host->proc, .sys = host->sys };
	fake_folder(host, "proc");
	fake_folder(host, "sys/dev/block");
	fake_folder(host, "sys/devices");
}

static inline int fake_unlink(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static inline void fake_host_done(struct fake_host *host)
{
	nftw(host->top, fake_unlink, 16, FTW_DEPTH | FTW_PHYS);
}

/* A block device in `folder` of sys/devices: "sda", "sda/sda1". */
static inline void fake_block(const struct fake_host *host, const char *folder, uint32_t device)
{
	char name[FAKE_PATH_MAX], text[FAKE_PATH_MAX];

	snprintf(name, sizeof(name), "sys/devices/%s/slaves", folder);
	fake_folder(host, name);
	snprintf(name, sizeof(name), "sys/devices/%s/dev", folder);
	snprintf(text, sizeof(text), "%u:%u\n", device >> 20, device & 0xfffff);
	fake_file(host, name, text);
	snprintf(name, sizeof(name), "sys/dev/block/%u:%u", device >> 20, device & 0xfffff);
	snprintf(text, sizeof(text), "../../devices/%s", folder);
	fake_link(host, name, text);
}

/* ... with a request queue. */
static inline void fake_disk(const struct fake_host *host, const char *folder, uint32_t device)
{
	char name[FAKE_PATH_MAX];

	fake_block(host, folder, device);
	snprintf(name, sizeof(name), "sys/devices/%s/mq", folder);
	fake_folder(host, name);
}

static inline void fake_partition(const struct fake_host *host, const char *folder, uint32_t device)
{
	char name[FAKE_PATH_MAX];

	fake_block(host, folder, device);
	snprintf(name, sizeof(name), "sys/devices/%s/partition", folder);
	fake_file(host, name, "1\n");
}

/* `folder` is made of `slave`, a folder of sys/devices too. */
static inline void fake_slave(const struct fake_host *host, const char *folder, const char *slave)
{
	const char *base = strrchr(slave, '/');
	char name[FAKE_PATH_MAX], to[FAKE_PATH_MAX];

	snprintf(name, sizeof(name), "sys/devices/%s/slaves/%s", folder, base ? base + 1 : slave);
	snprintf(to, sizeof(to), "%s/devices/%s", host->sys, slave);
	fake_link(host, name, to);
}

#endif
