/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of tests/fixtures/rules/bad.tsv: its first lines say what a row is. */
#ifndef KM_TEST_CORPUS_H
#define KM_TEST_CORPUS_H

#include "base/buf.h"
#include "support.h"

#define CORPUS_MAX 1000

struct bad_rule {
	char *name, *reason;
	unsigned int line;
	struct km_buf *text;
};

struct corpus {
	char *table, *base;
	struct bad_rule rule[CORPUS_MAX];
	size_t count;
};

/* LINE, from 1 on, of TEXT; behind the last one its end. */
static inline const char *line_of(const char *text, unsigned int line)
{
	while (--line && *text) {
		text += strcspn(text, "\n");
		text += *text == '\n';
	}
	return text;
}

static inline void add_unescaped(struct km_buf *b, const char *s)
{
	for (; *s; s++) {
		char c = *s, byte[3] = { 0 };

		if (c == '\\') {
			c = *++s;
			if (c == 'n' || c == 't') {
				c = c == 'n' ? '\n' : '\t';
			} else if (c == 'x') {
				memcpy(byte, s + 1, 2);
				c = (char)strtoul(byte, NULL, 16);
				s += 2;
			}
		}
		km_buf_add(b, &c, 1);
	}
}

/* LINES: "*", "7" or "7-9" of BASE are replaced by TEXT. */
static inline struct km_buf *edited(const char *base, const char *lines, const char *text)
{
	const bool whole = !strcmp(lines, "*");
	unsigned int first = 1, last;
	struct km_buf *b = NULL;
	const char *from;
	char *end = NULL;

	assert_int_equal(km_buf_new(KM_JSON_BYTES_MAX, &b), 0);
	if (!whole)
		first = (unsigned int)strtoul(lines, &end, 10);
	last = end && *end ? (unsigned int)strtoul(end + 1, NULL, 10) : first;
	from = line_of(base, first);
	km_buf_add(b, base, (size_t)(from - base));
	add_unescaped(b, text);
	if (!whole) {
		km_buf_add(b, "\n", 1);
		from = line_of(base, last + 1);
		km_buf_add(b, from, strlen(from));
	}
	assert_int_equal(km_buf_error(b), 0);
	return b;
}

static inline void corpus_load(struct corpus *c)
{
	char *row, *rest, *column[5];
	size_t len;

	c->count = 0;
	c->base = slurp("tests/fixtures/rules/good/full.json", &len);
	c->table = rest = slurp("tests/fixtures/rules/bad.tsv", &len);
	while ((row = strsep(&rest, "\n"))) {
		struct bad_rule *r = &c->rule[c->count];

		if (!*row || *row == '#')
			continue;
		for (size_t i = 0; i < KM_ARRAY_SIZE(column); i++) {
			column[i] = strsep(&row, "\t");
			if (!column[i])
				fail_msg("bad.tsv: %s has not five columns", column[0]);
		}
		assert_true(c->count++ < CORPUS_MAX);
		*r = (struct bad_rule){
			.name = column[0],
			.line = (unsigned int)strtoul(column[2], NULL, 10),
			.reason = column[3],
			.text = edited(c->base, column[1], column[4]),
		};
	}
}

static inline void corpus_free(struct corpus *c)
{
	for (size_t i = 0; i < c->count; i++)
		km_buf_free(c->rule[i].text);
	free(c->table);
	free(c->base);
}

/* Where no two readers of JSON agree, and no schema can see it. */
static inline bool is_of_the_text(const struct bad_rule *r)
{
	return !strncmp(r->name, "text-", 5);
}

#endif
