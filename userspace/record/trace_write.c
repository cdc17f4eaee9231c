/* SPDX-License-Identifier: Apache-2.0 */
#include "record/trace.h"

#include <zlib.h>

#include "record/trace_format.h"

/* A frame is closed at this size: small enough to lose little at a cut, large enough to pack
 * well. */
#define FRAME_TARGET (128 * 1024)
_Static_assert(FRAME_TARGET + KM_RAW_MAX <= KM_TRACE_FRAME_PLAIN_MAX,
               "one more record always fits");

struct km_trace_writer {
	struct km_buf *out;   /* the caller's */
	struct km_buf *plain; /* records of the frame under way */
	Bytef *packed;        /* compressBound() of the largest frame */
	uLong packed_size;
	uint64_t records; /* of all frames, the one under way included */
	uint64_t first;   /* of the frame under way */
};

int km_trace_writer_resume(struct km_buf *out, uint64_t records, struct km_trace_writer **ret)
{
	km_autofree(km_trace_writer_freep) struct km_trace_writer *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return -ENOMEM;
	w->out = out;
	w->records = w->first = records;
	w->packed_size = compressBound(FRAME_TARGET + KM_RAW_MAX);
	w->packed = malloc(w->packed_size);
	if (!w->packed)
		return -ENOMEM;
	r = km_buf_new(FRAME_TARGET + KM_RAW_MAX, &w->plain);
	if (r < 0)
		return r;
	*ret = km_take(w);
	return 0;
}

int km_trace_writer_new(struct km_buf *out, struct km_trace_writer **ret)
{
	const struct km_trace_head head = { .magic = KM_TRACE_MAGIC, .version = KM_TRACE_VERSION };

	km_buf_add(out, &head, sizeof(head));
	return km_buf_error(out) < 0 ? km_buf_error(out) : km_trace_writer_resume(out, 0, ret);
}

struct km_trace_writer *km_trace_writer_free(struct km_trace_writer *w)
{
	if (!w)
		return NULL;
	km_buf_free(w->plain);
	free(w->packed);
	free(w);
	return NULL;
}

int km_trace_add(struct km_trace_writer *w, const void *raw)
{
	const struct kmend_hdr *hdr = raw;
	int r;

	if (hdr->size < KMEND_HDR_SIZE || hdr->size % 8 || hdr->size > KM_RAW_MAX)
		return -EINVAL;
	km_buf_add(w->plain, raw, hdr->size);
	r = km_buf_error(w->plain);
	if (r < 0)
		return r;
	w->records++;
	return w->plain->len >= FRAME_TARGET ? km_trace_flush(w) : 0;
}

int km_trace_flush(struct km_trace_writer *w)
{
	uLong packed = w->packed_size;
	struct km_trace_frame frame = { .magic = KM_TRACE_FRAME, .first = w->first };

	if (!w->plain->len)
		return 0;
	if (compress2(w->packed, &packed, (const Bytef *)w->plain->data, w->plain->len,
	              Z_BEST_SPEED) != Z_OK)
		return -EIO;
	frame.packed = (uint32_t)packed;
	frame.plain = (uint32_t)w->plain->len;
	frame.crc = (uint32_t)crc32(0, w->packed, (uInt)packed);
	km_buf_add(w->out, &frame, sizeof(frame));
	km_buf_add(w->out, w->packed, packed);
	km_buf_reset(w->plain);
	w->first = w->records;
	return km_buf_error(w->out);
}
