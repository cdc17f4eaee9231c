// SPDX-License-Identifier: Apache-2.0
/* Strict RFC 8259 and the narrower rules of json.h, with the line and column of what is wrong. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/json_check.h"
#include "base/text.h"

struct scan {
	const char *p;
	const char *end;
	struct km_json_place now;
	unsigned int depth;
	const char *file;
	struct km_error *err;
	struct km_json_places *places;
};

void km_json_places_clear(struct km_json_places *places)
{
	free(places->at);
	memset(places, 0, sizeof(*places));
}

__attribute__((format(printf, 4, 5))) static int refuse_at(struct scan *s, struct km_json_place at,
                                                           const char *remedy, const char *fmt, ...)
{
	va_list ap;

	memset(s->err, 0, sizeof(*s->err));
	km_copy(s->err->file, sizeof(s->err->file), s->file);
	s->err->line = at.line;
	s->err->column = at.column;
	va_start(ap, fmt);
	vsnprintf(s->err->what, sizeof(s->err->what), fmt, ap);
	va_end(ap);
	km_copy(s->err->remedy, sizeof(s->err->remedy), remedy ? remedy : "");
	return -EBADMSG;
}

#define refuse(s, remedy, ...) refuse_at(s, (s)->now, remedy, __VA_ARGS__)

/* Next byte or -1; a column is counted for each first byte of a character. */
static int peek(const struct scan *s)
{
	return s->p < s->end ? (unsigned char)*s->p : -1;
}

static void advance(struct scan *s)
{
	if (*s->p == '\n') {
		s->now.line++;
		s->now.column = 1;
	} else if (((unsigned char)*s->p & 0xc0) != 0x80) {
		s->now.column++;
	}
	s->p++;
}

static void skip_space(struct scan *s)
{
	int c;

	while ((c = peek(s)) == ' ' || c == '\t' || c == '\n' || c == '\r')
		advance(s);
}

static int unexpected(struct scan *s, const char *wanted)
{
	int c = peek(s);

	if (c < 0)
		return refuse(s, "complete it", "the text ends where %s is expected", wanted);
	if (c == '/' || c == '#')
		return refuse(s, "take the comment out, JSON has none",
		              "unexpected '%c', %s is expected", c, wanted);
	if (c > 0x20 && c < 0x7f)
		return refuse(s, NULL, "unexpected '%c', %s is expected", c, wanted);
	return refuse(s, NULL, "unexpected byte 0x%02x, %s is expected", c, wanted);
}

static int note_place(struct scan *s, struct km_json_place at)
{
	struct km_json_places *p = s->places;

	if (p->count >= KM_JSON_NODES_MAX)
		return refuse(s, "split the document", "more than %d values", KM_JSON_NODES_MAX);
	if (p->count == p->size) {
		size_t size = p->size ? p->size * 2 : 64;
		struct km_json_place *bigger = realloc(p->at, size * sizeof(*bigger));

		if (!bigger)
			return -ENOMEM;
		p->at = bigger;
		p->size = size;
	}
	p->at[p->count++] = at;
	return 0;
}

/* Four hex digits behind "\u" as a UTF-16 unit, or negative. */
static int check_unit(struct scan *s)
{
	int unit = 0, i, c;

	for (i = 0; i < 4; i++) {
		c = peek(s);
		if (c >= '0' && c <= '9')
			unit = unit * 16 + c - '0';
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			unit = unit * 16 + (c | 0x20) - 'a' + 10;
		else
			return unexpected(s, "a hexadecimal digit");
		advance(s);
	}
	return unit;
}

static int check_unicode_escape(struct scan *s, struct km_json_place start)
{
	static const char pair[] = "write the character itself in UTF-8";
	int unit = check_unit(s), low;

	if (unit < 0)
		return unit;
	if (unit == 0)
		return refuse_at(s, start, NULL, "the character U+0000 in a string");
	if (unit < 0xd800 || unit > 0xdfff)
		return 0;
	if (unit >= 0xdc00 || s->end - s->p < 2 || s->p[0] != '\\' || s->p[1] != 'u')
		return refuse_at(s, start, pair, "lone surrogate U+%04X", unit);
	advance(s);
	advance(s);
	low = check_unit(s);
	if (low < 0)
		return low;
	if (low < 0xdc00 || low > 0xdfff)
		return refuse_at(s, start, pair, "lone surrogate U+%04X", unit);
	return 0;
}

static int check_escape(struct scan *s)
{
	struct km_json_place start = s->now;
	int c;

	advance(s);
	c = peek(s);
	if (c < 0 || !strchr("\"\\/bfnrtu", c) || c == 0)
		return unexpected(s, "an escape that JSON knows");
	advance(s);
	return c == 'u' ? check_unicode_escape(s, start) : 0;
}

/* S stands at the opening quote. */
static int check_string(struct scan *s)
{
	struct km_json_place start = s->now;
	int r = 0;

	advance(s);
	while (r >= 0) {
		uint32_t ch;
		size_t n;
		int c = peek(s);

		if (c < 0)
			return refuse_at(s, start, "close it with '\"'",
			                 "a string that does not end");
		if (c == '"')
			break;
		if (c == '\\') {
			r = check_escape(s);
			continue;
		}
		if (c < 0x20)
			return refuse(s, "write it as an escape", "control byte 0x%02x in a string",
			              c);
		n = km_utf8_decode(s->p, s->end - s->p, &ch);
		if (n == 0)
			return refuse(s, "save the file as UTF-8", "byte 0x%02x is not UTF-8", c);
		while (n-- > 0)
			advance(s);
	}
	if (r >= 0)
		advance(s);
	return r;
}

