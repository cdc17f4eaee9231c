/* SPDX-License-Identifier: Apache-2.0 */
#include "record/trace.h"

#include <stdio.h>
#include <zlib.h>

#include "record/trace_format.h"

struct km_trace_reader {
	int fd; /* -1: memory */
	const uint8_t *memory;
	size_t memory_len;
	uint64_t offset; /* of the next byte to read */
	uint8_t *packed; /* KM_TRACE_FRAME_PACKED_MAX, allocated at the first frame */
	uint8_t *plain;  /* KM_TRACE_FRAME_PLAIN_MAX; malloc aligns it for records */
	size_t plain_len;
	size_t at; /* next record in plain */
	bool ended;
	struct km_trace_stats stats;
};

/* 1: all LEN bytes; 0: end of file before the first; -EBADMSG: cut off in the middle. */
static int take(struct km_trace_reader *r, void *buf, size_t len)
{
	size_t got = 0;

	if (r->fd < 0) {
		got = r->memory_len - r->offset;
		got = got < len ? got : len;
		memcpy(buf, r->memory + r->offset, got);
	}
	while (r->fd >= 0 && got < len) {
		ssize_t n = read(r->fd, (char *)buf + got, len - got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		got += (size_t)n;
	}
	r->offset += got;
	if (got == len)
		return 1;
	return got ? -EBADMSG : 0;
}

static int reader_new(int fd, const void *data, size_t len, struct km_trace_reader **ret)
{
	km_autofree(km_trace_reader_freep) struct km_trace_reader *r = calloc(1, sizeof(*r));
	struct km_trace_head head;
	int k;

	if (!r)
		return -ENOMEM;
	r->fd = fd;
	r->memory = data;
	r->memory_len = len;
	k = take(r, &head, sizeof(head));
	if (k < 0 && k != -EBADMSG)
		return k;
	if (k <= 0 || memcmp(head.magic, KM_TRACE_MAGIC, sizeof(head.magic)) != 0 ||
	    head.version != KM_TRACE_VERSION)
		return -EBADMSG;
	r->packed = malloc(KM_TRACE_FRAME_PACKED_MAX);
	r->plain = malloc(KM_TRACE_FRAME_PLAIN_MAX);
	if (!r->packed || !r->plain)
		return -ENOMEM;
	*ret = km_take(r);
	return 0;
}

int km_trace_reader_new(int fd, struct km_trace_reader **ret)
{
	return reader_new(fd, NULL, 0, ret);
}

int km_trace_reader_new_memory(const void *data, size_t len, struct km_trace_reader **ret)
{
	return reader_new(-1, data, len, ret);
}

struct km_trace_reader *km_trace_reader_free(struct km_trace_reader *r)
{
	if (!r)
		return NULL;
	free(r->packed);
	free(r->plain);
	free(r);
	return NULL;
}

/* The rest of the file cannot be used from OFFSET on. */
static int damaged(struct km_trace_reader *r, uint64_t offset, const char *what)
{
	r->ended = true;
	r->stats.cut_at = offset;
	snprintf(r->stats.what, sizeof(r->stats.what), "%s", what);
	return 0;
}

/* All records of the frame have a whole header and a size that fits: 0 or the reason. */
static const char *check_records(const struct km_trace_reader *r)
{
	size_t at = 0;

	while (at < r->plain_len) {
		const struct kmend_hdr *hdr = (const void *)(r->plain + at);

		if (r->plain_len - at < KMEND_HDR_SIZE)
			return "a record is shorter than its header";
		if (hdr->size < KMEND_HDR_SIZE || hdr->size % 8 || hdr->size > r->plain_len - at)
			return "a record's size does not fit its frame";
		at += hdr->size;
	}
	return NULL;
}

/* Without zlib's own checksum, a sixth of the time: the frame's was compared. */
static bool unpack(struct km_trace_reader *r, const struct km_trace_frame *f)
{
	z_stream z = { .next_in = r->packed, .avail_in = f->packed };
	bool whole;

	if (inflateInit(&z) != Z_OK)
		return false;
	inflateValidate(&z, 0);
	z.next_out = r->plain;
	z.avail_out = KM_TRACE_FRAME_PLAIN_MAX;
	whole = inflate(&z, Z_FINISH) == Z_STREAM_END && z.total_out == f->plain;
	inflateEnd(&z);
	return whole;
}

/* 1: a frame is ready; 0: end or damage; negative errno of read(2). */
static int next_frame(struct km_trace_reader *r)
{
	uint64_t start = r->offset;
	struct km_trace_frame f;
	const char *bad;
	int k = take(r, &f, sizeof(f));

	if (k == 0) {
		r->ended = true;
		return 0;
	}
	if (k == -EBADMSG)
		return damaged(r, start, "cut off inside a frame's header");
	if (k < 0)
		return k;
	if (f.magic != KM_TRACE_FRAME || f.packed > KM_TRACE_FRAME_PACKED_MAX || !f.plain ||
	    f.plain > KM_TRACE_FRAME_PLAIN_MAX || f.first != r->stats.records)
		return damaged(r, start, "a frame's header is damaged");
	k = take(r, r->packed, f.packed);
	if (k == -EBADMSG || (k == 0 && f.packed))
		return damaged(r, start, "cut off inside a frame");
	if (k < 0)
		return k;
	if (crc32(0, r->packed, f.packed) != f.crc)
		return damaged(r, start, "a frame's checksum differs");
	if (!unpack(r, &f))
		return damaged(r, start, "a frame cannot be unpacked");
	r->plain_len = f.plain;
	r->at = 0;
	bad = check_records(r);
	if (bad) {
		r->plain_len = 0;
		return damaged(r, start, bad);
	}
	r->stats.frames++;
	r->stats.bytes = r->offset;
	r->stats.plain_bytes += f.plain;
	return 1;
}

ssize_t km_trace_next(struct km_trace_reader *r, const void **ret)
{
	const struct kmend_hdr *hdr;

	while (!r->ended && r->at >= r->plain_len) {
		int k = next_frame(r);

		if (k < 0)
			return k;
	}
	if (r->ended)
		return 0;
	hdr = (const void *)(r->plain + r->at);
	r->at += hdr->size;
	if (!r->stats.records++)
		r->stats.first_ns = hdr->ktime_ns;
	if (hdr->ktime_ns > r->stats.last_ns)
		r->stats.last_ns = hdr->ktime_ns;
	*ret = hdr;
	return hdr->size;
}

void km_trace_stats(const struct km_trace_reader *r, struct km_trace_stats *ret)
{
	*ret = r->stats;
}
