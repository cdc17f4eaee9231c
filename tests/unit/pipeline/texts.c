/* SPDX-License-Identifier: Apache-2.0 */
#include "stream.h"

static struct km_raw_text *piece(uint32_t kind, uint32_t total, uint32_t offset, uint32_t len)
{
	struct km_raw_text *t = calloc(1, sizeof(*t) + len + 8);

	assert_non_null(t);
	t->kind = kind;
	t->total = total;
	t->offset = offset;
	t->len = len;
	memset(t->bytes, ' ', len);
	return t;
}

static int add(struct km_texts *set, uint32_t kind, uint32_t total, uint32_t offset, uint32_t len)
{
	struct km_raw_text *t = piece(kind, total, offset, len);
	int r = km_texts_add(set, t);

	free(t);
	return r;
}

static void pieces_become_one_text(void **state)
{
	km_autofree(km_texts_clear) struct km_texts set = { 0 };

	(void)state;
	assert_int_equal(add(&set, KM_TEXT_RULE, 300, 0, 100), 0);
	assert_int_equal(add(&set, KM_TEXT_RULE, 300, 100, 200), 0);
	assert_int_equal(add(&set, KM_TEXT_RULE, 0, 0, 0), 0);
	assert_int_equal(set.count, 2);
	assert_int_equal(set.text[0].len, 300);
}

static void a_piece_out_of_order_drops_the_set(void **state)
{
	static const struct {
		uint32_t kind, total, offset, len;
	} bad[] = {
		{ KM_TEXT_RULE, 300, 150, 10 },   /* a hole */
		{ KM_TEXT_RULE, 300, 50, 10 },    /* again */
		{ KM_TEXT_RULE, 300, 100, 201 },  /* more than the total */
		{ KM_TEXT_RULE, 301, 100, 10 },   /* another total */
		{ KM_TEXT_POLICY, 300, 100, 10 }, /* another kind */
		{ KM_TEXT_RULE, 10, 0, 10 },      /* the next before the end of this */
	};

	(void)state;
	for (size_t i = 0; i < KM_ARRAY_SIZE(bad); i++) {
		km_autofree(km_texts_clear) struct km_texts set = { 0 };

		assert_int_equal(add(&set, KM_TEXT_RULE, 300, 0, 100), 0);
		assert_int_equal(add(&set, bad[i].kind, bad[i].total, bad[i].offset, bad[i].len),
		                 -EBADMSG);
		assert_int_equal(set.count, 0);
	}
}

static void a_text_over_its_maximum_is_refused_before_memory_is_taken(void **state)
{
	km_autofree(km_texts_clear) struct km_texts set = { 0 };

	(void)state;
	assert_int_equal(add(&set, KM_TEXT_RULE, KM_JSON_BYTES_MAX + 1, 0, 1), -E2BIG);
	assert_int_equal(add(&set, KM_TEXT_RULE, KM_JSON_BYTES_MAX, 0, 1), 0);
}

static void all_texts_together_have_a_maximum(void **state)
{
	km_autofree(km_texts_clear) struct km_texts set = { 0 };
	int r = 0;
	size_t n = 0;

	(void)state;
	for (; r == 0 && n <= KM_TEXTS_MAX; n++)
		r = add(&set, KM_TEXT_RULE, 1, 0, 1);
	assert_int_equal(r, -E2BIG);
	assert_int_equal(n - 1, KM_TEXTS_MAX);
}

struct collected {
	struct km_texts set;
	unsigned int commits;
};

static int collect(void *userdata, const void *raw, size_t len)
{
	struct collected *c = userdata;
	const struct km_raw_text *t = raw;

	assert_int_equal(t->hdr.size, len);
	assert_int_equal(len % 8, 0);
	if (t->kind == KM_TEXT_COMMIT) {
		c->commits++;
		return 0;
	}
	return km_texts_add(&c->set, t);
}

static void a_saved_set_is_the_set(void **state)
{
	km_autofree(km_texts_clear) struct km_texts set = { 0 };
	struct collected c = { 0 };

	(void)state;
	for (uint32_t offset = 0; offset < 100000; offset += 10000)
		assert_int_equal(add(&set, KM_TEXT_RULE, 100000, offset, 10000), 0);
	assert_int_equal(add(&set, KM_TEXT_CONFIG, 5, 0, 5), 0);
	assert_true(km_texts_save(&set, 7, collect, &c) >= 0);
	assert_int_equal(c.commits, 1);
	assert_int_equal(c.set.count, 2);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(c.set.text[i].len, set.text[i].len);
		assert_memory_equal(c.set.text[i].bytes, set.text[i].bytes, set.text[i].len);
	}
	km_texts_clear(&c.set);
}

static void nothing_compiles_to_the_defaults(void **state)
{
	km_autofree(km_set_clear) struct km_set set = { 0 };
	struct km_texts none = { 0 };
	struct km_error err;

	(void)state;
	assert_int_equal(km_texts_compile(&none, &err, &set), 0);
	assert_int_equal(set.rules->count, 0);
	assert_int_equal(set.config->service_count, 0);
	assert_false(km_policy_allows(set.policy, KM_RESTART, "nginx.service"));
	assert_true(km_policy_allows(set.policy, KM_NOTIFY, "nginx.service"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_become_one_text),
		cmocka_unit_test(a_piece_out_of_order_drops_the_set),
		cmocka_unit_test(a_text_over_its_maximum_is_refused_before_memory_is_taken),
		cmocka_unit_test(all_texts_together_have_a_maximum),
		cmocka_unit_test(a_saved_set_is_the_set),
		cmocka_unit_test(nothing_compiles_to_the_defaults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
