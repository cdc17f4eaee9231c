/* SPDX-License-Identifier: Apache-2.0 */
/* Any text as the "when" of a rule that is well else, and behind a line feed as its "unless". */
#include "base/buf.h"
#include "asked.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char before[] =
	"{\"version\":1,\"id\":\"r\",\"summary\":\"s\",\"why\":\"w\",\"owner\":\"o\","
	"\"maturity\":\"experimental\",\"scope\":{\"all\":true},\"when\":";
static const char between[] = ",\"unless\":";
static const char behind[] = ",\"plan\":[{\"do\":\"restart\"}],\"verify\":{\"not_measured\":true},"
			     "\"guard\":{\"mode\":\"auto\"}}";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = size ? memchr(data, '\n', size) : NULL;
	size_t when = end ? (size_t)(end - data) : size;
	km_autofree(km_buf_freep) struct km_buf *text = NULL;

	if (km_buf_new(KM_JSON_BYTES_MAX, &text) < 0)
		return 0;
	km_buf_add(text, before, sizeof(before) - 1);
	km_buf_add(text, data, when);
	if (end) {
		km_buf_add(text, between, sizeof(between) - 1);
		km_buf_add(text, end + 1, size - when - 1);
	}
	km_buf_add(text, behind, sizeof(behind) - 1);
	if (km_buf_error(text) == 0)
		check_and_ask(text->data, text->len);
	return 0;
}
