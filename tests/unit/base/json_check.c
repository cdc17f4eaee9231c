// SPDX-License-Identifier: Apache-2.0
/* What the strict check takes and what it refuses, where and why. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/json.h"

/* A copy of exactly LEN bytes, so that a sanitizer sees a read past the end. */
static int parse(const char *text, size_t len, struct km_error *err)
{
	km_autofree(km_json_freep) struct km_json *doc = NULL;
	char *exact = malloc(len ? len : 1);
	int r;

	assert_non_null(exact);
	memcpy(exact, text, len);
	memset(err, 0, sizeof(*err));
	r = km_json_parse(exact, len, "f.json", err, &doc);
	free(exact);
	assert_int_equal(doc != NULL, r == 0);
	return r;
}

static void valid_texts_pass(void **state)
{
	static const char *const texts[] = {
		"null",
		"true",
		" false ",
		"0",
		"-0",
		"-12.5e-3",
		"1E+2",
		"0.1",
		"9007199254740992",
		"-9007199254740992",
		"1e300",
		"123456789012345678.5",
		"\"\"",
		"[]",
		"{}",
		"[ ]",
		"{\t}",
		"\r\n[1,2 , 3]\n",
		"{\"a\":{\"a\":{\"a\":[]}}}",
		"{\"a\":1,\"A\":2}",
		"{\"\":1}",
		"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\"",
		"\"\\ud83d\\ude00 \\uD83D\\uDE00\"",
		"\"\xf0\x9f\x98\x80 \xc3\xa9 \x7f\"",
		"\"\\u0001 \\uffff\"",
		"[[],{},[{}]]",
		"1e-999",
	};
	struct km_error err;
	size_t i;

	(void)state;
	for (i = 0; i < KM_ARRAY_SIZE(texts); i++)
		if (parse(texts[i], strlen(texts[i]), &err) != 0)
			fail_msg("%s: %s", texts[i], err.what);
}

static const struct {
	const char *text;
	unsigned int line, column;
	const char *what; /* a part of it */
} bad[] = {
	{ "", 1, 1, "ends where a value" },
	{ "  \n ", 2, 2, "ends where a value" },
	{ "{} x", 1, 4, "end of the text" },
	{ "1 2", 1, 3, "end of the text" },
	{ "[1]]", 1, 4, "end of the text" },
	{ "\xef\xbb\xbf{}", 1, 1, "byte order mark" },
	{ "[1,]", 1, 4, "nothing behind ','" },
	{ "{\"a\":1,}", 1, 8, "nothing behind ','" },
	{ "[,1]", 1, 2, "a value is expected" },
	{ "[1 2]", 1, 4, "',' or ']'" },
	{ "[1}", 1, 3, "',' or ']'" },
	{ "{\"a\":1]", 1, 7, "',' or '}'" },
	{ "[", 1, 2, "ends where" },
	{ "{", 1, 2, "ends where" },
	{ "{\"a\"", 1, 5, "ends where ':'" },
	{ "{\"a\":", 1, 6, "ends where a value" },
	{ "{\"1\":1,", 1, 8, "ends where a key" },
	{ "{\"a\" 1}", 1, 6, "':'" },
	{ "{a:1}", 1, 2, "a key in quotes" },
	{ "{1:1}", 1, 2, "a key in quotes" },
	{ "{'a':1}", 1, 2, "a key in quotes" },
	{ "[nul]", 1, 2, "a value" },
	{ "[True]", 1, 2, "a value" },
	{ "nulll", 1, 5, "end of the text" },
	{ "[NaN]", 1, 2, "a value" },
	{ "[Infinity]", 1, 2, "a value" },
	{ "[-Infinity]", 1, 3, "a digit" },
	{ "[01]", 1, 2, "begins with 0" },
	{ "[-01]", 1, 2, "begins with 0" },
	{ "[+1]", 1, 2, "a value" },
	{ "[.5]", 1, 2, "a value" },
	{ "[1.]", 1, 4, "behind the decimal point" },
	{ "[1e]", 1, 4, "of the exponent" },
	{ "[1e+]", 1, 5, "of the exponent" },
	{ "[-]", 1, 3, "a digit" },
	{ "[0x10]", 1, 3, "',' or ']'" },
	{ "[1e999]", 1, 2, "out of range" },
	{ "[-1e999]", 1, 2, "out of range" },
	{ "[9007199254740993]", 1, 2, "over 2^53" },
	{ "[-9007199254740993]", 1, 2, "over 2^53" },
	{ "[18446744073709551616]", 1, 2, "over 2^53" },
	{ "\"a", 1, 1, "does not end" },
	{ "[\"a\n\"]", 1, 4, "control byte 0x0a" },
	{ "[\"a\tb\"]", 1, 4, "control byte 0x09" },
	{ "[\"\\x41\"]", 1, 4, "an escape that JSON knows" },
	{ "[\"\\", 1, 4, "ends where an escape" },
	{ "[\"\\u12g4\"]", 1, 7, "hexadecimal" },
	{ "[\"\\u12", 1, 7, "hexadecimal" },
	{ "[\"\\u0000\"]", 1, 3, "U+0000" },
	{ "[\"\\ud800\"]", 1, 3, "lone surrogate U+D800" },
	{ "[\"\\ud800x\"]", 1, 3, "lone surrogate U+D800" },
	{ "[\"\\udc00\"]", 1, 3, "lone surrogate U+DC00" },
	{ "[\"\\ud800\\ud800\"]", 1, 3, "lone surrogate U+D800" },
	{ "[\"\\ud800\\u12\"]", 1, 13, "hexadecimal" },
	{ "[\"\xff\"]", 1, 3, "0xff is not UTF-8" },
	{ "[\"\xc0\xaf\"]", 1, 3, "not UTF-8" },
	{ "[\"\xed\xa0\x80\"]", 1, 3, "not UTF-8" },
	{ "[\"\xe2\x82\"]", 1, 3, "not UTF-8" },
	{ "\xa0[]", 1, 1, "byte 0xa0" },
	{ "[1,\n // no\n 2]", 2, 2, "unexpected '/'" },
	{ "# no\n{}", 1, 1, "unexpected '#'" },
	{ "{\"a\":1,\"a\":2}", 1, 8, "duplicate key \"a\", first in line 1" },
	{ "{\"a\":1,\n\"\\u0061\":2}", 2, 1, "duplicate key \"a\"" },
	{ "{\"x\":[{\"b\":1,\n\n  \"b\":2}]}", 3, 3, "duplicate key \"b\", first in line 1" },
	{ "{\"a\":{\"b\":1},\"b\":2,\"a\":3}", 1, 20, "duplicate key \"a\"" },
	{ "[\"\xc3\xa9\xc3\xa9\", x]", 1, 8, "unexpected 'x'" },
	{ "[1\x0c]", 1, 3, "byte 0x0c" },
};

