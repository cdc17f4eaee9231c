// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/buf.h"

static void an_empty_buffer_is_an_empty_string(void **state)
{
	km_autofree(km_buf_freep) struct km_buf *b = NULL;

	(void)state;
	assert_int_equal(km_buf_new(10, &b), 0);
	assert_string_equal(km_buf_text(b), "");
	km_buf_add(b, NULL, 0);
	assert_string_equal(km_buf_text(b), "");
	assert_int_equal(b->len, 0);
}

static void the_maximum_fits_and_one_byte_more_does_not(void **state)
{
	km_autofree(km_buf_freep) struct km_buf *b = NULL;

	(void)state;
	assert_int_equal(km_buf_new(4, &b), 0);
	km_buf_add(b, "ab", 2);
	km_buf_addf(b, "%d", 42);
	assert_int_equal(km_buf_error(b), 0);
	assert_string_equal(km_buf_text(b), "ab42");
	km_buf_add(b, "x", 1);
	assert_int_equal(km_buf_error(b), -E2BIG);
	assert_string_equal(km_buf_text(b), "ab42");
}

static void nothing_is_added_after_a_failure_until_the_reset(void **state)
{
	km_autofree(km_buf_freep) struct km_buf *b = NULL;

	(void)state;
	assert_int_equal(km_buf_new(3, &b), 0);
	km_buf_addf(b, "%s", "four");
	km_buf_add(b, "a", 1);
	assert_int_equal(b->len, 0);
	assert_int_equal(km_buf_error(b), -E2BIG);
	km_buf_reset(b);
	km_buf_add(b, "abc", 3);
	assert_int_equal(km_buf_error(b), 0);
	assert_string_equal(km_buf_text(b), "abc");
	km_buf_reset(b);
	assert_string_equal(km_buf_text(b), "");
}

static void it_grows_and_keeps_every_byte(void **state)
{
	km_autofree(km_buf_freep) struct km_buf *b = NULL;
	size_t i;

	(void)state;
	assert_int_equal(km_buf_new(100000, &b), 0);
	for (i = 0; i < 100000; i++)
		km_buf_add(b, &(char){ 'a' + i % 26 }, 1);
	assert_int_equal(km_buf_error(b), 0);
	assert_int_equal(b->len, 100000);
	for (i = 0; i < 100000; i++)
		assert_int_equal(b->data[i], 'a' + i % 26);
	assert_int_equal(b->data[b->len], '\0');
}

static void eating_drops_from_the_front(void **state)
{
	km_autofree(km_buf_freep) struct km_buf *b = NULL;

	(void)state;
	assert_int_equal(km_buf_new(10, &b), 0);
	km_buf_eat(b, 3);
	km_buf_add(b, "abcdef", 6);
	km_buf_eat(b, 0);
	km_buf_eat(b, 2);
	assert_string_equal(km_buf_text(b), "cdef");
	km_buf_eat(b, 100);
	assert_string_equal(km_buf_text(b), "");
	km_buf_add(b, "0123456789", 10);
	assert_int_equal(km_buf_error(b), 0);
}

static void a_maximum_of_everything_is_refused_when_used(void **state)
{
	km_autofree(km_buf_freep) struct km_buf *b = NULL;

	(void)state;
	assert_int_equal(km_buf_new(SIZE_MAX, &b), 0);
	km_buf_add(b, "a", 1);
	assert_int_equal(km_buf_error(b), -E2BIG);
}

static void binary_content_is_kept(void **state)
{
	km_autofree(km_buf_freep) struct km_buf *b = NULL;

	(void)state;
	assert_int_equal(km_buf_new(10, &b), 0);
	km_buf_add(b, "a\0b", 3);
	assert_int_equal(b->len, 3);
	assert_memory_equal(b->data, "a\0b", 4);
	assert_null(km_buf_free(NULL));
}

static void a_copy_always_ends(void **state)
{
	char out[4] = "xxx";

	(void)state;
	assert_true(km_copy(out, sizeof(out), "abc"));
	assert_string_equal(out, "abc");
	assert_false(km_copy(out, sizeof(out), "abcd"));
	assert_string_equal(out, "abc");
	assert_true(km_copy(out, sizeof(out), ""));
	assert_string_equal(out, "");
	assert_false(km_copy(out, 1, "a"));
	assert_string_equal(out, "");
	assert_false(km_copy(out, 0, ""));
}

static void what_is_handed_over_is_not_released(void **state)
{
	char *text = strdup("x");
	int taken_fd;

	(void)state;
	{
		km_autofree_char char *inner = text;
		km_autoclose int fd = dup(0);

		taken_fd = km_take_fd(&fd);
		assert_int_equal(fd, -1);
		assert_ptr_equal(km_take(inner), text);
		assert_null(inner);
	}
	assert_string_equal(text, "x");
	assert_int_equal(close(taken_fd), 0);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_buffer_is_an_empty_string),
		cmocka_unit_test(the_maximum_fits_and_one_byte_more_does_not),
		cmocka_unit_test(nothing_is_added_after_a_failure_until_the_reset),
		cmocka_unit_test(it_grows_and_keeps_every_byte),
		cmocka_unit_test(eating_drops_from_the_front),
		cmocka_unit_test(a_maximum_of_everything_is_refused_when_used),
		cmocka_unit_test(binary_content_is_kept),
		cmocka_unit_test(a_copy_always_ends),
		cmocka_unit_test(what_is_handed_over_is_not_released),
	};

	return cmocka_run_group_tests_name("base/buf", tests, NULL, NULL);
}