static bool skip_digits(struct scan *s)
{
	const char *from = s->p;

	while (peek(s) >= '0' && peek(s) <= '9')
		advance(s);
	return s->p > from;
}

static int check_number_value(struct scan *s, const char *from, struct km_json_place start,
                              bool integer)
{
	char text[KM_JSON_NUMBER_MAX + 1];
	size_t len = s->p - from;
	double v;

	if (len > KM_JSON_NUMBER_MAX)
		return refuse_at(s, start, NULL, "a number of more than %d characters",
		                 KM_JSON_NUMBER_MAX);
	memcpy(text, from, len);
	text[len] = '\0';
	v = strtod(text, NULL);
	if (!isfinite(v))
		return refuse_at(s, start, NULL, "number out of range: %s", text);
	/* 2^53 is exact and 2^53 + 1 is rounded to it: the digits decide. */
	if (integer && (fabs(v) > 0x1p53 ||
	                (fabs(v) == 0x1p53 && strcmp(text + (text[0] == '-'), "9007199254740992"))))
		return refuse_at(s, start, "write it as a string", "integer over 2^53: %s", text);
	return 0;
}

static int check_number(struct scan *s)
{
	struct km_json_place start = s->now;
	const char *from = s->p;
	bool integer = true;

	if (peek(s) == '-')
		advance(s);
	if (peek(s) == '0') {
		advance(s);
		if (peek(s) >= '0' && peek(s) <= '9')
			return refuse_at(s, start, NULL, "a number that begins with 0");
	} else if (!skip_digits(s)) {
		return unexpected(s, "a digit");
	}
	if (peek(s) == '.') {
		integer = false;
		advance(s);
		if (!skip_digits(s))
			return unexpected(s, "a digit behind the decimal point");
	}
	if (peek(s) == 'e' || peek(s) == 'E') {
		integer = false;
		advance(s);
		if (peek(s) == '+' || peek(s) == '-')
			advance(s);
		if (!skip_digits(s))
			return unexpected(s, "a digit of the exponent");
	}
	return check_number_value(s, from, start, integer);
}

static int check_word(struct scan *s)
{
	static const char *const words[] = { "true", "false", "null" };
	size_t i;

	for (i = 0; i < KM_ARRAY_SIZE(words); i++) {
		size_t len = strlen(words[i]);

		if ((size_t)(s->end - s->p) < len || memcmp(s->p, words[i], len))
			continue;
		while (len-- > 0)
			advance(s);
		return 0;
	}
	return unexpected(s, "a value");
}

static int check_value(struct scan *s);

static int check_member(struct scan *s)
{
	struct km_json_place key = s->now;
	int r;

	if (peek(s) != '"')
		return unexpected(s, "a key in quotes");
	r = check_string(s);
	if (r < 0)
		return r;
	skip_space(s);
	if (peek(s) != ':')
		return unexpected(s, "':'");
	advance(s);
	skip_space(s);
	r = note_place(s, key);
	return r < 0 ? r : check_value(s);
}

static int check_item(struct scan *s)
{
	int r = note_place(s, s->now);

	return r < 0 ? r : check_value(s);
}

/* S stands at the bracket; CLOSE ends it. */
static int check_container(struct scan *s, char close, int (*part)(struct scan *s))
{
	int r;

	if (++s->depth > KM_JSON_DEPTH_MAX)
		return refuse(s, NULL, "nested deeper than %d", KM_JSON_DEPTH_MAX);
	advance(s);
	skip_space(s);
	if (peek(s) != close) {
		for (;;) {
			r = part(s);
			if (r < 0)
				return r;
			skip_space(s);
			if (peek(s) != ',')
				break;
			advance(s);
			skip_space(s);
			if (peek(s) == close)
				return refuse(s, "take the last comma out", "nothing behind ','");
		}
	}
	if (peek(s) != close)
		return unexpected(s, close == '}' ? "',' or '}'" : "',' or ']'");
	advance(s);
	s->depth--;
	return 0;
}

static int check_value(struct scan *s)
{
	int c = peek(s);

	if (c == '{')
		return check_container(s, '}', check_member);
	if (c == '[')
		return check_container(s, ']', check_item);
	if (c == '"')
		return check_string(s);
	if (c == '-' || (c >= '0' && c <= '9'))
		return check_number(s);
	return check_word(s);
}

int km_json_check(const char *text, size_t len, const char *file, struct km_error *err,
                  struct km_json_places *places)
{
	struct scan s = {
		.p = text,
		.end = text + len,
		.now = { 1, 1 },
		.file = file,
		.err = err,
		.places = places,
	};
	int r;

	if (len > KM_JSON_BYTES_MAX)
		return refuse(&s, "split the document", "more than %d bytes", KM_JSON_BYTES_MAX);
	if (len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3))
		return refuse(&s, "save the file without one", "a byte order mark at the start");
	skip_space(&s);
	r = check_item(&s);
	if (r < 0)
		return r;
	skip_space(&s);
	if (peek(&s) >= 0)
		return unexpected(&s, "the end of the text");
	return 0;
}
