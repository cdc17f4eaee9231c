// SPDX-License-Identifier: Apache-2.0
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/text.h"

/* One character of IN as PIECE (at most 15 bytes); bytes taken from IN. */
static size_t escape_one(const char *in, size_t len, char piece[16])
{
	uint32_t c = 0;
	size_t n = km_utf8_decode(in, len, &c);

	if (n == 0 || c < 0x20 || c == 0x7f) {
		snprintf(piece, 16, "\\x%02x", (unsigned char)*in);
		return 1;
	}
	if (km_utf8_controls(c)) {
		snprintf(piece, 16, "\\u{%04x}", c);
	} else if (c == '\\') {
		memcpy(piece, "\\\\", 3);
	} else {
		memcpy(piece, in, n);
		piece[n] = '\0';
	}
	return n;
}

const char *km_text_escape(const char *in, char *out, size_t size)
{
	size_t len = strlen(in), used = 0, n, put;
	char piece[16];

	if (size == 0)
		return out;
	for (; len > 0; in += n, len -= n) {
		n = escape_one(in, len, piece);
		put = strlen(piece);
		if (put >= size - used)
			break;
		memcpy(out + used, piece, put);
		used += put;
	}
	out[used] = '\0';
	return out;
}

/* Bytes of the character at S; a byte that is not valid UTF-8 counts as one character. */
static size_t step(const char *s)
{
	uint32_t c;
	size_t n = km_utf8_decode(s, strnlen(s, 4), &c);

	return n ? n : 1;
}

bool km_glob(const char *pattern, const char *s)
{
	const char *after_star = NULL, *from = NULL;

	/* Only the last star needs another try: an earlier one that took more would leave the rest
	 * no better off, because no star may cross a '/'. */
	while (*s) {
		if (*pattern == '*') {
			after_star = ++pattern;
			from = s;
		} else if (*pattern == '?' && *s != '/') {
			pattern++;
			s += step(s);
		} else if (*pattern == *s && *pattern != '?') {
			pattern++;
			s++;
		} else if (after_star && *from != '/') {
			pattern = after_star;
			from += step(from);
			s = from;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}

int km_text_u64(const char **p, uint64_t *ret)
{
	const char *at = *p;
	uint64_t v = 0;

	if (*at < '0' || *at > '9')
		return -EINVAL;
	for (; *at >= '0' && *at <= '9'; at++)
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, *at - '0', &v))
			return -ERANGE;
	*p = at;
	*ret = v;
	return 0;
}

void km_hex(const void *data, size_t len, char *out)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *p = data;
	size_t i;

	for (i = 0; i < len; i++) {
		*out++ = digits[p[i] >> 4];
		*out++ = digits[p[i] & 15];
	}
	*out = '\0';
}

uint64_t km_hash(const void *data, size_t len)
{
	const unsigned char *p = data;
	uint64_t h = 0xcbf29ce484222325ULL;
	size_t i;

	for (i = 0; i < len; i++)
		h = (h ^ p[i]) * 0x100000001b3ULL;
	return h;
}

static void below_a_minute(uint64_t ns, char *out, size_t size)
{
	uint64_t tenths = ns / (KM_NS_PER_S / 10);

	if (tenths >= 100 || (tenths >= 10 && tenths % 10 == 0))
		snprintf(out, size, "%" PRIu64 "s", tenths / 10);
	else if (tenths >= 10)
		snprintf(out, size, "%" PRIu64 ".%" PRIu64 "s", tenths / 10, tenths % 10);
	else if (ns >= KM_NS_PER_MS)
		snprintf(out, size, "%" PRIu64 "ms", (uint64_t)(ns / KM_NS_PER_MS));
	else if (ns >= KM_NS_PER_US)
		snprintf(out, size, "%" PRIu64 "us", (uint64_t)(ns / KM_NS_PER_US));
	else
		snprintf(out, size, "%" PRIu64 "%s", ns, ns ? "ns" : "s");
}

const char *km_text_duration(uint64_t ns, char *out, size_t size)
{
	static const struct {
		uint64_t seconds, part;
		const char *unit, *part_unit;
	} units[] = {
		{ 86400, 3600, "d", "h" },
		{ 3600, 60, "h", "m" },
		{ 60, 1, "m", "s" },
	};
	uint64_t s = ns / KM_NS_PER_S;
	size_t i;

	if (ns == KM_UNKNOWN) {
		km_copy(out, size, "unknown");
		return out;
	}
	for (i = 0; i < KM_ARRAY_SIZE(units); i++) {
		if (s < units[i].seconds)
			continue;
		snprintf(out, size, "%" PRIu64 "%s%02" PRIu64 "%s", s / units[i].seconds,
		         units[i].unit, s % units[i].seconds / units[i].part, units[i].part_unit);
		return out;
	}
	below_a_minute(ns, out, size);
	return out;
}

const char *km_text_bytes(uint64_t bytes, char *out, size_t size)
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	uint64_t tenths;
	unsigned int shift = 10, i = 0;

	if (bytes == KM_UNKNOWN) {
		km_copy(out, size, "unknown");
		return out;
	}
	if (bytes < 1024) {
		snprintf(out, size, "%" PRIu64 " B", bytes);
		return out;
	}
	while (i + 1 < KM_ARRAY_SIZE(units) && bytes >> (shift + 10)) {
		shift += 10;
		i++;
	}
	/* In integers, so that no rounding differs between machines; 10 * 2^60 still fits. */
	tenths = (bytes >> shift) * 10 + (((bytes & ((1ULL << shift) - 1)) * 10) >> shift);
	snprintf(out, size, "%" PRIu64 ".%" PRIu64 " %s", tenths / 10, tenths % 10, units[i]);
	return out;
}

bool km_text_is_unit(const char *name)
{
	const char *suffix = strrchr(name, '.');

	for (const char *p = name; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr(":_.\\@-", *p))
			return false;
	return suffix && suffix > name && strcmp(suffix, ".service") == 0;
}

/* Longer words are never a slip of the finger. */
#define NEAREST_LEN  64
#define NEAREST_EDIT 3

static unsigned int min3(unsigned int a, unsigned int b, unsigned int c)
{
	unsigned int m = a < b ? a : b;

	return m < c ? m : c;
}

static unsigned int edit_distance(const char *a, const char *b)
{
	unsigned int row[NEAREST_LEN + 1];
	size_t la = strlen(a), lb = strlen(b), i, j;

	if (la > NEAREST_LEN || lb > NEAREST_LEN)
		return NEAREST_EDIT + 1;
	for (j = 0; j <= lb; j++)
		row[j] = j;
	for (i = 1; i <= la; i++) {
		unsigned int diagonal = row[0];

		row[0] = i;
		for (j = 1; j <= lb; j++) {
			unsigned int up = row[j];

			row[j] = min3(up + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
			diagonal = up;
		}
	}
	return row[lb];
}

const char *km_text_nearest(const char *s, const char *const *names)
{
	unsigned int best = NEAREST_EDIT + 1, d;
	const char *ret = NULL;

	for (; *names; names++) {
		d = edit_distance(s, *names);
		/* As many edits as letters would turn anything into anything. */
		if (d < best && d < strlen(*names)) {
			best = d;
			ret = *names;
		}
	}
	return ret;
}
