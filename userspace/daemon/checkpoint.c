/* SPDX-License-Identifier: Apache-2.0 */
/* The pipeline's state as raw records on disk, for the next start. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/uio.h>
#include <zlib.h>

#include "base/fs.h"
#include "base/log.h"
#include "daemon/engine.h"

#define CHECKPOINT_MAGIC 0x31706b636d4b0000ULL
/* 2,048 services with all rows, and 32 MiB of rules. */
#define CHECKPOINT_MAX (64 * 1024 * 1024)

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

static int add_cb(void *userdata, const void *raw, size_t len)
{
	km_buf_add(userdata, raw, len);
	return km_buf_error(userdata);
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

/* Head and rows at the beginning of the file; what is left behind them of a longer one does not
 * count. */
static int write_slot(int fd, const struct checkpoint_head *head, const struct km_buf *rows)
{
	struct iovec piece[2] = {
		{ .iov_base = (void *)head, .iov_len = sizeof(*head) },
		{ .iov_base = rows->data, .iov_len = rows->len },
	};
	ssize_t n = pwritev(fd, piece, 2, 0);

	if (n < 0)
		return -errno;
	return (size_t)n == sizeof(*head) + rows->len ? 0 : -ENOSPC;
}

int km_checkpoint_write(struct km_engine *e)
{
	struct checkpoint_head head = { .magic = CHECKPOINT_MAGIC };
	int r = 0, fd;

	e->checkpoint_ns = km_pipeline_now_ns(e->pipeline);
	e->dirty = false;
	if (e->d->engine_fd < 0)
		return -EBADF;
	fd = open_slot(e, e->checkpoints % SLOTS);
	if (fd < 0)
		return fd;
	if (!e->rows)
		r = km_buf_new(CHECKPOINT_MAX, &e->rows);
	if (r < 0)
		return r;
	km_buf_reset(e->rows);
	r = km_pipeline_save_rows(e->pipeline, add_cb, e->rows);
	if (r < 0)
		return r;
	if (!e->boot_id[0])
		boot_id(e->boot_id);
	memcpy(head.boot_id, e->boot_id, sizeof(head.boot_id));
	head.sequence = ++e->checkpoints;
	head.len = e->rows->len;
	head.crc = (uint32_t)crc32(0, (const Bytef *)e->rows->data, (uInt)e->rows->len);
	return write_slot(fd, &head, e->rows);
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

static int feed_rows(struct km_engine *e, const struct km_buf *rows)
{
	size_t at = 0;
	int fed = 0;

	while (at + KMEND_HDR_SIZE <= rows->len) {
		const struct kmend_hdr *hdr = (const void *)(rows->data + at);
		const struct km_raw_state *state = (const void *)hdr;
		int r;

		if (hdr->type != KM_RAW_STATE || hdr->size < sizeof(*state) ||
		    hdr->size > rows->len - at)
			return -EBADMSG;
		if (state->layout != km_pipeline_layout())
			return -ENOTSUP;
		r = km_pipeline_feed(e->pipeline, hdr, hdr->size);
		if (r < 0)
			return r;
		fed++;
		at += hdr->size;
	}
	return fed;
}

int km_checkpoint_read(struct km_engine *e)
{
	km_autofree(km_buf_freep) struct km_buf *rows = NULL;
	int r;

	if (e->d->engine_fd < 0)
		return -ENOENT;
	r = load_newest(e, &rows);
	return r < 0 ? r : feed_rows(e, rows);
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
