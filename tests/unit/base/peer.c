/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/peer.h"

static void an_address_is_written_as_it_was_read(void **state)
{
	static const char *const texts[] = { "10.0.0.5:5432", "[2001:db8::1]:53", "[::1]:65535",
		                             "255.255.255.255:1" };

	(void)state;
	for (size_t i = 0; i < KM_ARRAY_SIZE(texts); i++) {
		char text[KM_PEER_TEXT];
		struct kmend_address p;

		assert_int_equal(km_peer_parse(texts[i], &p), 0);
		assert_int_equal(km_peer_is_v4(&p), texts[i][0] != '[');
		km_peer_text(&p, text);
		assert_string_equal(text, texts[i]);
	}
}

static void the_longest_address_fits(void **state)
{
	struct kmend_address p = { .port = 0xffff };
	char text[KM_PEER_TEXT];

	(void)state;
	memset(p.addr, 0xff, sizeof(p.addr));
	km_peer_text(&p, text);
	assert_string_equal(text, "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535");
}

static void what_is_no_address_is_refused(void **state)
{
	static const char *const texts[] = {
		"",           "10.0.0.5",     "10.0.0.5:",
		":5432",      "10.0.0.5:0",   "10.0.0.5:65536",
		"10.0.0:1",   "localhost:80", "::1:80",
		"[::1]80",    "[::1:80",      "[10.0.0.5]:80",
		"1.2.3.4:-1", "1.2.3.4: 1",   "1.2.3.4:1x",
		"[]:1",       "[:1",          "1.2.3.4.5.6.7.8.9.10:1"
	};
	struct kmend_address p = { .port = 7 };

	(void)state;
	for (size_t i = 0; i < KM_ARRAY_SIZE(texts); i++)
		assert_int_equal(km_peer_parse(texts[i], &p), -EINVAL);
	assert_int_equal(p.port, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_is_written_as_it_was_read),
		cmocka_unit_test(the_longest_address_fits),
		cmocka_unit_test(what_is_no_address_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
