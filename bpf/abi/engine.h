/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * engine.h - the database engines dbtap knows.
 *
 * A line here asks each layer for one table of that name: tap_terms_<name> (correlate/engine/terms.h),
 * tap_client_<name> (correlate/engine/client.h) and tap_attach_<name> (userspace/attach/engine.h).
 */
#ifndef TAP_BPF_ABI_ENGINE_H
#define TAP_BPF_ABI_ENGINE_H

#define TAP_ENGINES(X) \
	X(POSTGRES, postgres) \
	X(MYSQL, mysql)

enum tap_engine {
#define X(id, name) TAP_ENGINE_##id,
	TAP_ENGINES(X)
#undef X
	TAP_ENGINE_COUNT
};

#endif
