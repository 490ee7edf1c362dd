/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * keeper.h - a small process that removes the throwaway's folder when dbtap could not.
 *
 * It sleeps in a read of a pipe whose other end only we hold. The end of file says that we were killed: it then waits
 * until the server, which the kernel has told, is gone, and removes the folder. It runs as we do, not as the
 * server's user, who may not be allowed to remove a name from the folder's parent. Called by throwaway.c.
 */
#ifndef TAP_USERSPACE_BENCH_KEEPER_H
#define TAP_USERSPACE_BENCH_KEEPER_H

struct tap_keeper;

/* `lock`: what is below the folder while the server runs. */
int tap_keeper_start(const char *folder, const char *lock, struct tap_keeper **ret);
/* Ends the keeper, who leaves the folder alone, and frees. NULL is fine. */
void tap_keeper_dismiss(struct tap_keeper *keeper);

#endif
