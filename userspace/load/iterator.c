// SPDX-License-Identifier: BSD-2-Clause
/* iterator.c - reads its file to the end. */
#include "userspace/load/iterator.h"

#include <errno.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

int tap_iterator_run(const struct bpf_link *link)
{
	char nothing[64];
	int fd = bpf_iter_create(bpf_link__fd(link));
	ssize_t size;

	if (fd < 0)
		return -errno;
	do {
		size = read(fd, nothing, sizeof(nothing));
	} while (size > 0 || (size < 0 && errno == EINTR));
	close(fd);
	return size < 0 ? -errno : 0;
}
