// SPDX-License-Identifier: Apache-2.0
#include "csv.h"

struct km_csv {
	int fd;
	bool ended;          /* the descriptor has no more */
	size_t begin, end;   /* what is not handed out yet */
	uint64_t line, next; /* of the record handed out, and the one behind it */
	const char *cell[KM_CSV_COLUMNS_MAX];
	char data[KM_CSV_RECORD_MAX + 1];
};

int km_csv_new(int fd, struct km_csv **ret)
{
	struct km_csv *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->fd = fd;
	c->next = 1;
	*ret = c;
	return 0;
}

struct km_csv *km_csv_free(struct km_csv *c)
{
	free(c);
	return NULL;
}

uint64_t km_csv_line(const struct km_csv *c)
{
	return c->line;
}

/* 1: more came; 0: the end. */
static int fill(struct km_csv *c)
{
	ssize_t n;

	if (c->ended)
		return 0;
	memmove(c->data, c->data + c->begin, c->end - c->begin);
	c->end -= c->begin;
	c->begin = 0;
	if (c->end == KM_CSV_RECORD_MAX)
		return -E2BIG;
	do {
		n = read(c->fd, c->data + c->end, KM_CSV_RECORD_MAX - c->end);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	c->ended = n == 0;
	c->end += (size_t)n;
	return n > 0;
}

/* Length of the first record with its line end, 0: its end is not here. LINES are those it has. */
static size_t whole(const struct km_csv *c, bool *quoted, uint64_t *lines)
{
	const char *p = c->data + c->begin, *end = c->data + c->end;

	*quoted = false;
	*lines = 0;
	for (const char *q = p; q < end; q++) {
		if (*q == '"')
			*quoted = !*quoted;
		if (*q != '\n')
			continue;
		++*lines;
		if (!*quoted)
			return (size_t)(q - p) + 1;
	}
	return 0;
}

/* The cell at P, its quotes taken away in place; *NEXT is where its separator stands. Between
 * quotes a separator is text and two quotes are one. */
static char *cut(char *p, char *end, char **next)
{
	char *from = p, *to = p;
	bool quoted = false;

	for (; from < end && (quoted || *from != ','); from++) {
		if (*from != '"') {
			*to++ = *from;
		} else if (quoted && from + 1 < end && from[1] == '"') {
			*to++ = *from++;
		} else {
			quoted = !quoted;
		}
	}
	*next = from;
	*to = '\0';
	return p;
}

static int split(struct km_csv *c, char *p, size_t len, struct km_csv_record *ret)
{
	char *end = p + len;

	if (memchr(p, '\0', len))
		return -EBADMSG;
	if (len && end[-1] == '\n')
		end--;
	if (end > p && end[-1] == '\r')
		end--;
	*end = '\0';
	ret->count = 0;
	for (char *next = p;; p = next + 1) {
		if (ret->count == KM_CSV_COLUMNS_MAX)
			return -E2BIG;
		c->cell[ret->count++] = cut(p, end, &next);
		if (next == end)
			break;
	}
	ret->line = c->line;
	ret->cell = c->cell;
	return 1;
}

/* Bytes of the next record, 0: the end. */
static ssize_t take(struct km_csv *c, uint64_t *lines)
{
	bool quoted;
	size_t len;
	int r = 1;

	while ((len = whole(c, &quoted, lines)) == 0 && r > 0)
		r = fill(c);
	if (r < 0)
		return r;
	if (len == 0 && quoted)
		return -EBADMSG;
	return (ssize_t)(len ? len : c->end - c->begin);
}

static bool empty(const struct km_csv_record *record)
{
	return record->count == 1 && !record->cell[0][0];
}

int km_csv_next(struct km_csv *c, struct km_csv_record *ret)
{
	uint64_t lines;
	ssize_t len;
	int r;

	do {
		c->line = c->next;
		len = take(c, &lines);
		if (len <= 0)
			return (int)len;
		if (c->line == 1 && len >= 3 &&
		    memcmp(c->data + c->begin, "\xef\xbb\xbf", 3) == 0) {
			c->begin += 3;
			len -= 3;
		}
		r = split(c, c->data + c->begin, (size_t)len, ret);
		c->begin += (size_t)len;
		c->next += lines;
	} while (r > 0 && empty(ret));
	return r;
}
