/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fingerprint.h - ids and readable texts of statements, literals taken out.
 *
 * Used wherever userspace has a statement's text: the session join, the text store, the queries view. The rules and the
 * id are those of bpf/abi/fingerprint.h, so an id made here is the one a BPF program makes of the same bytes.
 */
#ifndef TAP_CORRELATE_FINGERPRINT_H
#define TAP_CORRELATE_FINGERPRINT_H

#include <stddef.h>
#include <stdint.h>

struct tap_strbuf;

/* The id of a statement's text, `size` bytes or up to a NUL. Never 0; the same in every run and on every host. */
uint64_t tap_fingerprint(const char *text, size_t size);

/*
 * Append the text with its literals replaced by $1, $2, ... (after the highest $n it has itself), comments removed,
 * white space folded to single spaces, and what a list of literals holds beyond its first one replaced: `IN ($1, ...)`.
 * The user's spelling stays otherwise. At most five bytes a byte of `text` and 32. The id of the result is the id of
 * `text`. Bytes are as hostile as they were: control characters and invalid UTF-8 of quoted identifiers remain.
 */
void tap_fingerprint_normalise(const char *text, size_t size, struct tap_strbuf *out);

#endif
