// SPDX-License-Identifier: Apache-2.0
/* Writing a chain. */
#include <fcntl.h>
#include <stdio.h>
#include <systemd/sd-id128.h>
#include <time.h>

#include "base/chain_scan.h"

struct km_chain {
	struct km_chain_opts o;
	int dir_fd;
	int fd;       /* of the current segment, -1: none yet */
	int spare_fd; /* of the next one, all zeros, -1: none */
	unsigned int number, slot;
	uint64_t sequence, id;
	uint8_t previous[KM_SHA256_SIZE];
	uint8_t boot_id[16];
	bool damaged, no_space, dead;
};

/* A file NAME: PREFIX_LEN bytes of PREFIX_FD, then zeros up to a segment's size; synced. */
static int write_segment(int dir_fd, const char *name, int flags, int prefix_fd, size_t prefix_len)
{
	km_autoclose int fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_CLOEXEC | flags, 0600);
	char block[16 * KM_CHAIN_RECORD_SIZE];

	if (fd < 0)
		return -errno;
	for (size_t at = 0; at < KM_CHAIN_SEGMENT_BYTES; at += sizeof(block)) {
		size_t want = at < prefix_len ? prefix_len - at : 0;
		ssize_t n;

		memset(block, 0, sizeof(block));
		want = want < sizeof(block) ? want : sizeof(block);
		if (want > 0 && pread(prefix_fd, block, want, (off_t)at) < 0)
			return -errno;
		n = pwrite(fd, block, sizeof(block), (off_t)at);
		if (n != (ssize_t)sizeof(block))
			return n < 0 ? -errno : -ENOSPC;
	}
	return fsync(fd) < 0 ? -errno : km_take_fd(&fd);
}

/* Makes the next segment, and drops what is older than is kept. */
static int prepare(struct km_chain *c)
{
	km_autoclose int fd = -1;
	char name[32];
	int r;

	if (c->spare_fd >= 0)
		return 0;
	r = fd = write_segment(c->dir_fd, "segment-new", O_TRUNC, -1, 0);
	c->no_space = r < 0;
	if (r < 0) {
		unlinkat(c->dir_fd, "segment-new", 0);
		return r;
	}
	km_chain_name(&c->o, c->number + 1, name);
	if (renameat(c->dir_fd, "segment-new", c->dir_fd, name) < 0 || fsync(c->dir_fd) < 0)
		return -errno;
	c->spare_fd = km_take_fd(&fd);
	for (unsigned int n = c->number; n > KM_CHAIN_SEGMENTS_KEPT; n--) {
		km_chain_name(&c->o, n - KM_CHAIN_SEGMENTS_KEPT, name);
		if (unlinkat(c->dir_fd, name, 0) < 0)
			break;
	}
	return 0;
}

int km_chain_boot_id(uint8_t ret[16])
{
	sd_id128_t id;
	int r = sd_id128_get_boot(&id);

	if (r >= 0)
		memcpy(ret, &id, sizeof(id));
	return r < 0 ? r : 0;
}

static uint64_t ns_of(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * KM_NS_PER_S + (uint64_t)t.tv_nsec;
}

static int write_next(struct km_chain *c, struct km_chain_record *r)
{
	off_t at = (off_t)c->slot * KM_CHAIN_RECORD_SIZE;

	r->magic = c->o.magic;
	r->version = c->o.version;
	r->sequence = c->sequence + 1;
	r->t_ns = ns_of(CLOCK_BOOTTIME);
	r->realtime_ns = ns_of(CLOCK_REALTIME);
	memcpy(r->boot_id, c->boot_id, sizeof(r->boot_id));
	memcpy(r->previous, c->previous, sizeof(r->previous));
	km_chain_digest(r, r->digest);
	if (pwrite(c->fd, r, sizeof(*r), at) != sizeof(*r))
		return -EIO;
	sync_file_range(c->fd, at, sizeof(*r), SYNC_FILE_RANGE_WRITE);
	return 0;
}

static int sync_next(struct km_chain *c, const struct km_chain_record *r)
{
	if (fdatasync(c->fd) < 0)
		return -EIO;
	c->sequence = r->sequence;
	memcpy(c->previous, r->digest, sizeof(c->previous));
	c->slot++;
	if (r->kind == c->o.id_kind && r->id > c->id)
		c->id = r->id;
	return 0;
}

static int append(struct km_chain *c, struct km_chain_record *r)
{
	int e = write_next(c, r);

	return e < 0 ? e : sync_next(c, r);
}

/* The spare becomes the current segment. ERROR: why the one before was left, 0 if it was full. */
static int begin_segment(struct km_chain *c, int error)
{
	struct km_chain_record open = { .kind = KM_CHAIN_OPEN, .error = error };
	int r = prepare(c);

	if (r < 0)
		return r;
	km_close(&c->fd);
	c->fd = km_take_fd(&c->spare_fd);
	c->number++;
	c->slot = 0;
	open.id = c->id;
	r = append(c, &open);
	c->dead = r < 0;
	return r;
}

/* After a failed sync the kernel may call the lost pages clean: this file is not trusted with
 * another record. */
static int leave_segment(struct km_chain *c)
{
	c->damaged = true;
	c->dead = begin_segment(c, -EIO) < 0;
	return -EIO;
}

