/* SPDX-License-Identifier: Apache-2.0 */
/* A trace: everything that enters phase 2, in order, so that a replay gives the same decisions.
 *
 * File: 16-byte magic and version, then frames { u32 magic, u32 compressed, u32 plain, u32 crc32 of
 * the compressed bytes, u64 first sequence } + zlib data of whole raw records. Each frame stands
 * alone, so a file cut at any byte loses at most its last frame. A trace begins with a checkpoint:
 * configuration texts and KM_RAW_STATE rows. */
#ifndef KM_TRACE_H
#define KM_TRACE_H

#include "collect/raw.h"
#include "base/buf.h"

#define KM_TRACE_FRAME_PLAIN_MAX  (1024 * 1024)
#define KM_TRACE_FRAME_PACKED_MAX (KM_TRACE_FRAME_PLAIN_MAX + 4096)

struct km_trace_writer;

/* OUT receives the bytes of the file as they become ready; the caller's. */
int km_trace_writer_new(struct km_buf *out, struct km_trace_writer **ret);
/* The same for what is appended to a trace of so many records. */
int km_trace_writer_resume(struct km_buf *out, uint64_t records, struct km_trace_writer **ret);
struct km_trace_writer *km_trace_writer_free(struct km_trace_writer *w);
KM_DEFINE_FREEP(struct km_trace_writer, km_trace_writer_free)
int km_trace_add(struct km_trace_writer *w, const void *raw);
/* Closes the frame under way. */
int km_trace_flush(struct km_trace_writer *w);

struct km_trace_reader;

struct km_trace_stats {
	uint64_t frames, records, bytes, plain_bytes;
	uint64_t first_ns, last_ns;
	uint64_t cut_at; /* file offset behind the last good frame if the rest is cut off or
			    damaged, else 0 */
	char what[128];  /* why */
};

/* FD: read from its position on; the caller's. -EBADMSG: not a trace or a later version. */
int km_trace_reader_new(int fd, struct km_trace_reader **ret);
/* From memory (fuzzing, evidence): DATA stays the caller's. */
int km_trace_reader_new_memory(const void *data, size_t len, struct km_trace_reader **ret);
struct km_trace_reader *km_trace_reader_free(struct km_trace_reader *r);
KM_DEFINE_FREEP(struct km_trace_reader, km_trace_reader_free)
/* Size of the next raw record and *RET (8-byte aligned, valid until the next call); 0 at the end or
 * at the first damage (see stats). Lengths are checked; content is decode's business. */
ssize_t km_trace_next(struct km_trace_reader *r, const void **ret);
void km_trace_stats(const struct km_trace_reader *r, struct km_trace_stats *ret);

#endif