static void bad_texts_are_refused_at_their_place(void **state)
{
	struct km_error err;
	size_t i;

	(void)state;
	for (i = 0; i < KM_ARRAY_SIZE(bad); i++) {
		if (parse(bad[i].text, strlen(bad[i].text), &err) != -EBADMSG)
			fail_msg("%s passed", bad[i].text);
		if (err.line != bad[i].line || err.column != bad[i].column ||
		    !strstr(err.what, bad[i].what))
			fail_msg("%s: %u:%u: %s", bad[i].text, err.line, err.column, err.what);
		assert_string_equal(err.file, "f.json");
	}
}

static void a_nul_byte_is_not_the_end(void **state)
{
	struct km_error err;

	(void)state;
	assert_int_equal(parse("{}\0", 3, &err), -EBADMSG);
	assert_int_equal(err.column, 3);
	assert_int_equal(parse("[\"a\0b\"]", 7, &err), -EBADMSG);
	assert_int_equal(parse("[\"\\\0\"]", 6, &err), -EBADMSG);
	assert_non_null(strstr(err.what, "escape"));
}

/* Every prefix of a valid document is either refused or valid, and never read past. */
static void every_prefix_is_judged_without_a_read_past_its_end(void **state)
{
	static const char text[] =
		"{\"k\\u00e9y\":[1.5e3,true,false,null,\"\\ud83d\\ude00\xc3\xa9\"]}";
	struct km_error err;
	size_t len;

	(void)state;
	for (len = 0; len < sizeof(text) - 1; len++)
		assert_int_equal(parse(text, len, &err), -EBADMSG);
	assert_int_equal(parse(text, len, &err), 0);
}

static char *repeated(const char *piece, size_t count, const char *end)
{
	size_t len = strlen(piece), i;
	char *text = malloc(len * count + strlen(end) + 1);

	assert_non_null(text);
	for (i = 0; i < count; i++)
		memmove(text + i * len, piece, len + 1);
	memcpy(text + len * count, end, strlen(end) + 1);
	return text;
}

