// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>
#include <cmocka.h>

#include "base/resource.h"
#include "base/text.h"

static void utf8_is_judged_as_the_standard_says(void **state)
{
	static const char *const good[] = {
		"",
		"a\x7f",
		"\xc2\x80",
		"\xdf\xbf",
		"\xe0\xa0\x80",
		"\xed\x9f\xbf",
		"\xee\x80\x80",
		"\xf0\x90\x80\x80",
		"\xf4\x8f\xbf\xbf",
	};
	/* Continuation alone, cut off, overlong, surrogates, past U+10FFFF, never a first byte. */
	static const char *const bad[] = {
		"\x80",         "\xc3",         "\xe2\x82",         "\xf0\x9f\x98",
		"\xc0\xaf",     "\xc1\xbf",     "\xe0\x9f\xbf",     "\xf0\x8f\xbf\xbf",
		"\xed\xa0\x80", "\xed\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80",
		"\xff",         "\xe2!\x82",
	};
	size_t i;

	(void)state;
	for (i = 0; i < KM_ARRAY_SIZE(good); i++)
		assert_true(km_utf8_valid(good[i], strlen(good[i])));
	for (i = 0; i < KM_ARRAY_SIZE(bad); i++)
		assert_false(km_utf8_valid(bad[i], strlen(bad[i])));
	assert_true(km_utf8_valid("a\0b", 3));
}

static void cleaning_replaces_bad_bytes_and_cuts_between_characters(void **state)
{
	char out[16];

	(void)state;
	km_utf8_clean("a\xff!", 3, out, sizeof(out));
	assert_string_equal(out, "a\xef\xbf\xbd!");
	km_utf8_clean("ab\0cd", 5, out, sizeof(out));
	assert_string_equal(out, "ab");
	km_utf8_clean("abcdef", 3, out, sizeof(out));
	assert_string_equal(out, "abc");
	km_utf8_clean("ab\xc3\xa9", 4, out, 4);
	assert_string_equal(out, "ab");
	km_utf8_clean("ab\xc3\xa9", 4, out, 5);
	assert_string_equal(out, "ab\xc3\xa9");
	km_utf8_clean("\xff\xff", 2, out, 5);
	assert_string_equal(out, "\xef\xbf\xbd");
	km_utf8_clean("x", 1, out, 1);
	assert_string_equal(out, "");
	km_utf8_clean("x", 1, out, 0);
}

static void nothing_that_drives_a_terminal_passes(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ "plain caf\xc3\xa9", "plain caf\xc3\xa9" },
		{ "a\nb\tc", "a\\x0ab\\x09c" },
		{ "\x1b[31mred", "\\x1b[31mred" },
		{ "\x7f", "\\x7f" },
		{ "back\\slash", "back\\\\slash" },
		{ "\xc2\x9b[1m", "\\u{009b}[1m" },
		{ "\x9b", "\\x9b" },
		{ "\xe2\x80\xaetxt\xe2\x80\xac", "\\u{202e}txt\\u{202c}" },
		{ "\xe2\x80\xa8\xe2\x80\xa9", "\\u{2028}\\u{2029}" },
		{ "\xe2\x81\xa6\xe2\x80\x8e\xd8\x9c\xe2\x81\xa9",
		  "\\u{2066}\\u{200e}\\u{061c}\\u{2069}" },
		{ "\xc3", "\\xc3" },
	};
	char out[64];
	size_t i;

	(void)state;
	for (i = 0; i < KM_ARRAY_SIZE(cases); i++)
		assert_string_equal(km_text_escape(cases[i].in, out, sizeof(out)), cases[i].out);
}

static void an_escape_is_never_cut_in_the_middle(void **state)
{
	char out[8];

	(void)state;
	assert_string_equal(km_text_escape("a\x1b\x1b", out, 6), "a\\x1b");
	assert_string_equal(km_text_escape("a\x1b\x1b", out, 5), "a");
	assert_string_equal(km_text_escape("abc", out, 1), "");
	assert_ptr_equal(km_text_escape("abc", out, 0), out);
}

