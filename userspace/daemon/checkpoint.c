/* SPDX-License-Identifier: Apache-2.0 */
/* The pipeline's state as raw records on disk, for the next start. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/uio.h>
#include <zlib.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/sparse.h"
#include "daemon/engine.h"

#define CHECKPOINT_MAGIC 0x32706b636d4b0000ULL
/* Rows with all their zeros: of an earlier version. */
#define CHECKPOINT_MAGIC_1 0x31706b636d4b0000ULL
/* 2,048 services with all rows, and 32 MiB of rules. */
#define CHECKPOINT_MAX (64 * 1024 * 1024)

/* So much is gathered before it is written: a host of some services is one call. */
#define PIECE_BYTES (128 * 1024)
/* A record as base/sparse.h keeps it, at the worst. */
#define PACKED_MAX (KM_RAW_MAX + KM_RAW_MAX / 64 + 8)

/* Two files that are written in turn, in place: one is always whole, and nothing is renamed or
 * truncated on the way from a death to a restart. */
#define SLOTS 2
static const char *const slot_names[SLOTS] = { "checkpoint.0", "checkpoint.1" };
static const char *const bad_names[SLOTS] = { "checkpoint.0.bad", "checkpoint.1.bad" };

struct checkpoint_head {
	uint64_t magic;
	uint64_t sequence; /* the higher one is the newer */
	char boot_id[40];  /* boot times mean nothing in another boot */
	uint64_t len;
	uint32_t crc; /* of the rows */
	uint32_t pad;
};

static void boot_id(char ret[static 40])
{
	memset(ret, 0, 40);
	if (km_fs_read_small(AT_FDCWD, "/proc/sys/kernel/random/boot_id", ret, 40) < 0)
		ret[0] = '\0';
}