static void depth_32_passes_and_33_does_not(void **state)
{
	char text[2 * (KM_JSON_DEPTH_MAX + 1) + 1];
	struct km_error err;
	size_t n;

	(void)state;
	for (n = KM_JSON_DEPTH_MAX; n <= KM_JSON_DEPTH_MAX + 1; n++) {
		memset(text, '[', n);
		memset(text + n, ']', n);
		assert_int_equal(parse(text, 2 * n, &err), n > KM_JSON_DEPTH_MAX ? -EBADMSG : 0);
	}
	assert_int_equal(err.column, KM_JSON_DEPTH_MAX + 1);
	assert_non_null(strstr(err.what, "deeper than 32"));
}

static void the_depth_of_neighbours_does_not_add_up(void **state)
{
	struct km_error err;
	km_autofree_char char *inner = repeated("[[]],", 100, "0]");
	char text[600];

	(void)state;
	snprintf(text, sizeof(text), "[%s", inner);
	assert_int_equal(parse(text, strlen(text), &err), 0);
}

static void a_mebibyte_passes_and_one_byte_more_does_not(void **state)
{
	km_autofree_char char *text = repeated(" ", KM_JSON_BYTES_MAX, " ");
	struct km_error err;

	(void)state;
	text[10] = '1';
	assert_int_equal(parse(text, KM_JSON_BYTES_MAX, &err), 0);
	assert_int_equal(parse(text, KM_JSON_BYTES_MAX + 1, &err), -EBADMSG);
	assert_non_null(strstr(err.what, "1048576 bytes"));
}

static void the_largest_number_of_values_passes_and_one_more_does_not(void **state)
{
	/* The array itself is one. */
	km_autofree_char char *most = repeated("1,", KM_JSON_NODES_MAX - 2, "1]");
	km_autofree_char char *more = repeated("1,", KM_JSON_NODES_MAX - 1, "1]");
	km_autofree_char char *text = malloc(2 * KM_JSON_NODES_MAX + 3);
	struct km_error err;

	(void)state;
	assert_non_null(text);
	assert_int_equal(parse(text, snprintf(text, 2 * KM_JSON_NODES_MAX + 3, "[%s", most), &err),
	                 0);
	assert_int_equal(parse(text, snprintf(text, 2 * KM_JSON_NODES_MAX + 3, "[%s", more), &err),
	                 -EBADMSG);
	assert_non_null(strstr(err.what, "262144 values"));
}

static void a_number_of_63_characters_passes_and_64_does_not(void **state)
{
	char text[KM_JSON_NUMBER_MAX + 2];
	struct km_error err;

	(void)state;
	memset(text, '1', sizeof(text));
	text[1] = '.';
	assert_int_equal(parse(text, KM_JSON_NUMBER_MAX, &err), 0);
	assert_int_equal(parse(text, KM_JSON_NUMBER_MAX + 1, &err), -EBADMSG);
	assert_non_null(strstr(err.what, "63 characters"));
}

static void a_hostile_text_in_a_message_stays_one_line(void **state)
{
	static const char text[] = "{\"\\u001b[31m\\n\":1,\"\\u001b[31m\\n\":2}";
	char line[256];
	struct km_error err;

	(void)state;
	assert_int_equal(parse(text, strlen(text), &err), -EBADMSG);
	km_error_format(&err, line, sizeof(line));
	assert_string_equal(line, "f.json:1:19: duplicate key \"\\x1b[31m\\x0a\", first in line 1; "
	                          "take one of the two out");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(valid_texts_pass),
		cmocka_unit_test(bad_texts_are_refused_at_their_place),
		cmocka_unit_test(a_nul_byte_is_not_the_end),
		cmocka_unit_test(every_prefix_is_judged_without_a_read_past_its_end),
		cmocka_unit_test(depth_32_passes_and_33_does_not),
		cmocka_unit_test(the_depth_of_neighbours_does_not_add_up),
		cmocka_unit_test(a_mebibyte_passes_and_one_byte_more_does_not),
		cmocka_unit_test(the_largest_number_of_values_passes_and_one_more_does_not),
		cmocka_unit_test(a_number_of_63_characters_passes_and_64_does_not),
		cmocka_unit_test(a_hostile_text_in_a_message_stays_one_line),
	};

	return cmocka_run_group_tests_name("base/json_check", tests, NULL, NULL);
}
