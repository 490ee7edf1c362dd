/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * digest.h - own ids and readable texts of MySQL and MariaDB statements, literals taken out.
 *
 * The rules and the id are those of bpf/abi/my_digest.h, so an id made here is the one a BPF program makes of the same
 * bytes.
 */
#ifndef TAP_CORRELATE_ENGINE_MYSQL_DIGEST_H
#define TAP_CORRELATE_ENGINE_MYSQL_DIGEST_H

#include <stddef.h>
#include <stdint.h>

struct tap_strbuf;

/* The id of a statement's text, `size` bytes or up to a NUL. Never 0; the same in every run and on every host. */
uint64_t tap_my_statement_id(const char *text, size_t size);

/*
 * Another id, only for comparing statements with a server's own digest texts: words that are one to the server are one.
 * The second is of the statements that have that digest text; 0 when it was cut (or out of memory).
 */
uint64_t tap_my_canonical_id(const char *text, size_t size);
uint64_t tap_my_digest_text_id(const char *text, size_t size);

/*
 * Append the text with every literal as ?, a list of them as `?, ...`, rows as (?) or (...), lists of rows followed by
 * a comment, as the server's own digest texts have them; comments removed, white space folded. The user's spelling
 * stays otherwise, and hostile bytes of `names` stay what they are.
 */
void tap_my_statement_normalise(const char *text, size_t size, struct tap_strbuf *out);

#endif
