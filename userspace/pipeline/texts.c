/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/texts.h"

void km_texts_clear(struct km_texts *t)
{
	for (size_t i = 0; i < t->count; i++)
		free(t->text[i].bytes);
	free(t->text);
	*t = (struct km_texts){ 0 };
}

static int begin(struct km_texts *t, const struct km_raw_text *piece)
{
	size_t limit = piece->kind == KM_TEXT_RULE ? KM_JSON_BYTES_MAX : KM_CONFIG_BYTES_MAX;
	struct km_text *grown, *x;

	if (t->count >= KM_TEXTS_MAX || piece->total > limit ||
	    t->bytes + piece->total > KM_TEXTS_BYTES_MAX)
		return -E2BIG;
	if (t->count % 64 == 0) {
		grown = realloc(t->text, (t->count + 64) * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		t->text = grown;
	}
	x = &t->text[t->count];
	*x = (struct km_text){ .kind = (enum km_text_kind)piece->kind, .total = piece->total };
	x->bytes = malloc(piece->total + 1);
	if (!x->bytes)
		return -ENOMEM;
	km_copy(x->file, sizeof(x->file), piece->file);
	t->count++;
	t->bytes += piece->total;
	return 0;
}

static int add(struct km_texts *t, const struct km_raw_text *piece)
{
	struct km_text *x;
	int r;

	if (piece->offset == 0) {
		if (t->count && t->text[t->count - 1].len != t->text[t->count - 1].total)
			return -EBADMSG;
		r = begin(t, piece);
		if (r < 0)
			return r;
	}
	if (!t->count)
		return -EBADMSG;
	x = &t->text[t->count - 1];
	if (x->kind != piece->kind || x->total != piece->total || x->len != piece->offset ||
	    piece->len > x->total - x->len)
		return -EBADMSG;
	memcpy(x->bytes + x->len, piece->bytes, piece->len);
	x->len += piece->len;
	x->bytes[x->len] = '\0';
	return 0;
}

int km_texts_add(struct km_texts *t, const struct km_raw_text *piece)
{
	int r = add(t, piece);

	if (r < 0)
		km_texts_clear(t);
	return r;
}

int km_texts_put(struct km_texts *t, enum km_text_kind kind, const char *file, const char *bytes,
                 size_t len)
{
	struct km_raw_text piece = { .kind = kind, .total = (uint32_t)len };
	struct km_text *x;
	int r;

	km_copy(piece.file, sizeof(piece.file), file);
	r = km_texts_add(t, &piece); /* an empty first piece makes room */
	if (r < 0)
		return r;
	x = &t->text[t->count - 1];
	memcpy(x->bytes, bytes, len);
	x->bytes[len] = '\0';
	x->len = len;
	return 0;
}

void km_set_clear(struct km_set *s)
{
	km_rules_free(s->rules);
	km_policy_free(s->policy);
	km_config_free(s->config);
	*s = (struct km_set){ 0 };
}

struct compiling {
	struct km_set set;
	struct km_modes *modes; /* NULL: none were given */
	struct km_rule **rules;
	size_t count;
};

static void compiling_clear(struct compiling *c)
{
	for (size_t i = 0; i < c->count; i++)
		km_rule_free(c->rules[i]);
	free(c->rules);
	km_modes_free(c->modes);
	km_set_clear(&c->set);
}

static int compile_one(const struct km_text *x, struct km_error *err, struct compiling *c)
{
	switch (x->kind) {
	case KM_TEXT_CONFIG:
	case KM_TEXT_SERVICES:
		return 0; /* compile_config() took them together */
	case KM_TEXT_POLICY:
		c->set.policy = km_policy_free(c->set.policy);
		return km_policy_compile(x->bytes, x->len, x->file, err, &c->set.policy);
	case KM_TEXT_RULE:
		if (km_rule_compile(x->bytes, x->len, x->file, err, &c->rules[c->count]) < 0)
			return -EBADMSG;
		c->count++;
		return 0;
	case KM_TEXT_MODES:
		c->modes = km_modes_free(c->modes);
		return km_modes_compile(x->bytes, x->len, x->file, err, &c->modes);
	case KM_TEXT_COMMIT:
	case KM_TEXT_KIND_MAX:
		break;
	}
	return -EBADMSG;
}

/* The configuration file, the last one if there are several, and all files of services. */
static int compile_config(const struct km_texts *t, struct km_error *err, struct km_config **ret)
{
	struct km_config_text *texts = calloc(t->count + 1, sizeof(*texts));
	size_t n = 1;
	int r;

	if (!texts)
		return -ENOMEM;
	for (size_t i = 0; i < t->count; i++) {
		const struct km_text *x = &t->text[i];
		struct km_config_text c = { x->file, x->bytes, x->len,
			                    x->kind == KM_TEXT_SERVICES };

		if (x->kind == KM_TEXT_CONFIG)
			texts[0] = c;
		else if (x->kind == KM_TEXT_SERVICES)
			texts[n++] = c;
	}
	r = texts[0].file ? km_config_compile_texts(texts, n, err, ret)
	                  : km_config_compile_texts(texts + 1, n - 1, err, ret);
	free(texts);
	return r;
}

static int complete(struct compiling *c, struct km_error *err)
{
	int r = 0;

	if (!c->set.policy)
		r = km_policy_compile(NULL, 0, "(defaults)", err, &c->set.policy);
	if (r == 0)
		km_modes_apply(c->modes, c->rules, c->count);
	if (r == 0)
		r = km_rules_new(c->rules, c->count, err, &c->set.rules);
	if (r == 0)
		c->count = 0; /* the set has them now */
	return r;
}

int km_texts_compile(const struct km_texts *t, struct km_error *err, struct km_set *ret)
{
	km_autofree(compiling_clear) struct compiling c = { 0 };
	int r;

	c.rules = calloc(t->count + 1, sizeof(struct km_rule *));
	if (!c.rules)
		return -ENOMEM;
	r = compile_config(t, err, &c.set.config);
	for (size_t i = 0; i < t->count && r == 0; i++)
		r = compile_one(&t->text[i], err, &c);
	if (r == 0)
		r = complete(&c, err);
	if (r < 0)
		return r == -EEXIST ? -EBADMSG : r;
	*ret = c.set;
	c.set = (struct km_set){ 0 };
	return 0;
}

static int send_piece(const struct km_text_source *s, size_t offset, struct km_raw_text *raw,
                      int (*cb)(void *userdata, const void *raw, size_t len), void *userdata)
{
	size_t len = s->len - offset;
	size_t size;

	len = len > KM_RAW_TEXT_PIECE ? KM_RAW_TEXT_PIECE : len;
	size = (sizeof(*raw) + len + 7) / 8 * 8;
	memset((char *)raw + sizeof(*raw), 0, size - sizeof(*raw));
	raw->hdr.size = (uint16_t)size;
	raw->kind = s->kind;
	raw->total = (uint32_t)s->len;
	raw->offset = (uint32_t)offset;
	raw->len = (uint32_t)len;
	if (len)
		memcpy(raw->bytes, s->bytes + offset, len);
	return cb(userdata, raw, size);
}

int km_text_send(const struct km_text_source *s, uint64_t t_ns,
                 int (*cb)(void *userdata, const void *raw, size_t len), void *userdata)
{
	struct km_raw_text *raw = calloc(1, sizeof(*raw) + KM_RAW_TEXT_PIECE + 8);
	size_t offset = 0;
	int r;

	if (!raw)
		return -ENOMEM;
	raw->hdr = (struct kmend_hdr){ .type = KM_RAW_TEXT, .ktime_ns = t_ns };
	km_copy(raw->file, sizeof(raw->file), s->file);
	do {
		r = send_piece(s, offset, raw, cb, userdata);
		offset += raw->len;
	} while (r >= 0 && offset < s->len);
	free(raw);
	return r;
}

int km_texts_save(const struct km_texts *t, uint64_t t_ns,
                  int (*cb)(void *userdata, const void *raw, size_t len), void *userdata)
{
	struct km_text_source commit = { .kind = KM_TEXT_COMMIT, .file = "commit" };
	int r;

	for (size_t i = 0; i < t->count; i++) {
		const struct km_text *x = &t->text[i];
		struct km_text_source s = { x->kind, x->file, x->bytes, x->len };

		r = km_text_send(&s, t_ns, cb, userdata);
		if (r < 0)
			return r;
	}
	return km_text_send(&commit, t_ns, cb, userdata);
}
