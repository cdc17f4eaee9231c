// SPDX-License-Identifier: Apache-2.0
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/json.h"

struct fixture {
	struct km_buf *out;
	struct km_json_writer w;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (!f || km_buf_new(1 << 20, &f->out) < 0)
		return -1;
	km_jw_init(&f->w, f->out, false);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	f->out = km_buf_free(f->out);
	free(f);
	return 0;
}

static void assert_written(struct fixture *f, const char *expected)
{
	assert_int_equal(km_buf_error(f->out), 0);
	assert_string_equal(km_buf_text(f->out), expected);
	km_buf_reset(f->out);
	km_jw_init(&f->w, f->out, f->w.pretty);
}

static void write_sample(struct km_json_writer *w)
{
	km_jw_object(w);
	km_jw_kstring(w, "s", "x");
	km_jw_kstring(w, "none", NULL);
	km_jw_key(w, "list");
	km_jw_array(w);
	km_jw_u64(w, 1);
	km_jw_array(w);
	km_jw_end_array(w);
	km_jw_object(w);
	km_jw_end_object(w);
	km_jw_end_array(w);
	km_jw_kbool(w, "yes", true);
	km_jw_ki64(w, "i", -5);
	km_jw_kdouble(w, "d", 0.5);
	km_jw_end_object(w);
}

static void commas_stand_where_they_belong(void **state)
{
	struct fixture *f = *state;

	write_sample(&f->w);
	assert_written(f, "{\"s\":\"x\",\"none\":null,\"list\":[1,[],{}],\"yes\":true,\"i\":-5,"
	                  "\"d\":0.5}");
}

static void pretty_output_is_indented(void **state)
{
	struct fixture *f = *state;

	f->w.pretty = true;
	write_sample(&f->w);
	assert_written(f, "{\n  \"s\": \"x\",\n  \"none\": null,\n  \"list\": [\n    1,\n    [],\n"
	                  "    {}\n  ],\n  \"yes\": true,\n  \"i\": -5,\n  \"d\": 0.5\n}");
}

static void strings_cannot_change_structure_or_drive_a_terminal(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ "", "\"\"" },
		{ "caf\xc3\xa9 \xf0\x9f\x98\x80", "\"caf\xc3\xa9 \xf0\x9f\x98\x80\"" },
		{ "\"},{\"x\":\"", "\"\\\"},{\\\"x\\\":\\\"\"" },
		{ "\\", "\"\\\\\"" },
		{ "\b\t\n\x0b\f\r\x01\x1f\x1b", "\"\\b\\t\\n\\u000b\\f\\r\\u0001\\u001f\\u001b\"" },
		{ "\x7f\xc2\x9b", "\"\\u007f\\u009b\"" },
		{ "\xe2\x80\xa8\xe2\x80\xae\xe2\x80\xac", "\"\\u2028\\u202e\\u202c\"" },
		{ "\xff"
		  "a\xc3",
		  "\"\xef\xbf\xbd"
		  "a\xef\xbf\xbd\"" },
		{ "\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
	};
	struct fixture *f = *state;
	size_t i;

	for (i = 0; i < KM_ARRAY_SIZE(cases); i++) {
		km_jw_string(&f->w, cases[i].in);
		assert_written(f, cases[i].out);
	}
	km_jw_bytes(&f->w, "a\0b", 3);
	assert_written(f, "\"a\\u0000b\"");
	km_jw_object(&f->w);
	km_jw_kbool(&f->w, "k\"\n", false);
	km_jw_end_object(&f->w);
	assert_written(f, "{\"k\\\"\\n\":false}");
}

static void integers_that_a_double_cannot_hold_are_strings(void **state)
{
	struct fixture *f = *state;

	km_jw_u64(&f->w, 1ULL << 53);
	assert_written(f, "9007199254740992");
	km_jw_u64(&f->w, (1ULL << 53) + 1);
	assert_written(f, "\"9007199254740993\"");
	km_jw_u64(&f->w, UINT64_MAX);
	assert_written(f, "\"18446744073709551615\"");
	km_jw_i64(&f->w, -(1LL << 53));
	assert_written(f, "-9007199254740992");
	km_jw_i64(&f->w, INT64_MIN);
	assert_written(f, "\"-9223372036854775808\"");
	km_jw_i64(&f->w, (1LL << 53) + 1);
	assert_written(f, "\"9007199254740993\"");
}

