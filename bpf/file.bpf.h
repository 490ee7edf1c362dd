/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * file.bpf.h - which file a bio or a page is of, where in it, and what the file is called.
 *
 * Kernel addresses are read with bpf_probe_read_kernel: what goes away meanwhile gives a failed read or old bytes.
 */
#ifndef TAP_BPF_FILE_BPF_H
#define TAP_BPF_FILE_BPF_H

#include <bpf/bpf_core_read.h>

#include "bpf/account.bpf.h"
#include "bpf/compat.bpf.h"
#include "bpf/io_maps.bpf.h"

enum {
	MODE_FORMAT = 0170000,
	MODE_BLOCK = 0060000,
	MAPPING_FLAGS = 3, /* low bits of an address_space that is none: anonymous or movable memory */
};

/* Memory that a process shares; its pages are not what a bio writes or reads, but where to or from. */
#define MAGIC_TMPFS 0x01021994
#define MAGIC_HUGETLBFS 0x958458f6

/*
 * A member of a kernel struct: loaded where a constant `cast` says that its pointer is one for the verifier, else
 * copied from its address.
 */
#define READ_KERNEL(to, from) \
	do { \
		if (cast) \
			(to) = (from); \
		else \
			bpf_core_read(&(to), sizeof(to), &(from)); \
	} while (0)

/* The kernel's struct bio_vec. */
struct page_piece {
	__u64 page;
	__u32 bytes;
	__u32 offset;
};

struct io_place {
	__u64 begin;		   /* bytes in the file; on the disk where there is none */
	const struct inode *inode; /* NULL: none */
	__u64 file_bytes;	   /* its size; 0: no file */
	__u32 bytes;
	bool is_direct;
};

/* Key of a file; false: not a file of a disk. A direct request is of none but those. */
static __always_inline bool file_key_of(struct tap_file_key *ret, const struct inode *inode, bool is_direct,
					const bool cast)
{
	const struct super_block *super = NULL;
	unsigned long number = 0, magic = 0;
	__u32 device = 0, generation = 0;
	__u16 mode = 0;

	READ_KERNEL(mode, inode->i_mode);
	READ_KERNEL(super, inode->i_sb);
	if ((mode & MODE_FORMAT) == MODE_BLOCK || !super)
		return false;
	if (!is_direct)
		READ_KERNEL(magic, super->s_magic);
	if (magic == MAGIC_TMPFS || magic == MAGIC_HUGETLBFS)
		return false;
	READ_KERNEL(device, super->s_dev);
	READ_KERNEL(number, inode->i_ino);
	READ_KERNEL(generation, inode->i_generation);
	ret->inode = number;
	ret->device = device;
	ret->generation = generation;
	return number != 0;
}

/* A page of the page cache: its inode, and where it is in the file. */
static __always_inline void place_of_page(struct io_place *ret, __u64 page, __u32 offset, const bool cast)
{
	__u64 head = page_head(page, page_compound_word((const void *)page)), flags = 0;
	const struct folio *folio = cast ? CAST_KERNEL(head, struct folio) : (const struct folio *)head;
	const struct address_space *mapping = NULL;
	unsigned long index = 0;

	bpf_core_read(&flags, sizeof(flags), &((const struct page *)head)->mapping);
	if (!flags || flags & MAPPING_FLAGS)
		return;
	READ_KERNEL(mapping, folio->mapping);
	READ_KERNEL(ret->inode, mapping->host);
	if (cast)
		index = folio->index;
	else
		index = page_index(folio);
	ret->begin = (index << page_shift) + offset;
	if (head != page)
		ret->begin += (page - head) / bpf_core_type_size(struct page) << page_shift;
}

/*
 * A direct request: what its bio carries is the file system's own record of it. `left` is what the record's last piece
 * has not submitted yet.
 */
static __always_inline void place_of_direct(struct io_place *ret, const struct iomap_dio *record, __u32 left,
					    const bool cast)
{
	const struct kiocb *call = NULL;
	const struct file *file = NULL;
	__s64 position = 0, size = 0;

	READ_KERNEL(call, record->iocb);
	READ_KERNEL(size, record->size);
	READ_KERNEL(position, call->ki_pos);
	READ_KERNEL(file, call->ki_filp);
	READ_KERNEL(ret->inode, file->f_inode);
	ret->begin = position + size - left;
	ret->is_direct = true;
}

/* The front of a bio that was too large points to the rest of it. */
static __always_inline void place_of_front(struct io_place *ret, const struct bio *rest, const bool cast)
{
	__u64 end_io = 0, record = 0;
	__u32 left = 0;

	bpf_core_read(&end_io, sizeof(end_io), &rest->bi_end_io);
	if (end_io != direct_end_io)
		return;
	bpf_core_read(&record, sizeof(record), &rest->bi_private);
	bpf_core_read(&left, sizeof(left), &rest->bi_iter.bi_size);
	place_of_direct(ret, cast ? CAST_KERNEL(record, struct iomap_dio) : (const struct iomap_dio *)record,
			ret->bytes + left, cast);
}

