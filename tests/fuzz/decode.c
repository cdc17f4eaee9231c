// SPDX-License-Identifier: Apache-2.0
/* The record decoder, and the writer behind it. Seeds: one record of each type. */
#include "base/buf.h"
#include "base/json.h"
#include "base/text.h"
#include "decode/signal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_out(const struct km_signal *s)
{
	km_autofree(km_buf_freep) struct km_buf *out = NULL;
	struct km_json_writer w;

	if (km_buf_new(KM_JSON_BYTES_MAX, &out) < 0)
		return;
	km_jw_init(&w, out, false);
	km_jw_object(&w);
	km_signal_write(s, &w);
	km_jw_end_object(&w);
	if (!km_utf8_valid(km_buf_text(out), out->len))
		abort();
}

/* A heap block of the exact size, so that reading one byte too many is found. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	km_autofree_char char *raw = malloc(size > 0 ? size : 1);
	struct km_signal s;

	if (!raw)
		return 0;
	memcpy(raw, data, size);
	if (km_decode(raw, size, &s) == 0)
		write_out(&s);
	return 0;
}
