// SPDX-License-Identifier: BSD-2-Clause
/* decimal.c - formatting of decimal.h. */
#include "userspace/output/decimal.h"

#include <stdio.h>
#include <string.h>

/* A locale's decimal mark may be any bytes: whatever is no part of a number stands for the point. */
static void restore_point(char *text)
{
	char *to = text;

	for (const char *from = text; *from; from++) {
		if (strchr("0123456789+-e", *from))
			*to++ = *from;
		else if (to == text || to[-1] != '.')
			*to++ = '.';
	}
	*to = '\0';
}

char *tap_decimal_format(char text[TAP_DECIMAL_MAX], double value)
{
	/* Adding 0 turns the negative zero into the other one. */
	snprintf(text, TAP_DECIMAL_MAX, "%.10g", value + 0.0);
	restore_point(text);
	return text;
}
