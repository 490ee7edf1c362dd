/* SPDX-License-Identifier: BSD-2-Clause */
/* iterator.h - running a BPF iterator that writes nothing. */
#ifndef TAP_USERSPACE_LOAD_ITERATOR_H
#define TAP_USERSPACE_LOAD_ITERATOR_H

struct bpf_link;

/* Runs it once, over everything. 0 or -errno. */
int tap_iterator_run(const struct bpf_link *link);

#endif
