// SPDX-License-Identifier: BSD-2-Clause
/*
 * my_thread_kind.c - names, system calls, and the records that threads were started with. See my_thread_kind.h.
 *
 * The C library keeps its record of a thread at the upper end of the thread's stack; in it is what the thread was
 * started with, which for C++ is an object whose table of functions tells its type. All of it is hostile memory:
 * nothing is followed for more than a few steps.
 */
#include "userspace/attach/my_thread_kind.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bpf/abi/my_thread.h"
#include "userspace/attach/maps.h"
#include "userspace/attach/memory.h"

enum {
	RECORD_ABOVE = 32768, /* from the upper end of a stack: where the record of its thread begins */
	RECORD_ALIGN = 64,
	RECORD_SIZE = 0x900, /* what is looked through of it; less than any version's */
	RECORD_NUMBER = 0x2d0,
	SLOTS = RECORD_SIZE / 8,
	IMAGE_MAX = 256 << 20, /* no executable is larger */
	CODE_SIZE = 512,       /* of a function, from its beginning */
	TABLE_HEAD = 16,       /* of a table of functions: before what objects point to */
	CALL_TEXT = 256,
};

/* System calls of x86-64 in which only one kind of thread waits. */
enum {
	CALL_SIGTIMEDWAIT = 128,
	CALL_IO_GETEVENTS = 208,
	CALL_IO_PGETEVENTS = 333,
	CALL_IO_URING_ENTER = 426,
};

/* What a thread that sleeps says of itself in /proc. */
struct call {
	long number;
	uint64_t arguments[6];
	uint64_t stack;
};

void tap_my_thread_marks_make(const struct tap_my_binary *binary, uint64_t bias, struct tap_my_thread_marks *ret)
{
	*ret = (struct tap_my_thread_marks){ .image = bias };
	if (binary->product != TAP_MY_MARIADB)
		return;
	if (binary->found[TAP_MY_SYMBOL_THREAD_PLAIN])
		ret->plain = bias + binary->value[TAP_MY_SYMBOL_THREAD_PLAIN] + TABLE_HEAD;
	if (binary->found[TAP_MY_SYMBOL_THREAD_POOL])
		ret->pool = bias + binary->value[TAP_MY_SYMBOL_THREAD_POOL] + TABLE_HEAD;
	if (binary->page_cleaner)
		ret->page_cleaner = bias + binary->page_cleaner;
}

/* A small file of a thread's, with a NUL behind it. False: it is gone, or not ours to read. */
static bool file_read(const char *root, int32_t pid, int32_t tid, const char *name, char *ret, size_t size)
{
	char path[128];
	ssize_t n;
	int fd;

	if (snprintf(path, sizeof(path), "%s/%d/task/%d/%s", root, pid, tid, name) >= (int)sizeof(path))
		return false;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, ret, size - 1);
	close(fd);
	ret[n > 0 ? n : 0] = '\0';
	return n > 0;
}

static uint8_t kind_of_name(const char *root, int32_t pid, int32_t tid)
{
	char text[TAP_MY_THREAD_NAME + 2];
	__u64 name[TAP_MY_THREAD_NAME / 8] = { 0 };
	size_t length;

	if (!file_read(root, pid, tid, "comm", text, sizeof(text)))
		return TAP_KIND_NONE;
	length = strcspn(text, "\n");
	memcpy(name, text, length < sizeof(name) ? length : sizeof(name) - 1);
	return tap_my_kind_of_name(name);
}

/* "number 0x.. 0x.. 0x.. 0x.. 0x.. 0x.. 0xSTACK 0xCODE"; "running" and threads that are in none say nothing. */
static bool call_read(const char *root, int32_t pid, int32_t tid, struct call *ret)
{
	struct call call = { 0 };
	char text[CALL_TEXT];

	if (!file_read(root, pid, tid, "syscall", text, sizeof(text)) ||
	    sscanf(text, "%ld %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64,
		   &call.number, &call.arguments[0], &call.arguments[1], &call.arguments[2], &call.arguments[3],
		   &call.arguments[4], &call.arguments[5], &call.stack) != 8)
		return false;
	*ret = call;
	return true;
}

static uint8_t kind_of_call(const struct call *call)
{
	switch (call->number) {
	case CALL_SIGTIMEDWAIT:
		return TAP_KIND_SIGNAL_HANDLER;
	case CALL_IO_GETEVENTS:
	case CALL_IO_PGETEVENTS:
		return TAP_KIND_IO_THREAD;
	case CALL_IO_URING_ENTER:
		/* Whoever submits waits for none to be done. */
		return call->arguments[2] ? TAP_KIND_IO_THREAD : TAP_KIND_NONE;
	default:
		return TAP_KIND_NONE;
	}
}

/* ---- what it was started with ---- */