static void globs_match_within_one_path_component(void **state)
{
	static const struct {
		const char *pattern, *s;
		bool match;
	} cases[] = {
		{ "", "", true },
		{ "", "a", false },
		{ "*", "", true },
		{ "*", "anything.service", true },
		{ "*", "a/b", false },
		{ "*/*", "a/b", true },
		{ "*/x", "a/b/x", false },
		{ "demo-*", "demo-leak", true },
		{ "demo-*", "demo", false },
		{ "a*b*c", "a-b-b-c", true },
		{ "a*b*c", "a-b-b", false },
		{ "*.service", "x.service.service", true },
		{ "?", "a", true },
		{ "?", "", false },
		{ "?", "/", false },
		{ "?", "\xc3\xa9", true },
		{ "??", "\xc3\xa9", false },
		{ "?", "?", true },
		{ "a?", "a\xff", true },
		{ "[ab]", "a", false },
		{ "[ab]", "[ab]", true },
		{ "\\*", "\\x", true },
		{ "**", "ab", true },
		{ "a**", "a", true },
		{ "ssh@*.service", "ssh@3-1.2.3.4:22.service", true },
		{ "abc", "ABC", false },
	};
	size_t i;

	(void)state;
	for (i = 0; i < KM_ARRAY_SIZE(cases); i++)
		if (km_glob(cases[i].pattern, cases[i].s) != cases[i].match)
			fail_msg("\"%s\" and \"%s\"", cases[i].pattern, cases[i].s);
}

static void a_hostile_glob_is_not_slow(void **state)
{
	char pattern[513], s[4097];
	clock_t start = clock();
	size_t i;

	(void)state;
	for (i = 0; i < 512; i++)
		pattern[i] = i % 2 ? 'a' : '*';
	pattern[512] = '\0';
	memset(s, 'a', 4096);
	s[4095] = 'b';
	s[4096] = '\0';
	assert_false(km_glob(pattern, s));
	/* Exponential matching would take longer than the machine lives. */
	assert_true((clock() - start) / CLOCKS_PER_SEC < 5);
}

static void a_number_is_digits_alone_and_fits_64_bits(void **state)
{
	static const struct {
		const char *text;
		int r;
		uint64_t value;
		size_t taken;
	} cases[] = {
		{ "0", 0, 0, 1 },
		{ "007", 0, 7, 3 },
		{ "12-34", 0, 12, 2 },
		{ "18446744073709551615 ", 0, UINT64_MAX, 20 },
		{ "18446744073709551616", -ERANGE, 77, 0 },
		{ "184467440737095516150", -ERANGE, 77, 0 },
		{ "", -EINVAL, 77, 0 },
		{ "-1", -EINVAL, 77, 0 },
		{ "+1", -EINVAL, 77, 0 },
		{ " 1", -EINVAL, 77, 0 },
		{ "x1", -EINVAL, 77, 0 },
	};

	(void)state;
	for (size_t i = 0; i < KM_ARRAY_SIZE(cases); i++) {
		const char *p = cases[i].text;
		uint64_t v = 77;

		assert_int_equal(km_text_u64(&p, &v), cases[i].r);
		assert_true(v == cases[i].value);
		assert_ptr_equal(p, cases[i].text + cases[i].taken);
	}
}

static void a_unit_is_a_service_in_the_characters_of_unit_names(void **state)
{
	(void)state;
	assert_true(km_text_is_unit("web.service"));
	assert_true(km_text_is_unit("getty@tty1.service"));
	assert_true(km_text_is_unit("a\\x2db:c_d.e.service"));
	assert_false(km_text_is_unit(""));
	assert_false(km_text_is_unit(".service"));
	assert_false(km_text_is_unit("web"));
	assert_false(km_text_is_unit("web.service.d"));
	assert_false(km_text_is_unit("../web.service"));
	assert_false(km_text_is_unit("web\n.service"));
	assert_false(km_text_is_unit("w\303\251b.service"));
}

static void hex_and_hashes_are_the_published_ones(void **state)
{
	char out[9];

	(void)state;
	km_hex("\x00\x7f\xab\xff", 4, out);
	assert_string_equal(out, "007fabff");
	km_hex("", 0, out);
	assert_string_equal(out, "");
	assert_true(km_hash("", 0) == 0xcbf29ce484222325ULL);
	assert_true(km_hash("foobar", 6) == 0x85944171f73967e8ULL);
}

