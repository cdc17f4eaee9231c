// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/sparse.h"
#include "collect/raw.h"

#define LENGTHS 300 /* several masks, and what is left over */

static struct km_buf *buf;

static int begin(void **state)
{
	(void)state;
	return km_buf_new(4 * KM_RAW_MAX, &buf);
}

static int end(void **state)
{
	(void)state;
	buf = km_buf_free(buf);
	return 0;
}

/* LEN bytes, each EVERY-th not zero. */
static void fill(uint8_t *ret, uint32_t len, uint32_t every)
{
	for (uint32_t i = 0; i < len; i++)
		ret[i] = i % every ? 0 : (uint8_t)(i + len) | 1;
}

static void what_went_in_comes_out(void **state)
{
	uint8_t in[LENGTHS], out[LENGTHS];

	(void)state;
	for (uint32_t every = 1; every < 100; every += 7) {
		size_t at = 0;

		km_buf_reset(buf);
		for (uint32_t len = 1; len < LENGTHS; len++) {
			fill(in, len, every);
			km_sparse_add(buf, in, len);
		}
		assert_int_equal(km_buf_error(buf), 0);
		for (uint32_t len = 1; len < LENGTHS; len++) {
			fill(in, len, every);
			memset(out, 0xff, sizeof(out));
			assert_int_equal(km_sparse_next(buf, &at, out, LENGTHS), len);
			assert_memory_equal(in, out, len);
		}
		assert_int_equal(km_sparse_next(buf, &at, out, LENGTHS), 0);
		assert_int_equal(at, buf->len);
	}
}

static void zeros_take_an_eighth_of_a_byte_a_word(void **state)
{
	static uint8_t zeros[KM_RAW_MAX], out[KM_RAW_MAX];
	size_t at = 0;

	(void)state;
	km_sparse_add(buf, zeros, sizeof(zeros));
	assert_int_equal(buf->len, sizeof(uint32_t) + (KM_RAW_MAX + 63) / 64);
	out[0] = out[KM_RAW_MAX - 1] = 1;
	assert_int_equal(km_sparse_next(buf, &at, out, sizeof(out)), KM_RAW_MAX);
	assert_memory_equal(zeros, out, sizeof(out));
}

static void the_longest_record_without_a_zero_fits(void **state)
{
	static uint8_t in[KM_RAW_MAX], out[KM_RAW_MAX];
	size_t at = 0;

	(void)state;
	memset(in, 0xa5, sizeof(in));
	km_sparse_add(buf, in, sizeof(in));
	assert_int_equal(km_sparse_next(buf, &at, out, sizeof(out)), KM_RAW_MAX);
	assert_memory_equal(in, out, sizeof(out));
}

static void a_record_longer_than_its_room_is_refused(void **state)
{
	uint8_t in[64] = { 1 }, out[64];
	size_t at = 0;

	(void)state;
	km_sparse_add(buf, in, sizeof(in));
	assert_int_equal(km_sparse_next(buf, &at, out, sizeof(out) - 1), -EBADMSG);
	assert_int_equal(at, 0);
}

static void what_is_cut_short_is_refused(void **state)
{
	uint8_t in[LENGTHS], out[LENGTHS];
	size_t whole;

	(void)state;
	fill(in, sizeof(in), 3);
	km_sparse_add(buf, in, sizeof(in));
	whole = buf->len;
	for (buf->len = 1; buf->len < whole; buf->len++) {
		size_t at = 0;

		assert_int_equal(km_sparse_next(buf, &at, out, sizeof(out)), -EBADMSG);
	}
}

static void a_full_buffer_says_so(void **state)
{
	static uint8_t in[KM_RAW_MAX];

	(void)state;
	memset(in, 1, sizeof(in));
	for (int i = 0; i < 4; i++)
		km_sparse_add(buf, in, sizeof(in));
	assert_int_equal(km_buf_error(buf), -E2BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_went_in_comes_out, begin, end),
		cmocka_unit_test_setup_teardown(zeros_take_an_eighth_of_a_byte_a_word, begin, end),
		cmocka_unit_test_setup_teardown(the_longest_record_without_a_zero_fits, begin, end),
		cmocka_unit_test_setup_teardown(a_record_longer_than_its_room_is_refused, begin,
		                                end),
		cmocka_unit_test_setup_teardown(what_is_cut_short_is_refused, begin, end),
		cmocka_unit_test_setup_teardown(a_full_buffer_says_so, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
