// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/sha256.h"
#include "base/text.h"

#define OF_ABC  "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define OF_NONE "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static void assert_digest(const struct km_span *pieces, size_t count, const char *expected)
{
	uint8_t digest[KM_SHA256_SIZE];
	char hex[2 * KM_SHA256_SIZE + 1];

	km_sha256(pieces, count, digest);
	km_hex(digest, sizeof(digest), hex);
	assert_string_equal(hex, expected);
}

static void digests_are_those_of_fips_180(void **state)
{
	static const struct km_span abc = { "abc", 3 }, none = { NULL, 0 };

	(void)state;
	assert_digest(&abc, 1, OF_ABC);
	assert_digest(&none, 1, OF_NONE);
	assert_digest(NULL, 0, OF_NONE);
}

static void pieces_are_one_text(void **state)
{
	static const struct km_span pieces[] = { { "a", 1 }, { "", 0 }, { "bc", 2 } };

	(void)state;
	assert_digest(pieces, 3, OF_ABC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(digests_are_those_of_fips_180),
		cmocka_unit_test(pieces_are_one_text),
	};

	return cmocka_run_group_tests_name("base/sha256", tests, NULL, NULL);
}