static __always_inline void place_of_pages(struct io_place *ret, struct bio *bio, const bool cast)
{
	struct page_piece piece = {};
	__u64 pieces = 0;

	bpf_core_read(&pieces, sizeof(pieces), &bio->bi_io_vec);
	pieces += (__u64)bio->bi_iter.bi_idx * sizeof(piece);
	if (!bpf_probe_read_kernel(&piece, sizeof(piece), (const void *)pieces))
		place_of_page(ret, piece.page, piece.offset + bio->bi_iter.bi_bvec_done, cast);
}

/* Where a bio that carries data is: its file's key and the place in it, or the place on the disk and no file. */
static __always_inline void bio_place(struct tap_file_key *key, struct io_place *ret, struct bio *bio, bool has_pages,
				      const bool cast)
{
	__u64 end_io = (__u64)bio->bi_end_io, record = (__u64)bio->bi_private;
	const struct inode *inode;
	__s64 file_bytes = 0;

	key->inode = 0;
	key->device = bio->bi_bdev->bd_dev;
	key->generation = 0;
	ret->bytes = bio->bi_iter.bi_size;
	ret->begin = 0;
	ret->inode = NULL;
	ret->file_bytes = 0;
	ret->is_direct = false;
	if (has_pages && direct_end_io && end_io == direct_end_io) {
		place_of_direct(ret, cast ? CAST_KERNEL(record, struct iomap_dio) : (const struct iomap_dio *)record,
				ret->bytes, cast);
	} else if (has_pages) {
		if (direct_end_io && end_io == chain_end_io)
			place_of_front(ret, (const struct bio *)record, cast);
		if (!ret->inode)
			place_of_pages(ret, bio, cast);
	}
	inode = ret->inode;
	if (inode && file_key_of(key, inode, ret->is_direct, cast)) {
		READ_KERNEL(file_bytes, inode->i_size);
		ret->file_bytes = (__u64)file_bytes;
		return;
	}
	ret->inode = NULL;
	ret->begin = bio->bi_iter.bi_sector << 9;
}

/* Names and folders of a dentry and those above it, nearest first. */
static __always_inline void names_read(struct tap_file *file, const struct dentry *dentry, const bool cast)
{
	const struct dentry *parent;
	const unsigned char *name;
	const struct inode *inode;
	unsigned long number;

	for (int i = 0; i < TAP_FILE_NAMES; i++) {
		name = NULL;
		parent = NULL;
		READ_KERNEL(name, dentry->d_name.name);
		if (bpf_probe_read_kernel_str(file->names[i], TAP_FILE_NAME_MAX, name) < 0)
			file->names[i][0] = '\0';
		READ_KERNEL(parent, dentry->d_parent);
		/* The root of the file system is its own parent. */
		if (!parent || parent == dentry || i == TAP_FILE_NAMES - 1)
			return;
		inode = NULL;
		number = 0;
		READ_KERNEL(inode, parent->d_inode);
		READ_KERNEL(number, inode->i_ino);
		file->folders[i] = number;
		dentry = parent;
	}
}

/* Keeps what a file is called, once. A file that has no dentry just now is tried again. */
TAP_GLOBAL int file_note_at(struct tap_file_key *key, __u64 address)
{
	const struct inode *inode = (const struct inode *)address;
	const struct hlist_node *alias = NULL;
	struct io_scratch *space;
	__u32 zero = 0, links = 0;
	const bool cast = false;
	__s64 size = 0;

	if (!key || !key->inode || bpf_map_lookup_elem(&files, key))
		return 0;
	space = bpf_map_lookup_elem(&io_space, &zero);
	READ_KERNEL(alias, inode->i_dentry.first);
	if (!space || !alias)
		return 0;
	__builtin_memset(&space->file, 0, sizeof(space->file));
	READ_KERNEL(links, inode->i_nlink);
	READ_KERNEL(size, inode->i_size);
	space->file.unlinked = !links;
	space->file.size_bytes = size;
	names_read(&space->file, (const struct dentry *)((__u64)alias - dentry_alias_offset()), cast);
	if (bpf_map_update_elem(&files, key, &space->file, BPF_ANY))
		count_loss(TAP_LOSS_FILES_FULL);
	return 0;
}

/* The detour makes a number of the pointer, which is what a global function takes. */
static __always_inline void file_note(struct tap_file_key *key, const struct inode *inode)
{
	__u64 address = 0;

	bpf_probe_read_kernel(&address, sizeof(address), &inode);
	file_note_at(key, address);
}

#endif
