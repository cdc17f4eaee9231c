/* SPDX-License-Identifier: Apache-2.0 */
/* What must be known after a reboot or an update, however kmendd ended: a small file that is synced
 * and renamed into place, written only when it has changed, and never on the way to a repair; and
 * what was learnt of services, in another one that is written each hour and at the end. */
#include <fcntl.h>
#include <stdio.h>
#include <zlib.h>

#include "base/log.h"
#include "daemon/engine.h"

#define MAGIC            0x31747361646d4b00ULL
#define LEARNT_PERIOD_NS (3600 * KM_NS_PER_S)

static const struct file {
	const char *name, *new, *bad;
	size_t max;
} /* Acts of 8,192 pairs of rule and service, and the rest. */
lasting = { "lasting", "lasting.new", "lasting.bad", 8 * 1024 * 1024 },
	/* 5 KB of each of 2,048 services. */
	learnt = { "learnt", "learnt.new", "learnt.bad", 16 * 1024 * 1024 };

struct head {
	uint64_t magic;
	uint64_t len;
	uint32_t crc; /* of the rows */
	uint32_t pad;
};

static int add_cb(void *userdata, const void *raw, size_t len)
{
	km_buf_add(userdata, raw, len);
	return km_buf_error(userdata);
}

static int put_file(int dir_fd, const struct file *f, const struct km_buf *rows)
{
	struct head head = { .magic = MAGIC, .len = rows->len };
	km_autoclose int fd =
		openat(dir_fd, f->new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return -errno;
	head.crc = (uint32_t)crc32(0, (const Bytef *)rows->data, (uInt)rows->len);
	errno = ENOSPC; /* for what is written in part */
	if (write(fd, &head, sizeof(head)) != (ssize_t)sizeof(head) ||
	    write(fd, rows->data, rows->len) != (ssize_t)rows->len || fsync(fd) < 0 ||
	    renameat(dir_fd, f->new, dir_fd, f->name) < 0 || fsync(dir_fd) < 0)
		return -errno;
	return 0;
}

static bool is_same(const struct km_buf *a, const struct km_buf *b)
{
	return a && a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}

static int rows_of(struct km_engine *e, const struct file *f, struct km_buf **ret)
{
	km_autofree(km_buf_freep) struct km_buf *rows = NULL;
	int r = km_buf_new(f->max, &rows);

	if (r == 0)
		r = km_pipeline_save_lasting(e->pipeline, f == &learnt, add_cb, rows);
	if (r == 0)
		*ret = km_take(rows);
	return r;
}

int km_learnt_write(struct km_engine *e)
{
	km_autofree(km_buf_freep) struct km_buf *rows = NULL;
	int r;

	if (e->d->engine_fd < 0)
		return 0;
	e->learnt_ns = km_pipeline_now_ns(e->pipeline);
	r = rows_of(e, &learnt, &rows);
	return r < 0 || !rows->len ? r : put_file(e->d->engine_fd, &learnt, rows);
}

static int write_learnt_if_due(struct km_engine *e)
{
	uint64_t now_ns = km_pipeline_now_ns(e->pipeline);

	if (!e->learnt_ns)
		e->learnt_ns = now_ns;
	return now_ns - e->learnt_ns < LEARNT_PERIOD_NS ? 0 : km_learnt_write(e);
}

int km_lasting_write(struct km_engine *e)
{
	km_autofree(km_buf_freep) struct km_buf *rows = NULL;
	int r;

	if (e->d->engine_fd < 0 || e->lasting_of == e->checkpoints)
		return 0;
	r = write_learnt_if_due(e);
	if (r == 0)
		r = rows_of(e, &lasting, &rows);
	if (r < 0)
		return r;
	e->lasting_of = e->checkpoints;
	if (is_same(e->lasting, rows))
		return 0;
	r = put_file(e->d->engine_fd, &lasting, rows);
	if (r < 0)
		return r;
	km_buf_free(e->lasting);
	e->lasting = km_take(rows);
	return 0;
}

static int load(int dir_fd, const struct file *f, struct km_buf *ret)
{
	km_autoclose int fd = openat(dir_fd, f->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char chunk[65536];
	struct head head;
	ssize_t n;

	if (fd < 0)
		return -errno;
	if (read(fd, &head, sizeof(head)) != (ssize_t)sizeof(head) || head.magic != MAGIC)
		return -EBADMSG;
	while ((n = read(fd, chunk, sizeof(chunk))) > 0)
		km_buf_add(ret, chunk, (size_t)n);
	if (n < 0 || km_buf_error(ret) < 0)
		return n < 0 ? -errno : km_buf_error(ret);
	if (ret->len != head.len || crc32(0, (const Bytef *)ret->data, (uInt)ret->len) != head.crc)
		return -EBADMSG;
	return 0;
}

/* Layout 16 named tables by their places, and all of them changed at once. */
static void renumber(struct km_raw_state *s)
{
	static const struct {
		uint32_t place, lasting;
	} known[] = { { 15, 1 }, { 19, 2 }, { 21, 3 }, { 22, 4 },
		      { 23, 5 }, { 24, 6 }, { 28, 7 }, { 29, 8 } };

	for (size_t i = 0; s->layout == 16 && i < KM_ARRAY_SIZE(known); i++)
		if (known[i].place == s->table) {
			s->table = known[i].lasting;
			s->layout = KM_LAYOUT_LASTING;
		}
}

/* As though all of it had happened now. What another version kept and this one does not know is
 * left out. */
static int feed(struct km_engine *e, struct km_buf *rows)
{
	uint64_t now_ns = km_now_ns();
	int fed = 0, other = 0;

	for (size_t at = 0; at < rows->len;) {
		struct km_raw_state *s = (void *)(rows->data + at);
		int r;

		if (rows->len - at < sizeof(*s) || s->hdr.type != KM_RAW_STATE ||
		    s->hdr.size < sizeof(*s) || s->hdr.size > rows->len - at)
			return -EBADMSG;
		renumber(s);
		s->hdr.ktime_ns = now_ns;
		r = s->layout == KM_LAYOUT_LASTING ? km_pipeline_feed(e->pipeline, s, s->hdr.size)
		                                   : -ENOTSUP;
		if (r < 0 && r != -ENOTSUP)
			return r;
		fed += r == 0;
		other += r != 0;
		at += s->hdr.size;
	}
	if (other)
		km_log(KM_WARNING,
		       "%d of %d rows that outlive kmendd are of another version: "
		       "begun anew",
		       other, fed + other);
	return fed;
}

static int read_file(struct km_engine *e, const struct file *f)
{
	km_autofree(km_buf_freep) struct km_buf *rows = NULL;
	int r;

	if (e->d->engine_fd < 0)
		return -ENOENT;
	r = km_buf_new(f->max, &rows);
	if (r == 0)
		r = load(e->d->engine_fd, f, rows);
	return r < 0 ? r : feed(e, rows);
}

int km_lasting_read(struct km_engine *e)
{
	return read_file(e, &lasting);
}

static void set_aside(struct km_engine *e, const struct file *f)
{
	if (renameat(e->d->engine_fd, f->name, e->d->engine_fd, f->bad) < 0 && errno != ENOENT)
		km_log(KM_WARNING, "%s stays in place: %s", f->name, strerror(errno));
}

void km_lasting_set_aside(struct km_engine *e)
{
	set_aside(e, &lasting);
}

void km_learnt_read(struct km_engine *e)
{
	int r = read_file(e, &learnt);

	if (r >= 0 || r == -ENOENT)
		return;
	km_log(KM_WARNING, "what was learnt is damaged and was set aside: it is learnt anew");
	set_aside(e, &learnt);
}
