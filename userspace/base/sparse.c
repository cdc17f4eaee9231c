// SPDX-License-Identifier: Apache-2.0
#include "base/sparse.h"

#define WORD  sizeof(uint64_t)
#define WORDS 8 /* of one mask */
/* Packed before they are appended together. */
#define MASKS 16

/* Up to WORDS words of LEN bytes at DATA to OUT: how many bytes that takes there. */
static size_t pack(uint8_t *out, const uint8_t *data, size_t len)
{
	size_t n = 1;

	out[0] = 0;
	for (size_t i = 0; i * WORD < len; i++) {
		size_t size = len - i * WORD < WORD ? len - i * WORD : WORD;
		uint64_t word = 0;

		memcpy(&word, data + i * WORD, size);
		if (!word)
			continue;
		out[0] |= (uint8_t)(1U << i);
		memcpy(out + n, &word, WORD);
		n += WORD;
	}
	return n;
}

void km_sparse_add(struct km_buf *to, const void *data, uint32_t len)
{
	uint8_t out[MASKS * (1 + WORDS * WORD)];
	size_t n = 0;

	km_buf_add(to, &len, sizeof(len));
	for (uint32_t at = 0; at < len; at += WORDS * WORD) {
		size_t size = len - at < WORDS * WORD ? len - at : WORDS * WORD;

		n += pack(out + n, (const uint8_t *)data + at, size);
		if (n + 1 + WORDS * WORD <= sizeof(out))
			continue;
		km_buf_add(to, out, n);
		n = 0;
	}
	km_buf_add(to, out, n);
}

int km_sparse_next(const struct km_buf *from, size_t *at, void *ret, uint32_t max)
{
	const uint8_t *p = (const uint8_t *)from->data + *at;
	const uint8_t *end = (const uint8_t *)from->data + from->len;
	uint32_t len;
	uint8_t mask = 0;

	if (*at >= from->len)
		return 0;
	if ((size_t)(end - p) < sizeof(len))
		return -EBADMSG;
	memcpy(&len, p, sizeof(len));
	p += sizeof(len);
	if (len > max)
		return -EBADMSG;
	for (uint32_t i = 0; i * WORD < len; i++) {
		size_t size = len - i * WORD < WORD ? len - i * WORD : WORD;

		if (i % WORDS == 0 && p == end)
			return -EBADMSG;
		if (i % WORDS == 0)
			mask = *p++;
		memset((uint8_t *)ret + i * WORD, 0, size);
		if (!(mask >> i % WORDS & 1))
			continue;
		if ((size_t)(end - p) < WORD)
			return -EBADMSG;
		memcpy((uint8_t *)ret + i * WORD, p, size);
		p += WORD;
	}
	*at = (size_t)(p - (const uint8_t *)from->data);
	return (int)len;
}
