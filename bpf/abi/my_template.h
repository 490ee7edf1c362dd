/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * my_template.h - whether a MySQL or MariaDB statement is one that was seen before but for its numbers.
 *
 * A session repeats itself: most of its texts differ from one before in a number or two, and then so does nothing that
 * their id is made of (my_digest.h). A template is such a text with its numbers taken out. A text that is the template
 * with some digits at each place has the template's id: the tokenizer goes through the same states but within the
 * digits, and what a number's digits are it does not look at, since no template has one that is anything else (1.5,
 * 0xff, 1e3, 2020_sales). Comparing takes eight bytes at a time, the id one; tests/unit/bpf/abi/test_my_template.c
 * proves the one by the other.
 *
 * Only statements that read or change rows have templates: nothing that one of these does changes whose session it is,
 * or its database.
 */
#ifndef TAP_BPF_ABI_MY_TEMPLATE_H
#define TAP_BPF_ABI_MY_TEMPLATE_H

#include "bpf/abi/my_digest.h"

enum {
	TAP_MY_TEMPLATES = 64, /* of a CPU */
	TAP_MY_TEMPLATE_TEXT = 256,
	TAP_MY_TEMPLATE_NUMBERS = 8,
	TAP_MY_TEMPLATE_SPARE = 8, /* readable bytes behind a text */
	/* Steps that any text of TAP_MY_MATCH_TEXT bytes is through in. */
	TAP_MY_MATCH_TEXT = 1024,
	TAP_MY_MATCH_STEPS = TAP_MY_MATCH_TEXT / 8 + TAP_MY_TEMPLATE_TEXT / 8 + 4 * TAP_MY_TEMPLATE_NUMBERS,
};

struct tap_my_template {
	__u64 id;     /* 0: there is none */
	__u64 seen;   /* the last other id that wanted the place */
	__u16 size;   /* of `text` */
	__u8 numbers; /* taken out */
	__u8 pad[13];
	__u16 cuts[16]; /* where in `text` each one was; behind the last one `size` */
	char text[TAP_MY_TEMPLATE_TEXT + TAP_MY_TEMPLATE_SPARE];
	__u8 pad2[56];
};
TAP_ABI_SIZE(tap_my_template, 384);

/* Plain numbers of a text, as they are come by while it is digested. */
struct tap_my_numbers {
	__u16 begin[TAP_MY_TEMPLATE_NUMBERS];
	__u16 end[TAP_MY_TEMPLATE_NUMBERS];
	__u8 count;
	__u8 open;   /* one has begun, of digits alone so far */
	__u8 over;   /* there were more */
	__u8 before; /* the digest's state before its last step */
};
TAP_ABI_SIZE(tap_my_numbers, 36);

TAP_MY_INLINE void tap_my_numbers_init(struct tap_my_numbers *numbers)
{
	numbers->count = 0;
	numbers->open = 0;
	numbers->over = 0;
	numbers->before = TAP_MY_GAP;
}

TAP_MY_INLINE void tap_my_number_begin(struct tap_my_numbers *numbers, __u32 at)
{
	__u32 count = numbers->count;

	numbers->open = 1;
	if (count >= TAP_MY_TEMPLATE_NUMBERS)
		numbers->over = 1;
	else
		numbers->begin[count] = at;
}

TAP_MY_INLINE void tap_my_number_end(struct tap_my_numbers *numbers, __u32 at)
{
	__u32 count = numbers->count;

	if (numbers->open && count < TAP_MY_TEMPLATE_NUMBERS) {
		numbers->end[count] = at;
		numbers->count = count + 1;
	}
	numbers->open = 0;
}

/* After each step of the digest, whose state was `before` it: `byte` was the one at `at`. */
TAP_MY_INLINE void tap_my_numbers_note(struct tap_my_numbers *numbers, const struct tap_my_digest *digest, __u32 at,
				       unsigned char byte)
{
	__u8 state = digest->state, before = numbers->before;

	if (before != TAP_MY_NUMBER && state != TAP_MY_NUMBER)
		return;
	if (before == TAP_MY_NUMBER && state == TAP_MY_NUMBER) {
		if (!tap_my_is_digit(byte))
			numbers->open = 0;
	} else if (before == TAP_MY_NUMBER) {
		/* In a word or an exponent it goes on. */
		if (state == TAP_MY_WORD || state == TAP_MY_NUMBER_E)
			numbers->open = 0;
		tap_my_number_end(numbers, at);
	} else if (digest->begin == at && tap_my_is_digit(byte)) {
		tap_my_number_begin(numbers, at);
	}
}

