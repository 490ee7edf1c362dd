/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * my_lock_layout.h - where versions of MariaDB keep their locks, as rows of facts.
 *
 * Apart from the rows of sessions (my_layout): where locks cannot be read everything else still can.
 */
#ifndef TAP_USERSPACE_ATTACH_MY_LOCK_LAYOUT_H
#define TAP_USERSPACE_ATTACH_MY_LOCK_LAYOUT_H

#include <stdint.h>

#include "bpf/abi/my_lock.h"

/* NULL: this version's are not known, and nothing may be guessed. */
const struct tap_my_lock_layout *tap_my_lock_layout_find(int32_t version_number, uint16_t machine);

#endif