static void doubles_have_nine_digits_and_no_more_than_needed(void **state)
{
	static const struct {
		double in;
		const char *out;
	} cases[] = {
		{ 0, "0" },
		{ -0.0, "0" },
		{ 0.1, "0.1" },
		{ 1.0 / 3, "0.333333333" },
		{ 1e6, "1000000" },
		{ 1e10, "1e+10" },
		{ -2.5, "-2.5" },
		{ 5e-324, "4.94065646e-324" },
		{ 123456789.4, "123456789" },
		{ INFINITY, "null" },
		{ -INFINITY, "null" },
		{ NAN, "null" },
	};
	struct fixture *f = *state;
	size_t i;

	for (i = 0; i < KM_ARRAY_SIZE(cases); i++) {
		km_jw_double(&f->w, cases[i].in);
		assert_written(f, cases[i].out);
	}
}

static void what_is_not_known_is_null(void **state)
{
	struct fixture *f = *state;

	km_jw_object(&f->w);
	km_jw_kknown(&f->w, "a", KM_UNKNOWN);
	km_jw_kknown(&f->w, "b", 0);
	km_jw_ku64(&f->w, "c", 3);
	km_jw_end_object(&f->w);
	assert_written(f, "{\"a\":null,\"b\":0,\"c\":3}");
}

static void what_was_read_is_written_as_it_stands(void **state)
{
	static const char text[] =
		"{\"a\":[1,-2.5,0.1,1e+300,0.30000000000000004,9007199254740992,"
		"true,false,null],\"A\":{\"b\":\"\xc3\xa9\\n\"},\"c\":[],\"d\":{}}";
	km_autofree(km_json_freep) struct km_json *doc = NULL;
	struct fixture *f = *state;
	struct km_error err;

	assert_int_equal(km_json_parse(text, strlen(text), "f", &err, &doc), 0);
	km_jw_node(&f->w, km_json_root(doc));
	assert_written(f, text);
}

static void every_output_passes_the_reader(void **state)
{
	km_autofree(km_json_freep) struct km_json *doc = NULL;
	struct fixture *f = *state;
	char all[255];
	struct km_error err;
	size_t i;

	/* All bytes but NUL, which the writer can say and the reader does not take. */
	for (i = 0; i < sizeof(all); i++)
		all[i] = i + 1;
	km_jw_array(&f->w);
	km_jw_bytes(&f->w, all, sizeof(all));
	for (i = 0; i < 64; i++) {
		km_jw_double(&f->w, ldexp(1.0 / 3, (int)i * 30 - 1000));
		km_jw_u64(&f->w, UINT64_MAX >> i);
	}
	km_jw_end_array(&f->w);
	assert_int_equal(km_json_parse(f->out->data, f->out->len, "f", &err, &doc), 0);
	assert_int_equal(cJSON_GetArraySize(km_json_root(doc)), 129);
}

static void a_full_buffer_is_told_at_the_end(void **state)
{
	km_autofree(km_buf_freep) struct km_buf *small = NULL;
	struct km_json_writer w;

	(void)state;
	assert_int_equal(km_buf_new(20, &small), 0);
	km_jw_init(&w, small, true);
	write_sample(&w);
	assert_int_equal(km_buf_error(small), -E2BIG);
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(commas_stand_where_they_belong),
		TEST(pretty_output_is_indented),
		TEST(strings_cannot_change_structure_or_drive_a_terminal),
		TEST(integers_that_a_double_cannot_hold_are_strings),
		TEST(doubles_have_nine_digits_and_no_more_than_needed),
		TEST(what_is_not_known_is_null),
		TEST(what_was_read_is_written_as_it_stands),
		TEST(every_output_passes_the_reader),
		TEST(a_full_buffer_is_told_at_the_end),
	};

	return cmocka_run_group_tests_name("base/json_write", tests, NULL, NULL);
}