/* Eight bytes at any place. */
TAP_MY_INLINE __u64 tap_my_load(const char *at)
{
#ifdef __bpf__
	return *(const __u64 *)at;
#else
	__u64 word;

	__builtin_memcpy(&word, at, sizeof(word));
	return word;
#endif
}

/* Digits that eight bytes begin with; the first of them in memory is the lowest. */
TAP_MY_INLINE __u32 tap_my_digits(__u64 word)
{
	__u64 low = word ^ 0x3030303030303030ull, others;

	/* Nibbles of 10 and more, and bytes that were no 0x3., have their highest bit set. */
	others = (((low & 0x7f7f7f7f7f7f7f7full) + 0x7676767676767676ull) | low) & 0x8080808080808080ull;
	if (!others)
		return 8;
	others >>= 7;
	return (((others & -others) - 1) & 0x0101010101010101ull) * 0x0101010101010101ull >> 56;
}

struct tap_my_match {
	__u32 size;    /* of the text */
	__u32 at;      /* in the text ... */
	__u32 in;      /* ... and in the template */
	__u32 number;  /* the next one */
	__u32 digits;  /* some of its digits were seen */
	__u32 matches; /* when it is over */
};

/* One step of comparing; zeros are behind the text. Returns whether it is over. */
TAP_MY_INLINE int tap_my_match_step(struct tap_my_match *match, const struct tap_my_template *template,
				    const char text[TAP_MY_MATCH_TEXT + TAP_MY_TEMPLATE_SPARE])
{
	__u32 left = template->cuts[match->number & 15] - match->in, digits;
	__u64 word = tap_my_load(text + (match->at & (TAP_MY_MATCH_TEXT - 1))), differs;

	if (left) {
		differs = word ^ tap_my_load(template->text + (match->in & (TAP_MY_TEMPLATE_TEXT - 1)));
		if (left < 8)
			differs <<= 64 - 8 * left;
		else
			left = 8;
		if (differs)
			return 1;
		match->at += left;
		match->in += left;
		return 0;
	}
	if (match->number == template->numbers) {
		match->matches = match->at == match->size;
		return 1;
	}
	digits = tap_my_digits(word);
	if (!digits && !match->digits)
		return 1;
	match->at += digits;
	match->digits = digits == 8;
	match->number += digits != 8;
	return 0;
}

/* Whether statements that begin so may have a template. */
TAP_MY_INLINE int tap_my_template_may(const char *text)
{
	__u32 word = (__u32)tap_my_load(text) | 0x20202020;

	return word == 0x656c6573 /* select */ || word == 0x65736e69 /* insert */ || word == 0x61647075 /* update */ ||
	       word == 0x656c6564 /* delete */ || word == 0x6c706572 /* replace */;
}

/* One byte of a text goes into a template that began with size, numbers and id 0. */
TAP_MY_INLINE void tap_my_template_step(struct tap_my_template *template, const struct tap_my_numbers *numbers,
					const char *text, __u32 at)
{
	__u32 number = template->numbers, size = template->size;

	if (number < TAP_MY_TEMPLATE_NUMBERS && number < numbers->count && at >= numbers->begin[number]) {
		template->cuts[number] = size;
		if (at + 1 == numbers->end[number])
			template->numbers = number + 1;
		return;
	}
	template->text[size & (TAP_MY_TEMPLATE_TEXT - 1)] = text[at & (TAP_MY_MATCH_TEXT - 1)];
	template->size = size + 1;
}

/* All bytes are in. */
TAP_MY_INLINE void tap_my_template_final(struct tap_my_template *template, __u64 id)
{
	template->cuts[template->numbers & 15] = template->size;
	template->id = id;
}

#endif