/* The C library's record of the thread leads to itself twice and has its number. 0: there is none. */
static uint64_t record_in(const uint64_t *words, uint64_t start, size_t size, int32_t ns_tid)
{
	for (size_t at = 0; at + RECORD_NUMBER + sizeof(int32_t) <= size; at += RECORD_ALIGN) {
		const uint64_t *word = words + at / 8;
		int32_t number;

		if (word[0] != start + at || word[2] != start + at)
			continue;
		memcpy(&number, (const char *)word + RECORD_NUMBER, sizeof(number));
		if (number == ns_tid)
			return start + at;
	}
	return 0;
}

static uint64_t record_find(int32_t pid, const struct tap_maps *maps, uint64_t stack, int32_t ns_tid)
{
	uint64_t words[RECORD_ABOVE / 8];
	const struct tap_map *map = tap_maps_at(maps, stack, 1);
	uint64_t start;

	if (!map || !map->writable || map->shared || map->end - map->start < RECORD_SIZE)
		return 0;
	start = map->end - map->start > RECORD_ABOVE ? map->end - RECORD_ABOVE : map->start;
	if (tap_memory_read(pid, start, words, map->end - start))
		return 0;
	return record_in(words, start, map->end - start, ns_tid);
}

/* Whether the code there refers to a variable, as code does: by the distance from the end of the instruction. */
static bool code_refers(int32_t pid, uint64_t code, uint64_t variable)
{
	uint8_t bytes[CODE_SIZE];
	int32_t distance;

	if (!code || !variable || tap_memory_read(pid, code, bytes, sizeof(bytes)))
		return false;
	for (size_t i = 0; i + sizeof(distance) <= sizeof(bytes); i++) {
		memcpy(&distance, bytes + i, sizeof(distance));
		if (code + i + sizeof(distance) + (uint64_t)(int64_t)distance == variable)
			return true;
	}
	return false;
}

static uint8_t kind_of_start(int32_t pid, const struct tap_my_thread_marks *marks, const uint64_t object[2])
{
	if (marks->pool && object[0] == marks->pool)
		return TAP_KIND_INNODB_WORKER;
	if (marks->plain && object[0] == marks->plain && code_refers(pid, object[1], marks->page_cleaner))
		return TAP_KIND_PAGE_CLEANER;
	return TAP_KIND_NONE;
}

/* Threads that the C library started by itself: the function is in the record. */
static bool begins_as_cleaner(int32_t pid, const struct tap_my_thread_marks *marks, uint64_t code)
{
	return code >= marks->image && code - marks->image < IMAGE_MAX && code_refers(pid, code, marks->page_cleaner);
}

/* One of the record's words is what the thread was started with; which one depends on the C library. */
static uint8_t kind_of_record(int32_t pid, const struct tap_my_thread_marks *marks, uint64_t record)
{
	uint64_t slots[SLOTS], objects[SLOTS][2];
	struct tap_memory_read reads[SLOTS];
	uint8_t kind = TAP_KIND_NONE;
	size_t count = 0;

	if (tap_memory_read(pid, record, slots, sizeof(slots)))
		return kind;
	for (size_t i = 0; i < SLOTS; i++) {
		if (begins_as_cleaner(pid, marks, slots[i]))
			return TAP_KIND_PAGE_CLEANER;
		if (slots[i] && !(slots[i] & 7) && !(slots[i] >> 47))
			reads[count++] = (struct tap_memory_read){ slots[i], objects[i], sizeof(objects[i]), false };
	}
	if (tap_memory_read_many(pid, reads, count))
		return kind;
	for (size_t i = 0; i < count && !kind; i++) {
		if (reads[i].ok)
			kind = kind_of_start(pid, marks, reads[i].to);
	}
	return kind;
}

static uint8_t kind_of_unnamed(const char *root, int32_t pid, const struct tap_my_thread_marks *marks,
			       const struct tap_maps *maps, const struct tap_my_thread_asked *thread)
{
	struct call call;
	uint64_t record;
	uint8_t kind;

	if (!call_read(root, pid, thread->tid, &call))
		return TAP_KIND_NONE;
	kind = kind_of_call(&call);
	if (kind)
		return kind;
	record = record_find(pid, maps, call.stack, thread->ns_tid);
	return record ? kind_of_record(pid, marks, record) : TAP_KIND_NONE;
}

void tap_my_threads_tell(const char *root, int32_t pid, const struct tap_my_thread_marks *marks,
			 struct tap_my_thread_asked *asked, size_t count)
{
	struct tap_maps maps = { 0 };
	bool unnamed = false;

	for (size_t i = 0; i < count; i++) {
		asked[i].kind = kind_of_name(root, pid, asked[i].tid);
		unnamed |= !asked[i].kind;
	}
	/* Where threads have names, those without one of these are something else. */
	if (!unnamed || !(marks->plain || marks->pool) || tap_maps_read(root, pid, &maps))
		return;
	for (size_t i = 0; i < count; i++) {
		if (!asked[i].kind && asked[i].tid != pid)
			asked[i].kind = kind_of_unnamed(root, pid, marks, &maps, &asked[i]);
	}
	tap_maps_done(&maps);
}
