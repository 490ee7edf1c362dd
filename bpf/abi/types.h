/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * types.h - the fixed-width types of records that BPF programs and userspace share.
 *
 * Records here use only these types, pad explicitly, carry no pointers and grow by appending. TAP_ABI_SIZE asserts a
 * size in both compilers; tests/unit/bpf/abi prints every offset from both and compares them.
 */
#ifndef TAP_BPF_ABI_TYPES_H
#define TAP_BPF_ABI_TYPES_H

#ifdef __bpf__
#include "vmlinux/vmlinux.h"
#else
#include <linux/types.h>
#endif

#define TAP_ABI_SIZE(type, size) _Static_assert(sizeof(struct type) == (size), "size of " #type)

#endif
