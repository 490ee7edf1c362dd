// SPDX-License-Identifier: BSD-2-Clause
/*
 * verifier.c - loads every program of a BPF object, one at a time, and prints what the kernel's verifier said.
 *
 * Called by tests/lib/verifier.py. Nothing is attached. One line a program: name, instructions the verifier processed,
 * translated size in bytes; or the word "refused" and the end of the verifier's log.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

enum {
	LOG_BYTES = 1 << 20,
	LOG_TAIL = 6000, /* the reason is at the end */
};

static int say_nothing(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level;
	(void)format;
	(void)args;
	return 0;
}

static int print_loaded(const struct bpf_program *program)
{
	struct bpf_prog_info info = { 0 };
	__u32 size = sizeof(info);

	if (bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size))
		return -errno;
	printf("%s %u %u\n", bpf_program__name(program), info.verified_insns, info.xlated_prog_len);
	return 0;
}

static void print_refused(const char *name, int err, const char *log)
{
	size_t size = strlen(log);

	printf("%s refused: %s\n", name, strerror(-err));
	fprintf(stderr, "%s: %s\n%s\n", name, strerror(-err), size > LOG_TAIL ? log + size - LOG_TAIL : log);
}

/* A program for a tracepoint that this kernel has not: it stands in for another on other kernels. */
static bool is_for_another_kernel(const struct bpf_program *program)
{
	const char *section = bpf_program__section_name(program), *slash = strchr(section, '/');

	return strstr(section, "tp_btf") && slash && libbpf_find_vmlinux_btf_id(slash + 1, BPF_TRACE_RAW_TP) <= 0;
}

/* What is behind a constant that userspace sets is walked, too: with it false, the verifier takes the code out. */
static void set_constant(struct bpf_object *object, const char *name)
{
	const struct btf *types = bpf_object__btf(object);
	struct bpf_map *constants = bpf_object__find_map_by_name(object, ".rodata");
	int id = btf__find_by_name_kind(types, ".rodata", BTF_KIND_DATASEC);
	const struct btf_type *section = id > 0 ? btf__type_by_id(types, (__u32)id) : NULL;
	size_t size = 0;
	const void *before = constants ? bpf_map__initial_value(constants, &size) : NULL;
	char *values = before ? malloc(size) : NULL;

	if (!values || !section) {
		free(values);
		return;
	}
	memcpy(values, before, size);

	for (__u16 i = 0; i < btf_vlen(section); i++) {
		const struct btf_var_secinfo *place = &btf_var_secinfos(section)[i];
		const struct btf_type *variable = btf__type_by_id(types, place->type);

		if (!strcmp(btf__name_by_offset(types, variable->name_off), name) && place->offset < size)
			values[place->offset] = true;
	}
	bpf_map__set_initial_value(constants, values, size);
	free(values);
}

/* Load the object with `index` as its only program; 1 when there is no such program. */
static int check_program(const char *path, int index, char *log)
{
	struct bpf_object *object = bpf_object__open_file(path, NULL);
	struct bpf_program *program, *chosen = NULL;
	int at = 0, err;

	if (!object)
		return -errno;
	set_constant(object, "has_bpf_loop");
	bpf_object__for_each_program(program, object)
	{
		bpf_program__set_autoload(program, at == index);
		if (at++ == index)
			chosen = program;
	}
	if (!chosen) {
		bpf_object__close(object);
		return 1;
	}
	log[0] = '\0';
	bpf_program__set_log_buf(chosen, log, LOG_BYTES);
	bpf_program__set_log_level(chosen, 0); /* libbpf asks again with a log when the kernel refuses */
	if (is_for_another_kernel(chosen)) {
		printf("%s is for another kernel: its tracepoint is not here\n", bpf_program__name(chosen));
		bpf_object__close(object);
		return 0;
	}
	err = bpf_object__load(object);
	if (err)
		print_refused(bpf_program__name(chosen), err, log);
	else
		err = print_loaded(chosen);
	bpf_object__close(object);
	return err;
}

int main(int argc, char **argv)
{
	char *log = malloc(LOG_BYTES);
	struct bpf_object *object;
	int failed = 0, count = 0, err;

	if (!log || argc != 2) {
		fprintf(stderr, "usage: verifier OBJECT\n");
		return 2;
	}
	libbpf_set_print(say_nothing);
	object = bpf_object__open_file(argv[1], NULL);
	if (!object) {
		fprintf(stderr, "%s: %s\n", argv[1], strerror(errno));
		return 2;
	}
	bpf_object__close(object);
	for (; (err = check_program(argv[1], count, log)) != 1; count++)
		failed += err != 0;
	free(log);
	return failed || !count;
}
