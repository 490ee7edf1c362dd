/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * boundary.bpf.h - bringing the running thread's rows up to date from programs other than the switch.
 */
#ifndef TAP_BPF_BOUNDARY_BPF_H
#define TAP_BPF_BOUNDARY_BPF_H

#include "bpf/account.bpf.h"

/*
 * A boundary of the running thread, as the tick has them; in sched.bpf.c. The caller has made seq odd, so that neither
 * a tick nor a switch of the thread comes between.
 */
int boundary_now(struct tap_task *account);

#endif