int km_chain_write(struct km_chain *c, struct km_chain_record *r)
{
	int e = c->dead ? -EIO : 0;

	if (e == 0 && c->slot == KM_CHAIN_SEGMENT_RECORDS)
		e = begin_segment(c, 0);
	if (e < 0)
		return e;
	return write_next(c, r) < 0 ? leave_segment(c) : 0;
}

int km_chain_sync(struct km_chain *c, const struct km_chain_record *r)
{
	return sync_next(c, r) < 0 ? leave_segment(c) : 0;
}

int km_chain_add(struct km_chain *c, struct km_chain_record *r)
{
	int e = km_chain_write(c, r);

	return e < 0 ? e : km_chain_sync(c, r);
}

void km_chain_prepare(struct km_chain *c)
{
	if (!c->dead && c->slot > KM_CHAIN_SEGMENT_RECORDS / 2)
		prepare(c);
}

unsigned int km_chain_room(const struct km_chain *c)
{
	unsigned int spare = c->spare_fd >= 0 ? KM_CHAIN_SEGMENT_RECORDS - 1 : 0;

	return c->dead ? 0 : KM_CHAIN_SEGMENT_RECORDS - c->slot + spare;
}

bool km_chain_degraded(const struct km_chain *c)
{
	return c->dead || c->damaged || c->no_space;
}

/* Segment N goes under a free name beside it; its first KEEP records stay under its own. In one
 * step: whoever is killed here finds the bad one there, or the good one. */
static int set_aside(struct km_chain *c, unsigned int n, unsigned int keep)
{
	km_autoclose int fd = -1, copy = -EEXIST;
	char name[32], aside[48];

	km_chain_name(&c->o, n, name);
	fd = openat(c->dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	for (int i = 0; copy == -EEXIST && i < KM_CHAIN_DAMAGED_MAX; i++) {
		snprintf(aside, sizeof(aside), i ? "%s.damaged.%d" : "%s.damaged", name, i);
		copy = write_segment(c->dir_fd, aside, O_EXCL, fd,
		                     (size_t)keep * KM_CHAIN_RECORD_SIZE);
	}
	if (copy < 0)
		return copy;
	if (renameat2(c->dir_fd, name, c->dir_fd, aside, RENAME_EXCHANGE) < 0 ||
	    (keep == 0 && unlinkat(c->dir_fd, name, 0) < 0) || fsync(c->dir_fd) < 0)
		return -errno;
	return 0;
}

/* From the last: a kill in the middle leaves the damage in front to be found again. CB has seen
 * what is good. */
static int repair(struct km_chain *c, struct km_chain_scan *s)
{
	unsigned int bad = s->bad, good = s->good, n;
	struct km_chain_opts silent = c->o;
	int r = 0;

	c->damaged = true;
	silent.cb = NULL;
	for (unsigned int i = s->count; r == 0 && i > 0 && (n = s->numbers[i - 1]) >= bad; i--)
		r = set_aside(c, n, n == bad ? good : 0);
	return r < 0 ? r : km_chain_scan(c->dir_fd, &silent, s);
}

static int open_segment(const struct km_chain *c, unsigned int number)
{
	char name[32];
	int fd;

	km_chain_name(&c->o, number, name);
	fd = openat(c->dir_fd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? -errno : fd;
}

/* Goes on where S ended: in its last segment, and in the empty one behind it if there is one. */
static int go_on(struct km_chain *c, const struct km_chain_scan *s)
{
	unsigned int last = s->count ? s->numbers[s->count - 1] : 0;

	c->number = s->segment ? s->segment : last ? last - 1 : 0;
	c->slot = s->slots;
	c->sequence = s->last.sequence;
	c->id = s->id;
	memcpy(c->previous, s->last.digest, sizeof(c->previous));
	if (s->segment && (c->fd = open_segment(c, c->number)) < 0)
		return c->fd;
	if (last > c->number && (c->spare_fd = open_segment(c, c->number + 1)) < 0)
		return c->spare_fd;
	return c->damaged || c->fd < 0 ? begin_segment(c, c->damaged ? -EBADMSG : 0) : 0;
}

int km_chain_open(int dir_fd, const struct km_chain_opts *opts, struct km_chain **ret)
{
	km_autofree(km_chain_closep) struct km_chain *c = calloc(1, sizeof(*c));
	struct km_chain_scan s;
	int r;

	if (!c)
		return -ENOMEM;
	c->o = *opts;
	c->fd = c->spare_fd = -1;
	c->dir_fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (c->dir_fd < 0)
		return -errno;
	r = km_chain_boot_id(c->boot_id);
	if (r == 0)
		r = km_chain_scan(c->dir_fd, &c->o, &s);
	if (r == 0 && s.bad)
		r = repair(c, &s);
	if (r == 0)
		r = s.bad ? -EBADMSG : go_on(c, &s);
	if (r < 0)
		return r;
	prepare(c);
	*ret = km_take(c);
	return 0;
}

struct km_chain *km_chain_close(struct km_chain *c)
{
	if (c) {
		km_close(&c->dir_fd);
		km_close(&c->fd);
		km_close(&c->spare_fd);
	}
	free(c);
	return NULL;
}
