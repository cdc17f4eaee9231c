// SPDX-License-Identifier: Apache-2.0
#include "base/text.h"

size_t km_utf8_decode(const char *s, size_t len, uint32_t *ret)
{
	const unsigned char *p = (const unsigned char *)s;
	static const uint32_t smallest[5] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t n, i;
	uint32_t c;

	if (len == 0)
		return 0;
	if (p[0] < 0x80) {
		*ret = p[0];
		return 1;
	}
	n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
	if (p[0] < 0xc2 || p[0] > 0xf4 || n > len)
		return 0;
	c = p[0] & (0xff >> (n + 1));
	for (i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < smallest[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*ret = c;
	return n;
}

bool km_utf8_controls(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0x061c || c == 0x200e || c == 0x200f ||
	       (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

bool km_utf8_valid(const char *s, size_t len)
{
	uint32_t c;
	size_t n;

	for (; len > 0; s += n, len -= n) {
		n = km_utf8_decode(s, len, &c);
		if (n == 0)
			return false;
	}
	return true;
}

void km_utf8_clean(const char *in, size_t len, char *out, size_t size)
{
	size_t used = 0, n;
	uint32_t c;

	if (size == 0)
		return;
	while (len > 0 && *in) {
		const char *from = in;
		size_t put;

		n = km_utf8_decode(in, len, &c);
		put = n;
		if (n == 0) {
			from = "\xef\xbf\xbd";
			put = 3;
			n = 1;
		}
		if (put >= size - used)
			break;
		memcpy(out + used, from, put);
		used += put;
		in += n;
		len -= n;
	}
	out[used] = '\0';
}
