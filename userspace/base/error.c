// SPDX-License-Identifier: BSD-2-Clause
/* error.c - formats the one-line failure text that commands print. */
#include "userspace/base/error.h"

#include <stdarg.h>
#include <stdio.h>

int tap_error_set(struct tap_error *err, int code, const char *format, ...)
{
	va_list args;

	if (!err)
		return code;
	va_start(args, format);
	vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);
	for (char *at = err->text; *at; at++) {
		if ((unsigned char)*at < 0x20 || *at == 0x7f)
			*at = '?';
	}
	return code;
}