static void durations_have_two_units_at_most(void **state)
{
	static const struct {
		uint64_t ns;
		const char *out;
	} cases[] = {
		{ 0, "0s" },
		{ 7, "7ns" },
		{ 15999, "15us" },
		{ 320 * KM_NS_PER_MS, "320ms" },
		{ 999999999, "999ms" },
		{ KM_NS_PER_S, "1s" },
		{ 1900 * KM_NS_PER_MS, "1.9s" },
		{ 9999 * KM_NS_PER_MS, "9.9s" },
		{ 45900 * KM_NS_PER_MS, "45s" },
		{ 60 * KM_NS_PER_S, "1m00s" },
		{ 130 * KM_NS_PER_S, "2m10s" },
		{ 3780 * KM_NS_PER_S, "1h03m" },
		{ 86399 * KM_NS_PER_S, "23h59m" },
		{ (2 * 86400 + 3 * 3600) * KM_NS_PER_S, "2d03h" },
		{ KM_UNKNOWN - 1, "213503d23h" },
		{ KM_UNKNOWN, "unknown" },
	};
	char out[32];
	size_t i;

	(void)state;
	for (i = 0; i < KM_ARRAY_SIZE(cases); i++)
		assert_string_equal(km_text_duration(cases[i].ns, out, sizeof(out)), cases[i].out);
}

static void bytes_have_one_decimal(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *out;
	} cases[] = {
		{ 0, "0 B" },
		{ 1023, "1023 B" },
		{ 1024, "1.0 KiB" },
		{ (1 << 20) - 1, "1023.9 KiB" },
		{ 67004007, "63.9 MiB" },
		{ 3ULL << 39, "1.5 TiB" },
		{ KM_UNKNOWN - 1, "15.9 EiB" },
		{ KM_UNKNOWN, "unknown" },
	};
	char out[32];
	size_t i;

	(void)state;
	for (i = 0; i < KM_ARRAY_SIZE(cases); i++)
		assert_string_equal(km_text_bytes(cases[i].bytes, out, sizeof(out)), cases[i].out);
}

static void the_nearest_name_is_a_slip_of_the_finger_away(void **state)
{
	static const char *const names[] = { "services", "settings", "version", "as", NULL };
	char longer[80];

	(void)state;
	assert_string_equal(km_text_nearest("service", names), "services");
	assert_string_equal(km_text_nearest("setings", names), "settings");
	assert_string_equal(km_text_nearest("vresion", names), "version");
	assert_null(km_text_nearest("completely", names));
	assert_null(km_text_nearest("xy", names));
	assert_null(km_text_nearest("", names));
	memset(longer, 'a', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	assert_null(km_text_nearest(longer, names));
}

static void every_resource_has_a_name(void **state)
{
	int i;

	(void)state;
	for (i = 0; i < KM_RESOURCE_MAX; i++)
		assert_non_null(km_resource_names[i]);
	assert_null(km_resource_names[KM_RESOURCE_MAX]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(utf8_is_judged_as_the_standard_says),
		cmocka_unit_test(cleaning_replaces_bad_bytes_and_cuts_between_characters),
		cmocka_unit_test(nothing_that_drives_a_terminal_passes),
		cmocka_unit_test(an_escape_is_never_cut_in_the_middle),
		cmocka_unit_test(globs_match_within_one_path_component),
		cmocka_unit_test(a_hostile_glob_is_not_slow),
		cmocka_unit_test(a_number_is_digits_alone_and_fits_64_bits),
		cmocka_unit_test(a_unit_is_a_service_in_the_characters_of_unit_names),
		cmocka_unit_test(hex_and_hashes_are_the_published_ones),
		cmocka_unit_test(durations_have_two_units_at_most),
		cmocka_unit_test(bytes_have_one_decimal),
		cmocka_unit_test(the_nearest_name_is_a_slip_of_the_finger_away),
		cmocka_unit_test(every_resource_has_a_name),
	};

	return cmocka_run_group_tests_name("base/text", tests, NULL, NULL);
}
