// SPDX-License-Identifier: Apache-2.0
/* Promotions and demotions: for which text they hold, and what is no such file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/text.h"
#include "match/modes.h"
#include "support.h"

#define NO_DIGEST "0000000000000000000000000000000000000000000000000000000000000000"

static struct km_rule *rule_in(const char *mode)
{
	char more[64];

	snprintf(more, sizeof(more), ", \"guard\": {\"mode\": \"%s\"}", mode);
	return rule_with(NULL, "{\"state\": {\"is\": \"up\"}}", more);
}

static int compile_modes(const char *rules, struct km_error *err, struct km_modes **ret)
{
	char text[2048];

	snprintf(text, sizeof(text), "{\"version\": 1, \"rules\": [%s]}", rules);
	return km_modes_compile(text, strlen(text), KM_MODES_FILE, err, ret);
}

/* The mode of a rule written in WRITTEN under an entry of MODE, for its own text or another. */
static enum km_mode mode_under(const char *written, const char *mode, bool own)
{
	struct km_rule *r = rule_in(written);
	char digest[65] = NO_DIGEST, entry[512];
	struct km_modes *m = NULL;
	struct km_error err;
	enum km_mode ret;

	if (own)
		km_hex(r->digest, sizeof(r->digest), digest);
	snprintf(entry, sizeof(entry),
	         "{\"id\": \"test\", \"mode\": \"%s\", \"digest\": \"%s\", \"at\": 1, "
	         "\"by\": \"root\", \"why\": \"w\"}",
	         mode, digest);
	assert_int_equal(compile_modes(entry, &err, &m), 0);
	km_modes_apply(m, &r, 1);
	ret = r->guard.mode;
	km_modes_free(m);
	km_rule_free(r);
	return ret;
}

static void an_entry_holds_for_the_text_that_was_tested(void **state)
{
	(void)state;
	assert_int_equal(mode_under("suggest", "auto", true), KM_AUTO);
	assert_int_equal(mode_under("auto", "suggest", true), KM_SUGGEST);
}

static void for_another_text_it_can_only_lower(void **state)
{
	(void)state;
	assert_int_equal(mode_under("suggest", "auto", false), KM_SUGGEST);
	assert_int_equal(mode_under("suggest", "approve", false), KM_SUGGEST);
	assert_int_equal(mode_under("auto", "observe", false), KM_OBSERVE);
	assert_int_equal(mode_under("auto", "auto", false), KM_AUTO);
}

static void without_an_entry_the_mode_is_that_of_the_text(void **state)
{
	struct km_rule *r = rule_in("approve");
	struct km_modes *m = NULL;
	struct km_error err;

	(void)state;
	assert_int_equal(km_modes_of(NULL, r), KM_APPROVE);
	assert_int_equal(compile_modes("", &err, &m), 0);
	assert_int_equal(km_modes_of(m, r), KM_APPROVE);
	km_modes_free(m);
	km_rule_free(r);
}

static void another_mode_makes_another_digest_of_the_set(void **state)
{
	struct km_rules *s[2] = { NULL, NULL };
	struct km_error err;

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct km_rule *r = rule_in("suggest");

		r->guard.mode = i ? KM_AUTO : KM_SUGGEST;
		assert_int_equal(km_rules_new(&r, 1, &err, &s[i]), 0);
	}
	assert_memory_not_equal(s[0]->digest, s[1]->digest, sizeof(s[0]->digest));
	km_rules_free(s[0]);
	km_rules_free(s[1]);
}

static void what_is_written_is_read_again(void **state)
{
	struct km_mode_entry entry[2] = {
		{ .id = "a", .mode = KM_AUTO, .at_s = 7, .by = "root", .why = "\"quoted\"" },
		{ .id = "b", .mode = KM_OBSERVE, .digest = { 0xab, 0xcd } },
	};
	const struct km_modes modes = { entry, 2 };
	struct km_modes *again = NULL;
	struct km_json_writer w;
	struct km_buf *out = NULL;
	struct km_error err;

	(void)state;
	assert_int_equal(km_buf_new(4096, &out), 0);
	km_jw_init(&w, out, true);
	km_modes_write(&modes, &w);
	assert_int_equal(km_modes_compile(km_buf_text(out), out->len, "m", &err, &again), 0);
	assert_int_equal(again->count, 2);
	assert_memory_equal(km_modes_get(again, "a"), &entry[0], sizeof(entry[0]));
	assert_memory_equal(km_modes_get(again, "b"), &entry[1], sizeof(entry[1]));
	assert_null(km_modes_get(again, "c"));
	km_modes_free(again);
	km_buf_free(out);
}

static void what_is_no_such_file_is_refused_at_its_line(void **state)
{
	static const char *const bad[] = {
		"7",
		"{}",
		"{\"id\": \"a\", \"mode\": \"fast\", \"digest\": \"" NO_DIGEST
		"\", \"at\": 1, \"by\": \"b\", \"why\": \"w\"}",
		"{\"id\": \"a\", \"mode\": \"auto\", \"digest\": \"00\", \"at\": 1, \"by\": \"b\", "
		"\"why\": \"w\"}",
		"{\"id\": \"a\", \"mode\": \"auto\", \"digest\": \"Z" NO_DIGEST
		"\", \"at\": 1, \"by\": \"b\", \"why\": \"w\"}",
		"{\"id\": \"a\", \"mode\": \"auto\", \"digest\": \"" NO_DIGEST
		"\", \"at\": 1, \"by\": \"b\", \"why\": \"w\"},"
		"{\"id\": \"a\", \"mode\": \"auto\", \"digest\": \"" NO_DIGEST
		"\", \"at\": 1, \"by\": \"b\", \"why\": \"w\"}",
	};
	struct km_modes *m = NULL;
	struct km_error err;

	(void)state;
	for (size_t i = 0; i < KM_ARRAY_SIZE(bad); i++) {
		assert_int_equal(compile_modes(bad[i], &err, &m), -EBADMSG);
		assert_int_equal(err.line, 1);
		assert_null(m);
	}
	assert_int_equal(km_modes_compile("[]", 2, "m", &err, &m), -EBADMSG);
	assert_int_equal(km_modes_compile("{\"version\": 2, \"rules\": []}", 27, "m", &err, &m),
	                 -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_entry_holds_for_the_text_that_was_tested),
		cmocka_unit_test(for_another_text_it_can_only_lower),
		cmocka_unit_test(without_an_entry_the_mode_is_that_of_the_text),
		cmocka_unit_test(another_mode_makes_another_digest_of_the_set),
		cmocka_unit_test(what_is_written_is_read_again),
		cmocka_unit_test(what_is_no_such_file_is_refused_at_its_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