/* Slot I, opened once; the directory may be of another user by the time it is written. */
static int open_slot(struct km_engine *e, unsigned int i)
{
	if (e->slot_fd[i] > 0)
		return e->slot_fd[i];
	e->slot_fd[i] = openat(e->d->engine_fd, slot_names[i],
	                       O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	return e->slot_fd[i] < 0 ? -errno : e->slot_fd[i];
}

/* A checkpoint on its way to the disk. */
struct writer {
	int fd;
	struct checkpoint_head head;
	struct km_buf *rows; /* those that are not in the file yet */
};

/* The rows so far go behind what is there; with HEAD also the head, in one call where it can be. */
static int put(struct writer *w, bool head)
{
	size_t first = head && w->head.len == 0 ? sizeof(w->head) : 0, len = w->rows->len;
	struct iovec piece[2] = {
		{ .iov_base = &w->head, .iov_len = first },
		{ .iov_base = w->rows->data, .iov_len = len },
	};
	off_t at = first ? 0 : (off_t)(sizeof(w->head) + w->head.len);
	ssize_t n;

	w->head.crc = (uint32_t)crc32(w->head.crc, (const Bytef *)w->rows->data, (uInt)len);
	w->head.len += len;
	n = pwritev(w->fd, piece, 2, at);
	if (n >= 0 && head && !first && (size_t)n == len)
		n = pwrite(w->fd, &w->head, first = sizeof(w->head), 0) + (ssize_t)len;
	km_buf_reset(w->rows);
	if (n < 0)
		return -errno;
	return (size_t)n == first + len ? 0 : -ENOSPC;
}

static int add_cb(void *userdata, const void *raw, size_t len)
{
	struct writer *w = userdata;
	int r = w->head.len + w->rows->len + PACKED_MAX > CHECKPOINT_MAX ? -E2BIG : 0;

	if (r == 0 && w->rows->len + PACKED_MAX > PIECE_BYTES)
		r = put(w, false);
	km_sparse_add(w->rows, raw, (uint32_t)len);
	return r ? r : km_buf_error(w->rows);
}

int km_checkpoint_write(struct km_engine *e)
{
	struct writer w = { .head = { .magic = CHECKPOINT_MAGIC, .sequence = e->checkpoints + 1 } };
	int r = 0;

	e->checkpoint_ns = km_pipeline_now_ns(e->pipeline);
	e->dirty = false;
	if (e->d->engine_fd < 0)
		return -EBADF;
	w.fd = open_slot(e, e->checkpoints % SLOTS);
	if (w.fd < 0)
		return w.fd;
	if (!e->rows)
		r = km_buf_new(PIECE_BYTES, &e->rows);
	if (r < 0)
		return r;
	w.rows = e->rows;
	km_buf_reset(w.rows);
	if (!e->boot_id[0])
		boot_id(e->boot_id);
	memcpy(w.head.boot_id, e->boot_id, sizeof(w.head.boot_id));
	r = km_pipeline_save_rows(e->pipeline, add_cb, &w);
	if (r == 0)
		r = put(&w, true);
	/* One that failed is written over by the next, the whole one stays. */
	e->checkpoints += r == 0;
	return r;
}

/* The rows in slot I if they are whole and of this boot, with their sequence. */
static int load(struct km_engine *e, unsigned int i, struct km_buf *ret, uint64_t *ret_sequence)
{
	struct checkpoint_head head;
	char boot[40], chunk[65536];
	int fd = open_slot(e, i);
	ssize_t n = 0;

	if (fd < 0)
		return fd;
	if (pread(fd, &head, sizeof(head), 0) != sizeof(head))
		return -ENOENT;
	boot_id(boot);
	if (head.magic == CHECKPOINT_MAGIC_1)
		return -ENOTSUP;
	if (head.magic != CHECKPOINT_MAGIC || head.len > CHECKPOINT_MAX)
		return -EBADMSG;
	if (memcmp(boot, head.boot_id, sizeof(boot)) != 0)
		return -ENOENT;
	while (ret->len < head.len) {
		size_t want = head.len - ret->len;

		n = pread(fd, chunk, want < sizeof(chunk) ? want : sizeof(chunk),
		          (off_t)(sizeof(head) + ret->len));
		if (n <= 0)
			return n ? -errno : -EBADMSG;
		km_buf_add(ret, chunk, (size_t)n);
		if (km_buf_error(ret) < 0)
			return km_buf_error(ret);
	}
	if (crc32(0, (const Bytef *)ret->data, (uInt)ret->len) != head.crc)
		return -EBADMSG;
	*ret_sequence = head.sequence;
	return 0;
}

/* The newer of the whole slots. */
static int load_newest(struct km_engine *e, struct km_buf **ret)
{
	km_autofree(km_buf_freep) struct km_buf *best = NULL;
	int r = -ENOENT;

	for (unsigned int i = 0; i < SLOTS; i++) {
		km_autofree(km_buf_freep) struct km_buf *rows = NULL;
		uint64_t sequence = 0;
		int k = km_buf_new(CHECKPOINT_MAX, &rows);

		if (k == 0)
			k = load(e, i, rows, &sequence);
		if (k < 0 && k != -ENOENT && !best)
			r = k;
		if (k < 0 || sequence < e->checkpoints)
			continue;
		km_buf_free(best);
		best = km_take(rows);
		e->checkpoints = sequence;
	}
	if (!best)
		return r;
	*ret = km_take(best);
	return 0;
}

/* LEN bytes at HDR are there. */
static int feed_row(struct km_engine *e, const struct kmend_hdr *hdr, size_t len)
{
	const struct km_raw_state *state = (const void *)hdr;

	if (len < sizeof(*state) || hdr->type != KM_RAW_STATE || hdr->size != len)
		return -EBADMSG;
	if (state->layout != km_pipeline_layout())
		return -ENOTSUP;
	return km_pipeline_feed(e->pipeline, hdr, len);
}

/* How many rows. */
static int feed(struct km_engine *e, const struct km_buf *rows)
{
	km_autofree_char char *raw = malloc(KM_RAW_MAX);
	int fed = 0, len, r = raw ? 0 : -ENOMEM;
	size_t at = 0;

	while (r >= 0 && (len = km_sparse_next(rows, &at, raw, KM_RAW_MAX)) != 0) {
		r = len < 0 ? len : feed_row(e, (const void *)raw, (size_t)len);
		fed++;
	}
	return r < 0 ? r : fed;
}

int km_checkpoint_read(struct km_engine *e)
{
	km_autofree(km_buf_freep) struct km_buf *rows = NULL;
	int r;

	if (e->d->engine_fd < 0)
		return -ENOENT;
	r = load_newest(e, &rows);
	return r < 0 ? r : feed(e, rows);
}

void km_checkpoint_set_aside(struct km_engine *e)
{
	for (unsigned int i = 0; i < SLOTS; i++) {
		if (renameat(e->d->engine_fd, slot_names[i], e->d->engine_fd, bad_names[i]) < 0)
			km_log(KM_WARNING, "%s stays in place: %s", slot_names[i], strerror(errno));
		if (e->slot_fd[i] > 0)
			close(e->slot_fd[i]);
		e->slot_fd[i] = 0;
	}
}
