// SPDX-License-Identifier: BSD-2-Clause
/* probes.c - links by place and by process; the files are kept open, so that a place outlives its name. */
#include "userspace/load/probes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bpf/libbpf.h>

#include "bpf/abi/task.h"

enum {
	PLACES_MAX = 2 * TAP_INSTANCES_MAX,
	PATH_SIZE = 64,
};

static void links_drop(struct tap_probes *probes)
{
	for (size_t i = 0; i < probes->n_links; i++)
		bpf_link__destroy(probes->links[i].link);
	free(probes->links);
	probes->links = NULL;
	probes->n_links = 0;
}

void tap_probes_done(struct tap_probes *probes)
{
	links_drop(probes);
	for (size_t i = 0; i < probes->n_places; i++) {
		bpf_link__destroy(probes->places[i].link);
		close(probes->places[i].fd);
	}
	free(probes->places);
	*probes = (struct tap_probes){ 0 };
}

static int place_attach(const struct tap_probe_place *place, int32_t pid, struct bpf_link **ret)
{
	char path[PATH_SIZE];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", place->fd);
	*ret = bpf_program__attach_uprobe(place->program, false, pid, path, place->offset);
	return *ret ? 0 : -errno;
}

static bool is_known(const struct tap_probes *probes, const struct tap_probe_place *place)
{
	for (size_t i = 0; i < probes->n_places; i++) {
		const struct tap_probe_place *known = &probes->places[i];

		if (known->device == place->device && known->inode == place->inode && known->offset == place->offset &&
		    known->program == place->program)
			return true;
	}
	return false;
}

static int place_keep(struct tap_probes *probes, const struct tap_probe_place *place)
{
	struct tap_probe_place *places = reallocarray(probes->places, probes->n_places + 1, sizeof(*places));

	if (!places)
		return -ENOMEM;
	probes->places = places;
	places[probes->n_places++] = *place;
	return 0;
}

static int place_open(struct tap_probe_place *place, const char *binary)
{
	struct stat file;
	int code;

	place->fd = open(binary, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (place->fd < 0)
		return -errno;
	if (fstat(place->fd, &file)) {
		code = -errno;
		close(place->fd);
		return code;
	}
	place->device = file.st_dev;
	place->inode = file.st_ino;
	return 0;
}

int tap_probes_add(struct tap_probes *probes, const struct bpf_program *program, const char *binary, uint64_t offset,
		   struct tap_error *err)
{
	struct tap_probe_place place = { .program = program, .offset = offset };
	int status = place_open(&place, binary);

	if (status)
		return tap_error_set(err, status, "cannot probe %s: %s", binary, strerror(-status));
	if (is_known(probes, &place)) {
		close(place.fd);
		return 0;
	}
	if (probes->n_places == PLACES_MAX) {
		close(place.fd);
		return tap_error_set(err, -E2BIG, "more than %d binaries to probe", TAP_INSTANCES_MAX);
	}
	if (!probes->some)
		status = place_attach(&place, -1, &place.link);
	if (!status)
		status = place_keep(probes, &place);
	if (!status)
		return 0;
	bpf_link__destroy(place.link);
	close(place.fd);
	return tap_error_set(err, status, "cannot probe %s: %s", binary, strerror(-status));
}

static void whole_drop(struct tap_probes *probes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		bpf_link__destroy(probes->places[i].link);
		probes->places[i].link = NULL;
	}
}

int tap_probes_all(struct tap_probes *probes)
{
	if (!probes->some)
		return 0;
	for (size_t i = 0; i < probes->n_places; i++) {
		int status = place_attach(&probes->places[i], -1, &probes->places[i].link);

		if (status) {
			whole_drop(probes, i);
			return status;
		}
	}
	links_drop(probes);
	probes->some = false;
	return 0;
}

/* The link that a process has at a place already is taken out of the old list. */
static struct bpf_link *link_take(struct tap_probe_link *links, size_t count, int32_t pid, size_t place)
{
	for (size_t i = 0; i < count; i++) {
		struct bpf_link *link = links[i].link;

		if (!link || links[i].pid != pid || links[i].place != place)
			continue;
		links[i].link = NULL;
		return link;
	}
	return NULL;
}

static bool runs(int32_t pid, const struct tap_probe_place *place)
{
	char path[PATH_SIZE];
	struct stat file;

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	return !stat(path, &file) && file.st_dev == place->device && file.st_ino == place->inode;
}

int tap_probes_some(struct tap_probes *probes, const int32_t *pids, size_t count)
{
	struct tap_probe_link *before = probes->links, *links = calloc(count * probes->n_places + 1, sizeof(*links));
	size_t n_before = probes->n_links, n_links = 0;
	int status = 0;

	if (!links)
		return -ENOMEM;
	for (size_t i = 0; i < count * probes->n_places; i++) {
		struct tap_probe_link *link = &links[n_links];
		const struct tap_probe_place *place = &probes->places[i % probes->n_places];
		int failed = 0;

		*link = (struct tap_probe_link){ .pid = pids[i / probes->n_places], .place = i % probes->n_places };
		link->link = link_take(before, n_before, link->pid, link->place);
		if (!link->link && runs(link->pid, place))
			failed = place_attach(place, link->pid, &link->link);
		if (failed && failed != -ESRCH && failed != -ENOENT)
			status = failed;
		n_links += link->link != NULL;
	}
	/* The new ones are there before the old ones go. */
	links_drop(probes);
	probes->links = links;
	probes->n_links = n_links;
	whole_drop(probes, probes->n_places);
	probes->some = true;
	return status;
}

bool tap_probes_are_on(const struct tap_probes *probes)
{
	return probes->n_links || (!probes->some && probes->n_places);
}
