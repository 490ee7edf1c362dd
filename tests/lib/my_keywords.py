#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""my_keywords.py - writes bpf/abi/my_keywords.h from the words of tests/unit/correlate/engine/mysql/keywords.txt.

A word with a bracket behind it is one only where a bracket follows directly. The words are what a server says of itself:
information_schema.KEYWORDS, and the functions of SQL_FUNCTIONS whose spelling makes no difference to its digests.
tests/live/test_my_digest.py compares them with a server's.
"""
WORDS = "tests/unit/correlate/engine/mysql/keywords.txt"
HEADER = "bpf/abi/my_keywords.h"
PRIME = 0x9e3779b97f4a7c15
BITS, DEEP = 10, 4  # buckets, and words in one

HEAD = """/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * my_keywords.h - the keywords of MariaDB, as parts of their hashes; written by tests/lib/my_keywords.py.
 *
 * Where a name and a keyword differ in a server's digests, they do in ours: a keyword may be spelt in any letters. A
 * bucket is looked into as a whole, so that a look costs the same for every word.
 */
#ifndef TAP_BPF_ABI_MY_KEYWORDS_H
#define TAP_BPF_ABI_MY_KEYWORDS_H

#include "bpf/abi/types.h"

enum {
	TAP_MY_KEYWORD_BITS = %d,  /* of a hash, from the one below: the bucket */
	TAP_MY_KEYWORD_SHIFT = %d,
	TAP_MY_KEYWORD_DEEP = %d, /* words in a bucket, the lower half of each one's hash; 0: none */
};

/* clang-format off */
static const __u32 tap_my_keywords[%d] = {
"""


def token(word):
    value = 0
    for byte in word.encode():
        value = (value ^ byte) * PRIME % 2**64
    return value


def buckets(words, shift):
    """One list a bucket, or None when one is too full."""
    found = [[] for _ in range(2**BITS)]
    for word in words:
        value = token(word)
        found[value >> shift & (2**BITS - 1)].append(value & 0xffffffff)
    return None if max(map(len, found)) > DEEP else found


def main():
    with open(WORDS, encoding="ascii") as file:
        words = file.read().split()
    shift, found = next((shift, found) for shift in range(54, 31, -1) if (found := buckets(words, shift)))
    flat = [value for bucket in found for value in bucket + [0] * (DEEP - len(bucket))]
    with open(HEADER, "w", encoding="ascii") as file:
        file.write(HEAD % (BITS, shift, DEEP, len(flat)))
        for i in range(0, len(flat), 10):
            file.write("\t" + ", ".join(f"{value:#x}" for value in flat[i:i + 10]) + ",\n")
        file.write("};\n/* clang-format on */\n\n#endif\n")


if __name__ == "__main__":
    main()
