/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a trace, and what can be read of it through the whole pipeline. */
#include "pipeline/pipeline.h"
#include "record/trace.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void feed(struct km_pipeline *p, const void *raw, size_t len)
{
	km_pipeline_feed(p, raw, len);
	while (km_pipeline_next(p))
		;
}

/* Records as they are: behind a checksum a fuzzer would hardly ever get to them. */
static void feed_plain(struct km_pipeline *p, const uint8_t *data, size_t size)
{
	uint64_t raw[KM_RAW_MAX / sizeof(uint64_t) + 1];

	while (size >= KMEND_HDR_SIZE) {
		struct kmend_hdr hdr;

		memcpy(&hdr, data, sizeof(hdr));
		if (hdr.size < KMEND_HDR_SIZE || hdr.size > size || hdr.size > KM_RAW_MAX)
			return;
		memcpy(raw, data, hdr.size);
		feed(p, raw, hdr.size);
		data += hdr.size;
		size -= hdr.size;
	}
}

static void feed_trace(struct km_pipeline *p, const uint8_t *data, size_t size)
{
	km_autofree(km_trace_reader_freep) struct km_trace_reader *r = NULL;
	const void *raw;
	ssize_t n;

	if (km_trace_reader_new_memory(data, size, &r) < 0)
		return;
	while ((n = km_trace_next(r, &raw)) > 0)
		feed(p, raw, (size_t)n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	km_autofree(km_pipeline_freep) struct km_pipeline *p = NULL;

	if (!size || km_pipeline_new(&p) < 0)
		return 0;
	if (data[0] == 'K')
		feed_trace(p, data, size);
	else
		feed_plain(p, data + 1, size - 1);
	return 0;
}
