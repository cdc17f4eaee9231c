/* SPDX-License-Identifier: Apache-2.0 */
/* Samples of one series packed until they are written as one row: times and levels as differences
 * in variable-length integers. Times are milliseconds of boot time, levels whole units. A second
 * of a quiet series costs two bytes. */
#ifndef KM_CHUNK_H
#define KM_CHUNK_H

#include "base/base.h"

#define KM_CHUNK_SAMPLES 120
/* 120 samples at 4 bytes; noisier series close their chunk earlier. */
#define KM_CHUNK_BYTES 480

/* A row of a km_table: key is service_id and resource. */
struct km_chunk {
	uint64_t service_id;
	uint64_t resource;
	uint64_t start_ms;
	int64_t start_level;
	int64_t limit; /* -1: none; a change closes the chunk */
	uint64_t last_ms;
	int64_t last_step_ms;
	int64_t last_level;
	uint32_t count;
	uint32_t full_at; /* the first chunk is shorter, so that series do not close all at once */
	uint32_t len;
	uint32_t pad;
	char service[KM_NAME_MAX];
	uint8_t data[KM_CHUNK_BYTES];
};

/* 1: there is no room (or the limit changed): write the chunk, km_chunk_reset(), add again.
 * 0: added. -EINVAL: time goes back, or LEVEL is not finite. */
int km_chunk_add(struct km_chunk *c, uint64_t t_ns, double level, double limit);
bool km_chunk_full(const struct km_chunk *c);
/* Keeps key and name. */
void km_chunk_reset(struct km_chunk *c);

/* Reads DATA, as stored, back. CB's non-zero return ends it. -EBADMSG: not COUNT whole samples. */
struct km_chunk_stored {
	uint64_t start_ms;
	int64_t start_level;
	uint32_t count;
	const uint8_t *data;
	size_t len;
};
int km_chunk_read(const struct km_chunk_stored *s,
                  int (*cb)(void *userdata, uint64_t t_ms, int64_t level), void *userdata);

#endif
